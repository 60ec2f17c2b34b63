//! Opening a database: what is there is looked at before anything is written.

use super::{SqliteStore, columns, columns::integer, lock::Lock, readers::Readers};
use crate::{
    ledger::{Block, Deployment},
    store::{Pins, StoreError},
};
use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};
use tokio::sync::watch;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "ledger", include_str!("../../../migrations/0001_ledger.sql")),
        migration(2, "registry", include_str!("../../../migrations/0002_registry.sql")),
    ])
});

/// The writer's pages in memory, in KiB (SQLite counts them so when the number is negative). The
/// indexes are written at random: with the usual 2 MB, their pages are written out and read again
/// within a transaction, and a backfill takes half as long again.
const WRITER_CACHE: &str = "-8000";

/// Pages of 4 KiB that the write-ahead log may have before they are written into the file: a page
/// that is written many times meanwhile is written there once.
const CHECKPOINT: &str = "8000";

/// How long a writer waits for another process's transaction (a key being entered from a shell).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read waits for a free connection before it fails.
const READER_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that answer the API, for each core of the machine: as many threads serve, and those of
/// the rest of the program look now and then.
const READERS_PER_CORE: usize = 2;

/// The pages that each of them has in memory at most, in KiB, counted as above: what a thousand busy
/// wallets look at in a ledger of a million events.
pub(super) const READER_CACHE: i64 = -64_000;

/// Connections for who looks at more at once: audits, exports, lists.
const INSPECTORS: u32 = 2;

impl SqliteStore {
    /// What the database follows.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or nothing was entered yet.
    pub async fn pins(&self) -> Result<Pins, StoreError> {
        let pins = pinned(&mut *self.pool.acquire().await?).await?;
        pins.ok_or_else(|| StoreError::Damaged("it follows nothing".to_owned()))
    }

    /// The process that moves the ledger of the database at `path`, where one does.
    #[must_use]
    pub fn in_use_by(path: &Path) -> Option<String> {
        Lock::holder(path)
    }

    /// Says whether the file at `path` can be followed from `pins` on, and writes nothing.
    ///
    /// A file that does not exist or is empty can. One of a newer version, of another program or of
    /// another deployment cannot, and the error says which.
    pub async fn check(path: &Path, pins: &Pins) -> Result<(), StoreError> {
        if path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            let mut connection = to_inspect(path).await?;
            let outcome = check_contents(&mut connection, path, pins).await;
            connection.close().await?;
            outcome?;
        }
        Ok(())
    }

    /// Opens the file at `path`, makes or updates its schema, and pins it to `pins`.
    ///
    /// The ledger is this process's alone to move until the last clone of the store is gone: another
    /// that has it is a [`StoreError::InUse`].
    ///
    /// `first` is where a new ledger begins: a final block before the deployment.
    pub async fn open(path: &Path, pins: &Pins, first: Block) -> Result<Self, StoreError> {
        Self::check(path, pins).await?;
        let lock = Lock::take(path)?;
        let writer =
            that_stay(1).connect_with(read_write(path).create_if_missing(true)).await.map_err(
                |error| StoreError::Unopenable { path: path.to_owned(), reason: error.to_string() },
            )?;
        MIGRATIONS.run(&writer).await?;
        pin(&writer, path, pins, first).await?;
        Self::with_writer(path, writer, Some(lock)).await
    }

    /// Opens a database that a daemon has already made, to read it, or to enter workspaces, keys and
    /// sessions. A daemon may be running.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::open_made(path, None).await
    }

    /// Opens a database that a daemon has already made, for this process alone to move the ledger:
    /// another that has it is a [`StoreError::InUse`].
    pub async fn open_alone(path: &Path) -> Result<Self, StoreError> {
        let lock = path.exists().then(|| Lock::take(path)).transpose()?;
        Self::open_made(path, lock).await
    }

    async fn open_made(path: &Path, lock: Option<Lock>) -> Result<Self, StoreError> {
        let unfit = |reason: &str| StoreError::ForeignFile {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if !path.exists() {
            return Err(unfit("there is no such file"));
        }
        let mut connection = to_inspect(path).await?;
        let version = check_schema(&mut connection, path).await;
        connection.close().await?;
        match version? {
            None => return Err(unfit("it is empty")),
            Some(version) if version < newest_schema() => {
                return Err(unfit("its schema is older; start the daemon on it once"));
            }
            Some(_) => {}
        }
        let writer = that_stay(1).connect_with(read_write(path)).await?;
        Self::with_writer(path, writer, lock).await
    }

    /// How the daemon opens the file at `path` to write to it: for whoever measures that.
    #[must_use]
    pub fn writer_options(path: &Path) -> SqliteConnectOptions {
        read_write(path)
    }

    /// Closes every connection, folds the write-ahead log into the file, and leaves the ledger to
    /// others.
    pub async fn close(&self) {
        self.readers.close();
        self.pool.close().await;
        self.writer.close().await;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn with_writer(
        path: &Path,
        writer: SqlitePool,
        lock: Option<Lock>,
    ) -> Result<Self, StoreError> {
        let pool = that_stay(INSPECTORS)
            .acquire_timeout(READER_TIMEOUT)
            .connect_with(read_only(path))
            .await?;
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let readers = Readers::open(path, READERS_PER_CORE * cores)?;
        let (lock, moved) = (Arc::new(Mutex::new(lock)), watch::Sender::default());
        Ok(Self { writer, readers, pool, lock, moved })
    }
}

/// `count` connections, which are made when the database is opened and stay, unless one breaks. sqlx
/// would make one anew after ten minutes of rest or half an hour, and where who asks for one goes away
/// while it is tried: without the pages that were in memory, and with its thread on the core that a
/// thread of the API, which asked, stays on.
fn that_stay(count: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(count)
        .max_connections(count)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn read_write(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that has returned survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT)
        // A statement of many rows keeps what it changes until it is through: not in a file.
        .pragma("temp_store", "MEMORY")
        .busy_timeout(BUSY_TIMEOUT)
}

fn read_only(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT)
}

/// A connection that leaves no trace. Even a reader of a database in WAL mode makes files beside
/// it, unless it is told that nobody writes; and nobody does where there is no write-ahead log.
async fn to_inspect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let at_rest = !Path::new(&log).exists();
    let connection = read_only(path).immutable(at_rest).connect().await;
    connection.map_err(|error| foreign(path, &error))
}

fn foreign(path: &Path, error: &sqlx::Error) -> StoreError {
    StoreError::ForeignFile { path: path.to_owned(), reason: error.to_string() }
}

async fn check_contents(
    connection: &mut SqliteConnection,
    path: &Path,
    pins: &Pins,
) -> Result<(), StoreError> {
    if check_schema(connection, path).await?.is_some()
        && let Some(found) = pinned(connection).await?
    {
        compare(path, &found, pins)?;
    }
    Ok(())
}

fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The file's schema version, `None` where it has none yet; an error where it is not ours or too
/// new.
async fn check_schema(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Option<i64>, StoreError> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| foreign(path, &error))?;
    if tables.is_empty() {
        return Ok(None);
    }
    let has = |table: &str| tables.iter().any(|name| name == table);
    // Other programs keep their migrations under the same name; only ours make a deployment.
    if !has(&MIGRATIONS.table_name) || (tables.len() > 1 && !has("deployment")) {
        let reason = format!("it has other tables ({})", tables.join(", "));
        return Err(StoreError::ForeignFile { path: path.to_owned(), reason });
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await?;
    match (found, newest_schema()) {
        (Some(found), known) if found > known => {
            Err(StoreError::NewerSchema { path: path.to_owned(), found, known })
        }
        (found, _) => Ok(found),
    }
}

async fn pinned(connection: &mut SqliteConnection) -> Result<Option<Pins>, StoreError> {
    let row = sqlx::query(
        "SELECT chain_id, genesis_hash, settlement, usdc, code_hash, deploy_block FROM deployment",
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Pins {
            chain_id: columns::number(&row, "chain_id")?,
            genesis_hash: columns::hash(&row, "genesis_hash")?,
            deployment: Deployment {
                settlement: columns::address(&row, "settlement")?,
                usdc: columns::address(&row, "usdc")?,
                deploy_block: columns::number(&row, "deploy_block")?,
            },
            code_hash: columns::hash(&row, "code_hash")?,
        })
    })
    .transpose()
}

fn compare(path: &Path, found: &Pins, asked: &Pins) -> Result<(), StoreError> {
    let differs = |what, found: &dyn ToString, expected: &dyn ToString| {
        let (found, expected) = (found.to_string(), expected.to_string());
        if found == expected {
            return Ok(());
        }
        Err(StoreError::OtherDeployment { path: path.to_owned(), what, found, expected })
    };
    let (from, to) = (&found.deployment, &asked.deployment);
    differs("chain id", &found.chain_id, &asked.chain_id)?;
    differs("the chain with genesis", &found.genesis_hash, &asked.genesis_hash)?;
    differs("the settlement contract", &from.settlement, &to.settlement)?;
    differs("the USDC", &from.usdc, &to.usdc)?;
    differs("the contract code with hash", &found.code_hash, &asked.code_hash)?;
    differs("the deployment of block", &from.deploy_block, &to.deploy_block)
}

/// Writes the pins and the first cursor into a new database, in one transaction.
async fn pin(
    writer: &SqlitePool,
    path: &Path,
    pins: &Pins,
    first: Block,
) -> Result<(), StoreError> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(found) = pinned(&mut tx).await? {
        return compare(path, &found, pins);
    }
    sqlx::query(
        "INSERT INTO deployment
            (id, chain_id, genesis_hash, settlement, usdc, code_hash, deploy_block)
         VALUES (1, ?, ?, ?, ?, ?, ?)",
    )
    .bind(integer("chain_id", pins.chain_id)?)
    .bind(pins.genesis_hash.as_slice())
    .bind(pins.deployment.settlement.as_slice())
    .bind(pins.deployment.usdc.as_slice())
    .bind(pins.code_hash.as_slice())
    .bind(integer("deploy_block", pins.deployment.deploy_block)?)
    .execute(&mut *tx)
    .await?;
    let number = integer("block_number", first.number)?;
    sqlx::query("INSERT INTO blocks (number, hash, timestamp) VALUES (?, ?, ?)")
        .bind(number)
        .bind(first.hash.as_slice())
        .bind(integer("timestamp", first.timestamp)?)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO cursor (id, block_number, safe_block, final_block, owed) VALUES (1, ?1, ?1, ?1, 0)")
        .bind(number)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod migrations {
    use super::MIGRATIONS;
    use std::{fs, path::Path};

    #[test]
    fn every_migration_file_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let embedded: Vec<String> =
            MIGRATIONS.iter().map(|m| format!("{:04}_{}.sql", m.version, m.description)).collect();
        assert_eq!(files, embedded);
    }
}
