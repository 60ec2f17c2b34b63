//! Rows that find an event where there is none of that kind, or do not find one that is there.

use super::dump;
use crate::{
    ledger::Position,
    store::{Contradiction, Misplaced, SqliteStore},
    testing::{
        CONSUMER, OPERATOR, STRANGER, block, deposit, limits, limits_set, new_store, settle,
        skipped, take,
    },
};
use alloy::{hex, primitives::Address};
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);
const OTHER_SESSION: Uuid = Uuid::from_u128(2);

const DEPOSITED: Position = Position { block: 100, log_index: 0 };
const SETTLED: Position = Position { block: 100, log_index: 1 };
const SKIPPED: Position = Position { block: 100, log_index: 2 };
const LIMITED: Position = Position { block: 100, log_index: 3 };
const NOTHING: Position = Position { block: 100, log_index: 4 };

/// A block in which a session is settled and skipped, and its consumer sets limits.
async fn a_store() -> (tempfile::TempDir, SqliteStore) {
    let (directory, store) = new_store().await;
    let changes = [
        deposit(CONSUMER, 5_000),
        settle(SESSION, CONSUMER, OPERATOR, 850, 150),
        skipped(SESSION, CONSUMER, 0),
        limits_set(CONSUMER, limits(1, 2, 3)),
    ];
    take(&store, block(100), changes).await;
    (directory, store)
}

/// Changes a row, and expects that to be named, and to be put right.
async fn is_found(sql: String, expected: Misplaced, by_event: bool) {
    let (_directory, store) = a_store().await;
    let before = dump(&store).await;
    let changed = sqlx::query(AssertSqlSafe(sql.clone())).execute(&store.writer).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{sql}");
    let found = store.contradictions().await.unwrap();
    assert_eq!(found, [Contradiction::Misplaced { what: expected, by_event }], "{sql}");
    assert!(store.rebuild(|_| ()).await.unwrap().changed, "{sql}");
    assert_eq!(dump(&store).await, before, "{sql}");
    assert_eq!(store.contradictions().await.unwrap(), []);
    assert!(!store.rebuild(|_| ()).await.unwrap().changed, "{sql}");
}

#[tokio::test]
async fn a_row_that_is_missing_is_named_and_put_back() {
    let session = SessionId::of(SESSION);
    for (table, what) in [
        ("settlements", Misplaced::Settlement(session)),
        ("skips", Misplaced::Skip(session, SKIPPED)),
        ("limits_set", Misplaced::LimitsSet(CONSUMER, LIMITED)),
    ] {
        is_found(format!("DELETE FROM {table}"), what, true).await;
    }
}

#[tokio::test]
async fn what_a_wallet_would_see_otherwise_than_it_was_is_named_and_put_right() {
    for (column, other) in [
        ("kind", "2"),
        ("tx_hash", "zeroblob(32)"),
        ("amount", "amount + 1"),
        ("amount", "NULL"),
        ("allowance", "zeroblob(32)"),
        ("session_id", "zeroblob(32)"),
        ("session_id", "NULL"),
    ] {
        for account in [CONSUMER, OPERATOR] {
            let (_directory, store) = a_store().await;
            let before = dump(&store).await;
            let sql = format!(
                "UPDATE wallet_events SET {column} = {other}
                 WHERE account = x'{}' AND log_index = {}",
                hex::encode(account),
                SETTLED.log_index
            );
            sqlx::query(AssertSqlSafe(sql.clone())).execute(&store.writer).await.unwrap();
            let what = Misplaced::WalletEvent(account, SETTLED);
            let both = [true, false].map(|by_event| Contradiction::Misplaced { what, by_event });
            assert_eq!(store.contradictions().await.unwrap(), both, "{sql}");
            assert!(store.rebuild(|_| ()).await.unwrap().changed, "{sql}");
            assert_eq!(dump(&store).await, before, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_skip_where_the_session_was_not_skipped_is_named_and_removed() {
    for (session, at) in
        [(SESSION, SETTLED), (SESSION, LIMITED), (SESSION, NOTHING), (OTHER_SESSION, SKIPPED)]
    {
        let session = SessionId::of(session);
        let key = hex::encode(session.0);
        let insert = format!("INSERT INTO skips VALUES (x'{key}', 100, {})", at.log_index);
        is_found(insert, Misplaced::Skip(session, at), false).await;
    }
}

#[tokio::test]
async fn limits_where_the_account_set_none_are_named_and_removed() {
    let accounts: [(Address, Position); 5] = [
        (CONSUMER, DEPOSITED),
        (CONSUMER, SETTLED),
        (CONSUMER, SKIPPED),
        (CONSUMER, NOTHING),
        (STRANGER, LIMITED),
    ];
    for (account, at) in accounts {
        let key = hex::encode(account);
        let insert = format!("INSERT INTO limits_set VALUES (x'{key}', 100, {})", at.log_index);
        is_found(insert, Misplaced::LimitsSet(account, at), false).await;
    }
}

#[tokio::test]
async fn a_place_that_no_log_can_have_is_not_taken_for_another_one() {
    let (_directory, store) = new_store().await;
    take(&store, block(101), [skipped(SESSION, CONSUMER, 0)]).await;
    let session = SessionId::of(SESSION);
    // As one number, block 100 and this index are block 101 and index 0.
    let nowhere = Position { block: 100, log_index: 1 << 23 };
    let key = hex::encode(session.0);
    let sql = format!("INSERT INTO skips VALUES (x'{key}', 100, {})", nowhere.log_index);
    sqlx::query(AssertSqlSafe(sql)).execute(&store.writer).await.unwrap();
    let what = Misplaced::Skip(session, nowhere);
    let expected = Contradiction::Misplaced { what, by_event: false };
    assert_eq!(store.contradictions().await.unwrap(), [expected]);
    assert!(store.rebuild(|_| ()).await.unwrap().changed);
    assert_eq!(store.contradictions().await.unwrap(), []);
}

#[tokio::test]
async fn a_sum_that_the_balances_do_not_have_is_named_and_put_right() {
    let (_directory, store) = a_store().await;
    let before = dump(&store).await;
    sqlx::query("UPDATE cursor SET owed = owed + 1").execute(&store.writer).await.unwrap();
    let [events, tables] = [4_000, 4_001].map(MicroUsdc::new);
    let expected = [Contradiction::Owed { events, tables }];
    assert_eq!(store.contradictions().await.unwrap(), expected);
    assert!(store.rebuild(|_| ()).await.unwrap().changed);
    assert_eq!(dump(&store).await, before);
}

#[tokio::test]
async fn a_block_that_is_missing_is_named_until_it_is_taken_back() {
    let (_directory, store) = a_store().await;
    for sql in [
        "DROP TRIGGER blocks_with_events_stay",
        "PRAGMA foreign_keys = off",
        "DELETE FROM blocks WHERE number = 100",
    ] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }
    assert_eq!(store.contradictions().await.unwrap(), [Contradiction::NoBlock(100)]);
    store.take_back_from(100).await.unwrap();
    assert_eq!(store.contradictions().await.unwrap(), []);
}
