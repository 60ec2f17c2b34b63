use crate::store::StoreError;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

/// The right to move the ledger of a database: one process has it. It is a lock on a file beside
/// the database, which the system takes back when the process ends, however it ends; the file stays.
///
/// It is not on the database itself: closing any handle of that would drop SQLite's own locks.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the database at `path`, unless another process has it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let unopenable = |error: std::io::Error| StoreError::Unopenable {
            path: lock_path(path),
            reason: error.to_string(),
        };
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(lock_path(path)).map_err(unopenable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: path.to_owned(), holder: written_in(file) });
            }
            Err(TryLockError::Error(error)) => return Err(unopenable(error)),
        }
        // For the one who is refused to read.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "process {}", std::process::id()));
        written.map_err(unopenable)?;
        Ok(Self { _file: file })
    }

    /// Who has the lock of the database at `path`; `None` where nobody has it.
    pub(super) fn holder(path: &Path) -> Option<String> {
        let file = File::open(lock_path(path)).ok()?;
        // To share it is to keep nobody else from looking.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| written_in(file))
    }
}

fn written_in(mut file: File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    text.trim().to_owned()
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
