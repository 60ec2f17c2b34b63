//! Keeps a database in memory while a daemon serves it.
//!
//! SQLite asks the system for pages, and the system has them in memory as pages of a file that no process has
//! mapped. Those are the first that it gives up; some kernels do with memory to spare (DAMON's `pageout`).
//! A page that is missing holds up a thread of the API, with all its connections, for as long as the disk
//! takes. So the files are mapped here, too, and what is missing is asked for before a read needs it.
//! Short of memory, the system may still take any page back. Nothing is read through the maps.

use memmap2::{MmapOptions, MmapRaw};
use std::{
    fs::{self, File},
    io,
    mem::ManuallyDrop,
    num::NonZeroU64,
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long after one look at all pages the next begins: more often than a kernel takes back what it need
/// not (after a minute, where `make bench-api` met it).
const EVERY: Duration = Duration::from_secs(5);

/// How long nothing is done where memory turned out to be too short.
const LATER: Duration = Duration::from_hours(1);

/// Memory is too short where more than one page in so many had to come from the disk once all were in memory.
const SHORT: u64 = 8;

/// How many bytes are looked at in one go: a fraction of a millisecond where none is missing.
const AT_ONCE: usize = 4 << 20;

/// How many times as long as each of them took it rests: a twentieth of the time, of a core or of the disk,
/// is spent on it at most.
const REST: u32 = 19;

/// Keeps the pages of the database at `db` and of its write-ahead log in memory, from a thread that ends
/// with the process: each file where it, or both together, are no larger than `most` bytes. What keeps it
/// from doing so is said in the log, and tried again.
///
/// # Errors
///
/// Where the thread cannot be started.
pub fn keep_resident(db: &Path, most: NonZeroU64) -> io::Result<()> {
    let (most, read) = (most.get(), || read_from_disk().unwrap_or_default());
    let mut database = Database::new(db, most, read);
    let keep = move || {
        let mut before = Ok(Found::Kept);
        loop {
            let now = database.look().map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => "it takes Linux 5.14 or later".to_owned(),
                _ => error.to_string(),
            });
            match &now {
                same if *same == before => {}
                Ok(Found::Kept) => tracing::info!("the database is kept in memory again"),
                Ok(Found::TooLarge) => {
                    tracing::info!(mib = most >> 20, "the database is larger than --resident-mib");
                }
                Ok(Found::Short) => {
                    tracing::info!(
                        "the database is not kept in memory: too little of that is free"
                    );
                }
                Err(error) => tracing::info!(%error, "the database is not kept in memory"),
            }
            thread::sleep(if now == Ok(Found::Short) { LATER } else { EVERY });
            before = now;
        }
    };
    thread::Builder::new().name("resident".to_owned()).spawn(keep).map(drop)
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// All pages are in memory.
    Kept,
    /// There are too many: what stays in memory is left to the system.
    TooLarge,
    /// The system had taken too many back: the rest is left to it, too.
    Short,
}

/// The file, and its write-ahead log.
struct Database {
    files: [Mapped; 2],
    most: u64,
    /// How many bytes this thread has had to read from a disk; 0 where the system does not tell.
    read: fn() -> u64,
    /// Whether all pages were in memory before.
    looked: bool,
}

impl Database {
    fn new(path: &Path, most: u64, read: fn() -> u64) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path.to_owned(), log.into()].map(Mapped::new);
        Self { files, most, read, looked: false }
    }

    /// Sees to it that all pages are in memory, where these are not too many.
    fn look(&mut self) -> io::Result<Found> {
        let (read, mut kept, mut looked) = ((self.read)(), 0, Ok(Found::Kept));
        for file in &mut self.files {
            let length = file.length()?;
            if kept + length > self.most {
                file.map = None;
                looked = looked.and(Ok(Found::TooLarge));
            } else {
                kept += length;
                looked = file.look(length).and(looked);
            }
        }
        let read = (self.read)().saturating_sub(read);
        if self.looked && read > kept / SHORT {
            self.files.iter_mut().for_each(|file| file.map = None);
            looked = Ok(Found::Short);
        }
        self.looked = matches!(looked, Ok(Found::Kept | Found::TooLarge));
        looked
    }
}

struct Mapped {
    path: PathBuf,
    /// Never closed: with any handle of a file that a process closes, it gives up its locks of that file
    /// (POSIX has it so), and SQLite's are among them.
    file: Option<ManuallyDrop<File>>,
    map: Option<MmapRaw>,
}

impl Mapped {
    const fn new(path: PathBuf) -> Self {
        Self { path, file: None, map: None }
    }

    /// In bytes; 0 where there is no such file yet.
    fn length(&mut self) -> io::Result<u64> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(ManuallyDrop::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        self.file.as_ref().map_or(Ok(0), |file| Ok(file.metadata()?.len()))
    }

    /// Sees to it that its first `length` bytes are in memory. What cannot be is left out, and the error
    /// returned at the end.
    fn look(&mut self, length: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let map = match self.map.take() {
            Some(map) if map.len() >= length => map,
            // With room to grow: what lies behind its end is never touched.
            _ => MmapOptions::new().len(length.next_power_of_two()).map_raw_read_only(&**file)?,
        };
        let map = self.map.insert(map);
        let mut looked = Ok(());
        for begin in (0..length).step_by(AT_ONCE) {
            let begun = Instant::now();
            looked = populate(map, begin..length.min(begin + AT_ONCE)).and(looked);
            thread::sleep(begun.elapsed() * REST);
        }
        looked
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

/// How many bytes this thread has had to read from a disk, where the system tells.
fn read_from_disk() -> Option<u64> {
    let io = fs::read_to_string("/proc/thread-self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::testing::{db_path, new_store};
    use std::{cell::Cell, os::unix::fs::MetadataExt, process};

    const MOST: u64 = 64 << 20;

    /// How many bytes of the file at `path` this process has mapped and in memory.
    fn mapped(path: &Path) -> u64 {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut of_file = maps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap()));
        let Some(resident) = of_file.find_map(|line| line.strip_prefix("Rss:")) else { return 0 };
        let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }

    fn files(folder: &Path) -> [PathBuf; 2] {
        let folder = folder.canonicalize().unwrap();
        [folder.join("some.db"), folder.join("some.db-wal")]
    }

    fn write(path: &Path, bytes: u64) {
        fs::write(path, vec![1; usize::try_from(bytes).unwrap()]).unwrap();
    }

    #[test]
    fn each_page_of_both_files_is_kept_and_of_what_they_grow_by() {
        let folder = tempfile::tempdir().unwrap();
        let [db, log] = files(folder.path());
        let mut database = Database::new(&db, MOST, || 0);
        // More than one go, and not a whole number of them; within the room of the map, and beyond.
        for (of_db, of_log) in [(9 << 20, 0), (10 << 20, 1 << 20), (17 << 20, 9 << 20)] {
            write(&db, of_db + 1);
            if of_log > 0 {
                write(&log, of_log);
            }
            assert_eq!(database.look().unwrap(), Found::Kept);
            assert!(mapped(&db) > of_db, "{} of {of_db} and one", mapped(&db));
            assert!(mapped(&log) >= of_log, "{} of {of_log}", mapped(&log));
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_left_to_the_system_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [db, log] = files(folder.path());
        let mut database = Database::new(&db, 3 << 20, || 0);
        write(&db, 2 << 20);
        for (of_log, found, is_kept) in [
            (1 << 20, Found::Kept, [true, true]),
            ((1 << 20) + 1, Found::TooLarge, [true, false]),
            (1 << 20, Found::Kept, [true, true]),
        ] {
            write(&log, of_log);
            assert_eq!(database.look().unwrap(), found);
            assert_eq!([mapped(&db) > 0, mapped(&log) > 0], is_kept);
        }
        write(&db, (3 << 20) + 1);
        assert_eq!(database.look().unwrap(), Found::TooLarge);
        assert_eq!([mapped(&db) > 0, mapped(&log) > 0], [false, true]);
    }

    #[test]
    fn where_the_system_takes_too_many_pages_back_the_others_are_left_to_it_too() {
        thread_local!(static READ: Cell<u64> = const { Cell::new(0) });
        let folder = tempfile::tempdir().unwrap();
        let [db, _] = files(folder.path());
        write(&db, 8 << 20);
        // What a look reads is what was read between the first call and the second.
        let reading = |bytes: u64| {
            thread_local!(static STEP: Cell<u64> = const { Cell::new(0) });
            STEP.set(bytes);
            || READ.replace(READ.get() + STEP.get())
        };
        let mut database = Database::new(&db, MOST, reading(8 << 20));
        assert_eq!(database.look().unwrap(), Found::Kept, "nothing was in memory before");
        for (bytes, found) in [
            (1 << 20, Found::Kept),
            ((1 << 20) + 1, Found::Short),
            (8 << 20, Found::Kept),
            (8 << 20, Found::Short),
        ] {
            database.read = reading(bytes);
            assert_eq!(database.look().unwrap(), found, "{bytes}");
            assert_eq!(mapped(&db) > 0, found == Found::Kept);
        }
    }

    #[test]
    fn what_was_read_from_the_disk_is_known() {
        assert!(read_from_disk().is_some());
    }

    #[tokio::test]
    async fn sqlite_keeps_its_locks_whatever_becomes_of_the_maps() {
        let (folder, store) = new_store().await;
        let db = db_path(&folder).canonicalize().unwrap();
        let (process, node) = (format!(" {} ", process::id()), db.metadata().unwrap().ino());
        let node = format!(":{node} ");
        // Lines begin with a number that changes with other files' locks, so they are counted.
        let locks = || {
            let all = fs::read_to_string("/proc/locks").unwrap();
            all.lines().filter(|lock| lock.contains(&process) && lock.contains(&node)).count()
        };
        let before = locks();
        assert!(before > 0, "a database in WAL mode is locked while it is open");
        let mut database = Database::new(&db, MOST, || 0);
        assert_eq!(database.look().unwrap(), Found::Kept);
        assert!(mapped(&db) >= db.metadata().unwrap().len());
        drop(database);
        assert_eq!((mapped(&db), locks()), (0, before));
        store.close().await;
    }
}
