//! Connections that answer the API where they are asked.
//!
//! sqlx gives each connection a thread, and every statement is a trip there and back: some 20 µs, of
//! which SQLite has use for one or two. What the API reads is short and, as a rule, in memory, so it is
//! read by the thread that asks. A page that has to come from the disk holds that thread up as long
//! as the disk takes; the others go on.
//!
//! To begin with a state of the database takes two locks of the file, which all connections of a
//! process take one after the other. So a state that was begun with is read from again, for
//! [`SAME_STATE`] at most, but not while this process commits, nor once it has: no read sees an older
//! state than one that ended before it began. What another process wrote (a key entered from a shell)
//! is seen that much later.

use super::open::{BUSY_TIMEOUT, READER_CACHE};
use crate::{
    ledger::Block,
    store::{Cursor, StoreError},
};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    cell::OnceCell,
    fmt,
    ops::Deref,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a state is read from. Under load, some twenty reads share one.
const SAME_STATE: Duration = Duration::from_millis(1);

/// Statements that each connection keeps prepared: more than there are.
const STATEMENTS: usize = 64;

/// The connections. Clones share them.
#[derive(Clone)]
pub(super) struct Readers(Arc<All>);

struct All {
    places: Vec<Place>,
    /// How often this process has committed.
    commits: AtomicU64,
    /// How many of its transactions are just being committed.
    committing: AtomicUsize,
}

/// A connection, until they are closed.
type Place = Mutex<Option<Reader>>;

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Readers {
    /// `count` connections to the database at `path`, which is there: as many threads read at once.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let places = (0..count).map(|_| Ok(Mutex::new(Some(Reader::open(path)?))));
        let places = places.collect::<Result<_, StoreError>>()?;
        Ok(Self(Arc::new(All {
            places,
            commits: AtomicU64::new(0),
            committing: AtomicUsize::new(0),
        })))
    }

    /// What `read` finds. All that it reads is of one state of the database: none older than what this
    /// process wrote before, or another read saw that ended before.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut place = self.free();
        let reader = place.as_mut().ok_or(StoreError::Closed)?;
        let kept = self.kept();
        let found = reader.read(kept, read);
        if kept.is_none() || self.kept() != kept {
            reader.end();
        }
        found
    }

    /// How often this process had committed, where a state may be read from again; `None` while it commits.
    pub(super) fn kept(&self) -> Option<u64> {
        let nobody_commits = self.0.committing.load(Ordering::SeqCst) == 0;
        nobody_commits.then(|| self.0.commits.load(Ordering::SeqCst))
    }

    /// This process is about to commit. No state is kept until it is through: another read could have
    /// seen a newer one by then, and SQLite could not use the room of its log again.
    pub(super) fn hold(&self) -> Hold {
        self.0.committing.fetch_add(1, Ordering::SeqCst);
        for place in &self.0.places {
            let mut place = match place.try_lock() {
                Ok(place) => place,
                Err(TryLockError::Poisoned(place)) => recovered(place),
                // Who reads just now ends its state itself.
                Err(TryLockError::WouldBlock) => continue,
            };
            if let Some(reader) = place.as_mut() {
                reader.end();
            }
        }
        Hold(self.clone())
    }

    /// A connection that nobody reads with: the one that this thread had last, if it can be, because
    /// that has in memory what the thread read.
    fn free(&self) -> MutexGuard<'_, Option<Reader>> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static USUAL: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        let places = &self.0.places;
        let usual = USUAL.with(|usual| usual % places.len());
        let (before, from) = places.split_at(usual);
        for place in from.iter().chain(before) {
            match place.try_lock() {
                Ok(reader) => return reader,
                Err(TryLockError::Poisoned(place)) => return recovered(place),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        places[usual].lock().unwrap_or_else(recovered)
    }

    /// Closes the connections. Reads that are under way are done first.
    pub(super) fn close(&self) {
        for place in &self.0.places {
            drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// While it is there, no state is kept.
pub(super) struct Hold(Readers);

impl Drop for Hold {
    fn drop(&mut self) {
        let Self(Readers(all)) = self;
        // In this order: whoever sees that nobody commits sees also that somebody did.
        all.commits.fetch_add(1, Ordering::SeqCst);
        all.committing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// After a read that panicked: its statements ended with it, and its state ends here.
fn recovered(place: PoisonError<MutexGuard<'_, Option<Reader>>>) -> MutexGuard<'_, Option<Reader>> {
    let mut place = place.into_inner();
    if let Some(reader) = place.as_mut() {
        reader.end();
    }
    place
}

/// The last block of each level, the least sure first.
pub(super) type Ends = [Block; 3];

/// A connection, and the state of the database that it looks at.
pub(super) struct Reader {
    connection: Connection,
    /// How often this process had committed, and when the state was begun with.
    begun: Option<(u64, Instant)>,
    /// What nearly every answer asks of the state.
    cursor: OnceCell<Cursor>,
    ends: OnceCell<Ends>,
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, StoreError> {
        // Each is used by one thread at a time: SQLite need not see to that.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "cache_size", READER_CACHE)?;
        // A plan that does not depend on values stays: otherwise each new limit of a page is a new
        // plan.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { connection, begun: None, cursor: OnceCell::new(), ends: OnceCell::new() })
    }

    /// The cursor of its state, which `read` finds: once, however many ask.
    pub(super) fn cursor(
        &self,
        read: impl FnOnce() -> Result<Cursor, StoreError>,
    ) -> Result<Cursor, StoreError> {
        once(&self.cursor, read)
    }

    /// The last blocks of the levels, likewise.
    pub(super) fn ends(
        &self,
        read: impl FnOnce() -> Result<Ends, StoreError>,
    ) -> Result<Ends, StoreError> {
        once(&self.ends, read)
    }

    /// Reads from the state of before where it is `kept`.
    fn read<T>(
        &mut self,
        kept: Option<u64>,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let same = |&(commits, begun): &(u64, Instant)| {
            kept == Some(commits) && begun.elapsed() < SAME_STATE
        };
        if !self.begun.as_ref().is_some_and(same) {
            self.end();
            self.connection.prepare_cached("BEGIN")?.execute(())?;
            self.begun = Some((kept.unwrap_or_default(), Instant::now()));
        }
        read(self).inspect_err(|_| self.end())
    }

    /// Looks at that state no more.
    fn end(&mut self) {
        self.cursor.take();
        self.ends.take();
        // Some errors end it by themselves.
        if self.begun.take().is_none() || self.connection.is_autocommit() {
            return;
        }
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute(()));
        if let Err(error) = ended {
            tracing::error!(%error, "a read does not end");
        }
    }
}

fn once<T: Copy, E>(known: &OnceCell<T>, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    match known.get() {
        Some(known) => Ok(*known),
        None => read().map(|found| *known.get_or_init(|| found)),
    }
}
