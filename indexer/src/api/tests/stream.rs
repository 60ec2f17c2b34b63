//! What happens to a wallet, while it happens.

use super::{Answer, Party, Server, add_key, ask, options};
use crate::{
    api::{Options, router},
    store::{Scope, Store},
    testing::{
        CONSUMER, OPERATOR, approval, block, deposit, forked, settle, take, terms, withdrawal,
    },
};
use alloy::primitives::U256;
use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(7);

/// What a client hears.
struct Client {
    body: BodyDataStream,
    text: String,
}

/// One event of a stream: its name, its id, its data.
type Heard = (String, Option<String>, Value);

impl Client {
    async fn of(server: &Server, key: &str, last: Option<&str>) -> Self {
        let mut request =
            Request::get("/api/v1/wallet/stream").header("authorization", format!("Bearer {key}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = super::follow(&server.router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None` where the stream has ended.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mark = format!("{name}: ");
                    event.lines().find_map(|line| line.strip_prefix(&mark)).map(str::to_owned)
                };
                let heard = (
                    field("event").unwrap(),
                    field("id"),
                    serde_json::from_str(&field("data").unwrap()).unwrap(),
                );
                self.text = rest.to_owned();
                return Some(heard);
            }
            let chunk = timeout(Duration::from_mins(1), self.body.next()).await.expect("silence");
            self.text += std::str::from_utf8(&chunk?.unwrap()).unwrap();
        }
    }

    /// All events up to this one: what comes at once may be heard together.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|heard| heard != last) {
            heard.extend(self.hears(1).await);
        }
        heard
    }

    /// The names of the next `count` events, with an amount or a block of each.
    async fn hears(&mut self, count: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..count {
            let (name, _, data) = self.next().await.expect("the stream ended");
            let of = match name.as_str() {
                "balance" => &data["trackedBalance"],
                "event" => &data["amountUsdc"],
                "settlement" => &data["state"],
                _ => &data["fromBlock"],
            };
            heard.push(format!("{name} {}", of.as_str().unwrap()));
        }
        heard
    }
}

async fn follow(server: &Server, party: &Party) -> Client {
    Client::of(server, &party.key, None).await
}

#[tokio::test]
async fn a_client_hears_of_its_balance_its_events_and_its_settlements() {
    let server = Server::start().await;
    let (consumer, operator) = (&server.consumer.workspace, &server.operator.workspace);
    server.store.register_session(terms(SESSION, consumer, operator)).await.unwrap();
    take(&server.store, block(100), [deposit(CONSUMER, 9_000)]).await;
    let mut consumer = follow(&server, &server.consumer).await;
    let mut operator = follow(&server, &server.operator).await;
    let mut stranger = follow(&server, &server.stranger).await;
    // Not of what was before.
    assert_eq!(consumer.hears(1).await, ["balance 9000"]);
    assert_eq!(operator.hears(1).await, ["balance 0"]);
    assert_eq!(stranger.hears(1).await, ["balance 0"]);

    let paid = settle(SESSION, CONSUMER, OPERATOR, 4_250, 750);
    take(&server.store, block(101), [paid, approval(CONSUMER, U256::ONE)]).await;
    let expected = ["settlement CONFIRMED", "event 5000", "event 1", "balance 4000"];
    assert_eq!(consumer.hears(4).await, expected);
    assert_eq!(operator.hears(2).await, ["settlement CONFIRMED", "event 4250"]);
    take(&server.store, block(102), [withdrawal(CONSUMER, 4_000)]).await;
    assert_eq!(consumer.hears(2).await, ["event 4000", "balance 0"]);
    // The stranger's next word is about itself.
    take(&server.store, block(103), [deposit(crate::testing::STRANGER, 3)]).await;
    assert_eq!(stranger.hears(2).await, ["event 3", "balance 3"]);
}

#[tokio::test]
async fn what_is_heard_is_what_is_read() {
    let server = Server::start().await;
    let mut client = follow(&server, &server.consumer).await;
    let (name, id, data) = client.next().await.unwrap();
    assert_eq!((name.as_str(), id), ("balance", None));
    assert_eq!(data, server.get("/wallet", &server.consumer).await.data());
    take(&server.store, block(100), [deposit(CONSUMER, 9_000)]).await;
    let (name, id, data) = client.next().await.unwrap();
    let page = server.get("/wallet/events", &server.consumer).await.data();
    assert_eq!((name.as_str(), &data), ("event", &page[0]));
    assert_eq!(json!(id), page[0]["id"]);
}

#[tokio::test]
async fn a_client_that_comes_again_hears_what_it_missed_and_nothing_twice() {
    let server = Server::start().await;
    let deposits = (1..=450).map(|amount| deposit(CONSUMER, amount));
    take(&server.store, block(100), deposits).await;
    take(&server.store, block(101), [withdrawal(CONSUMER, 5)]).await;
    let all = server.get("/wallet/events?limit=200", &server.consumer).await.data();
    let oldest = all[199]["id"].as_str().unwrap();
    let mut client = Client::of(&server, &server.consumer.key, Some(oldest)).await;
    let mut heard = Vec::new();
    while heard.len() < 199 {
        let (name, id, _) = client.next().await.unwrap();
        if name == "event" {
            heard.push(json!(id.unwrap()));
        }
    }
    let missed: Vec<&Value> =
        all.as_array().unwrap()[..199].iter().rev().map(|e| &e["id"]).collect();
    assert_eq!(heard.iter().collect::<Vec<_>>(), missed);
}

#[tokio::test]
async fn a_reorg_is_told_and_what_may_have_changed_is_sent_again() {
    let server = Server::start().await;
    take(&server.store, block(100), [deposit(CONSUMER, 9_000)]).await;
    let mut client = follow(&server, &server.consumer).await;
    assert_eq!(client.hears(1).await, ["balance 9000"]);
    take(&server.store, block(101), [deposit(CONSUMER, 1)]).await;
    take(&server.store, block(102), [deposit(CONSUMER, 2)]).await;
    assert!(client.until("balance 9003").await.contains(&"event 1".to_owned()));

    let orphan = server.get("/wallet/events?limit=1", &server.consumer).await.data();
    let orphan = orphan[0]["id"].as_str().unwrap().to_owned();
    server.store.rollback(100).await.unwrap();
    take(&server.store, forked(101, 1), [deposit(CONSUMER, 5)]).await;
    take(&server.store, forked(102, 1), []).await;
    // Above block 99, which is final.
    let heard = client.until("balance 9005").await;
    assert_eq!(heard[0], "reorg 100");
    assert_eq!(heard.iter().filter(|event| *event == "event 5").count(), 1, "{heard:?}");
    // So is who comes again with an event that is no more.
    let mut late = Client::of(&server, &server.consumer.key, Some(&orphan)).await;
    let heard = late.hears(4).await;
    assert_eq!(heard[1..], ["event 9000", "event 5", "balance 9005"]);
    assert!(heard[0].starts_with("reorg "), "{heard:?}");
}

#[tokio::test]
async fn a_key_without_sessions_hears_of_no_settlements() {
    let server = Server::start().await;
    let (consumer, operator) = (&server.consumer.workspace, &server.operator.workspace);
    server.store.register_session(terms(SESSION, consumer, operator)).await.unwrap();
    take(&server.store, block(100), [deposit(CONSUMER, 9_000)]).await;
    let key = add_key(&server.store, consumer, "wallet", &[Scope::WalletRead]).await;
    let mut client = Client::of(&server, &key, None).await;
    assert_eq!(client.hears(1).await, ["balance 9000"]);
    take(&server.store, block(101), [settle(SESSION, CONSUMER, OPERATOR, 4_250, 750)]).await;
    assert_eq!(client.hears(2).await, ["event 5000", "balance 4000"]);
    let none = add_key(&server.store, consumer, "none", &[]).await;
    let refused = super::get(&server.router, "/wallet/stream", &none).await;
    let message = "Missing required scope: wallet:read";
    refused.refused(403, "INSUFFICIENT_SCOPE", message, None);
}

#[tokio::test]
async fn a_stream_ends_when_the_daemon_stops() {
    let server = Server::start().await;
    let (stop, stopped) = watch::channel(());
    let stopping = router(server.store.clone(), Options { stop: Some(stopped), ..options() });
    let server = Server { router: stopping, ..server };
    let mut client = follow(&server, &server.consumer).await;
    assert_eq!(client.hears(1).await, ["balance 0"]);
    drop(stop);
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn a_last_event_that_is_none_is_refused() {
    let server = Server::start().await;
    for id in ["", "7", "00000000-0000-0000-0000-000000000000"] {
        let request = Request::get("/api/v1/wallet/stream")
            .header("authorization", format!("Bearer {}", server.consumer.key))
            .header("last-event-id", id);
        let answer: Answer = ask(&server.router, request.body(Body::empty()).unwrap()).await;
        answer.invalid("lastEventId:malformed");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_key_whatever_happens_meanwhile() {
    let server = Server::start().await;
    let workspace = server.consumer.workspace.id;
    let mut client = follow(&server, &server.consumer).await;
    assert_eq!(client.hears(1).await, ["balance 0"]);
    let key = server.store.api_keys(workspace).await.unwrap()[0].id;
    let now = crate::api::time::unix_now();
    server.store.revoke_api_key(key, now - 60).await.unwrap();
    // The ledger moves all the time.
    let grows = async {
        for number in 100.. {
            take(&server.store, block(number), []).await;
        }
    };
    tokio::select! {
        () = grows => unreachable!("it grows for ever"),
        heard = client.next() => assert_eq!(heard, None),
    }
}

#[tokio::test]
async fn a_key_has_sixteen_streams_at_once_and_others_have_theirs() {
    let server = Server::start().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(follow(&server, &server.consumer).await);
    }
    let refused = server.get("/wallet/stream", &server.consumer).await;
    assert_eq!(refused.headers["retry-after"], "10");
    refused.refused(429, "RATE_LIMITED", "Too many requests", Some("stream:tooMany"));
    follow(&server, &server.operator).await;
    open.pop();
    follow(&server, &server.consumer).await;
}

/// The event's id says that the client has the settlement, too.
#[tokio::test]
async fn a_settlement_that_was_not_heard_is_sent_to_who_comes_again() {
    let server = Server::start().await;
    let both = &server.consumer.workspace;
    server.store.register_session(terms(SESSION, both, both)).await.unwrap();
    take(&server.store, block(100), [deposit(CONSUMER, 9_000)]).await;
    let before = server.get("/wallet/events?limit=1", &server.consumer).await.data();
    let before = before[0]["id"].as_str().unwrap().to_owned();
    take(&server.store, block(101), [settle(SESSION, CONSUMER, CONSUMER, 4_250, 750)]).await;
    let mut client = Client::of(&server, &server.consumer.key, Some(&before)).await;
    let expected = ["settlement CONFIRMED", "event 5000", "event 4250", "balance 4000"];
    assert_eq!(client.hears(4).await, expected, "once, though the wallet is on both sides");
}
