//! What the status page shows, as anyone is answered who has no key.

use super::{Answer, Server, exchange, named, options, public_config};
use crate::{
    api::{About, operations, router},
    health::Health,
    ledger::Block,
    metrics::Metrics,
    store::Store,
    testing::{
        CONSUMER, OPERATOR, STRANGER, approval, block, deposit, forked, limits, limits_set, settle,
        skipped, take, terms, up_to, withdrawal,
    },
};
use alloy::primitives::U256;
use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use luxxon_bindings::SessionId;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(7);
const OTHER_SESSION: Uuid = Uuid::from_u128(8);

/// A daemon's routes, all of them, and what its parts tell of themselves.
pub(super) struct Daemon {
    pub(super) server: Server,
    pub(super) router: Router,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    pub(super) stop: watch::Sender<()>,
}

impl Daemon {
    pub(super) async fn start() -> Self {
        let (server, (stop, stopped)) = (Server::start().await, watch::channel(()));
        let (health, metrics): (Arc<Health>, Arc<Metrics>) = Default::default();
        let about = About {
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            config: public_config(),
            build_sha: "0d4f1a2b".to_owned(),
            audits: true,
        };
        let router = router(server.store.clone(), options());
        let router = router.merge(operations(server.store.clone(), about, Some(stopped)));
        Self { server, router, health, metrics, stop }
    }

    pub(super) async fn take(
        &self,
        block: Block,
        changes: impl IntoIterator<Item = crate::ledger::Change>,
    ) {
        take(&self.server.store, block, changes).await;
    }

    /// The syncer has looked: the node's head, and where the ledger stands.
    pub(super) async fn looked(&self, head: u64) {
        let cursor = self.server.store.cursor().await.unwrap();
        self.metrics.stands(cursor.block, cursor.safe_block, cursor.final_block, head);
        self.health.node_answered();
        self.health.moved();
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        exchange(&self.router, Request::get(path).body(Body::empty()).unwrap()).await.0
    }

    pub(super) async fn status(&self) -> Value {
        self.get("/status").await.data()
    }

    /// What is no JSON: status, headers and text.
    pub(super) async fn text(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = named(self.router.clone(), request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// A page that is open.
    pub(super) async fn view(&self) -> Viewer {
        let request = Request::get("/status/stream").body(Body::empty()).unwrap();
        let response = named(self.router.clone(), request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Viewer { body: response.into_body().into_data_stream(), text: String::new() }
    }
}

/// Somebody who has the page open.
pub(super) struct Viewer {
    body: BodyDataStream,
    text: String,
}

impl Viewer {
    /// The next status; `None` where the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix("event: status\ndata: ").unwrap();
                let data = serde_json::from_str(data).unwrap();
                self.text = rest.to_owned();
                return Some(data);
            }
            let chunk = timeout(Duration::from_mins(1), self.body.next()).await.expect("silence");
            self.text += std::str::from_utf8(&chunk?.unwrap()).unwrap();
        }
    }

    /// Waits for a status of which this is so.
    pub(super) async fn until(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let status = self.next().await.expect("the stream ended");
            if is_so(&status) {
                return status;
            }
        }
    }
}

#[tokio::test]
async fn the_status_says_where_ledger_and_node_stand() {
    let daemon = Daemon::start().await;
    daemon.take(block(100), [deposit(CONSUMER, 9_000)]).await;
    daemon.take(block(101), [withdrawal(CONSUMER, 1)]).await;
    daemon.server.store.set_heights(up_to(100)).await.unwrap();
    let mut status = daemon.status().await;
    let events = status["events"].take();
    let age = status["sync"]["lagSeconds"].take();
    assert!(age.as_u64().unwrap() > 1, "{age}");
    let expected = json!({
        "build": { "version": env!("CARGO_PKG_VERSION"), "sha": "0d4f1a2b" },
        "chain": {
            "id": 84532,
            "name": "Base Sepolia",
            "settlementAddress": "0xa748C178df47c2DA2227C247293943713eB65a26",
            "usdcAddress": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "explorerUrl": "https://sepolia.basescan.org",
        },
        "sync": {
            "ready": false,
            "complaints": ["the chain was not looked at yet"],
            "headBlock": null,
            "nodeFailsSince": null,
            "indexed": {
                "blockNumber": "101",
                "blockHash": block(101).hash,
                "confirmedAt": "2026-05-13T11:30:02.000Z",
            },
            "safeBlock": "100",
            "finalizedBlock": "100",
            "lagBlocks": null,
            "lagSeconds": null,
        },
        "audit": { "result": "notYet", "comparedAt": null, "blockNumber": null, "differences": 0 },
        "totalOwed": "8999",
        "events": null,
    });
    assert_eq!(status, expected);
    let seen: Vec<_> =
        events.as_array().unwrap().iter().map(|e| (&e["kind"], &e["finality"])).collect();
    let expected = [("WITHDRAWAL", "latest"), ("DEPOSIT", "finalized")]
        .map(|(kind, finality)| (Value::from(kind), Value::from(finality)));
    assert_eq!(seen, expected.each_ref().map(|(kind, finality)| (kind, finality)));

    daemon.looked(105).await;
    let mut viewer = daemon.view().await;
    let status = viewer.until(|status| status["sync"]["headBlock"] == "105").await;
    assert_eq!((&status["sync"]["lagBlocks"], &status["sync"]["ready"]), (&json!(4), &json!(true)));
}

#[tokio::test]
async fn every_kind_of_event_is_shown_as_the_chain_has_it() {
    let daemon = Daemon::start().await;
    let held = crate::ledger::Change::PayoutHeld {
        account: OPERATOR,
        amount: luxxon_bindings::MicroUsdc::new(5),
    };
    let claimed = crate::ledger::Change::Claimed {
        account: OPERATOR,
        amount: luxxon_bindings::MicroUsdc::new(5),
    };
    let changes = [
        deposit(CONSUMER, 9_000),
        withdrawal(CONSUMER, 1),
        settle(SESSION, CONSUMER, OPERATOR, 4_250, 750),
        held,
        claimed,
        approval(STRANGER, U256::MAX),
        limits_set(STRANGER, limits(1, 2, 3)),
        skipped(OTHER_SESSION, CONSUMER, 0),
    ];
    daemon.take(block(100), changes).await;
    let status = daemon.status().await;
    let mut events = status["events"].as_array().unwrap().clone();
    events.reverse();
    for (index, event) in events.iter_mut().enumerate() {
        let event = event.as_object_mut().unwrap();
        let place = ["id", "txHash", "blockNumber", "confirmedAt", "finality"]
            .map(|field| event.remove(field).unwrap());
        let [_, tx_hash, number, confirmed_at, finality] = place;
        let index = u32::try_from(index).unwrap();
        let expected = crate::testing::event(100, index, deposit(CONSUMER, 1)).tx_hash;
        assert_eq!(tx_hash, json!(expected));
        assert_eq!((number, finality), (json!("100"), json!("latest")));
        assert_eq!(confirmed_at, "2026-05-13T11:30:00.000Z");
    }
    let (consumer, operator) = (CONSUMER.to_string(), OPERATOR.to_string());
    let stranger = STRANGER.to_string();
    let expected = json!([
        { "kind": "DEPOSIT", "account": consumer, "payer": consumer, "amount": "9000" },
        { "kind": "WITHDRAWAL", "account": consumer, "amount": "1" },
        {
            "kind": "SETTLE",
            "sessionIdHash": SessionId::of(SESSION).0,
            "from": consumer,
            "to": operator,
            "amount": "5000",
            "toAmount": "4250",
            "feeAmount": "750",
            "ratePerSecond": "1000",
            "chargeableSeconds": 5,
        },
        { "kind": "PAYOUT_HELD", "account": operator, "amount": "5" },
        { "kind": "CLAIMED", "account": operator, "amount": "5" },
        { "kind": "APPROVAL", "account": stranger, "allowance": U256::MAX.to_string() },
        {
            "kind": "LIMITS_SET",
            "account": stranger,
            "maxRatePerSecond": "1",
            "maxPerSession": "2",
            "maxPerDay": "3",
        },
        {
            "kind": "ENTRY_SKIPPED",
            "sessionIdHash": SessionId::of(OTHER_SESSION).0,
            "account": consumer,
            "reason": "InsufficientPool",
        },
    ]);
    assert_eq!(Value::from(events), expected);
}

#[tokio::test]
async fn the_newest_twenty_events_are_shown() {
    let daemon = Daemon::start().await;
    daemon.take(block(100), (1..=25).map(|amount| deposit(CONSUMER, amount))).await;
    let status = daemon.status().await;
    let amounts: Vec<&str> =
        status["events"].as_array().unwrap().iter().filter_map(|e| e["amount"].as_str()).collect();
    let expected: Vec<String> = (6..=25).rev().map(|amount| amount.to_string()).collect();
    assert_eq!(amounts, expected);
}

#[tokio::test]
async fn what_a_comparison_found_and_when_is_shown() {
    let daemon = Daemon::start().await;
    daemon.looked(99).await;
    let mut viewer = daemon.view().await;
    daemon.health.compared(Some(98), 0, Vec::new());
    let clean = viewer.until(|status| status["audit"]["result"] == "clean").await;
    assert_eq!(clean["audit"]["blockNumber"], "98");
    assert!(super::is_iso_8601_with_milliseconds(clean["audit"]["comparedAt"].as_str().unwrap()));
    let shown = vec!["block 99: totalOwed() is 1 on chain, and 0 in the tables".to_owned()];
    daemon.health.compared(Some(99), 12, shown.clone());
    let status = viewer.until(|status| status["audit"]["result"] == "differs").await;
    assert_eq!(status["audit"]["differences"], 12);
    assert_eq!(status["sync"]["complaints"], json!(shown));
    assert_eq!(status["sync"]["ready"], false);
}

#[tokio::test]
async fn a_node_that_fails_is_shown_until_it_answers() {
    let daemon = Daemon::start().await;
    daemon.looked(99).await;
    let mut viewer = daemon.view().await;
    assert_eq!(viewer.next().await.unwrap()["sync"]["nodeFailsSince"], Value::Null);
    daemon.health.node_failed();
    daemon.health.node_failed();
    let status = viewer.until(|status| !status["sync"]["nodeFailsSince"].is_null()).await;
    let since = status["sync"]["nodeFailsSince"].as_str().unwrap();
    assert!(super::is_iso_8601_with_milliseconds(since), "{since}");
    daemon.health.node_answered();
    viewer.until(|status| status["sync"]["nodeFailsSince"].is_null()).await;
}

#[tokio::test]
async fn a_session_is_found_by_its_uuid_and_by_its_hash_with_its_payment() {
    let daemon = Daemon::start().await;
    let pays = settle(SESSION, CONSUMER, OPERATOR, 4_250, 750);
    daemon.take(block(100), [skipped(SESSION, CONSUMER, 0)]).await;
    daemon.take(block(101), [deposit(CONSUMER, 9_000), pays]).await;
    daemon.server.store.set_heights(up_to(100)).await.unwrap();
    let hash = SessionId::of(SESSION).to_string();
    let found = daemon.get(&format!("/status/settlements/{SESSION}")).await.data();
    assert_eq!(daemon.get(&format!("/status/settlements/{hash}")).await.data(), found);
    assert_eq!(found["sessionIdHash"], hash.as_str());
    let events = daemon.status().await["events"].take();
    assert_eq!((&found["settled"], &found["lastSkip"]), (&events[0], &events[2]));
    assert_eq!(found["settled"]["finality"], "latest");
    assert_eq!(found["lastSkip"]["finality"], "finalized");

    // One that was only left out, and one that a reorg takes away.
    daemon.take(block(102), [skipped(OTHER_SESSION, CONSUMER, 0)]).await;
    let path = format!("/status/settlements/{OTHER_SESSION}");
    let found = daemon.get(&path).await.data();
    assert_eq!(
        (&found["settled"], &found["lastSkip"]["kind"]),
        (&Value::Null, &json!("ENTRY_SKIPPED"))
    );
    daemon.server.store.rollback(101).await.unwrap();
    daemon.take(forked(102, 1), []).await;
    let refused = daemon.get(&path).await;
    refused.refused(404, "SESSION_NOT_FOUND", "Session not found", None);
}

#[tokio::test]
async fn what_names_no_session_is_refused() {
    let daemon = Daemon::start().await;
    let hash = SessionId::of(SESSION).to_string();
    let simple = SESSION.simple().to_string();
    for text in ["7", "0x7", "%ff", "%00", &hash[2..], &simple, &format!("{hash}00")] {
        daemon.get(&format!("/status/settlements/{text}")).await.invalid("sessionId:malformed");
    }
}

/// A session that is registered, and that the chain has not, is its workspaces' alone.
#[tokio::test]
async fn nothing_is_shown_of_what_operators_entered() {
    let daemon = Daemon::start().await;
    let (consumer, operator) =
        (&daemon.server.consumer.workspace, &daemon.server.operator.workspace);
    daemon.server.store.register_session(terms(SESSION, consumer, operator)).await.unwrap();
    daemon.server.store.register_session(terms(OTHER_SESSION, consumer, operator)).await.unwrap();
    let pays = settle(SESSION, CONSUMER, OPERATOR, 4_250, 750);
    daemon.take(block(100), [deposit(CONSUMER, 9_000), pays]).await;
    let unsettled = daemon.get(&format!("/status/settlements/{OTHER_SESSION}")).await;
    unsettled.refused(404, "SESSION_NOT_FOUND", "Session not found", None);

    let settled = daemon.get(&format!("/status/settlements/{SESSION}")).await.data();
    let mut viewer = daemon.view().await;
    let shown = [daemon.status().await, settled, viewer.next().await.unwrap()];
    let secrets = [consumer, operator].map(|workspace| {
        [workspace.id.to_string(), workspace.slug.clone(), workspace.name.clone()]
    });
    let secrets = secrets.iter().flatten();
    for secret in secrets.chain(&[
        SESSION.to_string(),
        OTHER_SESSION.to_string(),
        SessionId::of(OTHER_SESSION).to_string(),
        daemon.server.consumer.key.clone(),
    ]) {
        for text in &shown {
            assert!(!text.to_string().contains(secret), "{secret} is in {text}");
        }
    }
}
