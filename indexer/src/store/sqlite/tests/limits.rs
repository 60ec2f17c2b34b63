use super::{super::reads, plan};
use crate::{
    ledger::Limits,
    store::{Batch, Heights, Level, SqliteStore, Store},
    testing::{
        CONSUMER, OPERATOR, STRANGER, block, deposit, event, first, forked, limits, limits_set,
        new_store, settle, skipped, take, up_to,
    },
};
use alloy::primitives::Address;
use uuid::Uuid;

async fn at(store: &SqliteStore, account: Address, level: Level) -> Limits {
    store.wallet_at(account, level).await.unwrap().limits
}

#[tokio::test]
async fn an_account_that_set_nothing_has_no_limits() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5), limits_set(OPERATOR, limits(1, 2, 3))]).await;
    for level in [Level::Latest, Level::Safe, Level::Finalized] {
        assert_eq!(at(&store, CONSUMER, level).await, Limits::default());
        assert_eq!(at(&store, STRANGER, level).await, Limits::default());
    }
}

#[tokio::test]
async fn at_each_level_the_limits_are_those_set_last_up_to_its_block() {
    let (_directory, store) = new_store().await;
    // Set twice in a block, once in the very block that becomes final, and once in the safe one.
    take(&store, block(100), [limits_set(CONSUMER, limits(1, 0, 0))]).await;
    let twice = [limits(2, 0, 0), limits(3, 0, 0)].map(|limits| limits_set(CONSUMER, limits));
    take(&store, block(101), twice).await;
    take(&store, block(102), [limits_set(OPERATOR, limits(9, 9, 9))]).await;
    take(&store, block(103), [limits_set(CONSUMER, limits(0, 4, 0))]).await;
    take(&store, block(104), [limits_set(CONSUMER, limits(0, 0, 5))]).await;
    take(&store, block(105), [deposit(CONSUMER, 1)]).await;
    for (safe_block, final_block, safe, last) in [
        (99, 99, limits(0, 0, 0), limits(0, 0, 0)),
        (101, 100, limits(3, 0, 0), limits(1, 0, 0)),
        (103, 102, limits(0, 4, 0), limits(3, 0, 0)),
        (105, 104, limits(0, 0, 5), limits(0, 0, 5)),
    ] {
        store.set_heights(Heights { safe_block, final_block }).await.unwrap();
        assert_eq!(at(&store, CONSUMER, Level::Latest).await, limits(0, 0, 5));
        assert_eq!(at(&store, CONSUMER, Level::Safe).await, safe, "safe is {safe_block}");
        assert_eq!(at(&store, CONSUMER, Level::Finalized).await, last, "final is {final_block}");
    }
}

#[tokio::test]
async fn limits_move_no_balance_and_bind_no_settlement() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&store, block(101), [limits_set(CONSUMER, limits(1, 1, 1))]).await;
    // The contract has enforced them: what it settled is settled.
    let pays = settle(Uuid::from_u128(1), CONSUMER, OPERATOR, 850, 150);
    take(&store, block(102), [pays]).await;
    let wallet = store.wallet(CONSUMER).await.unwrap();
    assert_eq!((wallet.balance.get(), wallet.limits), (4_000, limits(1, 1, 1)));
    assert_eq!(store.cursor().await.unwrap().owed.get(), 4_000);
}

#[tokio::test]
async fn limits_that_were_taken_back_give_way_to_those_before() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [limits_set(CONSUMER, limits(1, 0, 0))]).await;
    take(&store, block(101), [limits_set(CONSUMER, limits(2, 0, 0))]).await;
    take(&store, block(102), [limits_set(STRANGER, limits(3, 0, 0))]).await;
    store.rollback(100).await.unwrap();
    assert_eq!(at(&store, CONSUMER, Level::Latest).await, limits(1, 0, 0));
    assert_eq!(at(&store, STRANGER, Level::Latest).await, Limits::default());
    take(&store, forked(101, 1), [limits_set(CONSUMER, limits(4, 0, 0))]).await;
    assert_eq!(at(&store, CONSUMER, Level::Latest).await, limits(4, 0, 0));
}

#[tokio::test]
async fn limits_of_a_range_are_those_of_the_same_blocks_one_by_one() {
    let (_directory, store) = new_store().await;
    let events = vec![
        event(101, 0, limits_set(CONSUMER, limits(1, 0, 0))),
        event(103, 0, limits_set(STRANGER, limits(2, 0, 0))),
        event(103, 1, limits_set(CONSUMER, limits(3, 0, 0))),
    ];
    let blocks = vec![block(101), block(103), block(105)];
    let heights = up_to(105);
    store.commit(first(), Batch { blocks, events, heights }).await.unwrap();
    assert_eq!(at(&store, CONSUMER, Level::Finalized).await, limits(3, 0, 0));
    assert_eq!(at(&store, STRANGER, Level::Finalized).await, limits(2, 0, 0));
}

#[tokio::test]
async fn an_account_is_touched_where_it_set_limits_and_not_where_an_entry_of_its_was_skipped() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [limits_set(CONSUMER, limits(1, 2, 3))]).await;
    take(&store, block(101), [skipped(Uuid::from_u128(1), STRANGER, 0)]).await;
    assert_eq!(store.accounts_touched(100, 101, 10).await.unwrap(), [CONSUMER]);
    let mut both = [CONSUMER, STRANGER];
    both.sort();
    assert_eq!(store.accounts_after(None, 10).await.unwrap(), both, "both ever saw an event");
}

#[tokio::test]
async fn limits_are_found_by_two_looks_however_often_they_were_set() {
    let (_directory, store) = new_store().await;
    assert_eq!(
        plan(&store, reads::LIMITS).await,
        [
            "SEARCH it USING PRIMARY KEY (account=? AND block_number<?)",
            "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)",
        ]
    );
}
