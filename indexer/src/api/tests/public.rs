use super::{Answer, Server, ask, get_without_key, options, public_config};
use crate::api::{Options, PublicConfig, router};
use axum::{body::Body, http::Request};
use serde_json::json;

fn no_such_route(answer: Answer) {
    answer.refused(404, "NOT_FOUND", "Resource not found", Some("route:unknown"));
}

#[tokio::test]
async fn health_says_what_is_running_to_anyone() {
    let server = Server::start().await;
    let data = get_without_key(&server.router, "/health").await.data();
    let expected =
        json!({ "ok": true, "surface": "luxxon", "version": "v1", "buildSha": "0d4f1a2b" });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn config_tells_anyone_where_the_contracts_are() {
    let server = Server::start().await;
    let expected = json!({
        "environment": "TEST",
        "chainId": 84532,
        "chainName": "Base Sepolia",
        "rpcUrl": "https://sepolia.base.org",
        "explorerUrl": "https://sepolia.basescan.org",
        "usdcAddress": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "settlementAddress": "0xa748C178df47c2DA2227C247293943713eB65a26",
    });
    assert_eq!(get_without_key(&server.router, "/config").await.data(), expected);
}

#[tokio::test]
async fn only_base_is_the_live_environment() {
    let server = Server::start().await;
    for (chain_id, environment) in [(8453, "LIVE"), (84532, "TEST"), (1, "TEST"), (31337, "TEST")] {
        let config = PublicConfig { chain_id, ..public_config() };
        let router = router(server.store.clone(), Options { config, ..options() });
        let data = get_without_key(&router, "/config").await.data();
        assert_eq!(
            (&data["environment"], &data["chainId"]),
            (&json!(environment), &json!(chain_id))
        );
    }
}

#[tokio::test]
async fn an_unknown_route_is_not_found_in_the_published_envelope() {
    let server = Server::start().await;
    let unknown = [
        "/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/health",
        "/health",
        "/wallet",
        "/api/v1/wallets",
        "/api/v1/wallet/",
        "/api/v1/Wallet",
        "/api/v1/wallet/events/1",
        "/api/v1/settlements",
        "/api/v1/settlements/",
        "/api/v1/settlements/b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a/payload",
        "/api/v1//health",
        "/api/v1/%2e%2e/health",
    ];
    for path in unknown {
        no_such_route(ask(&server.router, Request::get(path).body(Body::empty()).unwrap()).await);
    }
}

#[tokio::test]
async fn a_known_route_names_the_methods_it_has_to_any_other() {
    let server = Server::start().await;
    let reads = ["/health", "/config", "/me", "/wallet", "/wallet/events", "/settlements/1"];
    let reads = reads.map(|path| (format!("/api/v1{path}"), "GET,HEAD"));
    let enters = [
        ("/internal/v1/workspaces".to_owned(), "GET,HEAD,POST"),
        ("/internal/v1/api-keys/1/revoke".to_owned(), "POST"),
        ("/internal/v1/settlements/1".to_owned(), "PUT"),
    ];
    for (path, allowed) in reads.into_iter().chain(enters) {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if allowed.split(',').any(|allowed| allowed == method) {
                continue;
            }
            let request = Request::builder().method(method).uri(&path);
            let answer = ask(&server.router, request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
            answer.refused(405, "METHOD_NOT_ALLOWED", "Method not allowed", None);
        }
    }
}
