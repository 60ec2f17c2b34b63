use super::{super::answers, dump};
use crate::{
    store::{Level, PageRequest, Store, StoreError, sqlite::ledger},
    testing::{
        CONSUMER, OPERATOR, block, db_path, deposit, first, new_store, one_block, pool_of, settle,
        take, up_to,
    },
};
use luxxon_bindings::SessionId;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

/// Longer than any test, shorter than the wait for a lock: a read that waited would fail the test
/// rather than pass it late.
const AT_ONCE: Duration = Duration::from_secs(4);

#[tokio::test]
async fn readers_see_the_state_before_a_transaction_until_it_is_committed() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5_000)]).await;

    let mut writing = store.write().await.unwrap();
    let batch = one_block(block(101), [settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)]);
    ledger::commit(&mut writing, block(100), &batch).await.unwrap();

    let before = timeout(AT_ONCE, async {
        assert_eq!(store.cursor().await.unwrap().block, block(100));
        assert_eq!(store.block(101).await.unwrap(), None);
        assert_eq!(
            store.wallet_events(CONSUMER, PageRequest::newest(10)).await.unwrap().events.len(),
            1
        );
        assert_eq!(
            store.wallet_events(OPERATOR, PageRequest::newest(10)).await.unwrap().events,
            []
        );
        assert_eq!(store.session(SessionId::of(SESSION)).await.unwrap().settled, None);
        assert_eq!(store.api_key([0; 32]).await.unwrap(), None);
        store.wallet(CONSUMER).await.unwrap()
    });
    assert_eq!(before.await.unwrap(), pool_of(5_000, block(100)));

    writing.commit().await.unwrap();
    let after = store.wallet(CONSUMER).await.unwrap();
    assert_eq!(after, pool_of(0, block(101)));
    assert!(store.session(SessionId::of(SESSION)).await.unwrap().settled.is_some());
}

#[tokio::test]
async fn a_reader_in_the_middle_of_a_transaction_does_not_hold_up_the_writer() {
    let (_directory, store) = new_store().await;
    let (began, go_on) = (Arc::new(Notify::new()), mpsc::channel());
    let reading = tokio::task::spawn_blocking({
        let (readers, began) = (store.readers.clone(), Arc::clone(&began));
        move || {
            let read = |connection: &_| {
                let cursor = answers::cursor(connection)?;
                began.notify_one();
                go_on.1.recv().unwrap();
                Ok((cursor, answers::wallet(connection, CONSUMER, [Level::Latest])?))
            };
            readers.read(read).unwrap()
        }
    });
    began.notified().await;
    timeout(AT_ONCE, take(&store, block(100), [deposit(CONSUMER, 5)])).await.unwrap();
    timeout(AT_ONCE, store.rollback(99)).await.unwrap().unwrap();
    timeout(AT_ONCE, take(&store, block(100), [deposit(CONSUMER, 7)])).await.unwrap();
    go_on.0.send(()).unwrap();
    let (cursor, same) = reading.await.unwrap();
    assert_eq!(same, [pool_of(0, cursor.block)]);
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), pool_of(7, block(100)));
}

/// In block `n` the pool holds `n - 99`: every answer can be checked by itself, whenever it was
/// read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_always_belongs_to_the_block_it_comes_with_and_time_never_runs_backwards() {
    let (_directory, store) = new_store().await;
    let reader = tokio::spawn({
        let store = store.clone();
        async move {
            let mut last = first();
            while last.number < 160 {
                let wallet = store.wallet(CONSUMER).await.unwrap();
                assert_eq!(wallet.balance.get(), wallet.at.number - 99);
                assert!(
                    wallet.at.number >= last.number,
                    "{} after {}",
                    wallet.at.number,
                    last.number
                );
                last = wallet.at;
            }
        }
    });
    for number in 100..=160 {
        take(&store, block(number), [deposit(CONSUMER, 1)]).await;
    }
    timeout(Duration::from_secs(30), reader).await.unwrap().unwrap();
}

/// A transaction that read first and locked later could find, half-way, that another process wrote
/// in between. So it locks before it reads.
#[tokio::test]
async fn a_transaction_keeps_other_writers_out_from_its_beginning() {
    let (directory, store) = new_store().await;
    let options = SqliteConnectOptions::new().filename(db_path(&directory));
    let mut other = options.busy_timeout(Duration::ZERO).connect().await.unwrap();
    let mut write = async || {
        let written = sqlx::query("UPDATE cursor SET final_block = 99").execute(&mut other).await;
        written.map_err(StoreError::from)
    };
    let writing = store.write().await.unwrap();
    let error = write().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    writing.rollback().await.unwrap();
    write().await.unwrap();
}

/// Drops `future` after it was polled so many times, as an aborted task drops what it waits for.
async fn cut_off<F: Future>(mut polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let Some(left) = polls.checked_sub(1) else { return Poll::Ready(None) };
        polls = left;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// How often a future is polled depends on the machine, so the cut is tried at every place until
/// the future ends before it.
#[tokio::test]
async fn writing_that_is_cut_off_anywhere_is_done_wholly_or_not_at_all() {
    let (_directory, store) = new_store().await;
    let changes = [deposit(CONSUMER, 10_000), settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)];
    let batch = one_block(block(100), changes);
    let empty = dump(&store).await;
    store.commit(first(), batch.clone()).await.unwrap();
    let full = dump(&store).await;

    for polls in 0.. {
        let ended = cut_off(polls, store.rollback(99)).await;
        // The next writer waits for what is left of the one before.
        store.set_heights(up_to(0)).await.unwrap();
        let found = dump(&store).await;
        assert!(found == empty || (found == full && ended.is_none()), "rollback, {polls} polls");
        if found == full {
            assert_eq!(store.rollback(99).await.unwrap(), 2);
        }
        let committed = cut_off(polls, store.commit(first(), batch.clone())).await;
        store.set_heights(up_to(0)).await.unwrap();
        let found = dump(&store).await;
        assert!(found == full || (found == empty && committed.is_none()), "commit, {polls} polls");
        if found == empty {
            store.commit(first(), batch.clone()).await.unwrap();
        }
        if ended.is_some() && committed.is_some() {
            return;
        }
    }
}
