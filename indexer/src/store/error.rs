use crate::ledger::{BalanceError, Position};
use std::path::PathBuf;
use uuid::Uuid;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite failed.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// SQLite failed a read.
    #[error("database: {0}")]
    Read(rusqlite::Error),
    /// The database was closed before it was asked.
    #[error("database: it is closed")]
    Closed,
    /// The file could not be opened or made.
    #[error("cannot open {path} (--db): {reason}", path = .path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// The database could not be copied.
    #[error("cannot copy to {path} (--to): {reason}", path = .path.display())]
    NotCopied {
        /// The copy.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An event that could not be written.
    #[error("block {}, log {}: {error}", .at.block, .at.log_index)]
    Event {
        /// Where the event stands.
        at: Position,
        /// What was wrong with it.
        error: Box<StoreError>,
    },
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Schema(sqlx::migrate::MigrateError),
    /// The file was written by a newer version of this program.
    #[error(
        "{path} has schema version {found}, written by a newer luxxon-indexer; this one knows \
         versions up to {known}: use the newer program, or another --db",
        path = .path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The file is something else.
    #[error("{path} is not a database of luxxon-indexer: {reason}", path = .path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        reason: String,
    },
    /// The file follows something else.
    #[error(
        "{path} follows {what} {found}, not {expected}: one database follows one deployment, use \
         another --db",
        path = .path.display()
    )]
    OtherDeployment {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the file follows.
        found: String,
        /// What it was asked to follow.
        expected: String,
    },
    /// Another process moves this ledger.
    #[error(
        "{path} is followed by another luxxon-indexer ({holder}): one database has one writer. Stop \
         that one, or use another --db",
        path = .path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Which process.
        holder: String,
    },
    /// Someone else moved the cursor.
    #[error("the cursor is at block {found}, not {expected}: is a second indexer writing here?")]
    CursorMoved {
        /// Where the cursor should have been.
        expected: u64,
        /// Where it is.
        found: u64,
    },
    /// Blocks or events that are out of order, or events without their block.
    #[error("what follows block {after} is out of order or incomplete")]
    NotABatch {
        /// The block it should have followed.
        after: u64,
    },
    /// A rollback below what is final, or to a block that is not kept.
    #[error("cannot roll back to block {to}: nothing below block {final_block} is taken back")]
    RollbackTooDeep {
        /// The block to roll back to.
        to: u64,
        /// The final height.
        final_block: u64,
    },
    /// Blocks cannot be taken back so far.
    #[error("nothing is kept below block {from}: the ledger begins there")]
    NothingBelow {
        /// The lowest block to take back.
        from: u64,
    },
    /// A value that does not fit its column.
    #[error("{column}: {value} does not fit a signed 64-bit column")]
    TooLarge {
        /// The column.
        column: &'static str,
        /// The value.
        value: u64,
    },
    /// A row that this program cannot have written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The events do not add up.
    #[error(transparent)]
    Balance(#[from] BalanceError),
    /// A session whose price the contract would refuse, or the ledger could not hold.
    #[error(
        "session {session} cannot be paid: its price does not fit 63 bits, or the platform's part is \
         above 2,000 basis points"
    )]
    Unpayable {
        /// The session.
        session: Uuid,
    },
    /// Nothing can pay a session that goes on.
    #[error("session {session} has not ended")]
    NotEnded {
        /// The session.
        session: Uuid,
    },
    /// What was named is not there.
    #[error("there is no {what}")]
    Unknown {
        /// What: a workspace, a key.
        what: String,
    },
    /// Something else is already entered under that name.
    #[error("{what} is already taken")]
    Conflict {
        /// What is taken: a slug, a session.
        what: String,
    },
}

// By hand: a cause that is part of the message is not to be a source too, or it would be said
// twice.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Schema(error)
    }
}

impl StoreError {
    /// This error, with the place of the event it came from.
    pub(super) fn at(self, at: Position) -> Self {
        Self::Event { at, error: Box::new(self) }
    }

    /// Whether the same call may well succeed later: another process held the database too long.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        /// The low byte of SQLite's result codes `SQLITE_BUSY` and `SQLITE_LOCKED`.
        const BUSY_OR_LOCKED: [i32; 2] = [5, 6];
        match self {
            Self::Database(sqlx::Error::Database(error)) => error
                .code()
                .and_then(|code| code.parse::<i32>().ok())
                .is_some_and(|code| BUSY_OR_LOCKED.contains(&(code & 0xff))),
            Self::Read(error) => error
                .sqlite_error()
                .is_some_and(|error| BUSY_OR_LOCKED.contains(&(error.extended_code & 0xff))),
            Self::Database(sqlx::Error::PoolTimedOut) => true,
            Self::Event { error, .. } => error.is_retryable(),
            _ => false,
        }
    }
}
