//! Keeps a database in memory while a daemon serves it.
//!
//! SQLite asks the system for pages, and the system has them in memory as pages of a file that no process has
//! mapped. Those are the first that it gives up; some kernels do with memory to spare (DAMON's `pageout`).
//! A page that is missing holds up a thread of the API, with all its connections, for as long as the disk
//! takes. So the files are mapped here, too, and what is missing is asked for before a read needs it.
//! Short of memory, the system may still take any page back. Nothing is read through the maps.

use memmap2::{MmapOptions, MmapRaw};
use std::{
    convert::Infallible,
    fs::File,
    future::pending,
    io,
    mem::ManuallyDrop,
    num::NonZeroU64,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::spawn_blocking, time::sleep};

/// How often missing pages are looked for, at most: longer ago than a kernel should give up what was used.
const EVERY: Duration = Duration::from_secs(5);

/// How many bytes are looked at in one go: a fraction of a millisecond where none is missing.
const AT_ONCE: usize = 4 << 20;

/// How many times as long as each of them took it rests: a twentieth of the time is spent on it, of a core
/// or, where memory is too short for the database, of the disk.
const REST: u32 = 19;

/// Keeps the pages of the database at `db` and of its write-ahead log in memory, while these are not larger
/// than `most` bytes; never, where that is `None`. What the system does not let it do is said in the log,
/// and tried again.
pub async fn keep_resident(db: PathBuf, most: Option<NonZeroU64>) -> Infallible {
    let Some(most) = most.map(NonZeroU64::get) else { return pending().await };
    let mut database = Database::new(&db, most);
    let mut before = None;
    loop {
        let now = database.look().await.map_err(|error| error.to_string());
        if before.as_ref() != Some(&now) {
            match &now {
                Ok(true) => tracing::debug!("the database is kept in memory"),
                Ok(false) => tracing::info!(most, "the database is too large to be kept in memory"),
                Err(error) => tracing::info!(%error, "the database is not kept in memory"),
            }
            before = Some(now);
        }
        sleep(EVERY).await;
    }
}

/// The file, and its write-ahead log.
struct Database {
    files: [Mapped; 2],
    most: u64,
}

impl Database {
    fn new(path: &Path, most: u64) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Self { files: [path.to_owned(), log.into()].map(Mapped::new), most }
    }

    /// Sees to it that all pages are in memory, and says whether they may be: they are left to the system
    /// where they are too many.
    async fn look(&mut self) -> io::Result<bool> {
        let lengths = [self.files[0].length()?, self.files[1].length()?];
        if lengths.iter().sum::<u64>() > self.most {
            self.files.iter_mut().for_each(|file| file.map = None);
            return Ok(false);
        }
        for (file, length) in self.files.iter_mut().zip(lengths) {
            file.look(length, self.most).await?;
        }
        Ok(true)
    }
}

struct Mapped {
    path: PathBuf,
    /// Never closed: with any handle of a file that a process closes, it gives up its locks of that file
    /// (POSIX has it so), and SQLite's are among them.
    file: Option<ManuallyDrop<File>>,
    map: Option<Arc<MmapRaw>>,
}

impl Mapped {
    const fn new(path: PathBuf) -> Self {
        Self { path, file: None, map: None }
    }

    /// In bytes; 0 where there is no such file yet.
    fn length(&self) -> io::Result<u64> {
        match self.path.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that its first `length` bytes are in memory.
    async fn look(&mut self, length: u64, most: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(());
        }
        let map = self.map(most)?;
        for begin in (0..length).step_by(AT_ONCE) {
            let (map, part) = (Arc::clone(&map), begin..length.min(begin + AT_ONCE));
            let looked = spawn_blocking(move || {
                let begun = Instant::now();
                populate(&map, part).map(|()| begun.elapsed())
            });
            sleep(looked.await.map_err(io::Error::other)?? * REST).await;
        }
        Ok(())
    }

    /// Room for all that it may grow to, once. What lies behind its end is never touched.
    fn map(&mut self, most: u64) -> io::Result<Arc<MmapRaw>> {
        if let Some(map) = &self.map {
            return Ok(Arc::clone(map));
        }
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(ManuallyDrop::new(File::open(&self.path)?)),
        };
        let most = usize::try_from(most).map_err(io::Error::other)?;
        let map = MmapOptions::new().len(most).map_raw_read_only(&**file)?;
        Ok(Arc::clone(self.map.insert(Arc::new(map))))
    }
}

/// Puts each page of `part` into the map, from the disk where it is missing.
#[cfg(target_os = "linux")]
fn populate(map: &MmapRaw, part: Range<usize>) -> io::Result<()> {
    map.advise_range(memmap2::Advice::PopulateRead, part.start, part.len())
}

/// Other systems are not told how.
#[cfg(not(target_os = "linux"))]
fn populate(_: &MmapRaw, _: Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::testing::{db_path, new_store};
    use std::{fs, os::unix::fs::MetadataExt};

    const MOST: u64 = 64 << 20;

    /// How many bytes of the file at `path` this process has mapped and in memory.
    fn mapped(path: &Path) -> u64 {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut of_file = maps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap()));
        let Some(resident) = of_file.find_map(|line| line.strip_prefix("Rss:")) else { return 0 };
        let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }

    fn files(folder: &Path) -> (PathBuf, PathBuf) {
        let folder = folder.canonicalize().unwrap();
        (folder.join("some.db"), folder.join("some.db-wal"))
    }

    #[tokio::test]
    async fn each_page_of_both_files_is_kept_and_of_what_they_grow_by() {
        let folder = tempfile::tempdir().unwrap();
        let (db, log) = files(folder.path());
        let mut database = Database::new(&db, MOST);
        // More than one go, and not a whole number of them.
        let sizes = [(9_u64 << 20) + 4096, 11 << 20];
        for (db_size, log_size) in [(sizes[0], 0), (sizes[0], 4096), (sizes[1], sizes[0])] {
            fs::write(&db, vec![1; usize::try_from(db_size).unwrap()]).unwrap();
            if log_size > 0 {
                fs::write(&log, vec![1; usize::try_from(log_size).unwrap()]).unwrap();
            }
            assert!(database.look().await.unwrap());
            assert_eq!((mapped(&db), mapped(&log)), (db_size, log_size));
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_left_to_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let (db, log) = files(folder.path());
        let mut database = Database::new(&db, 12_288);
        fs::write(&db, [1; 8_192]).unwrap();
        fs::write(&log, [1; 4_096]).unwrap();
        assert!(database.look().await.unwrap());
        assert_eq!((mapped(&db), mapped(&log)), (8_192, 4_096));
        fs::write(&log, [1; 4_097]).unwrap();
        assert!(!database.look().await.unwrap());
        assert_eq!((mapped(&db), mapped(&log)), (0, 0));
        fs::write(&log, [1; 4_096]).unwrap();
        assert!(database.look().await.unwrap());
        assert_eq!((mapped(&db), mapped(&log)), (8_192, 4_096));
    }

    #[tokio::test]
    async fn sqlite_keeps_its_locks_whatever_becomes_of_the_maps() {
        let (folder, store) = new_store().await;
        let db = db_path(&folder).canonicalize().unwrap();
        let node = format!(":{} ", db.metadata().unwrap().ino());
        let locks = || {
            let all = fs::read_to_string("/proc/locks").unwrap();
            all.lines().filter(|lock| lock.contains(&node)).map(str::to_owned).collect::<Vec<_>>()
        };
        // With the numbers of lines, which change with other files' locks.
        let count = || locks().len();
        let before = count();
        assert!(before > 0, "a database in WAL mode is locked while it is open");
        let mut database = Database::new(&db, MOST);
        assert!(database.look().await.unwrap());
        assert_eq!(mapped(&db), db.metadata().unwrap().len());
        drop(database);
        assert_eq!(mapped(&db), 0);
        assert_eq!(count(), before);
        store.close().await;
    }
}
