use crate::{
    ledger::{Event, EventId, Position, Side},
    store::{PageRequest, SqliteStore, Store, WalletChange, WalletEvent},
    testing::{
        CONSUMER, OPERATOR, STRANGER, approval, block, deposit, event, forked, limits, limits_set,
        new_store, settle, skipped, take, terms, withdrawal, workspace,
    },
};
use alloy::primitives::{Address, B256, U256};
use luxxon_bindings::{MicroUsdc, SessionId};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(1);

type Entry = (Position, Side);

fn entry(event: &WalletEvent) -> Entry {
    (event.position, event.side)
}

fn entries(page: &[WalletEvent]) -> Vec<Entry> {
    page.iter().map(entry).collect()
}

fn id((position, side): Entry, block_hash: B256) -> EventId {
    EventId::new(position, side, block_hash).unwrap()
}

/// Two wallets that pay each other and themselves, several times in one block, among others'
/// events.
async fn busy_store() -> (tempfile::TempDir, SqliteStore) {
    let (directory, store) = new_store().await;
    let session = |number| Uuid::from_u128(number);
    take(&store, block(100), [deposit(CONSUMER, 500), deposit(STRANGER, 500)]).await;
    let twice_itself = [
        settle(session(1), CONSUMER, CONSUMER, 10, 1),
        settle(session(2), CONSUMER, CONSUMER, 10, 1),
        deposit(OPERATOR, 500),
    ];
    take(&store, block(101), twice_itself).await;
    take(&store, block(102), []).await;
    let both_ways = [
        settle(session(3), CONSUMER, OPERATOR, 10, 1),
        settle(session(4), OPERATOR, CONSUMER, 10, 1),
        settle(session(5), STRANGER, STRANGER, 10, 1),
        settle(session(6), OPERATOR, OPERATOR, 10, 1),
    ];
    take(&store, block(103), both_ways).await;
    let rest = [
        approval(CONSUMER, U256::MAX),
        withdrawal(CONSUMER, 5),
        settle(session(7), STRANGER, CONSUMER, 10, 1),
        settle(session(8), CONSUMER, CONSUMER, 10, 1),
    ];
    take(&store, block(104), rest).await;
    (directory, store)
}

#[tokio::test]
async fn events_come_newest_first_and_a_payment_to_oneself_twice_payee_first() {
    let (_directory, store) = new_store().await;
    let changes = [
        deposit(CONSUMER, 50),
        settle(SESSION, CONSUMER, CONSUMER, 10, 1),
        withdrawal(CONSUMER, 5),
    ];
    take(&store, block(100), changes).await;
    take(&store, block(101), [deposit(CONSUMER, 1)]).await;

    let at = |block, log_index| Position { block, log_index };
    let expected = [
        (at(101, 0), Side::Account),
        (at(100, 2), Side::Account),
        (at(100, 1), Side::Payee),
        (at(100, 1), Side::Account),
        (at(100, 0), Side::Account),
    ];
    assert_eq!(
        entries(&store.wallet_events(CONSUMER, PageRequest::newest(10)).await.unwrap().events),
        expected
    );
}

#[tokio::test]
async fn both_sides_of_a_payment_see_it_each_with_what_it_paid_or_was_paid() {
    let (_directory, store) = new_store().await;
    let pays = settle(SESSION, CONSUMER, OPERATOR, 10, 1);
    take(&store, block(100), [deposit(CONSUMER, 50), pays.clone()]).await;

    let Event { position, tx_hash, .. } = event(100, 1, pays);
    let seen = |side, amount| {
        let (amount, session) = (MicroUsdc::new(amount), SessionId::of(SESSION));
        let change = WalletChange::Settle { amount, session, uuid: None };
        WalletEvent { position, side, block: block(100), tx_hash, change }
    };
    let of_consumer = store.wallet_events(CONSUMER, PageRequest::newest(1)).await.unwrap().events;
    let of_operator = store.wallet_events(OPERATOR, PageRequest::newest(10)).await.unwrap().events;
    assert_eq!(of_consumer, [seen(Side::Account, 11)]);
    assert_eq!(of_operator, [seen(Side::Payee, 10)]);
    assert_eq!(store.wallet_events(STRANGER, PageRequest::newest(10)).await.unwrap().events, []);
}

#[tokio::test]
async fn limits_and_skipped_entries_are_on_no_page_and_take_no_place_on_one() {
    let (_directory, store) = new_store().await;
    let unpublished =
        || [limits_set(CONSUMER, limits(1, 2, 3)), skipped(SESSION, CONSUMER, 0)].into_iter();
    let between = |change| unpublished().chain([change]).chain(unpublished());
    take(&store, block(100), between(deposit(CONSUMER, 50))).await;
    take(&store, block(101), between(withdrawal(CONSUMER, 5))).await;
    take(&store, block(102), unpublished()).await;
    for limit in 1..=3 {
        let seen = all_pages(&store, CONSUMER, limit).await;
        let expected = [101, 100].map(|block| (Position { block, log_index: 2 }, Side::Account));
        assert_eq!(seen, expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn an_event_names_its_session_once_the_session_is_registered() {
    let (_directory, store) = new_store().await;
    let consumer = workspace(&store, "consumer", CONSUMER).await;
    let operator = workspace(&store, "operator", OPERATOR).await;
    take(&store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)]).await;
    let sessions = async |account| {
        let page = store.wallet_events(account, PageRequest::newest(10)).await.unwrap().events;
        let uuid = |event: &WalletEvent| match event.change {
            WalletChange::Settle { uuid, .. } => uuid,
            _ => None,
        };
        page.iter().map(uuid).collect::<Vec<_>>()
    };
    assert_eq!(sessions(CONSUMER).await, [None, None]);
    store.register_session(terms(SESSION, &consumer, &operator)).await.unwrap();
    assert_eq!(sessions(CONSUMER).await, [Some(SESSION), None]);
    assert_eq!(sessions(OPERATOR).await, [Some(SESSION)]);
}

/// Turns the pages as a client does: each begins behind the last entry of the one before.
async fn all_pages(store: &SqliteStore, account: Address, limit: u32) -> Vec<Entry> {
    let (mut all, mut before) = (Vec::new(), None);
    // More pages than there are events: pages that go round in a circle must not go on for ever.
    for _ in 0..20 {
        let page = store
            .wallet_events(account, PageRequest { before, ..PageRequest::newest(limit) })
            .await
            .unwrap()
            .events;
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { break };
        before = Some(id(entry(last), last.block.hash));
        all.extend(entries(&page));
    }
    all
}

#[tokio::test]
async fn pages_of_every_size_join_without_gap_or_repetition() {
    let (_directory, store) = busy_store().await;
    for (account, count) in [(CONSUMER, 12), (OPERATOR, 5), (STRANGER, 4)] {
        let whole = entries(
            &store.wallet_events(account, PageRequest::newest(u32::MAX)).await.unwrap().events,
        );
        assert_eq!(whole.len(), count);
        assert!(whole.windows(2).all(|pair| pair[0] > pair[1]), "{whole:?}");
        for limit in 1..=13 {
            assert_eq!(all_pages(&store, account, limit).await, whole, "pages of {limit}");
        }
    }
}

#[tokio::test]
async fn a_page_begins_below_any_position_whether_or_not_an_event_stands_there() {
    let (_directory, store) = busy_store().await;
    for account in [CONSUMER, OPERATOR] {
        let whole = entries(
            &store.wallet_events(account, PageRequest::newest(u32::MAX)).await.unwrap().events,
        );
        for (number, log_index) in (99..=105).flat_map(|number| (0..=4).map(move |i| (number, i))) {
            for side in [Side::Account, Side::Payee] {
                let cursor = (Position { block: number, log_index }, side);
                let older: Vec<_> = whole.iter().copied().filter(|at| *at < cursor).collect();
                for limit in 1..=13 {
                    let before = Some(id(cursor, block(number).hash));
                    let page = store
                        .wallet_events(
                            account,
                            PageRequest { before, ..PageRequest::newest(limit) },
                        )
                        .await
                        .unwrap()
                        .events;
                    let expected = &older[..older.len().min(limit as usize)];
                    assert_eq!(entries(&page), expected, "before {cursor:?}, {limit}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_highest_possible_cursor_is_before_everything() {
    let (_directory, store) = busy_store().await;
    let whole = store.wallet_events(CONSUMER, PageRequest::newest(50)).await.unwrap().events;
    let highest = Position { block: (1 << 40) - 1, log_index: (1 << 23) - 1 };
    let before = Some(id((highest, Side::Payee), B256::ZERO));
    assert_eq!(
        store
            .wallet_events(CONSUMER, PageRequest { before, ..PageRequest::newest(50) })
            .await
            .unwrap()
            .events,
        whole
    );
}

#[tokio::test]
async fn a_cursor_of_a_replaced_block_still_pages_by_position() {
    let (_directory, store) = busy_store().await;
    let whole =
        entries(&store.wallet_events(CONSUMER, PageRequest::newest(50)).await.unwrap().events);
    let replaced = id((Position { block: 103, log_index: 1 }, Side::Payee), block(103).hash);
    store.rollback(102).await.unwrap();
    let on_the_new_chain = settle(Uuid::from_u128(3), CONSUMER, OPERATOR, 10, 1);
    take(&store, forked(103, 1), [on_the_new_chain]).await;
    take(&store, forked(104, 1), [deposit(CONSUMER, 1)]).await;

    let page = store
        .wallet_events(CONSUMER, PageRequest { before: Some(replaced), ..PageRequest::newest(50) })
        .await
        .unwrap()
        .events;
    let expected: Vec<_> =
        whole.into_iter().filter(|(at, _)| *at <= Position { block: 103, log_index: 0 }).collect();
    assert_eq!(entries(&page), expected);
    assert_eq!(page[0].block, forked(103, 1), "the block is the one that is there now");
}

#[tokio::test]
async fn a_page_of_nothing_is_empty() {
    let (_directory, store) = busy_store().await;
    assert_eq!(store.wallet_events(CONSUMER, PageRequest::newest(0)).await.unwrap().events, []);
}
