use super::{super::answers, dump, plan};
use crate::{
    ledger::{Block, Event},
    store::{SqliteStore, Store},
    testing::{
        CONSUMER, OPERATOR, STRANGER, block, deposit, event, forked, new_store, settle, skipped,
        take,
    },
};
use luxxon_bindings::SessionId;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);
const OTHER_SESSION: Uuid = Uuid::from_u128(2);

async fn last_skip(store: &SqliteStore, session: Uuid) -> Option<(Event, Block)> {
    store.session(SessionId::of(session)).await.unwrap().last_skip
}

#[tokio::test]
async fn of_many_times_that_a_session_was_skipped_the_last_is_told() {
    let (_directory, store) = new_store().await;
    assert_eq!(last_skip(&store, SESSION).await, None);
    let [first, second, other] = [
        skipped(SESSION, CONSUMER, 0),
        skipped(SESSION, CONSUMER, 7),
        skipped(OTHER_SESSION, CONSUMER, 8),
    ];
    take(&store, block(100), [first.clone()]).await;
    assert_eq!(last_skip(&store, SESSION).await, Some((event(100, 0, first.clone()), block(100))));
    // Twice in one batch, and in a later block among others' entries.
    take(&store, block(101), [first.clone(), second.clone(), other.clone()]).await;
    assert_eq!(last_skip(&store, SESSION).await, Some((event(101, 1, second), block(101))));
    take(&store, block(102), [other.clone(), first.clone(), other.clone()]).await;
    take(&store, block(103), [other.clone()]).await;
    assert_eq!(last_skip(&store, SESSION).await, Some((event(102, 1, first), block(102))));
    assert_eq!(last_skip(&store, OTHER_SESSION).await, Some((event(103, 0, other), block(103))));
}

#[tokio::test]
async fn a_session_is_skipped_before_it_is_settled_and_after_and_both_are_told() {
    let (_directory, store) = new_store().await;
    let pays = settle(SESSION, CONSUMER, OPERATOR, 850, 150);
    take(&store, block(100), [skipped(SESSION, CONSUMER, 0)]).await;
    take(&store, block(101), [deposit(CONSUMER, 5_000), pays.clone()]).await;
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.settled, Some((event(101, 1, pays.clone()), block(101))));
    assert_eq!(record.last_skip.unwrap().1, block(100));
    // Whoever the entry named: a session is what it is called.
    take(&store, block(102), [skipped(SESSION, STRANGER, 1)]).await;
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.settled, Some((event(101, 1, pays), block(101))));
    assert_eq!(record.last_skip.unwrap().1, block(102));
    assert_eq!(store.cursor().await.unwrap().owed.get(), 4_000, "a skipped entry pays nobody");
}

#[tokio::test]
async fn a_skip_that_was_taken_back_gives_way_to_the_one_before_or_to_none() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [skipped(SESSION, CONSUMER, 0)]).await;
    take(&store, block(101), [skipped(SESSION, CONSUMER, 1)]).await;
    take(&store, block(102), [skipped(OTHER_SESSION, CONSUMER, 2)]).await;
    store.rollback(100).await.unwrap();
    assert_eq!(last_skip(&store, SESSION).await.unwrap().1, block(100));
    assert_eq!(last_skip(&store, OTHER_SESSION).await, None);
    take(&store, forked(101, 1), [skipped(OTHER_SESSION, CONSUMER, 3)]).await;
    assert_eq!(last_skip(&store, OTHER_SESSION).await.unwrap().1, forked(101, 1));
    store.rollback(99).await.unwrap();
    assert_eq!(last_skip(&store, SESSION).await, None);
    assert_eq!(dump(&store).await["skips"], Vec::<String>::new());
}

#[tokio::test]
async fn the_last_skip_is_found_by_three_looks_however_often_a_session_was_skipped() {
    let (_directory, store) = new_store().await;
    assert_eq!(
        plan(&store, answers::LAST_SKIP).await,
        [
            "SEARCH it USING PRIMARY KEY (session_id=?)",
            "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH blocks USING INTEGER PRIMARY KEY (rowid=?)",
        ]
    );
}
