use super::{ALL_SCOPES, Server, add_key, get};
use crate::{
    ledger::{Change, Settlement},
    store::{NewSession, Store},
    testing::{
        CONSUMER, OPERATOR, STRANGER, block, deposit, event, settle, take, terms, workspace,
    },
};
use luxxon_bindings::{MicroUsdc, SessionId};
use serde_json::{Value, json};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(0xb1e2_f3a4_5b6c_7d8e_9f0a_1b2c_3d4e_5f6a);
const TEXT: &str = "b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a";
/// keccak256 of [`TEXT`].
const HASH: &str = "0x11254b9ab226814845c586958ab7ba56e54d5ddaeffab9d8705d80209ad9862d";

fn path() -> String {
    format!("/settlements/{TEXT}")
}

async fn register(server: &Server) -> NewSession {
    let terms = terms(SESSION, &server.consumer.workspace, &server.operator.workspace);
    server.store.register_session(terms.clone()).await.unwrap();
    terms
}

async fn pay(server: &Server, payment: Change) {
    take(&server.store, block(100), [deposit(CONSUMER, 50_000)]).await;
    take(&server.store, block(101), [payment]).await;
}

fn as_agreed() -> Change {
    settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)
}

fn payload_as_agreed(server: &Server) -> Value {
    json!({
        "sessionIdHash": HASH,
        "from": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "to": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "toAmount": "4250",
        "feeAmount": "750",
        "ratePerSecond": "1000",
        "chargeableSeconds": 5,
        "consumerWorkspaceId": server.consumer.id(),
        "operatorWorkspaceId": server.operator.id(),
        "platformFeeBps": 1500,
    })
}

fn not_a_side(answer: super::Answer) {
    let message = "Not authorized for this operation";
    answer.refused(403, "NOT_AUTHORIZED", message, Some("session:viewDenied"));
}

fn not_found(answer: super::Answer) {
    answer.refused(404, "SESSION_NOT_FOUND", "Session not found", None);
}

#[tokio::test]
async fn a_registered_session_is_pending_with_what_is_to_be_paid() {
    let server = Server::start().await;
    register(&server).await;
    let payload = payload_as_agreed(&server);
    let expected = json!({ "sessionId": TEXT, "state": "PENDING", "payload": payload });
    for party in [&server.consumer, &server.operator] {
        assert_eq!(server.get(&path(), party).await.data(), expected);
    }
    not_a_side(server.get(&path(), &server.stranger).await);
}

#[tokio::test]
async fn a_paid_registered_session_is_confirmed_with_its_transaction() {
    let server = Server::start().await;
    register(&server).await;
    pay(&server, as_agreed()).await;
    let expected = json!({
        "sessionId": TEXT,
        "state": "CONFIRMED",
        "payload": payload_as_agreed(&server),
        "txHash": event(101, 0, as_agreed()).tx_hash.to_string(),
        "confirmedAt": "2026-05-13T11:30:02.000Z",
    });
    for party in [&server.consumer, &server.operator] {
        assert_eq!(server.get(&path(), party).await.data(), expected);
    }
    not_a_side(server.get(&path(), &server.stranger).await);
}

#[tokio::test]
async fn a_paid_unregistered_session_is_confirmed_without_payload_for_both_wallets() {
    let server = Server::start().await;
    pay(&server, as_agreed()).await;
    let expected = json!({
        "sessionId": TEXT,
        "state": "CONFIRMED",
        "txHash": event(101, 0, as_agreed()).tx_hash.to_string(),
        "confirmedAt": "2026-05-13T11:30:02.000Z",
    });
    for party in [&server.consumer, &server.operator] {
        assert_eq!(server.get(&path(), party).await.data(), expected);
    }
    not_a_side(server.get(&path(), &server.stranger).await);
}

/// A wallet in a payment is no side of a registered session: its workspaces are. Of an unregistered
/// one there is only the wallet to go by.
#[tokio::test]
async fn sharing_a_wallet_opens_unregistered_sessions_only() {
    let server = Server::start().await;
    let namesake = workspace(&server.store, "namesake", CONSUMER).await;
    let key = add_key(&server.store, &namesake, "namesake", &ALL_SCOPES).await;
    pay(&server, as_agreed()).await;
    get(&server.router, &path(), &key).await.data();
    register(&server).await;
    not_a_side(get(&server.router, &path(), &key).await);
}

#[tokio::test]
async fn what_the_chain_paid_is_served_where_it_is_not_what_was_agreed() {
    let server = Server::start().await;
    register(&server).await;
    let paid = Settlement {
        session: SessionId::of(SESSION),
        from: STRANGER,
        to: CONSUMER,
        to_amount: MicroUsdc::new(10_001),
        fee_amount: MicroUsdc::new(2),
        gross: MicroUsdc::new(10_003),
        rate_per_second: MicroUsdc::new(3),
        chargeable_seconds: u32::MAX,
    };
    take(&server.store, block(100), [deposit(STRANGER, 20_000)]).await;
    take(&server.store, block(101), [Change::Settle(paid)]).await;
    let expected = json!({
        "sessionIdHash": HASH,
        "from": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "to": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "toAmount": "10001",
        "feeAmount": "2",
        "ratePerSecond": "3",
        "chargeableSeconds": 4_294_967_295_u32,
        "consumerWorkspaceId": server.consumer.id(),
        "operatorWorkspaceId": server.operator.id(),
        "platformFeeBps": 1500,
    });
    let data = server.get(&path(), &server.operator).await.data();
    assert_eq!(data["payload"], expected);
    not_a_side(server.get(&path(), &server.stranger).await);
}

#[tokio::test]
async fn the_parts_of_a_price_are_each_rounded_down() {
    let server = Server::start().await;
    let session = NewSession {
        rate_per_second: MicroUsdc::new(1_111),
        chargeable_seconds: 3,
        ..terms(SESSION, &server.consumer.workspace, &server.operator.workspace)
    };
    server.store.register_session(session).await.unwrap();
    let data = server.get(&path(), &server.consumer).await.data();
    assert_eq!(data["payload"]["toAmount"], "2833");
    assert_eq!(data["payload"]["feeAmount"], "499");
}

#[tokio::test]
async fn a_workspace_on_both_sides_reads_its_session() {
    let server = Server::start().await;
    let both = &server.consumer;
    let terms = terms(SESSION, &both.workspace, &both.workspace);
    server.store.register_session(terms).await.unwrap();
    assert_eq!(server.get(&path(), both).await.data()["state"], "PENDING");
    pay(&server, settle(SESSION, CONSUMER, CONSUMER, 4_250, 750)).await;
    let data = server.get(&path(), both).await.data();
    assert_eq!(data["state"], "CONFIRMED");
    assert_eq!(data["payload"]["from"], data["payload"]["to"]);
}

#[tokio::test]
async fn a_payment_that_a_reorg_took_back_was_never_there() {
    let server = Server::start().await;
    pay(&server, as_agreed()).await;
    server.store.rollback(100).await.unwrap();
    not_found(server.get(&path(), &server.consumer).await);

    register(&server).await;
    take(&server.store, block(101), [as_agreed()]).await;
    server.store.rollback(100).await.unwrap();
    let payload = payload_as_agreed(&server);
    let expected = json!({ "sessionId": TEXT, "state": "PENDING", "payload": payload });
    assert_eq!(server.get(&path(), &server.consumer).await.data(), expected);
}

#[tokio::test]
async fn a_session_id_is_taken_in_either_case_and_given_in_lower() {
    let server = Server::start().await;
    register(&server).await;
    let upper = format!("/settlements/{}", TEXT.to_uppercase());
    let data = server.get(&upper, &server.consumer).await.data();
    assert_eq!(data["sessionId"], TEXT);
    assert_eq!(data["payload"]["sessionIdHash"], HASH);
}

#[tokio::test]
async fn a_session_that_nobody_knows_is_not_found() {
    let server = Server::start().await;
    register(&server).await;
    for session in ["b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6b", "00000000-0000-0000-0000-000000000000"]
    {
        let path = format!("/settlements/{session}");
        for party in [&server.consumer, &server.stranger] {
            not_found(server.get(&path, party).await);
        }
    }
}

#[tokio::test]
async fn a_session_id_that_is_no_hyphenated_uuid_is_an_error() {
    let server = Server::start().await;
    register(&server).await;
    let simple = TEXT.replace('-', "");
    let malformed = [
        "1",
        "null",
        simple.as_str(),
        HASH,
        "%7Bb1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a%7D",
        "urn:uuid:b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a",
        "b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a0",
        "b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6z",
        "b1e2f3a45-b6c-7d8e-9f0a-1b2c3d4e5f6a",
        "%20b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a",
        // 36 bytes that are 18 letters, and bytes that are no text.
        "%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC",
        "%FF%FE",
        "%2F..%2Fwallet",
    ];
    for text in malformed {
        let answer = server.get(&format!("/settlements/{text}"), &server.consumer).await;
        answer.invalid("sessionId:malformed");
    }
}
