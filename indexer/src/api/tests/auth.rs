use super::{ALL_SCOPES, Party, Server, add_key, ask, get, get_without_key};
use crate::{
    key::PlainKey,
    store::{NewApiKey, Scope, Store},
};
use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION},
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SESSION: &str = "b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a";

/// The routes that want a key. The queries and the id are wrong on purpose: who may not ask does
/// not learn what is wrong with the question.
fn guarded() -> [String; 3] {
    [
        "/wallet?workspaceId=1".to_owned(),
        "/wallet/events?limit=0&cursor=1".to_owned(),
        "/settlements/1".to_owned(),
    ]
}

#[tokio::test]
async fn without_a_key_nothing_is_read() {
    let server = Server::start().await;
    for path in guarded() {
        get_without_key(&server.router, &path).await.not_authenticated("apiKey:missing");
    }
}

#[tokio::test]
async fn only_a_bearer_key_of_ours_is_a_key() {
    let server = Server::start().await;
    let key = &server.consumer.key;
    let headers = [
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Bearer{key}"),
        format!("Bearer\t{key}"),
        key.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".to_owned(),
        format!("Bearer LXXN{}", &key[4..]),
        format!("Bearer x{key}"),
        format!("Bearer \"{key}\""),
    ];
    for header in headers {
        for path in guarded() {
            let request = Request::get(format!("/api/v1{path}")).header(AUTHORIZATION, &header);
            let answer = ask(&server.router, request.body(Body::empty()).unwrap()).await;
            answer.not_authenticated("apiKey:missing");
        }
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_is_no_key() {
    let server = Server::start().await;
    for bytes in [&b"Bearer lxxn_test_\xff\xfe"[..], "Bearer lxxn_schlüssel".as_bytes()] {
        let header = HeaderValue::from_bytes(bytes).unwrap();
        let request = Request::get("/api/v1/wallet").header(AUTHORIZATION, header);
        let answer = ask(&server.router, request.body(Body::empty()).unwrap()).await;
        answer.not_authenticated("apiKey:missing");
    }
}

#[tokio::test]
async fn the_scheme_may_have_any_case_and_any_spaces_behind_it() {
    let server = Server::start().await;
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
        let header = format!("{scheme}{}", server.consumer.key);
        let request = Request::get("/api/v1/wallet").header(AUTHORIZATION, header);
        ask(&server.router, request.body(Body::empty()).unwrap()).await.data();
    }
}

#[tokio::test]
async fn a_key_that_was_never_entered_is_unknown() {
    let server = Server::start().await;
    let known = &server.consumer.key;
    let unknown = [
        "lxxn_".to_owned(),
        "lxxn_test_abc123_nobody".to_owned(),
        known[..known.len() - 1].to_owned(),
        format!("{known}x"),
        known.to_uppercase().replacen("LXXN_", "lxxn_", 1),
    ];
    for key in unknown {
        get(&server.router, "/wallet", &key).await.not_authenticated("apiKey:unknown");
    }
}

#[tokio::test]
async fn a_key_without_the_mark_is_refused_even_where_its_hash_is_known() {
    let server = Server::start().await;
    let text = "test_abc123_consumer";
    let key = NewApiKey {
        workspace: server.consumer.workspace.id,
        key_hash: PlainKey::presented(text).hash(),
        prefix: text.to_owned(),
        label: "unmarked".to_owned(),
        scopes: vec![Scope::WalletRead],
    };
    server.store.add_api_key(key).await.unwrap();
    get(&server.router, "/wallet", text).await.not_authenticated("apiKey:missing");
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_else() {
    let server = Server::start().await;
    let workspace = &server.consumer.workspace;
    let wallet_only = add_key(&server.store, workspace, "w", &[Scope::WalletRead]).await;
    let sessions_only = add_key(&server.store, workspace, "s", &[Scope::SessionsRead]).await;
    let nothing = add_key(&server.store, workspace, "n", &[]).await;
    let [wallet, events, settlement] = guarded();
    let cases = [
        (&sessions_only, &wallet, "wallet:read"),
        (&sessions_only, &events, "wallet:read"),
        (&wallet_only, &settlement, "sessions:read"),
        (&nothing, &wallet, "wallet:read"),
        (&nothing, &events, "wallet:read"),
        (&nothing, &settlement, "sessions:read"),
    ];
    for (key, path, scope) in cases {
        let message = format!("Missing required scope: {scope}");
        get(&server.router, path, key).await.refused(403, "INSUFFICIENT_SCOPE", &message, None);
    }
    get(&server.router, "/wallet", &wallet_only).await.data();
    get(&server.router, "/wallet/events", &wallet_only).await.data();
    let unknown = get(&server.router, &format!("/settlements/{SESSION}"), &sessions_only).await;
    unknown.refused(404, "SESSION_NOT_FOUND", "Session not found", None);
}

#[tokio::test]
async fn each_key_speaks_for_its_own_workspace() {
    let server = Server::start().await;
    let spare = add_key(&server.store, &server.consumer.workspace, "spare", &[Scope::WalletRead]);
    let spare = Party { key: spare.await, ..server.consumer.clone() };
    for party in [&server.consumer, &server.operator, &server.stranger, &spare] {
        let data = server.get("/wallet", party).await.data();
        assert_eq!(data["workspaceId"], json!(party.id()));
        assert_eq!(data["walletAddress"], json!(party.workspace.wallet.to_string()));
    }
}

/// A key is looked up once a second at most; what it may do must follow all the same.
#[tokio::test]
async fn a_key_that_was_just_used_is_refused_soon_after_it_ended() {
    let server = Server::start().await;
    let text = add_key(&server.store, &server.consumer.workspace, "ended", &ALL_SCOPES).await;
    get(&server.router, "/wallet", &text).await.data();
    let entered = server.store.api_key(PlainKey::presented(&text).hash()).await.unwrap().unwrap();
    server.store.revoke_api_key(entered.id, 1).await.unwrap();
    let ended = Instant::now();
    let refused = loop {
        let answer = get(&server.router, "/wallet", &text).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        assert!(ended.elapsed() < Duration::from_secs(10), "it still works");
        sleep(Duration::from_millis(20)).await;
    };
    refused.refused(401, "REVOKED_API_KEY", "API key has been revoked", None);
}

#[tokio::test]
async fn a_key_that_was_not_known_works_as_soon_as_it_is_entered() {
    let server = Server::start().await;
    for _ in 0..2 {
        let unknown = get(&server.router, "/me", "lxxn_test_abc123_late").await;
        unknown.not_authenticated("apiKey:unknown");
    }
    let text = add_key(&server.store, &server.consumer.workspace, "late", &ALL_SCOPES).await;
    get(&server.router, "/me", &text).await.data();
}
