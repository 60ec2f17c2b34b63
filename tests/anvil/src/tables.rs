//! The ledger's tables as text, so that two databases can be compared row for row.

use eyre::{Result, ensure};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions,
};
use std::{fmt::Write, path::Path};

/// Every table of the ledger. The registry is what operators entered, and no part of it.
const LEDGER: [&str; 10] = [
    "deployment",
    "cursor",
    "blocks",
    "events",
    "wallet_events",
    "settlements",
    "skips",
    "limits_set",
    "pools",
    "claimables",
];

/// All rows of all ledger tables of the database at `path`, one a line, each table in its key's
/// order.
pub async fn dump(path: &Path) -> Result<String> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let mut text = String::new();
    // One transaction: the tables of one moment.
    let mut tx = connection.begin().await?;
    for table in LEDGER {
        for row in rows(&mut tx, table).await? {
            writeln!(text, "{table} {row}")?;
        }
    }
    tx.commit().await?;
    connection.close().await?;
    Ok(text)
}

/// Panics where two dumps differ, with the first rows that do.
#[track_caller]
pub fn assert_same(one: &str, other: &str) {
    if let Err(difference) = same(one, other) {
        panic!("{difference}");
    }
}

/// Whether two dumps are the same; else the first rows that differ.
pub fn same(one: &str, other: &str) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    let (one_rows, other_rows) = (one.lines().count(), other.lines().count());
    let (one, other) = differs.unwrap_or(("(no more rows)", "(no more rows)"));
    Err(format!("the tables differ, {one_rows} rows and {other_rows}; first here:\n{one}\n{other}"))
}

/// The height of the last block that is in the database at `path`, and the height that is final.
pub async fn cursor(path: &Path) -> Result<(u64, u64)> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let (block, last_final): (i64, i64) =
        sqlx::query_as("SELECT block_number, final_block FROM cursor")
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok((block.try_into()?, last_final.try_into()?))
}

/// How many rows of `kind` (as `events.kind` counts them) the database at `path` has.
pub async fn events_of_kind(path: &Path, kind: i64) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE kind = ?")
        .bind(kind)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(count)
}

/// The first column of what a query finds in the database at `path`, as text.
pub async fn read(path: &Path, query: &str) -> Result<Vec<String>> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let found = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection);
    let found = found.await?;
    connection.close().await?;
    Ok(found)
}

/// Changes the database at `path` behind everybody's back. Each of `statements` must change a row.
pub async fn tamper(path: &Path, statements: &[&str]) -> Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    let mut tx = connection.begin().await?;
    for &statement in statements {
        let changed = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await?;
        ensure!(changed.rows_affected() > 0, "no row was changed by: {statement}");
    }
    tx.commit().await?;
    connection.close().await?;
    Ok(())
}

async fn rows(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>> {
    // Those that are computed as well.
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_xinfo(?) ORDER BY cid")
            .bind(table)
            .fetch_all(&mut *connection)
            .await?;
    let row: Vec<String> =
        columns.iter().map(|column| format!("'{column}=' || quote({column})")).collect();
    let order: Vec<String> = (1..=columns.len().min(2)).map(|column| column.to_string()).collect();
    let list = columns.join(", ");
    // The names come from the constant above and from the schema.
    let sql = format!(
        "SELECT {} FROM (SELECT {list} FROM {table} ORDER BY {})",
        row.join(" || ' ' || "),
        order.join(", ")
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?)
}
