//! The store, against real files.

mod commit;
mod concurrency;
mod finality;
mod full_disk;
mod histories;
mod limits;
mod newest;
mod opening;
mod paging;
mod readers;
mod rebuild;
mod registry;
mod rollback;
mod schema;
mod skips;

use super::SqliteStore;
use alloy::hex;
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef, sqlite::SqliteRow};
use std::collections::BTreeMap;

/// Every row of every ledger table.
type Dump = BTreeMap<String, Vec<String>>;

/// Reads the ledger whole. The tables are those that are there, so that one added later is not left
/// out of any comparison.
async fn dump(store: &SqliteStore) -> Dump {
    let mut connection = store.pool.acquire().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table'
            AND name NOT IN ('workspaces', 'api_keys', 'sessions', '_sqlx_migrations')",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut dump = Dump::new();
    for table in tables {
        let query = AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2"));
        let rows = sqlx::query(query).fetch_all(&mut *connection).await.unwrap();
        dump.insert(table, rows.iter().map(written_out).collect());
    }
    dump
}

/// How SQLite goes about a query, a line for each step.
async fn plan(store: &SqliteStore, query: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
    let mut connection = store.pool.acquire().await.unwrap();
    let steps = sqlx::query(explain).fetch_all(&mut *connection).await.unwrap();
    steps.iter().map(|step| step.get("detail")).collect()
}

fn written_out(row: &SqliteRow) -> String {
    let columns = row.columns().iter().map(|column| {
        let at = column.ordinal();
        let value = row.try_get_raw(at).unwrap();
        let value = match value.type_info().name() {
            // The type of a NULL is its column's.
            _ if value.is_null() => "NULL".to_owned(),
            "INTEGER" => row.get::<i64, _>(at).to_string(),
            "BLOB" => hex::encode(row.get::<&[u8], _>(at)),
            other => panic!("the ledger has no columns of type {other}"),
        };
        format!("{} {value}", column.name())
    });
    columns.collect::<Vec<_>>().join(", ")
}
