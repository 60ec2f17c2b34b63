use super::{
    Answer, Server, add_key, ask,
    failures::{Failing, Failure},
    get, options,
};
use crate::{
    api::{Options, router},
    store::Scope,
    testing::{CONSUMER, block, deposit, take},
};
use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode},
};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use tower::ServiceExt;

async fn get_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", server.consumer.key));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(&server.router, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_answer_names_its_request_as_the_client_does_where_it_does() {
    let server = Server::start().await;
    let first = server.get("/wallet", &server.consumer).await.headers["x-request-id"].clone();
    let second = server.get("/nowhere", &server.consumer).await.headers["x-request-id"].clone();
    assert_ne!(first, second);
    let given = get_with(&server, "/wallet", &[("x-request-id", "call-7")]).await;
    assert_eq!(given.headers["x-request-id"], "call-7");
    for other in ["", "two words", &"x".repeat(65), "lxxn_test_abc123_consumer"] {
        let answer = get_with(&server, "/wallet", &[("x-request-id", other)]).await;
        assert_ne!(answer.headers["x-request-id"], other);
    }
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let server = Server::start().await;
    let tag = |answer: &Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    let first = tag(&server.get("/wallet", &server.consumer).await);
    assert!(first.starts_with("W/\""), "{first}");
    assert_eq!(tag(&server.get("/wallet", &server.consumer).await), first);
    for known in [first.clone(), format!("W/\"other\", {first}")] {
        let request = Request::get("/api/v1/wallet")
            .header("authorization", format!("Bearer {}", server.consumer.key))
            .header("if-none-match", known);
        let answer = ask(&server.router, request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body), (StatusCode::NOT_MODIFIED, Value::Null));
        assert_eq!(answer.headers["etag"], first.as_str());
        assert!(answer.headers.contains_key("x-lx-sync-token"));
    }
    take(&server.store, block(101), [deposit(CONSUMER, 5)]).await;
    let changed = get_with(&server, "/wallet", &[("if-none-match", &first)]).await;
    assert_ne!(tag(&changed), first);
    assert_eq!(changed.data()["trackedBalance"], "5");
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_again() {
    let server = Server::start().await;
    let requests_per_second = NonZeroU32::new(3);
    let limited = router(server.store.clone(), Options { requests_per_second, ..options() });
    for _ in 0..3 {
        get(&limited, "/wallet", &server.consumer.key).await.data();
    }
    let refused = get(&limited, "/wallet", &server.consumer.key).await;
    assert_eq!(refused.headers["retry-after"], "1");
    refused.refused(429, "RATE_LIMITED", "Too many requests", None);
    // Each key for itself, also of one workspace; and who has none is not counted.
    let workspace = &server.consumer.workspace;
    let other = add_key(&server.store, workspace, "other", &[Scope::WalletRead]).await;
    get(&limited, "/wallet", &other).await.data();
    get(&limited, "/wallet", &server.operator.key).await.data();
}

#[tokio::test]
async fn no_page_may_ask_unless_its_site_is_named() {
    let server = Server::start().await;
    let origin = ("origin", "https://console.example");
    let allowed = "access-control-allow-origin";
    assert!(!get_with(&server, "/wallet", &[origin]).await.headers.contains_key(allowed));
    let cors_origins = vec![HeaderValue::from_static(origin.1)];
    let open = router(server.store.clone(), Options { cors_origins, ..options() });
    let named = Server { router: open, ..Server::start().await };
    let answer = get_with(&named, "/config", &[origin]).await;
    assert_eq!(answer.headers[allowed], origin.1);
    let other = get_with(&named, "/config", &[("origin", "https://other.example")]).await;
    assert!(!other.headers.contains_key(allowed));
    assert_eq!(other.data()["chainId"], json!(options().config.chain_id));
}

#[tokio::test]
async fn a_named_site_may_send_what_the_api_reads() {
    let server = Server::start().await;
    let cors_origins = vec![HeaderValue::from_static("https://console.example")];
    let open = router(server.store.clone(), Options { cors_origins, ..options() });
    for header in ["authorization", "last-event-id", "x-lx-sync-token", "x-lx-consistency-token"] {
        let request = Request::options("/api/v1/wallet/stream")
            .header("origin", "https://console.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", header);
        let answer = open.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.split(',').any(|one| one == header), "{header} is not in {allowed}");
    }
}

/// A page that may not read what went wrong takes it for a broken network.
#[tokio::test]
async fn a_named_site_may_read_what_went_wrong_too() {
    let cors_origins = vec![HeaderValue::from_static("https://console.example")];
    for (failure, status) in [(Failure::PanicWithText, 500), (Failure::Silence, 503)] {
        let options = Options { cors_origins: cors_origins.clone(), ..options() };
        let request = Request::get("/api/v1/config")
            .header("origin", "https://console.example")
            .header("x-request-id", "call-7");
        let request = request.body(Body::empty()).unwrap();
        let answer = ask(&router(Failing(failure), options), request).await;
        assert_eq!(answer.status, status);
        let headers = ["access-control-allow-origin", "x-request-id"];
        let found = headers.map(|name| answer.headers.get(name).and_then(|at| at.to_str().ok()));
        assert_eq!(found, [Some("https://console.example"), Some("call-7")], "{status}");
    }
}
