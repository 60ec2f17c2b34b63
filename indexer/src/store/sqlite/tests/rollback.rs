use super::dump;
use crate::{
    store::{Batch, Heights, SqliteStore, Store, StoreError},
    testing::{
        CONSUMER, OPERATOR, STRANGER, approval, block, cursor, deposit, event, first, forked,
        new_store, settle, take, terms, up_to, withdrawal, workspace,
    },
};
use alloy::primitives::U256;
use luxxon_bindings::SessionId;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

#[tokio::test]
async fn a_rollback_leaves_the_ledger_that_never_saw_the_blocks() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5_000), deposit(STRANGER, 9)]).await;
    let before = dump(&store).await;

    // Pools that grow, fall, appear, and vanish; a payment; an event that moves no pool; no event.
    take(&store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 850, 150)]).await;
    take(&store, block(102), []).await;
    take(&store, block(103), [withdrawal(STRANGER, 9), deposit(OPERATOR, 3)]).await;
    take(&store, block(104), [withdrawal(CONSUMER, 4_000), approval(CONSUMER, U256::MAX)]).await;
    assert_eq!(dump(&store).await["pools"].len(), 1, "two pools were emptied");

    assert_eq!(store.rollback(100).await.unwrap(), 5);
    assert_eq!(dump(&store).await, before);
}

#[tokio::test]
async fn a_rollback_of_everything_leaves_a_new_database() {
    let (_directory, store) = new_store().await;
    let new = dump(&store).await;
    take(&store, block(100), [deposit(CONSUMER, 1)]).await;
    take(&store, block(101), [deposit(CONSUMER, 1), withdrawal(CONSUMER, 2)]).await;
    assert_eq!(store.rollback(99).await.unwrap(), 3);
    assert_eq!(dump(&store).await, new);
    assert_eq!(dump(&store).await["pools"], Vec::<String>::new());
}

#[tokio::test]
async fn a_rollback_goes_through_the_middle_of_a_range() {
    let (_directory, store) = new_store().await;
    let events = vec![
        event(101, 0, deposit(CONSUMER, 10)),
        event(103, 0, withdrawal(CONSUMER, 4)),
        event(105, 0, withdrawal(CONSUMER, 6)),
    ];
    let blocks = vec![block(101), block(103), block(105)];
    store.commit(first(), Batch { blocks, events, heights: Heights::default() }).await.unwrap();
    assert_eq!(store.rollback(103).await.unwrap(), 1);
    assert_eq!(store.wallet(CONSUMER).await.unwrap().balance.get(), 6);
    assert_eq!(store.cursor().await.unwrap().block, block(103));
}

#[tokio::test]
async fn a_rollback_to_the_cursor_takes_nothing_back() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 1)]).await;
    let before = dump(&store).await;
    assert_eq!(store.rollback(100).await.unwrap(), 0);
    assert_eq!(dump(&store).await, before);
}

#[tokio::test]
async fn a_session_whose_payment_was_taken_back_is_paid_again_in_another_block() {
    let (_directory, store) = new_store().await;
    let settled = async || store.session(SessionId::of(SESSION)).await.unwrap().settled;
    let pays = settle(SESSION, CONSUMER, OPERATOR, 850, 150);
    take(&store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&store, block(101), [pays.clone()]).await;
    store.rollback(100).await.unwrap();
    assert_eq!(settled().await, None);

    take(&store, forked(101, 1), []).await;
    take(&store, forked(102, 1), [deposit(CONSUMER, 1), pays.clone()]).await;
    assert_eq!(settled().await, Some((event(102, 1, pays), forked(102, 1))));
    assert_eq!(store.wallet(CONSUMER).await.unwrap().balance.get(), 4_001);
}

async fn refused(store: &SqliteStore, to: u64) {
    let before = dump(store).await;
    let error = store.rollback(to).await.unwrap_err();
    let StoreError::RollbackTooDeep { to: asked, final_block } = error else { panic!("{error}") };
    assert_eq!((asked, final_block), (to, store.cursor().await.unwrap().final_block));
    assert!(!error.is_retryable());
    assert_eq!(dump(store).await, before, "to {to}");
}

#[tokio::test]
async fn a_rollback_below_the_final_height_is_refused_even_to_a_kept_block() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 1)]).await;
    take(&store, block(101), [deposit(CONSUMER, 1)]).await;
    take(&store, block(102), []).await;
    store.set_heights(up_to(101)).await.unwrap();
    assert_eq!(store.block(100).await.unwrap(), Some(block(100)));
    for to in [100, 99, 0] {
        refused(&store, to).await;
    }
    assert_eq!(store.rollback(101).await.unwrap(), 0);
    assert_eq!(store.cursor().await.unwrap(), cursor(block(101), 101, 2));
}

#[tokio::test]
async fn a_rollback_to_a_block_that_is_not_kept_is_refused() {
    let (_directory, store) = new_store().await;
    let batch = Batch { blocks: vec![block(103)], events: Vec::new(), heights: Heights::default() };
    store.commit(first(), batch).await.unwrap();
    for to in [100, 102, 104, i64::MAX.cast_unsigned()] {
        refused(&store, to).await;
    }
}

#[tokio::test]
async fn what_operators_entered_survives_a_rollback() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    take(&store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)]).await;
    let terms = terms(SESSION, &consumer, &operator);
    store.register_session(terms.clone()).await.unwrap();

    store.rollback(99).await.unwrap();
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.registered.unwrap().terms, terms);
    assert_eq!(record.settled, None);
}
