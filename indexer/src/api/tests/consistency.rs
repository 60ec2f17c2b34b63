//! Reading one's writes.

use super::{Answer, Server, ask, get_without_key, options};
use crate::{
    api::{Options, PublicConfig, consistency::SyncedTo, router},
    store::Store,
    testing::{CONSUMER, OPERATOR, block, deposit, forked, settle, take},
};
use axum::{
    body::Body,
    http::{Request, header::AUTHORIZATION},
};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use tower::ServiceExt;
use uuid::Uuid;

const TOKEN: &str = "x-lx-sync-token";

fn token_of(answer: &Answer) -> String {
    answer.headers[TOKEN].to_str().unwrap().to_owned()
}

async fn get_with(server: &Server, path: &str, token: &str) -> Answer {
    let request = Request::get(format!("/api/v1{path}"))
        .header(AUTHORIZATION, format!("Bearer {}", server.consumer.key))
        .header(TOKEN, token);
    ask(&server.router, request.body(Body::empty()).unwrap()).await
}

/// A token of another replica, which is at `number`.
async fn token_at(number: u64) -> String {
    let server = Server::start().await;
    take(&server.store, block(number), []).await;
    token_of(&server.get("/wallet", &server.consumer).await)
}

fn is_behind(answer: Answer, at: u64) {
    assert_eq!(answer.headers["retry-after"], "1");
    let detail = format!("consistency:behind:{at}");
    answer.refused(503, "UNAVAILABLE", "Service temporarily unavailable", Some(&detail));
}

#[tokio::test]
async fn every_answer_carries_the_token_of_the_last_block() {
    let server = Server::start().await;
    let first = token_of(&server.get("/wallet", &server.consumer).await);
    let unknown = "/settlements/b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a";
    let nowhere = ["", "/", "/nowhere", "/wallet/nowhere/at/all"];
    for path in ["/wallet", "/wallet/events", "/me", unknown, "/wallet?limit=%"] {
        assert_eq!(token_of(&server.get(path, &server.consumer).await), first, "{path}");
    }
    for path in nowhere {
        assert_eq!(token_of(&server.get(path, &server.consumer).await), first, "{path}");
    }
    for path in ["/health", "/config", "/wallet"] {
        assert_eq!(token_of(&get_without_key(&server.router, path).await), first, "{path}");
    }
    take(&server.store, block(101), [deposit(CONSUMER, 5)]).await;
    let second = token_of(&server.get("/wallet/events", &server.consumer).await);
    assert_ne!(second, first);
    for seen in [first, second] {
        get_with(&server, "/wallet", &seen).await.data();
    }
}

/// A refusal says something about a state too: a token read afterwards may be of another one.
#[tokio::test]
async fn a_refused_settlement_names_the_block_it_was_looked_for_at() {
    let server = Server::start().await;
    let payment = settle(Uuid::from_u128(7), CONSUMER, OPERATOR, 4, 1);
    take(&server.store, block(101), [deposit(CONSUMER, 5), payment]).await;
    for (session, status) in [(7, 403), (8, 404)] {
        let path = format!("/api/v1/settlements/{}", Uuid::from_u128(session));
        let request = Request::get(path)
            .header(AUTHORIZATION, format!("Bearer {}", server.stranger.key))
            .body(Body::empty())
            .unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let at = response.extensions().get::<SyncedTo>().map(|SyncedTo(block)| *block);
        assert_eq!(at, Some(block(101)), "{status}");
    }
}

#[tokio::test]
async fn a_request_waits_until_its_block_is_in() {
    let server = Server::start().await;
    let token = token_at(101).await;
    let grows = async {
        sleep(Duration::from_millis(50)).await;
        take(&server.store, block(101), [deposit(CONSUMER, 5)]).await;
    };
    let (answer, ()) = tokio::join!(get_with(&server, "/wallet", &token), grows);
    assert_eq!(token_of(&answer), token);
    assert_eq!(answer.data()["trackedBalance"], "5");
}

#[tokio::test]
async fn a_replica_that_stays_behind_says_so() {
    let server = Server::start().await;
    let token = token_at(105).await;
    let (by_token, by_block) = tokio::join!(
        get_with(&server, "/wallet", &token),
        server.get("/wallet?waitForBlock=105", &server.consumer)
    );
    // The next request says again what the client saw, whoever it asks.
    assert_eq!(token_of(&by_token), token);
    is_behind(by_token, 99);
    is_behind(by_block, 99);
}

/// What is about no block waits for none.
#[tokio::test]
async fn no_answer_takes_back_the_token_of_a_later_block() {
    let server = Server::start().await;
    let later = token_at(105).await;
    for path in ["/config", "/health", "/nowhere"] {
        assert_eq!(token_of(&get_with(&server, path, &later).await), later, "{path}");
    }
    let own = token_of(&server.get("/config", &server.consumer).await);
    let other_chain = later.replacen("14a34", "02105", 1);
    assert_ne!(other_chain, later);
    for no_token in [&later[2..], &other_chain] {
        assert_eq!(token_of(&get_with(&server, "/config", no_token).await), own, "{no_token}");
    }
    server.store.close().await;
    assert_eq!(token_of(&get_with(&server, "/wallet", &later).await), later);
}

#[tokio::test]
async fn a_token_of_a_replaced_block_is_honoured_by_its_number() {
    let server = Server::start().await;
    take(&server.store, block(101), [deposit(CONSUMER, 5)]).await;
    take(&server.store, block(102), []).await;
    let token = token_of(&server.get("/wallet", &server.consumer).await);
    server.store.rollback(101).await.unwrap();
    let grows = async {
        sleep(Duration::from_millis(50)).await;
        let replaced = forked(102, 1);
        take(&server.store, replaced, [deposit(CONSUMER, 7)]).await;
    };
    let (answer, ()) = tokio::join!(get_with(&server, "/wallet", &token), grows);
    assert_ne!(token_of(&answer), token);
    assert_eq!(answer.data()["trackedBalance"], "12");
}

#[tokio::test]
async fn a_wallet_is_read_once_a_block_is_in() {
    let server = Server::start().await;
    let grows = async {
        sleep(Duration::from_millis(50)).await;
        take(&server.store, block(101), [deposit(CONSUMER, 5)]).await;
    };
    let asked = server.get("/wallet?waitForBlock=101", &server.consumer);
    let (answer, ()) = tokio::join!(asked, grows);
    assert_eq!(answer.data()["lastSyncBlock"], "101");
    server.get("/wallet?waitForBlock=0", &server.consumer).await.data();
    for text in ["", "-1", "x", "1.5", "18446744073709551616"] {
        let answer = server.get(&format!("/wallet?waitForBlock={text}"), &server.consumer).await;
        answer.invalid("waitForBlock:malformed");
    }
}

#[tokio::test]
async fn a_token_that_is_none_or_of_another_chain_is_refused() {
    let server = Server::start().await;
    let token = token_at(101).await;
    for text in ["", "x", &token[1..], &token[..94]] {
        get_with(&server, "/wallet", text).await.invalid("syncToken:malformed");
    }
    let config = PublicConfig { chain_id: 1, ..options().config };
    let elsewhere = router(server.store.clone(), Options { config, ..options() });
    let foreign = token_of(&get_without_key(&elsewhere, "/health").await);
    get_with(&server, "/wallet", &foreign).await.invalid("syncToken:otherChain");
}

/// Two seconds of a connection are not for anyone, nor is what is wrong with a token.
#[tokio::test]
async fn who_may_not_ask_waits_for_nothing() {
    let server = Server::start().await;
    let ahead = token_at(105).await;
    let began = Instant::now();
    for token in ["x", ahead.as_str()] {
        let ask_with = async |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path).header(TOKEN, token);
            ask(&server.router, request.body(Body::empty()).unwrap()).await
        };
        ask_with("GET", "/api/v1/wallet").await.not_authenticated("apiKey:missing");
        let settlement = "/api/v1/settlements/b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a";
        ask_with("GET", settlement).await.not_authenticated("apiKey:missing");
        ask_with("GET", "/api/v1/config").await.data();
        assert_eq!(ask_with("DELETE", "/api/v1/wallet").await.status, 405);
        assert_eq!(ask_with("GET", "/api/v1/nowhere").await.status, 404);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// It belongs to the platform's authorisation.
#[tokio::test]
async fn the_published_consistency_token_is_ignored_and_never_given() {
    let server = Server::start().await;
    let request = Request::get("/api/v1/wallet")
        .header(AUTHORIZATION, format!("Bearer {}", server.consumer.key))
        .header("x-lx-consistency-token", "GhUKEzE3NTg");
    let answer = ask(&server.router, request.body(Body::empty()).unwrap()).await;
    assert!(!answer.headers.contains_key("x-lx-consistency-token"));
    answer.data();
}
