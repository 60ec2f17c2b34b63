//! What the tables refuse, whoever writes to them.

use super::SqliteStore;
use crate::testing::{CONSUMER, block, deposit, new_store, take};
use sqlx::AssertSqlSafe;

/// The columns of `events` that depend on the kind: the kinds that have each, and a value for it.
const COLUMNS: [(&str, &[u8], &str); 13] = [
    ("counterparty", &[1, 3], "zeroblob(20)"),
    ("amount", &[1, 2, 3, 5, 6], "0"),
    ("allowance", &[4], "zeroblob(32)"),
    ("session_id", &[3, 8], "zeroblob(32)"),
    ("to_amount", &[3], "0"),
    ("fee_amount", &[3], "0"),
    ("rate_per_second", &[3], "zeroblob(8)"),
    ("chargeable_seconds", &[3], "0"),
    ("max_rate_per_second", &[7], "0"),
    ("max_per_session", &[7], "0"),
    ("max_per_day", &[7], "0"),
    ("entry_index", &[8], "0"),
    ("reason", &[8], "zeroblob(4)"),
];
const NULL: &str = "NULL";

/// Tries to enter an event of `kind` with `value` in the column `changed`, and with what that kind
/// has in all others. Nothing stays.
async fn enter(
    store: &SqliteStore,
    kind: u8,
    (changed, value): (&str, &str),
) -> Result<(), String> {
    let values = COLUMNS.map(|(column, kinds, usual)| match column {
        column if column == changed => value,
        _ if kinds.contains(&kind) => usual,
        _ => NULL,
    });
    let columns = COLUMNS.map(|(column, ..)| column).join(", ");
    let sql = format!(
        "INSERT INTO events (position, tx_hash, kind, account, {columns})
         VALUES (99 << 23, zeroblob(32), {kind}, zeroblob(20), {})",
        values.join(", ")
    );
    run(store, sql).await
}

async fn run(store: &SqliteStore, sql: String) -> Result<(), String> {
    let mut writing = store.write().await.unwrap();
    let outcome = sqlx::query(AssertSqlSafe(sql)).execute(&mut *writing).await;
    writing.rollback().await.unwrap();
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

/// Refused by the constraint whose text begins so.
#[track_caller]
fn refused(outcome: Result<(), String>, constraint: &str, what: &str) {
    let error = outcome.expect_err(what);
    assert!(error.contains(&format!("constraint failed: {constraint}")), "{what}: {error}");
}

#[tokio::test]
async fn an_event_has_the_columns_of_its_kind_and_no_others() {
    let (_directory, store) = new_store().await;
    for kind in 1..=8 {
        assert_eq!(enter(&store, kind, ("none", NULL)).await, Ok(()), "kind {kind}");
        for (column, kinds, usual) in COLUMNS {
            let value = if kinds.contains(&kind) { NULL } else { usual };
            let outcome = enter(&store, kind, (column, value)).await;
            let what = format!("kind {kind} with {column} {value}");
            refused(outcome, &format!("({column} IS NOT NULL) = "), &what);
        }
    }
    for kind in [0, 9] {
        refused(enter(&store, kind, ("none", NULL)).await, "kind BETWEEN 1 AND 8", "a kind");
    }
}

#[tokio::test]
async fn a_column_takes_no_value_that_the_contract_cannot_have_written() {
    let (_directory, store) = new_store().await;
    for (kind, column, constraint, good, bad) in [
        (7, "max_rate_per_second", "BETWEEN", ["0", "4294967295"], ["-1", "4294967296"]),
        (7, "max_per_session", "BETWEEN", ["0", "281474976710655"], ["-1", "281474976710656"]),
        (7, "max_per_day", "BETWEEN", ["0", "281474976710655"], ["-1", "281474976710656"]),
        (8, "entry_index", "BETWEEN", ["0", "99"], ["-1", "100"]),
        (8, "reason", "length", ["x'00000000'", "x'ffffffff'"], ["zeroblob(3)", "zeroblob(5)"]),
        (8, "session_id", "length", ["zeroblob(32)"; 2], ["zeroblob(31)", "zeroblob(33)"]),
    ] {
        for value in good {
            assert_eq!(enter(&store, kind, (column, value)).await, Ok(()), "{column} {value}");
        }
        let constraint = match constraint {
            "length" => format!("length({column})"),
            other => format!("{column} {other}"),
        };
        for value in bad {
            let what = format!("{column} {value}");
            refused(enter(&store, kind, (column, value)).await, &constraint, &what);
        }
    }
}

#[tokio::test]
async fn what_finds_events_takes_only_whole_keys_and_each_once() {
    let (_directory, store) = new_store().await;
    for (table, key, bytes) in [("skips", "session_id", 32), ("limits_set", "account", 20)] {
        let rows = async |rows: &str| run(&store, format!("INSERT INTO {table} {rows}")).await;
        let row = |bytes: u8| format!("(zeroblob({bytes}), 99, 0)");
        assert_eq!(rows(&format!("VALUES {}", row(bytes))).await, Ok(()));
        for bytes in [bytes - 1, bytes + 1] {
            let constraint = format!("length({key}) = ");
            refused(rows(&format!("VALUES {}", row(bytes))).await, &constraint, table);
        }
        let twice = rows(&format!("VALUES {0}, {0}", row(bytes))).await;
        refused(twice, &format!("{table}.{key}, {table}.block_number"), table);
        for (column, value) in [
            (key, "NULL, 99, 0".to_owned()),
            ("block_number", format!("zeroblob({bytes}), NULL, 0")),
            ("log_index", format!("zeroblob({bytes}), 99, NULL")),
        ] {
            let outcome = rows(&format!("VALUES ({value})")).await;
            refused(outcome, &format!("{table}.{column}"), column);
        }
    }
}

#[tokio::test]
async fn a_block_that_has_events_is_not_deleted() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 1)]).await;
    take(&store, block(101), []).await;
    take(&store, block(102), []).await;
    let delete =
        async |number| run(&store, format!("DELETE FROM blocks WHERE number = {number}")).await;
    assert!(delete(100).await.unwrap_err().contains("the block has events"));
    assert_eq!(delete(101).await, Ok(()));
}
