//! The rows of a finished database, whatever their meaning.

use eyre::Result;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use std::path::Path;

/// What following the chain writes, in an order that foreign keys allow.
const TABLES: [&str; 9] = [
    "blocks",
    "events",
    "wallet_events",
    "settlements",
    "skips",
    "limits_set",
    "pools",
    "claimables",
    "cursor",
];

/// A column's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Bytes(Vec<u8>),
}

/// A table's rows, in the order they come in.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<String>,
    /// Row after row, a value for each column.
    pub(super) values: Vec<Value>,
}

/// Whether the rows of `table` that come in together are entered in the order of its key.
pub(super) fn is_found_by_hash(table: &str) -> bool {
    matches!(table, "wallet_events" | "settlements" | "skips" | "limits_set")
}

/// All that following the chain wrote into the database at `path`.
pub(super) async fn read(path: &Path) -> Result<Vec<Table>> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let mut tables = Vec::new();
    for name in TABLES {
        tables.push(table(&mut connection, name).await?);
    }
    connection.close().await?;
    Ok(tables)
}

async fn table(connection: &mut SqliteConnection, name: &'static str) -> Result<Table> {
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
            .bind(name)
            .fetch_all(&mut *connection)
            .await?;
    // In the order of the chain, as they come in.
    let order = if is_found_by_hash(name) { "block_number, log_index" } else { "1" };
    let sql = format!("SELECT {} FROM {name} ORDER BY {order}", columns.join(", "));
    let mut values = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await? {
        for column in 0..columns.len() {
            values.push(value(&row, column)?);
        }
    }
    Ok(Table { name, columns, values })
}

fn value(row: &SqliteRow, column: usize) -> Result<Value> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" => Value::Integer(row.try_get(column)?),
        _ => Value::Bytes(row.try_get(column)?),
    })
}
