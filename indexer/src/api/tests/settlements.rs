use super::{ALL_SCOPES, Server, add_key, administer, get};
use crate::{
    ledger::{Change, Settlement, meter::Reading},
    store::{Heights, NewSession, Store},
    testing::{
        CONSUMER, OPERATOR, STRANGER, block, deposit, event, settle, take, terms, workspace,
    },
};
use alloy::primitives::{Selector, keccak256};
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
        "finality": "latest",
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
        "finality": "latest",
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
    let difference = |field: &str, registered: &str, settled: &str| json!({ "field": field, "registered": registered, "settled": settled });
    let alarm = json!([
        difference("from", &CONSUMER.to_string(), &STRANGER.to_string()),
        difference("to", &OPERATOR.to_string(), &CONSUMER.to_string()),
        difference("toAmount", "4250", "10001"),
        difference("feeAmount", "750", "2"),
        difference("ratePerSecond", "1000", "3"),
        difference("chargeableSeconds", "5", "4294967295"),
    ]);
    assert_eq!(data["differences"], alarm);
    not_a_side(server.get(&path(), &server.stranger).await);
}

/// What a backend says of the session of [`terms`].
fn registration(server: &Server) -> Value {
    json!({
        "consumerWorkspaceId": server.consumer.id(),
        "operatorWorkspaceId": server.operator.id(),
        "ratePerSecond": "1000",
        "platformFeeBps": 1500,
        "maxDurationSeconds": 60,
        "startedAt": "2026-05-13T11:30:00.000Z",
        "endedAt": "2026-05-13T11:30:08.500Z",
        "disconnectWindows": [
            { "startedAt": "2026-05-13T11:30:02.000Z", "endedAt": "2026-05-13T11:30:03.500Z" },
            { "startedAt": "2026-05-13T11:30:03.000Z", "endedAt": "2026-05-13T11:30:05.000Z" },
        ],
    })
}

async fn put(server: &Server, path: &str, body: &Value) -> super::Answer {
    administer(&server.router, "PUT", path, body).await
}

fn with(base: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = base.clone();
    changed[field] = value.into();
    changed
}

#[tokio::test]
async fn a_session_goes_from_not_ready_to_confirmed_and_back_when_a_reorg_takes_its_payment() {
    let server = Server::start().await;
    let ended = registration(&server);
    let mut goes_on = ended.clone();
    for field in ["startedAt", "endedAt", "disconnectWindows"] {
        goes_on.as_object_mut().unwrap().remove(field);
    }
    let tx_hash = event(101, 0, as_agreed()).tx_hash.to_string();
    let report = format!("{}/transaction", path());
    let reported = json!({ "txHash": tx_hash });

    let data = put(&server, &path(), &goes_on).await.data();
    assert_eq!(data, json!({ "sessionId": TEXT, "state": "NOT_READY" }));
    assert_eq!(server.get(&path(), &server.consumer).await.data(), data);
    let early = put(&server, &report, &reported).await;
    early.refused(
        409,
        "INVALID_STATE",
        "Operation not allowed in the current state",
        Some("session:notEnded"),
    );

    let pending = put(&server, &path(), &ended).await.data();
    let payload = payload_as_agreed(&server);
    let expected = json!({ "sessionId": TEXT, "state": "PENDING", "payload": payload });
    assert_eq!(pending, expected);
    assert_eq!(put(&server, &path(), &ended).await.data(), pending, "the same again is harmless");

    let submitted = put(&server, &report, &reported).await.data();
    assert_eq!(submitted, with(&with(&pending, "state", "SUBMITTED"), "txHash", tx_hash.clone()));
    assert_eq!(server.get(&path(), &server.operator).await.data(), submitted);

    pay(&server, as_agreed()).await;
    let confirmed = server.get(&path(), &server.consumer).await.data();
    assert_eq!((&confirmed["state"], &confirmed["txHash"]), (&json!("CONFIRMED"), &json!(tx_hash)));
    assert_eq!(confirmed["finality"], "latest");
    assert_eq!(confirmed.get("differences"), None);
    server.store.rollback(100).await.unwrap();
    assert_eq!(server.get(&path(), &server.consumer).await.data(), submitted);
}

#[tokio::test]
async fn a_session_that_a_batch_left_out_is_pending_again_and_says_why() {
    let server = Server::start().await;
    put(&server, &path(), &registration(&server)).await.data();
    let pool = keccak256("InsufficientPool(address,uint256,uint256)");
    let skipped = |reason: &[u8]| Change::EntrySkipped {
        session: SessionId::of(SESSION),
        from: CONSUMER,
        index: 3,
        reason: Selector::from_slice(reason),
    };
    let first = event(100, 0, skipped(&pool[..4])).tx_hash.to_string();
    let report = format!("{}/transaction", path());
    put(&server, &report, &json!({ "txHash": first })).await.data();
    take(&server.store, block(100), [skipped(&pool[..4])]).await;
    let data = server.get(&path(), &server.consumer).await.data();
    assert_eq!((&data["state"], data.get("txHash")), (&json!("PENDING"), None));
    assert_eq!(data["lastSkip"]["txHash"], first);
    assert_eq!(data["lastSkip"]["blockNumber"], "100");
    assert_eq!(data["lastSkip"]["reason"], "InsufficientPool");

    // Another one that nobody reported left it out, too: the first is no better for it.
    take(&server.store, block(101), [skipped(&pool[..4])]).await;
    let data = server.get(&path(), &server.consumer).await.data();
    assert_eq!(
        (&data["state"], &data["lastSkip"]["blockNumber"]),
        (&json!("PENDING"), &json!("101"))
    );

    // Sent again, and left out again for a reason that nobody knows; then paid.
    put(&server, &report, &json!({ "txHash": HASH })).await.data();
    let data = server.get(&path(), &server.consumer).await.data();
    assert_eq!((&data["state"], &data["txHash"]), (&json!("SUBMITTED"), &json!(HASH)));
    take(&server.store, block(102), [skipped(&[1, 2, 3, 4])]).await;
    let data = server.get(&path(), &server.consumer).await.data();
    // By one that was not reported: the one that was may still come.
    assert_eq!(data["lastSkip"]["reason"], "0x01020304");
    assert_eq!((&data["state"], &data["txHash"]), (&json!("SUBMITTED"), &json!(HASH)));
    take(&server.store, block(103), [deposit(CONSUMER, 50_000), as_agreed()]).await;
    let data = server.get(&path(), &server.consumer).await.data();
    assert_eq!(
        (&data["state"], &data["lastSkip"]["blockNumber"]),
        (&json!("CONFIRMED"), &json!("102"))
    );
}

#[tokio::test]
async fn a_session_that_goes_on_and_is_paid_to_another_is_an_alarm_at_once() {
    let server = Server::start().await;
    let terms = terms(SESSION, &server.consumer.workspace, &server.operator.workspace);
    server.store.register_session(NewSession { reading: None, ..terms }).await.unwrap();
    pay(&server, settle(SESSION, CONSUMER, STRANGER, 4_250, 750)).await;
    let data = server.get(&path(), &server.consumer).await.data();
    let (operator, stranger) = (OPERATOR.to_string(), STRANGER.to_string());
    let expected = json!([{ "field": "to", "registered": operator, "settled": stranger }]);
    assert_eq!((&data["state"], &data["differences"]), (&json!("CONFIRMED"), &expected));
}

#[tokio::test]
async fn how_sure_a_payment_is_rises_with_the_chain() {
    let server = Server::start().await;
    register(&server).await;
    pay(&server, as_agreed()).await;
    for (safe_block, final_block, finality) in
        [(100, 100, "latest"), (101, 100, "safe"), (101, 101, "finalized")]
    {
        server.store.set_heights(Heights { safe_block, final_block }).await.unwrap();
        let data = server.get(&path(), &server.consumer).await.data();
        assert_eq!(data["finality"], finality);
    }
}

#[tokio::test]
async fn a_session_that_costs_nothing_is_confirmed_at_once() {
    let server = Server::start().await;
    let free = with(&registration(&server), "ratePerSecond", "0");
    // Of a price of 1 µUSDC, both parts are rounded down to nothing; the contract refuses that.
    let a_unit = with(&registration(&server), "ratePerSecond", "1");
    let a_unit = with(&a_unit, "maxDurationSeconds", 1);
    for (number, session) in [free, a_unit].into_iter().enumerate() {
        let path = format!("/settlements/b1e2f3a4-5b6c-7d8e-9f0a-{number:012}");
        let data = put(&server, &path, &session).await.data();
        assert_eq!((&data["state"], &data["nothingToSettle"]), (&json!("CONFIRMED"), &json!(true)));
        let payload = &data["payload"];
        assert_eq!([&payload["toAmount"], &payload["feeAmount"]], [&json!("0"); 2]);
        assert_eq!(data.get("finality"), None);
    }
}

#[tokio::test]
async fn a_session_with_other_terms_is_a_conflict() {
    let server = Server::start().await;
    let first = registration(&server);
    let registered = put(&server, &path(), &first).await.data();
    for (field, value) in [
        ("ratePerSecond", json!("1001")),
        ("platformFeeBps", json!(1499)),
        ("maxDurationSeconds", json!(61)),
        ("endedAt", json!("2026-05-13T11:30:08.501Z")),
        ("disconnectWindows", json!([])),
        ("operatorWorkspaceId", json!(server.stranger.id())),
    ] {
        let answer = put(&server, &path(), &with(&first, field, value)).await;
        let detail = format!("session {TEXT} with other terms");
        answer.refused(409, "CONFLICT", "Conflicts with an existing resource", Some(&detail));
    }
    assert_eq!(server.get(&path(), &server.consumer).await.data(), registered);
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_by_the_name_of_its_field() {
    let server = Server::start().await;
    let right = registration(&server);
    for (field, value, detail) in [
        ("consumerWorkspaceId", json!("x"), "consumerWorkspaceId:malformed"),
        ("operatorWorkspaceId", json!(7), "operatorWorkspaceId:malformed"),
        ("ratePerSecond", json!(1000), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("-1"), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("1.5"), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("18446744073709551616"), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("9223372036854775807"), "session:unpayable"),
        ("ratePerSecond", json!("9223372036854775808"), "session:unpayable"),
        ("platformFeeBps", json!(2001), "platformFeeBps:outOfRange"),
        ("platformFeeBps", json!(-1), "platformFeeBps:malformed"),
        ("platformFeeBps", json!(1e9), "platformFeeBps:malformed"),
        ("maxDurationSeconds", json!(4_294_967_296_u64), "maxDurationSeconds:malformed"),
        ("startedAt", json!("yesterday"), "startedAt:malformed"),
        ("startedAt", Value::Null, "startedAt:missing"),
        ("endedAt", json!("2026-13-01T00:00:00Z"), "endedAt:malformed"),
        ("endedAt", Value::Null, "endedAt:missing"),
        ("disconnectWindows", json!([{ "startedAt": "x" }]), "disconnectWindows:malformed"),
        ("disconnectWindows", json!([{}]), "startedAt:missing"),
        ("disconnectWindows", json!([["2026-05-13T11:30:00Z"]]), "disconnectWindows[0]:malformed"),
        ("tip", json!("1"), "tip:unknown"),
    ] {
        put(&server, &path(), &with(&right, field, value)).await.invalid(detail);
    }
    let nobody = Uuid::from_u128(5).to_string();
    let answer = put(&server, &path(), &with(&right, "operatorWorkspaceId", nobody.as_str())).await;
    let detail = format!("workspace {nobody}");
    answer.refused(404, "NOT_FOUND", "Resource not found", Some(&detail));
    put(&server, "/settlements/1", &right).await.invalid("sessionId:malformed");
    not_found(server.get(&path(), &server.consumer).await);

    let report = format!("{}/transaction", path());
    put(&server, &report, &json!({ "txHash": "0x12" })).await.invalid("txHash:malformed");
    not_found(put(&server, &report, &json!({ "txHash": HASH })).await);
}

#[tokio::test]
async fn the_parts_of_a_price_are_each_rounded_down() {
    let server = Server::start().await;
    let session = NewSession {
        rate_per_second: MicroUsdc::new(1_111),
        reading: Some(Reading { started_at: 0, ended_at: 3_000, disconnects: Vec::new() }),
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
