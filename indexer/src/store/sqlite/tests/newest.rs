use super::{super::answers, plan};
use crate::{
    store::Store,
    testing::{
        CONSUMER, OPERATOR, STRANGER, approval, block, deposit, event, forked, limits, limits_set,
        new_store, settle, skipped, take,
    },
};
use alloy::primitives::U256;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

#[tokio::test]
async fn the_newest_events_are_of_all_accounts_and_kinds_newest_first() {
    let (_directory, store) = new_store().await;
    assert_eq!(store.newest_events(20).await.unwrap().events, []);
    let first = [deposit(CONSUMER, 50), settle(SESSION, CONSUMER, OPERATOR, 10, 1)];
    take(&store, block(100), first.clone()).await;
    take(&store, block(101), []).await;
    let last = [
        approval(STRANGER, U256::MAX),
        limits_set(STRANGER, limits(1, 2, 3)),
        skipped(SESSION, CONSUMER, 0),
    ];
    take(&store, block(102), last.clone()).await;

    let at = |number, changes: &[_]| -> Vec<_> {
        let events = (0..).zip(changes.to_vec());
        events.map(|(index, change)| (event(number, index, change), block(number))).collect()
    };
    let mut expected = [at(100, &first), at(102, &last)].concat();
    expected.reverse();
    let newest = store.newest_events(20).await.unwrap();
    assert_eq!(newest.events, expected);
    assert_eq!(newest.cursor, store.cursor().await.unwrap());
    // No more than were asked for, and what a reorg takes back is gone.
    assert_eq!(store.newest_events(2).await.unwrap().events, expected[..2]);
    store.rollback(101).await.unwrap();
    take(&store, forked(102, 1), []).await;
    assert_eq!(store.newest_events(20).await.unwrap().events, expected[3..]);
}

#[tokio::test]
async fn the_newest_events_are_read_from_the_end_of_their_table_however_long_it_is() {
    let (_directory, store) = new_store().await;
    let found = plan(&store, answers::NEWEST).await;
    assert_eq!(found, ["SCAN events", "SEARCH blocks USING INTEGER PRIMARY KEY (rowid=?)"]);
}
