//! A disk that is full in the middle of a transaction.

use super::{SqliteStore, dump};
use crate::{
    store::{Batch, Store, StoreError},
    testing::{OPERATOR, block, deposit, first, new_store, one_block, settle},
};
use alloy::primitives::{Address, U256};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Two thousand accounts open a pool, and each pays for a session.
fn large() -> Batch {
    let account = |number: u64| Address::from_word(U256::from(number + 1).into());
    let changes = (0..2_000).flat_map(|number| {
        let session = Uuid::from_u128(u128::from(number) << 64);
        let paid = settle(session, account(number), OPERATOR, 850, 150);
        [deposit(account(number), 5_000), paid]
    });
    one_block(block(101), changes)
}

async fn allow_pages(store: &SqliteStore, pages: i64) {
    let sql = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    let mut writer = store.writer.acquire().await.unwrap();
    sqlx::query(sql).execute(&mut *writer).await.unwrap();
}

async fn pages(store: &SqliteStore) -> i64 {
    let mut reader = store.pool.acquire().await.unwrap();
    sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *reader).await.unwrap()
}

#[tokio::test]
async fn a_disk_that_is_full_anywhere_in_a_commit_leaves_everything_as_it_was() {
    let (_directory, whole) = new_store().await;
    let empty = pages(&whole).await;
    whole.commit(first(), large()).await.unwrap();
    let (needed, expected) = (pages(&whole).await, dump(&whole).await);
    assert!(needed > empty + 100, "{needed}");

    let (_directory, store) = new_store().await;
    let before = dump(&store).await;
    // Each table's rows, and each of its indexes, run out of pages in turn.
    for allowed in (empty..needed).step_by(41) {
        allow_pages(&store, allowed).await;
        let error = store.commit(first(), large()).await.unwrap_err();
        assert!(matches!(error, StoreError::Database(_)), "{allowed} pages: {error:?}");
        assert!(error.to_string().contains("full"), "{allowed} pages: {error}");
        assert_eq!(dump(&store).await, before, "{allowed} pages");
    }
    allow_pages(&store, needed * 2).await;
    store.commit(first(), large()).await.unwrap();
    assert_eq!(dump(&store).await, expected);
}
