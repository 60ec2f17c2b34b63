//! The connections that answer the API.

use super::super::{answers, readers::Readers};
use crate::{
    store::{Level, SqliteStore, Store, StoreError},
    testing::{CONSUMER, block, db_path, deposit, first, new_store, pool_of, take},
};
use futures_util::poll;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};
use tokio::task::yield_now;

#[tokio::test]
async fn what_this_process_wrote_is_in_the_very_next_read() {
    let (_directory, store) = new_store().await;
    // Far more often than once in the time for which a state is read from.
    for number in 100..400 {
        take(&store, block(number), [deposit(CONSUMER, 1)]).await;
        let expected = pool_of(number - 99, block(number));
        assert_eq!(store.wallet(CONSUMER).await.unwrap(), expected);
        assert_eq!(store.cursor().await.unwrap().block, block(number));
    }
    store.rollback(200).await.unwrap();
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), pool_of(101, block(200)));
}

#[tokio::test]
async fn what_another_process_wrote_is_seen_a_moment_later_however_often_one_reads() {
    let (directory, store) = new_store().await;
    let options = SqliteConnectOptions::new().filename(db_path(&directory));
    let mut other = options.connect().await.unwrap();
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), pool_of(0, first()));
    let sql = "INSERT INTO pools (account, balance) VALUES (?, 7)";
    sqlx::query(sql).bind(CONSUMER.to_vec()).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let written = Instant::now();
    while store.wallet(CONSUMER).await.unwrap().balance.get() != 7 {
        assert!(written.elapsed() < Duration::from_secs(10), "it is not seen");
    }
}

#[tokio::test]
async fn a_read_that_panics_or_fails_fails_alone() {
    let (directory, store) = new_store().await;
    let readers = Readers::open(&db_path(&directory), 1).unwrap();
    for _ in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            readers.read(|connection| {
                answers::cursor(connection)?;
                panic!("on purpose") as Result<(), _>
            })
        }));
        assert!(panicked.is_err());
        let failed = readers.read(|connection| Ok(connection.execute("DELETE FROM pools", ())?));
        assert!(matches!(failed, Err(StoreError::Read(_))), "{failed:?}");
        assert_eq!(readers.read(answers::cursor).unwrap().block, first());
    }
    store.close().await;
}

#[tokio::test]
async fn as_many_read_at_once_as_there_are_connections_and_the_next_waits_for_one() {
    let (directory, _store) = new_store().await;
    let readers = Readers::open(&db_path(&directory), 3).unwrap();
    let (inside, done) = (Barrier::new(4), Barrier::new(4));
    thread::scope(|scope| {
        let read = || {
            readers.read(|connection| {
                let cursor = answers::cursor(connection)?;
                inside.wait();
                done.wait();
                Ok(cursor)
            })
        };
        let reading: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        inside.wait();
        let waiting = scope.spawn(|| readers.read(answers::cursor));
        assert!(!waiting.is_finished());
        done.wait();
        for read in reading {
            assert_eq!(read.join().unwrap().unwrap().block, first());
        }
        assert_eq!(waiting.join().unwrap().unwrap().block, first());
    });
}

#[tokio::test]
async fn a_state_that_was_read_keeps_no_room_in_the_log_once_something_was_written() {
    let (directory, store) = new_store().await;
    let log = || {
        let mut path = db_path(&directory).into_os_string();
        path.push("-wal");
        std::fs::metadata(path).unwrap().len()
    };
    let fold = async |store: &SqliteStore| {
        let (busy,): (i64,) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        busy
    };
    for number in 100..110 {
        store.wallet(CONSUMER).await.unwrap();
        take(&store, block(number), [deposit(CONSUMER, 1)]).await;
        // Nobody looks at what was there before: the log can be folded into the file whole.
        assert_eq!(fold(&store).await, 0, "block {number}");
        assert_eq!(log(), 0, "block {number}");
    }
}

#[tokio::test]
async fn neither_does_one_that_was_read_after_a_read_panicked() {
    let (directory, store) = new_store().await;
    let readers = Readers::open(&db_path(&directory), 1).unwrap();
    let panics = || readers.read(|_| -> Result<(), StoreError> { panic!("as this test wants") });
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    readers.read(answers::cursor).unwrap();
    drop(readers.hold());
    take(&store, block(100), [deposit(CONSUMER, 1)]).await;
    let (busy,): (i64,) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&store.writer).await.unwrap();
    assert_eq!(busy, 0);
}

/// Sets the pool of the consumer from a connection of the caller's, as a writer's thread does before the
/// writer knows.
fn set_pool(connection: &rusqlite::Connection, balance: i64) {
    let sql =
        "INSERT INTO pools VALUES (?1, ?2) ON CONFLICT DO UPDATE SET balance = excluded.balance";
    connection.execute(sql, (CONSUMER.as_slice(), balance)).unwrap();
}

#[tokio::test]
async fn once_a_read_saw_what_is_being_committed_no_other_sees_what_was_before() {
    let (directory, store) = new_store().await;
    let readers = Readers::open(&db_path(&directory), 2).unwrap();
    let other = rusqlite::Connection::open(db_path(&directory)).unwrap();
    other.pragma_update(None, "synchronous", "OFF").unwrap();
    let pool = || {
        let [wallet] = readers.read(|it| answers::wallet(it, CONSUMER, [Level::Latest])).unwrap();
        i64::try_from(wallet.balance.get()).unwrap()
    };
    for balance in 1..500 {
        let hold = readers.hold();
        // What was before, on a connection that will be asked again.
        pool();
        set_pool(&other, balance);
        // The commit is there, and its writer has not heard of it yet.
        assert_eq!(pool(), balance);
        drop(hold);
        assert_eq!(pool(), balance);
    }
    store.close().await;
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_goes_on_and_no_state_is_kept_until_it_is_through() {
    let (_directory, store) = new_store().await;
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), pool_of(0, first()));
    let mut writing = store.write().await.unwrap();
    let sql = "INSERT INTO pools (account, balance) VALUES (?, 7)";
    sqlx::query(sql).bind(CONSUMER.to_vec()).execute(&mut *writing).await.unwrap();
    let mut commit = Box::pin(writing.commit());
    assert!(poll!(&mut commit).is_pending());
    drop(commit);
    assert_eq!(store.readers.kept(), None);
    while store.readers.kept().is_none() {
        yield_now().await;
    }
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), pool_of(7, first()));
}

#[tokio::test]
async fn the_log_stays_short_however_often_one_reads_between_two_blocks() {
    const PAGES: u64 = 20;
    let (directory, store) = new_store().await;
    let folded = sqlx::query(AssertSqlSafe(format!("PRAGMA wal_autocheckpoint = {PAGES}")));
    folded.execute(&store.writer).await.unwrap();
    let mut log = db_path(&directory).into_os_string();
    log.push("-wal");
    for number in 100..500 {
        store.wallet(CONSUMER).await.unwrap();
        take(&store, block(number), [deposit(CONSUMER, 1)]).await;
        store.wallet(CONSUMER).await.unwrap();
    }
    let length = std::fs::metadata(log).unwrap().len();
    assert!(length < 4 * PAGES * 4_096, "{length} bytes");
}

#[tokio::test]
async fn a_store_that_is_closed_answers_nothing() {
    let (_directory, store) = new_store().await;
    store.close().await;
    let error = store.cursor().await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error:?}");
}
