use super::{
    BenchChain, fetch,
    rows::{self, Table, Value},
};
use eyre::{Result, ensure};
use luxxon_indexer::store::SqliteStore;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::try_join;

/// Rows in one statement, and in one transaction: what was fastest.
const ROWS_PER_STATEMENT: usize = 64;
const ROWS_PER_TRANSACTION: usize = 65_536;

/// The least that has to be done for a database: the same answers fetched, and the same rows
/// inserted, and nothing else. Nothing is parsed, decoded, checked or added up, and each balance is
/// written once.
#[derive(Debug)]
pub struct Floor {
    ranges: Vec<(u64, u64)>,
    tables: Vec<Table>,
}

impl Floor {
    /// The floor of a run that read `ranges` and left the database `finished`.
    pub async fn of(finished: &Path, ranges: &[(u64, u64)]) -> Result<Self> {
        let mut tables = rows::read(finished).await?;
        // As the daemon does: what comes in together is entered in the order of its table.
        for table in tables.iter_mut().filter(|table| rows::is_found_by_hash(table.name)) {
            let width = table.columns.len();
            for rows in table.values.chunks_mut(ROWS_PER_TRANSACTION * width) {
                let mut sorted: Vec<&[Value]> = rows.chunks(width).collect();
                sorted.sort_unstable();
                let sorted = sorted.concat();
                rows.clone_from_slice(&sorted);
            }
        }
        Ok(Self { ranges: ranges.to_vec(), tables })
    }

    /// Both at once, into the database `db`, which must not exist yet.
    pub async fn run(&self, chain: &BenchChain, db: &Path) -> Result<Duration> {
        let mut connection = empty(chain, db).await?;
        let began = Instant::now();
        try_join!(fetch::fetch(chain, &self.ranges), self.insert(&mut connection))?;
        let time = began.elapsed();
        connection.close().await?;
        Ok(time)
    }

    /// The fetches, and nothing else. Returns how long they took and how many bytes they were.
    pub async fn run_fetch(&self, chain: &BenchChain) -> Result<(Duration, usize)> {
        let began = Instant::now();
        let bytes = fetch::fetch(chain, &self.ranges).await?;
        Ok((began.elapsed(), bytes))
    }

    /// The rows, and nothing else, into the database `db`, which must not exist yet.
    pub async fn run_insert(&self, chain: &BenchChain, db: &Path) -> Result<Duration> {
        let mut connection = empty(chain, db).await?;
        let began = Instant::now();
        self.insert(&mut connection).await?;
        let time = began.elapsed();
        connection.close().await?;
        Ok(time)
    }

    async fn insert(&self, connection: &mut SqliteConnection) -> Result<()> {
        for table in &self.tables {
            for rows in table.values.chunks(ROWS_PER_TRANSACTION * table.columns.len()) {
                let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
                insert(&mut tx, table, rows).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

async fn insert(tx: &mut SqliteConnection, table: &Table, rows: &[Value]) -> Result<()> {
    let width = table.columns.len();
    for some in rows.chunks(ROWS_PER_STATEMENT * width) {
        let row = format!("({})", vec!["?"; width].join(", "));
        let rows = vec![row; some.len() / width].join(", ");
        let sql =
            format!("INSERT INTO {} ({}) VALUES {rows}", table.name, table.columns.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in some {
            query = match value {
                Value::Null => query.bind(None::<i64>),
                Value::Integer(integer) => query.bind(*integer),
                Value::Bytes(bytes) => query.bind(bytes.as_slice()),
            };
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// A connection to a new database with the daemon's schema and pragmas, and no rows.
async fn empty(chain: &BenchChain, db: &Path) -> Result<SqliteConnection> {
    ensure!(!db.exists(), "{} is there already", db.display());
    chain.empty_database(db).await?;
    let mut connection = SqliteStore::writer_options(db).connect().await?;
    sqlx::query("DELETE FROM cursor").execute(&mut connection).await?;
    sqlx::query("DELETE FROM blocks").execute(&mut connection).await?;
    Ok(connection)
}
