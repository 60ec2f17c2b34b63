use super::dump;
use crate::{
    store::{Batch, SqliteStore, Store},
    testing::{
        CONSUMER, approval, block, cursor, deposit, event, first, forked, new_store, take, up_to,
    },
};
use alloy::primitives::U256;

async fn kept(store: &SqliteStore) -> Vec<u64> {
    let mut kept = Vec::new();
    for number in 99..120 {
        kept.extend(store.block(number).await.unwrap().map(|block| block.number));
    }
    kept
}

/// Blocks 100 to 110, a deposit in 102 and an approval in 107.
async fn store_at_110() -> (tempfile::TempDir, SqliteStore) {
    let (directory, store) = new_store().await;
    for number in 100..=110 {
        let change = match number {
            102 => Some(deposit(CONSUMER, 1)),
            107 => Some(approval(CONSUMER, U256::MAX)),
            _ => None,
        };
        take(&store, block(number), change).await;
    }
    (directory, store)
}

#[tokio::test]
async fn below_the_final_height_only_blocks_with_events_are_kept() {
    let (_directory, store) = store_at_110().await;
    assert_eq!(kept(&store).await, (99..=110).collect::<Vec<_>>());
    store.set_heights(up_to(105)).await.unwrap();
    assert_eq!(kept(&store).await, [102, 105, 106, 107, 108, 109, 110]);
    store.set_heights(up_to(109)).await.unwrap();
    assert_eq!(kept(&store).await, [102, 107, 109, 110]);
    assert_eq!(dump(&store).await["events"].len(), 2);
}

#[tokio::test]
async fn finality_in_one_step_keeps_the_same_blocks_as_in_many() {
    let (_directory, one) = store_at_110().await;
    let (_other_directory, many) = store_at_110().await;
    one.set_heights(up_to(109)).await.unwrap();
    for number in [99, 100, 102, 103, 107, 108, 109] {
        many.set_heights(up_to(number)).await.unwrap();
    }
    assert_eq!(dump(&one).await, dump(&many).await);
}

#[tokio::test]
async fn the_final_height_never_falls_and_saying_it_again_changes_nothing() {
    let (_directory, store) = store_at_110().await;
    store.set_heights(up_to(105)).await.unwrap();
    let before = dump(&store).await;
    for number in [105, 104, 102, 99, 0] {
        store.set_heights(up_to(number)).await.unwrap();
        assert_eq!(dump(&store).await, before, "{number}");
    }
}

#[tokio::test]
async fn the_final_height_stops_at_the_cursor() {
    let (_directory, store) = store_at_110().await;
    store.set_heights(up_to(u64::MAX)).await.unwrap();
    let there = cursor(block(110), 110, 1);
    assert_eq!(store.cursor().await.unwrap(), there);
    assert_eq!(kept(&store).await, [102, 107, 110]);
}

#[tokio::test]
async fn a_commit_raises_the_final_height_as_finalize_does() {
    let (_directory, committed) = store_at_110().await;
    let (_other_directory, finalized) = store_at_110().await;
    let batch = |final_block| {
        let heights = up_to(final_block);
        Batch { blocks: vec![block(111)], events: Vec::new(), heights }
    };
    committed.commit(block(110), batch(108)).await.unwrap();
    finalized.commit(block(110), batch(0)).await.unwrap();
    finalized.set_heights(up_to(108)).await.unwrap();
    assert_eq!(dump(&committed).await, dump(&finalized).await);

    committed.commit(block(111), Batch { blocks: vec![block(112)], ..batch(90) }).await.unwrap();
    assert_eq!(committed.cursor().await.unwrap().final_block, 108, "a height that falls is old");
}

#[tokio::test]
async fn a_final_range_keeps_what_the_same_blocks_one_by_one_would() {
    let (_directory, one_by_one) = store_at_110().await;
    one_by_one.set_heights(up_to(110)).await.unwrap();

    let (_other_directory, by_range) = new_store().await;
    let events =
        vec![event(102, 0, deposit(CONSUMER, 1)), event(107, 0, approval(CONSUMER, U256::MAX))];
    let blocks = vec![block(102), block(107), block(110)];
    // The chain's final height is usually far above the range.
    by_range.commit(first(), Batch { blocks, events, heights: up_to(5_000) }).await.unwrap();
    assert_eq!(dump(&one_by_one).await, dump(&by_range).await);
}

#[tokio::test]
async fn the_final_height_stays_when_blocks_above_it_are_replaced() {
    let (_directory, store) = store_at_110().await;
    store.set_heights(up_to(106)).await.unwrap();
    store.rollback(106).await.unwrap();
    assert_eq!(store.cursor().await.unwrap(), cursor(block(106), 106, 1));
    take(&store, forked(107, 1), []).await;
    store.set_heights(up_to(107)).await.unwrap();
    assert_eq!(kept(&store).await, [102, 107]);
    assert_eq!(store.block(107).await.unwrap(), Some(forked(107, 1)));
}
