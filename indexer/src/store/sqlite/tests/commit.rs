use super::dump;
use crate::{
    ledger::{Block, Change, Event, Settlement, Side},
    store::{
        Batch, Heights, PageRequest, SqliteStore, Store, StoreError, WalletChange, WalletEvent,
    },
    testing::{
        CONSUMER, OPERATOR, STRANGER, approval, block, cursor, db_path, deposit, event, first,
        forked, limits, limits_set, new_store, one_block, pool_of, settle, skipped, take,
        withdrawal,
    },
};
use alloy::primitives::{U256, fixed_bytes};
use luxxon_bindings::{MicroUsdc, SessionId};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);
const OTHER_SESSION: Uuid = Uuid::from_u128(2);
/// The most a signed 64-bit column holds.
const MOST: u64 = i64::MAX as u64;

async fn balance(store: &SqliteStore, account: alloy::primitives::Address) -> u64 {
    store.wallet(account).await.unwrap().balance.get()
}

#[tokio::test]
async fn a_new_database_begins_at_the_block_before_the_deployment() {
    let (_directory, store) = new_store().await;
    let begin = cursor(first(), 99, 0);
    assert_eq!(store.cursor().await.unwrap(), begin);
    assert_eq!(store.block(99).await.unwrap(), Some(first()));
    assert_eq!(store.block(100).await.unwrap(), None);
    let empty = pool_of(0, first());
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), empty);
    assert_eq!(store.wallet_events(CONSUMER, PageRequest::newest(10)).await.unwrap().events, []);
}

#[tokio::test]
async fn a_commit_moves_cursor_rows_and_pools_together() {
    let (_directory, store) = new_store().await;
    let events = vec![
        event(101, 4, deposit(CONSUMER, 10_000)),
        event(103, 0, settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)),
        event(103, 7, withdrawal(CONSUMER, 1_000)),
    ];
    let blocks = vec![block(101), block(103), block(105)];
    store.commit(first(), Batch { blocks, events, heights: Heights::default() }).await.unwrap();

    let there = cursor(block(105), 99, 4_000);
    assert_eq!(store.cursor().await.unwrap(), there);
    let wallet = pool_of(4_000, block(105));
    assert_eq!(store.wallet(CONSUMER).await.unwrap(), wallet);
    assert_eq!(balance(&store, OPERATOR).await, 0, "an operator is paid outside the pools");
    let dump = dump(&store).await;
    assert_eq!(dump["pools"].len(), 1);
    assert_eq!(dump["events"].len(), 3);
    assert_eq!(dump["blocks"].len(), 4);
    assert_eq!(store.block(103).await.unwrap(), Some(block(103)));
    assert_eq!(store.block(102).await.unwrap(), None);
}

#[tokio::test]
async fn a_deposit_paid_by_another_wallet_is_its_accounts_alone() {
    let (_directory, store) = new_store().await;
    let amount = MicroUsdc::new(7);
    take(&store, block(100), [Change::Deposit { account: CONSUMER, payer: STRANGER, amount }])
        .await;
    assert_eq!(balance(&store, CONSUMER).await, 7);
    assert_eq!(balance(&store, STRANGER).await, 0);
    assert_eq!(store.wallet_events(STRANGER, PageRequest::newest(10)).await.unwrap().events, []);
    assert_eq!(
        store.wallet_events(CONSUMER, PageRequest::newest(10)).await.unwrap().events.len(),
        1
    );
}

#[tokio::test]
async fn every_kind_of_event_reads_back_as_it_was_written() {
    let (_directory, store) = new_store().await;
    // Distinct values in every field, so that no two columns can change places unseen.
    let settlement = Settlement {
        session: SessionId::of(SESSION),
        from: CONSUMER,
        to: OPERATOR,
        to_amount: MicroUsdc::new(11),
        fee_amount: MicroUsdc::new(2),
        gross: MicroUsdc::new(13),
        rate_per_second: MicroUsdc::new(17),
        chargeable_seconds: u32::MAX,
    };
    let amount = MicroUsdc::new(MOST);
    let unpublished = [
        limits_set(CONSUMER, limits(u32::MAX.into(), (1 << 48) - 2, (1 << 48) - 1)),
        limits_set(CONSUMER, limits(23, 29, 31)),
        skipped(OTHER_SESSION, CONSUMER, 99),
        Change::EntrySkipped {
            session: SessionId::of(OTHER_SESSION),
            from: CONSUMER,
            index: 0,
            reason: fixed_bytes!("0xff00aa01"),
        },
    ];
    let changes = [
        Change::Deposit { account: CONSUMER, payer: STRANGER, amount },
        Change::Settle(settlement),
        withdrawal(CONSUMER, 19),
        approval(CONSUMER, U256::MAX),
        approval(CONSUMER, U256::from(1) << 255),
        approval(CONSUMER, U256::ZERO),
    ];
    let batch = one_block(block(100), changes.into_iter().chain(unpublished));
    let events = batch.events.clone();
    store.commit(first(), batch).await.unwrap();
    assert_eq!(store.events(0, 100).await.unwrap(), events);

    let session = SessionId::of(SESSION);
    let changes = [
        WalletChange::Deposit { amount },
        WalletChange::Settle { amount: settlement.gross, session, uuid: None },
        WalletChange::Withdrawal { amount: MicroUsdc::new(19) },
        WalletChange::Approval { allowance: U256::MAX },
        WalletChange::Approval { allowance: U256::from(1) << 255 },
        WalletChange::Approval { allowance: U256::ZERO },
    ];
    let seen = |(&Event { position, tx_hash, .. }, change)| WalletEvent {
        position,
        side: Side::Account,
        block: block(100),
        tx_hash,
        change,
    };
    let newest_first: Vec<_> = events[..6].iter().zip(changes).rev().map(seen).collect();
    assert_eq!(
        store.wallet_events(CONSUMER, PageRequest::newest(10)).await.unwrap().events,
        newest_first
    );
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.settled, Some((events[1].clone(), block(100))));
    assert_eq!((record.registered, record.last_skip), (None, None));
    let record = store.session(SessionId::of(OTHER_SESSION)).await.unwrap();
    assert_eq!(record.last_skip, Some((events[9].clone(), block(100))));
    assert_eq!(store.wallet(CONSUMER).await.unwrap().limits, limits(23, 29, 31));
}

#[tokio::test]
async fn a_commit_is_refused_when_the_cursor_is_not_where_the_batch_begins() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5)]).await;
    let before = dump(&store).await;
    let other_time = Block { timestamp: 0, ..block(100) };
    for after in [first(), block(101), forked(100, 1), other_time] {
        let error = store.commit(after, one_block(block(101), [])).await.unwrap_err();
        let StoreError::CursorMoved { expected, found } = error else { panic!("{error}") };
        assert_eq!((expected, found), (after.number, 100));
        assert!(!error.is_retryable());
    }
    assert_eq!(dump(&store).await, before);
}

#[tokio::test]
async fn the_same_batch_twice_counts_once() {
    let (_directory, store) = new_store().await;
    let batch = one_block(block(100), [deposit(CONSUMER, 5)]);
    store.commit(first(), batch.clone()).await.unwrap();
    let again = store.commit(first(), batch).await.unwrap_err();
    assert!(matches!(again, StoreError::CursorMoved { .. }), "{again}");
    assert_eq!(balance(&store, CONSUMER).await, 5);
}

#[tokio::test]
async fn of_two_indexers_on_one_file_the_slower_one_is_refused() {
    let (directory, store) = new_store().await;
    let other = SqliteStore::open_existing(&db_path(&directory)).await.unwrap();
    let batch = one_block(block(100), [deposit(CONSUMER, 5)]);
    store.commit(first(), batch.clone()).await.unwrap();
    let slower = other.commit(first(), batch).await.unwrap_err();
    assert!(matches!(slower, StoreError::CursorMoved { expected: 99, found: 100 }), "{slower}");
    assert_eq!(balance(&other, CONSUMER).await, 5);
}

/// Why a batch is refused.
#[derive(Clone, Copy)]
enum Refusal {
    /// The pools cannot have it.
    Pools,
    /// A table cannot have it, with SQLite's words for the constraint.
    Constraint(&'static str),
    /// This column cannot hold it.
    TooLarge(&'static str),
    /// Blocks and events do not belong together.
    NotABatch,
}

impl Refusal {
    fn is(self, error: &StoreError) -> bool {
        let error = match error {
            StoreError::Event { error, .. } => error,
            error => error,
        };
        match (self, error) {
            (Self::Pools, StoreError::Balance(_))
            | (Self::NotABatch, StoreError::NotABatch { after: 100 }) => true,
            (Self::Constraint(words), StoreError::Database(error)) => {
                error.to_string().contains(words)
            }
            (Self::TooLarge(column), StoreError::TooLarge { column: found, .. }) => {
                column == *found
            }
            _ => false,
        }
    }
}

/// Blocks 101 that cannot follow a block in which [`CONSUMER`] deposited 5,000 and paid 1,000 for
/// [`SESSION`]. What is possible in them stands before what is not.
fn impossible_blocks() -> Vec<(&'static str, Refusal, Vec<Change>)> {
    let pays = |session, to, fee| settle(session, CONSUMER, OPERATOR, to, fee);
    let Change::Settle(honest) = pays(OTHER_SESSION, 10, 1) else { unreachable!() };
    let does_not_add_up = Change::Settle(Settlement { gross: MicroUsdc::new(12), ..honest });
    let rich = || deposit(CONSUMER, 1_000);
    let paid_twice = Refusal::Constraint("UNIQUE constraint failed: settlements.session_id");
    let not_whole = Refusal::Constraint("CHECK constraint failed: kind <> 3 OR amount =");
    let too_wide = |limits| vec![rich(), limits_set(CONSUMER, limits)];
    vec![
        ("a withdrawal above the pool", Refusal::Pools, vec![rich(), withdrawal(CONSUMER, 5_001)]),
        ("a withdrawal from no pool", Refusal::Pools, vec![rich(), withdrawal(STRANGER, 1)]),
        ("a payment above the pool", Refusal::Pools, vec![rich(), pays(OTHER_SESSION, 5_000, 1)]),
        ("a pool past 64 bits", Refusal::Pools, vec![deposit(STRANGER, MOST); 3]),
        ("a second payment of a session", paid_twice, vec![rich(), pays(SESSION, 1, 0)]),
        ("two payments of a session", paid_twice, vec![pays(OTHER_SESSION, 1, 0); 2]),
        ("parts that are not the whole", not_whole, vec![rich(), does_not_add_up]),
        (
            "an amount past its column",
            Refusal::TooLarge("amount"),
            vec![rich(), deposit(STRANGER, MOST + 1)],
        ),
        ("a pool past its column", Refusal::TooLarge("balance"), vec![deposit(CONSUMER, MOST)]),
        (
            "a rate of 2^32",
            Refusal::Constraint("CHECK constraint failed: max_rate_per_second BETWEEN"),
            too_wide(limits(1 << 32, 0, 0)),
        ),
        (
            "2^48 for a session",
            Refusal::Constraint("CHECK constraint failed: max_per_session BETWEEN"),
            too_wide(limits(0, 1 << 48, 0)),
        ),
        (
            "2^48 for a day",
            Refusal::Constraint("CHECK constraint failed: max_per_day BETWEEN"),
            too_wide(limits(0, 0, 1 << 48)),
        ),
        (
            "a limit past its column",
            Refusal::TooLarge("max_per_day"),
            too_wide(limits(0, 0, MOST + 1)),
        ),
        (
            "the entry behind the last of the largest batch",
            Refusal::Constraint("CHECK constraint failed: entry_index BETWEEN"),
            vec![rich(), skipped(SESSION, CONSUMER, 100)],
        ),
    ]
}

/// Batches whose blocks and events do not belong together.
fn impossible_batches() -> Vec<(&'static str, Refusal, Batch)> {
    let broken = |break_it: fn(&mut Batch)| {
        let mut batch = one_block(block(101), [deposit(CONSUMER, 1), deposit(CONSUMER, 2)]);
        break_it(&mut batch);
        batch
    };
    let same_place = |batch: &mut Batch| batch.events[1].position = batch.events[0].position;
    let batches = [
        ("no block", broken(|batch| *batch = Batch { blocks: Vec::new(), ..batch.clone() })),
        ("two events in one place", broken(same_place)),
        ("events out of order", broken(|batch| batch.events.reverse())),
        ("an event of a later block", broken(|batch| batch.events[1].position.block = 102)),
        ("an event of a block that is in", broken(|batch| batch.events[0].position.block = 100)),
        ("a block that is in", broken(|batch| batch.blocks.insert(0, block(100)))),
        ("a block twice", broken(|batch| batch.blocks.push(block(101)))),
        ("blocks out of order", broken(|batch| batch.blocks.insert(0, block(102)))),
    ];
    batches.into_iter().map(|(why, batch)| (why, Refusal::NotABatch, batch)).collect()
}

#[tokio::test]
async fn a_batch_with_anything_impossible_in_it_writes_nothing_at_all() {
    let (_directory, store) = new_store().await;
    let paid = [deposit(CONSUMER, 5_000), settle(SESSION, CONSUMER, OPERATOR, 850, 150)];
    take(&store, block(100), paid).await;
    let before = dump(&store).await;
    let blocks = impossible_blocks().into_iter();
    let batches =
        blocks.map(|(why, refusal, changes)| (why, refusal, one_block(block(101), changes)));
    for (why, refusal, batch) in batches.chain(impossible_batches()) {
        let error = store.commit(block(100), batch).await.expect_err(why);
        assert!(refusal.is(&error) && !error.is_retryable(), "{why}: {error}");
        assert_eq!(dump(&store).await, before, "{why}");
    }
    // What was refused left nothing behind that stands in the way of what is true.
    take(&store, block(101), [withdrawal(CONSUMER, 4_000)]).await;
    assert_eq!(balance(&store, CONSUMER).await, 0);
}

/// Whoever settles chooses the rate, and no money stands behind it.
#[tokio::test]
async fn the_highest_rate_is_kept_whole() {
    let (_directory, store) = new_store().await;
    let Change::Settle(paid) = settle(SESSION, CONSUMER, OPERATOR, 1, 0) else { unreachable!() };
    let dear = Settlement { rate_per_second: MicroUsdc::new(u64::MAX), ..paid };
    take(&store, block(100), [deposit(CONSUMER, 1), Change::Settle(dear)]).await;
    let record = store.session(SessionId::of(SESSION)).await.unwrap();
    assert_eq!(record.settled.unwrap().0.change, Change::Settle(dear));
}

#[tokio::test]
async fn a_pool_that_holds_the_most_a_column_can_is_kept_whole() {
    let (_directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, MOST)]).await;
    assert_eq!(balance(&store, CONSUMER).await, MOST);
    take(&store, block(101), [withdrawal(CONSUMER, 1), deposit(CONSUMER, 1)]).await;
    assert_eq!(balance(&store, CONSUMER).await, MOST);
}

#[tokio::test]
async fn a_block_that_does_not_fit_is_refused_and_nothing_is_written() {
    let (_directory, store) = new_store().await;
    let before = dump(&store).await;
    for (block, column) in [
        (Block { number: MOST + 1, ..block(100) }, "number"),
        (Block { timestamp: MOST + 1, ..block(100) }, "timestamp"),
    ] {
        let error = store.commit(first(), one_block(block, [])).await.unwrap_err();
        assert!(Refusal::TooLarge(column).is(&error), "{error}");
        assert_eq!(dump(&store).await, before);
    }
}
