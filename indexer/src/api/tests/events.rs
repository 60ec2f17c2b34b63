use super::{Server, add_key, get};
use crate::{
    ledger::{EventId, Position, Side},
    store::{Scope, Store},
    testing::{
        CONSUMER, OPERATOR, approval, block, deposit, event, forked, settle, take, terms,
        withdrawal,
    },
};
use alloy::primitives::U256;
use serde_json::{Value, json};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(0xb1e2_f3a4_5b6c_7d8e_9f0a_1b2c_3d4e_5f6a);
const UNREGISTERED: Uuid = Uuid::from_u128(1);

fn id(number: u64, log_index: u32, side: Side) -> String {
    let position = Position { block: number, log_index };
    EventId::new(position, side, block(number).hash).unwrap().to_uuid().to_string()
}

fn tx_hash(number: u64, log_index: u32) -> String {
    event(number, log_index, deposit(CONSUMER, 1)).tx_hash.to_string()
}

async fn events(server: &Server, party: &super::Party, query: &str) -> Vec<Value> {
    let data = server.get(&format!("/wallet/events{query}"), party).await.data();
    let Value::Array(events) = data else { panic!("{data}") };
    events
}

#[tokio::test]
async fn a_wallet_without_events_has_an_empty_list() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 1)]).await;
    assert_eq!(server.get("/wallet/events", &server.operator).await.data(), json!([]));
}

#[tokio::test]
async fn deposits_withdrawals_and_approvals_are_served_newest_first() {
    let server = Server::start().await;
    let approved = [approval(CONSUMER, U256::MAX), deposit(CONSUMER, 500_000)];
    take(&server.store, block(100), approved).await;
    take(&server.store, block(101), [withdrawal(CONSUMER, 1)]).await;

    let entry = |kind, number: u64, log_index, confirmed_at, amount| {
        json!({
            "id": id(number, log_index, Side::Account),
            "workspaceId": server.consumer.id(),
            "kind": kind,
            "txHash": tx_hash(number, log_index),
            "blockNumber": number.to_string(),
            "confirmedAt": confirmed_at,
            "amountUsdc": amount,
            "relatedSession": null,
        })
    };
    let unlimited =
        "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let expected = json!([
        entry("WITHDRAWAL", 101, 0, "2026-05-13T11:30:02.000Z", "1"),
        entry("DEPOSIT", 100, 1, "2026-05-13T11:30:00.000Z", "500000"),
        entry("APPROVAL", 100, 0, "2026-05-13T11:30:00.000Z", unlimited),
    ]);
    assert_eq!(server.get("/wallet/events", &server.consumer).await.data(), expected);
}

#[tokio::test]
async fn a_registered_payment_names_its_session_and_each_side_sees_what_it_moved() {
    let server = Server::start().await;
    let (consumer, operator) = (&server.consumer.workspace, &server.operator.workspace);
    server.store.register_session(terms(SESSION, consumer, operator)).await.unwrap();
    take(&server.store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&server.store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)]).await;

    for (party, side, amount) in
        [(&server.consumer, Side::Account, "5000"), (&server.operator, Side::Payee, "4250")]
    {
        let expected = json!({
            "id": id(101, 0, side),
            "workspaceId": party.id(),
            "kind": "SETTLE",
            "txHash": tx_hash(101, 0),
            "blockNumber": "101",
            "confirmedAt": "2026-05-13T11:30:02.000Z",
            "amountUsdc": amount,
            "relatedSession": "b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a",
        });
        assert_eq!(events(&server, party, "?limit=1").await, [expected]);
    }
    assert_eq!(events(&server, &server.stranger, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_unregistered_payment_names_its_sessions_hash() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 5_000)]).await;
    take(&server.store, block(101), [settle(UNREGISTERED, CONSUMER, OPERATOR, 4_250, 750)]).await;
    for (party, side, amount) in
        [(&server.consumer, Side::Account, "5000"), (&server.operator, Side::Payee, "4250")]
    {
        let expected = json!({
            "id": id(101, 0, side),
            "workspaceId": party.id(),
            "kind": "SETTLE",
            "txHash": tx_hash(101, 0),
            "blockNumber": "101",
            "confirmedAt": "2026-05-13T11:30:02.000Z",
            "amountUsdc": amount,
            "relatedSession": null,
            "relatedSessionHash": luxxon_bindings::SessionId::of(UNREGISTERED).to_string(),
        });
        assert_eq!(events(&server, party, "?limit=1").await, [expected]);
    }
}

#[tokio::test]
async fn a_payment_to_oneself_is_two_entries_with_ids_of_their_own() {
    let server = Server::start().await;
    let itself = settle(UNREGISTERED, CONSUMER, CONSUMER, 4_250, 750);
    take(&server.store, block(100), [deposit(CONSUMER, 5_000), itself]).await;
    let seen: Vec<_> = events(&server, &server.consumer, "")
        .await
        .into_iter()
        .map(|event| [event["id"].clone(), event["amountUsdc"].clone()])
        .collect();
    let expected = [
        [json!(id(100, 1, Side::Payee)), json!("4250")],
        [json!(id(100, 1, Side::Account)), json!("5000")],
        [json!(id(100, 0, Side::Account)), json!("5000")],
    ];
    assert_eq!(seen, expected);
}

/// Turns the pages as a client does: the last id of a page is the next one's cursor.
async fn all_pages(server: &Server, limit: usize) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    // More pages than there are events: pages that go round in a circle must not go on for ever.
    for _ in 0..10 {
        let cursor = all
            .last()
            .map_or(String::new(), |last| format!("&cursor={}", last["id"].as_str().unwrap()));
        let page = events(server, &server.consumer, &format!("?limit={limit}{cursor}")).await;
        assert!(page.len() <= limit);
        all.extend(page);
    }
    all
}

#[tokio::test]
async fn pages_of_every_size_join_without_gap_or_repetition() {
    let server = Server::start().await;
    let session = |number| Uuid::from_u128(number);
    take(&server.store, block(100), [deposit(CONSUMER, 500), deposit(OPERATOR, 500)]).await;
    let changes = [
        settle(session(2), CONSUMER, CONSUMER, 10, 1),
        settle(session(3), OPERATOR, CONSUMER, 10, 1),
        settle(session(4), CONSUMER, CONSUMER, 10, 1),
        settle(session(5), CONSUMER, OPERATOR, 10, 1),
    ];
    take(&server.store, block(101), changes).await;
    let whole = events(&server, &server.consumer, "").await;
    assert_eq!(whole.len(), 7);
    for limit in 1..=8 {
        assert_eq!(all_pages(&server, limit).await, whole, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_cursor_of_a_replaced_block_still_says_where_to_go_on() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 1)]).await;
    take(&server.store, block(101), [deposit(CONSUMER, 2), deposit(CONSUMER, 3)]).await;
    let newest = events(&server, &server.consumer, "?limit=1").await;
    let cursor = format!("?cursor={}", newest[0]["id"].as_str().unwrap());
    server.store.rollback(100).await.unwrap();
    take(&server.store, forked(101, 1), [deposit(CONSUMER, 4), deposit(CONSUMER, 5)]).await;
    let older = events(&server, &server.consumer, &cursor).await;
    let amounts: Vec<_> = older.iter().map(|event| event["amountUsdc"].clone()).collect();
    assert_eq!(amounts, ["4", "1"]);
    assert_ne!(events(&server, &server.consumer, "?limit=1").await[0]["id"], newest[0]["id"]);
}

#[tokio::test]
async fn a_cursor_is_taken_in_either_case() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 1), deposit(CONSUMER, 2)]).await;
    let cursor = id(100, 1, Side::Account).to_uppercase();
    assert!(cursor.contains(char::is_alphabetic));
    assert_eq!(events(&server, &server.consumer, &format!("?cursor={cursor}")).await.len(), 1);
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_an_error() {
    let server = Server::start().await;
    let ours = id(100, 0, Side::Account);
    let malformed = [
        String::new(),
        "1".to_owned(),
        "null".to_owned(),
        // A UUID of version 4, and one of version 8 of another variant.
        "9b2d7c1e-4f5a-4b6c-8d7e-0f1a2b3c4d5e".to_owned(),
        "9b2d7c1e-4f5a-8b6c-cd7e-0f1a2b3c4d5e".to_owned(),
        Uuid::nil().to_string(),
        Uuid::max().to_string(),
        Uuid::parse_str(&ours).unwrap().simple().to_string(),
        format!("%7B{ours}%7D"),
        format!("urn:uuid:{ours}"),
        format!("{ours}0"),
        format!("%20{ours}"),
        "%FF".to_owned(),
    ];
    for cursor in malformed {
        let path = format!("/wallet/events?cursor={cursor}");
        server.get(&path, &server.consumer).await.invalid("cursor:malformed");
    }
}

#[tokio::test]
async fn a_limit_is_a_whole_number_from_1_to_200() {
    let server = Server::start().await;
    let refused = [
        "0",
        "201",
        "-1",
        "abc",
        "",
        "1.5",
        "4294967297",
        "99999999999999999999999999",
        "1e2",
        "0x10",
        "+5",
        "%2B5",
        "%205",
        "5%20",
        "%D9%A5",
        "null",
    ];
    for limit in refused {
        let path = format!("/wallet/events?limit={limit}");
        server.get(&path, &server.consumer).await.invalid("limit:outOfRange");
    }
    for limit in ["1", "200", "%35", "050"] {
        let path = format!("/wallet/events?limit={limit}");
        server.get(&path, &server.consumer).await.data();
    }
}

#[tokio::test]
async fn a_page_has_50_events_unless_the_caller_says_otherwise() {
    let server = Server::start().await;
    take(&server.store, block(100), (0..201).map(|_| deposit(CONSUMER, 1))).await;
    for (query, count) in [("", 50), ("?limit=1", 1), ("?limit=199", 199), ("?limit=200", 200)] {
        let page = events(&server, &server.consumer, query).await;
        assert_eq!(page.len(), count, "{query}");
        assert_eq!(page[0]["id"], json!(id(100, 200, Side::Account)), "the newest first");
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_an_error() {
    let server = Server::start().await;
    let cursor = id(100, 0, Side::Account);
    for query in ["limit=1&limit=1".to_owned(), format!("cursor={cursor}&cursor={cursor}")] {
        let path = format!("/wallet/events?{query}");
        server.get(&path, &server.consumer).await.invalid("query:malformed");
    }
}

#[tokio::test]
async fn all_parameters_go_together() {
    let server = Server::start().await;
    take(&server.store, block(100), (0..5).map(|_| deposit(CONSUMER, 1))).await;
    let key =
        add_key(&server.store, &server.consumer.workspace, "reader", &[Scope::WalletRead]).await;
    let path = format!(
        "/wallet/events?limit=2&cursor={}&workspaceId={}",
        id(100, 3, Side::Account),
        server.consumer.id()
    );
    let data = get(&server.router, &path, &key).await.data();
    let ids: Vec<_> = data.as_array().unwrap().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids, [id(100, 2, Side::Account), id(100, 1, Side::Account)]);
}

#[tokio::test]
async fn a_page_holds_the_kinds_and_the_blocks_that_were_asked_for() {
    let server = Server::start().await;
    take(&server.store, block(100), [approval(CONSUMER, U256::ONE), deposit(CONSUMER, 9_000)])
        .await;
    take(&server.store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 850, 150)]).await;
    take(&server.store, block(102), [withdrawal(CONSUMER, 1), deposit(CONSUMER, 2)]).await;
    let seen = async |query: &str| -> Vec<String> {
        let page = events(&server, &server.consumer, query).await;
        let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        page.iter().map(|event| text(event, "kind") + " " + &text(event, "blockNumber")).collect()
    };
    let (all, none) = (seen("").await, Vec::<String>::new());
    let newest_first =
        ["DEPOSIT 102", "WITHDRAWAL 102", "SETTLE 101", "DEPOSIT 100", "APPROVAL 100"];
    assert_eq!(all, newest_first);
    assert_eq!(seen("?kind=DEPOSIT").await, ["DEPOSIT 102", "DEPOSIT 100"]);
    assert_eq!(seen("?kind=DEPOSIT&limit=1").await, ["DEPOSIT 102"]);
    assert_eq!(seen("?kind=SETTLE,APPROVAL").await, ["SETTLE 101", "APPROVAL 100"]);
    assert_eq!(seen("?fromBlock=101").await, all[..3]);
    assert_eq!(seen("?toBlock=101").await, all[2..]);
    assert_eq!(seen("?fromBlock=101&toBlock=101").await, ["SETTLE 101"]);
    assert_eq!(seen("?fromBlock=103").await, none);
    assert_eq!(seen("?fromBlock=102&toBlock=101").await, none);
    assert_eq!(seen("?toBlock=18446744073709551615").await, all);
    assert_eq!(seen("?fromBlock=18446744073709551615").await, none);
    // A cursor, and a block above or below it.
    let cursor = id(101, 0, Side::Account);
    assert_eq!(seen(&format!("?cursor={cursor}&toBlock=102")).await, all[3..]);
    assert_eq!(seen(&format!("?cursor={cursor}&toBlock=100&kind=DEPOSIT")).await, ["DEPOSIT 100"]);
    for (query, detail) in [
        ("kind=", "kind:unknown"),
        ("kind=deposit", "kind:unknown"),
        ("kind=DEPOSIT,CLAIMED", "kind:unknown"),
        ("fromBlock=-1", "fromBlock:malformed"),
        ("toBlock=0x10", "toBlock:malformed"),
    ] {
        server.get(&format!("/wallet/events?{query}"), &server.consumer).await.invalid(detail);
    }
}
