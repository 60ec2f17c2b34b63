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
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().to_owned();
                return Err(StoreError::InUse { path: path.to_owned(), holder });
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
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
