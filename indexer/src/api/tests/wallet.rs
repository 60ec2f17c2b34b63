use super::Server;
use crate::{
    ledger::{Block, Change, Limits},
    store::{Heights, SqliteStore, Store},
    testing::{
        CONSUMER, OPERATOR, block, deposit, first, forked, settle, take, withdrawal, workspace,
    },
};
use luxxon_bindings::MicroUsdc;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn a_wallet_is_its_pool_at_the_cursor() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 500_000)]).await;
    take(&server.store, block(101), []).await;
    let expected = json!({
        "workspaceId": server.consumer.id(),
        "walletAddress": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "trackedBalance": "500000",
        "lastSyncBlock": "101",
        "updatedAt": "2026-05-13T11:30:02.000Z",
        "blockHash": block(101).hash.to_string(),
        "claimable": "0",
        "limits": { "maxRatePerSecond": "0", "maxPerSession": "0", "maxPerDay": "0" },
        "safe": level("0", 99),
        "finalized": level("0", 99),
    });
    assert_eq!(server.get("/wallet", &server.consumer).await.data(), expected);
}

/// Nothing is held for the wallet.
fn level(balance: &str, number: u64) -> Value {
    let at = if number == first().number { first() } else { block(number) };
    json!({
        "balance": balance,
        "claimable": "0",
        "blockNumber": number.to_string(),
        "blockHash": at.hash.to_string(),
    })
}

#[tokio::test]
async fn a_wallet_is_served_at_every_level_with_its_limits() {
    let server = Server::start().await;
    let limits = Limits {
        max_rate_per_second: MicroUsdc::new(1_000),
        max_per_session: MicroUsdc::new(60_000),
        max_per_day: MicroUsdc::new(1_000_000),
    };
    take(&server.store, block(100), [deposit(CONSUMER, 5)]).await;
    take(&server.store, block(101), [deposit(CONSUMER, 7)]).await;
    take(&server.store, block(102), [withdrawal(CONSUMER, 2)]).await;
    let set = Change::LimitsSet { account: CONSUMER, limits };
    let held = Change::PayoutHeld { account: CONSUMER, amount: MicroUsdc::new(3) };
    take(&server.store, block(103), [set, held]).await;
    server.store.set_heights(Heights { safe_block: 102, final_block: 101 }).await.unwrap();
    let data = server.get("/wallet", &server.consumer).await.data();
    assert_eq!((&data["trackedBalance"], &data["claimable"]), (&json!("10"), &json!("3")));
    assert_eq!((&data["safe"], &data["finalized"]), (&level("10", 102), &level("12", 101)));
    let expected =
        json!({ "maxRatePerSecond": "1000", "maxPerSession": "60000", "maxPerDay": "1000000" });
    assert_eq!(data["limits"], expected);
}

#[tokio::test]
async fn a_wallet_without_events_holds_nothing_at_the_cursor() {
    let server = Server::start().await;
    let expected = |at: Block, number: &str, updated_at: &str| {
        json!({
            "workspaceId": server.stranger.id(),
            "walletAddress": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "trackedBalance": "0",
            "lastSyncBlock": number,
            "updatedAt": updated_at,
            "blockHash": at.hash.to_string(),
            "claimable": "0",
            "limits": { "maxRatePerSecond": "0", "maxPerSession": "0", "maxPerDay": "0" },
            "safe": level("0", 99),
            "finalized": level("0", 99),
        })
    };
    let data = server.get("/wallet", &server.stranger).await.data();
    assert_eq!(data, expected(first(), "99", "2026-05-13T11:29:58.000Z"), "a new ledger");
    take(&server.store, block(100), [deposit(CONSUMER, 1)]).await;
    let data = server.get("/wallet", &server.stranger).await.data();
    assert_eq!(data, expected(block(100), "100", "2026-05-13T11:30:00.000Z"), "others' events");
}

#[tokio::test]
async fn the_balance_follows_deposits_withdrawals_payments_and_reorgs() {
    let server = Server::start().await;
    let balance = async |party| {
        let mut data = server.get("/wallet", party).await.data();
        data["trackedBalance"].take()
    };
    let store: &SqliteStore = &server.store;
    take(store, block(100), [deposit(CONSUMER, 10_000)]).await;
    take(store, block(101), [settle(Uuid::nil(), CONSUMER, OPERATOR, 4_250, 750)]).await;
    assert_eq!(balance(&server.consumer).await, "5000");
    assert_eq!(balance(&server.operator).await, "0", "an operator is paid outside the pools");
    store.rollback(100).await.unwrap();
    assert_eq!(balance(&server.consumer).await, "10000");
    take(store, forked(101, 1), [withdrawal(CONSUMER, 10_000)]).await;
    assert_eq!(balance(&server.consumer).await, "0");
}

#[tokio::test]
async fn the_largest_balance_is_written_out_in_full() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, i64::MAX.cast_unsigned())]).await;
    let data = server.get("/wallet", &server.consumer).await.data();
    assert_eq!(data["trackedBalance"], "9223372036854775807");
}

#[tokio::test]
async fn workspaces_that_share_a_wallet_see_the_same_balance_each_under_its_own_id() {
    let server = Server::start().await;
    let second = workspace(&server.store, "second", CONSUMER).await;
    let key = super::add_key(&server.store, &second, "second", &super::ALL_SCOPES).await;
    take(&server.store, block(100), [deposit(CONSUMER, 7)]).await;
    let data = super::get(&server.router, "/wallet", &key).await.data();
    assert_eq!(data["workspaceId"], json!(second.id.to_string()));
    assert_eq!(data["trackedBalance"], "7");
}

/// Both wallet routes take a `workspaceId`, and only that of the key.
#[tokio::test]
async fn a_workspace_id_is_the_keys_own_or_an_error() {
    let server = Server::start().await;
    let own = server.consumer.id();
    let simple = server.consumer.workspace.id.simple().to_string();
    let malformed = [
        String::new(),
        "1".to_owned(),
        "null".to_owned(),
        simple,
        format!("{{{own}}}"),
        format!("urn:uuid:{own}"),
        format!("{own}0"),
        format!("{}z", &own[..35]),
        "ü".repeat(18),
    ];
    for route in ["/wallet", "/wallet/events"] {
        for accepted in [own.clone(), own.to_uppercase()] {
            let path = format!("{route}?workspaceId={accepted}");
            server.get(&path, &server.consumer).await.data();
        }
        for text in &malformed {
            let path = format!("{route}?workspaceId={}", percent_encoded(text));
            server.get(&path, &server.consumer).await.invalid("workspaceId:malformed");
        }
        for foreign in [server.operator.id(), Uuid::nil().to_string()] {
            let path = format!("{route}?workspaceId={foreign}");
            server.get(&path, &server.consumer).await.invalid("workspaceId:workspaceMismatch");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_no_route_knows_is_ignored() {
    let server = Server::start().await;
    server.get("/wallet?limit=0&verbose", &server.consumer).await.data();
    server.get("/wallet?workspaceid=1", &server.consumer).await.data();
}

#[tokio::test]
async fn a_repeated_workspace_id_is_an_error_even_where_both_are_right() {
    let server = Server::start().await;
    let own = server.consumer.id();
    for route in ["/wallet", "/wallet/events"] {
        let path = format!("{route}?workspaceId={own}&workspaceId={own}");
        server.get(&path, &server.consumer).await.invalid("query:malformed");
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}
