//! The status page itself, and its stream.

use super::{exchange, status::Daemon};
use crate::{
    store::Store,
    testing::{CONSUMER, block, deposit},
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use data_encoding::BASE64;
use serde_json::json;
use sha2::{Digest, Sha256};

#[tokio::test]
async fn the_page_may_run_its_own_script_and_ask_its_own_daemon_and_nothing_else() {
    let daemon = Daemon::start().await;
    let page = |tag: Option<&str>| {
        let request = Request::get("/");
        let request =
            if let Some(tag) = tag { request.header("if-none-match", tag) } else { request };
        request.body(Body::empty()).unwrap()
    };
    let (status, headers, text) = daemon.text(page(None)).await;
    assert_eq!(status, StatusCode::OK);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(headers.contains_key("x-request-id"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|found| found == rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    // What stands between the tags is what the policy names, and nothing else runs or is fetched.
    for (begin, end) in [("<script>", "</script>"), ("<style>", "</style>")] {
        let inside = text.split_once(begin).unwrap().1.split_once(end).unwrap().0;
        assert!(inside.len() > 1_000, "{begin} is empty");
        assert_eq!(text.matches(begin).count(), 1, "{begin}");
        let hash = format!("'sha256-{}'", BASE64.encode(&Sha256::digest(inside)));
        assert!(policy.contains(&hash), "{hash} is not in {policy}");
    }
    for other in ["<script ", " style=", " onclick=", "src=", "@import", "url("] {
        assert!(!text.contains(other), "{other}");
    }
    let (status, again, nothing) = daemon.text(page(headers["etag"].to_str().ok())).await;
    assert_eq!((status, nothing.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(again["etag"], headers["etag"]);
}

#[tokio::test]
async fn routes_beside_the_api_name_their_requests_and_take_no_other_method() {
    let daemon = Daemon::start().await;
    daemon.looked(99).await;
    for path in ["/", "/ready", "/metrics", "/status"] {
        let request = Request::get(path).header("x-request-id", "call-7");
        let (status, headers, _) = daemon.text(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (status, &headers["x-request-id"]),
            (StatusCode::OK, &"call-7".parse().unwrap())
        );
        let request = Request::post(path).body(Body::empty()).unwrap();
        let refused = exchange(&daemon.router, request).await.0;
        assert_eq!(refused.headers["allow"], "GET,HEAD");
        refused.refused(405, "METHOD_NOT_ALLOWED", "Method not allowed", None);
    }
    let ready = Request::get("/ready").body(Body::empty()).unwrap();
    assert_eq!(daemon.text(ready).await.2, r#"{"ready":true,"complaints":[]}"#);
    for path in ["/status/", "/status/settlements", "/favicon.ico"] {
        let refused = daemon.get(path).await;
        refused.refused(404, "NOT_FOUND", "Resource not found", Some("route:unknown"));
    }
}

#[tokio::test]
async fn a_viewer_hears_at_once_and_of_every_change_and_gets_a_sign_of_life() {
    let daemon = Daemon::start().await;
    let mut viewer = daemon.view().await;
    let first = viewer.next().await.unwrap();
    assert_eq!(first["sync"]["indexed"]["blockNumber"], "99");
    daemon.take(block(100), [deposit(CONSUMER, 9_000)]).await;
    let second = viewer.until(|status| status["totalOwed"] != "0").await;
    assert_eq!(
        (&second["totalOwed"], &second["events"][0]["amount"]),
        (&json!("9000"), &json!("9000"))
    );
    daemon.server.store.rollback(99).await.unwrap();
    let third = viewer.until(|status| status["totalOwed"] != "9000").await;
    assert_eq!((&third["totalOwed"], &third["events"]), (&json!("0"), &json!([])));
    // Nothing happens: the same is sent again, apart from its age.
    let mut fourth = viewer.next().await.unwrap();
    fourth["sync"]["lagSeconds"] = third["sync"]["lagSeconds"].clone();
    assert_eq!(fourth, third);
}

#[tokio::test]
async fn a_stream_of_the_status_ends_when_the_daemon_stops() {
    let daemon = Daemon::start().await;
    let mut viewer = daemon.view().await;
    viewer.next().await.unwrap();
    drop(daemon.stop);
    assert_eq!(viewer.next().await, None);
}

#[tokio::test]
async fn sixty_four_may_view_at_once_and_the_next_is_told_to_come_again() {
    let daemon = Daemon::start().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(daemon.view().await);
    }
    let refused = daemon.get("/status/stream").await;
    assert_eq!(refused.headers["retry-after"], "10");
    refused.refused(429, "RATE_LIMITED", "Too many requests", Some("stream:tooMany"));
    open.pop();
    daemon.view().await;
}

#[tokio::test]
async fn without_a_database_the_page_is_there_and_its_status_unavailable() {
    let daemon = Daemon::start().await;
    daemon.server.store.close().await;
    for path in
        ["/status", "/status/stream", "/status/settlements/b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a"]
    {
        daemon.get(path).await.refused(503, "DATABASE_ERROR", "Database unavailable", None);
    }
    let page = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(daemon.text(page).await.0, StatusCode::OK);
}
