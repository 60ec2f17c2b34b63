//! Whatever the documents declare can happen: here each answer of each operation is made to.

use super::{
    ADMIN_TOKEN, Server, add_key, ask,
    contract::Contract,
    failures::{Failing, Failure},
    follow, get_without_key, options,
};
use crate::{
    api::{Options, router, time},
    store::{NewSession, Store},
    testing::terms,
};
use axum::{
    Router,
    body::Body,
    http::{Request, header::AUTHORIZATION},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use uuid::Uuid;

const SESSION: Uuid = Uuid::from_u128(7);
const GOES_ON: Uuid = Uuid::from_u128(8);
const UNKNOWN: Uuid = Uuid::from_u128(9);

/// A request that is answered, unless something is done to it.
struct Scene {
    server: Server,
    router: Router,
    method: String,
    template: &'static str,
    path: String,
    bearer: Option<String>,
    token: Option<String>,
    known: Option<String>,
    body: Value,
}

impl Scene {
    async fn of(method: &str, template: &'static str, operation: &Value) -> Self {
        let server = Server::start().await;
        let (consumer, operator) = (&server.consumer.workspace, &server.operator.workspace);
        let terms = terms(SESSION, consumer, operator);
        let goes_on = NewSession { id: GOES_ON, reading: None, ..terms.clone() };
        for session in [terms, goes_on] {
            server.store.register_session(session).await.unwrap();
        }
        let key = server.store.api_keys(consumer.id).await.unwrap()[0].id;
        let path = template
            .replace("{sessionId}", &SESSION.to_string())
            .replace("{workspaceId}", &consumer.id.to_string())
            .replace("{keyId}", &key.to_string());
        let bearer = if template.starts_with("/internal/") {
            Some(ADMIN_TOKEN.to_owned())
        } else {
            operation.get("security").map(|_| server.consumer.key.clone())
        };
        let body = match template.rsplit('/').next().unwrap() {
            "workspaces" => {
                json!({ "slug": "new", "name": "New", "walletAddress": consumer.wallet.to_string() })
            }
            "api-keys" => json!({ "label": "x", "scopes": [], "sha256": "00".repeat(32) }),
            "transaction" => json!({ "txHash": "00".repeat(32) }),
            _ => json!({
                "consumerWorkspaceId": consumer.id,
                "operatorWorkspaceId": operator.id,
                "ratePerSecond": "1000",
                "platformFeeBps": 1_500,
                "maxDurationSeconds": 60,
                "startedAt": "1970-01-01T00:00:01Z",
                "endedAt": "1970-01-01T00:00:06.999Z",
            }),
        };
        let (router, method) = (server.router.clone(), method.to_uppercase());
        let (token, known) = (None, None);
        Self { server, router, method, template, path, bearer, token, known, body }
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some(token) = &self.token {
            request = request.header("x-lx-sync-token", token);
        }
        if let Some(tag) = &self.known {
            request = request.header("if-none-match", tag);
        }
        let request = request.header("content-type", "application/json");
        request.body(Body::from(self.body.to_string())).unwrap()
    }

    fn is_internal(&self) -> bool {
        self.template.starts_with("/internal/")
    }

    /// A token of block `number`.
    async fn token_of(&self, number: u64) -> String {
        let answer = get_without_key(&self.router, "/health").await;
        let token = answer.headers["x-lx-sync-token"].to_str().unwrap();
        format!("{}{number:016x}{}", &token[..16], &token[32..])
    }

    /// Makes the answer come true.
    async fn bring_about(&mut self, outcome: &str) {
        let Server { store, consumer, stranger, .. } = &self.server;
        match outcome {
            "200" | "201" => {}
            "304" => {
                let first = ask(&self.router, self.request()).await;
                self.known = Some(first.headers["etag"].to_str().unwrap().to_owned());
            }
            "INVALID_INPUT" if !self.is_internal() => self.token = Some("x".to_owned()),
            "INVALID_INPUT" if self.template.contains('{') => {
                let at = self.template.find('{').unwrap();
                let rest = self.template.split_once('}').unwrap().1;
                self.path = format!("{}x{rest}", &self.template[..at]);
            }
            "INVALID_INPUT" => self.body = json!([]),
            "NOT_AUTHENTICATED" => self.bearer = None,
            "REVOKED_API_KEY" => {
                let key = store.api_keys(consumer.workspace.id).await.unwrap()[0].id;
                store.revoke_api_key(key, time::unix_now() - 60).await.unwrap();
            }
            "INSUFFICIENT_SCOPE" => {
                self.bearer = Some(add_key(store, &consumer.workspace, "none", &[]).await);
            }
            "RATE_LIMITED" => {
                let requests_per_second = NonZeroU32::new(1);
                self.router = router(store.clone(), Options { requests_per_second, ..options() });
                follow(&self.router, self.request()).await;
            }
            "NOT_AUTHORIZED" => self.bearer = Some(stranger.key.clone()),
            "NOT_FOUND" if self.method == "PUT" => {
                self.body["operatorWorkspaceId"] = json!(UNKNOWN);
            }
            "NOT_FOUND" | "SESSION_NOT_FOUND" => {
                let at = self.template.find('{').unwrap();
                let rest = self.template.split_once('}').unwrap().1;
                self.path = format!("{}{UNKNOWN}{rest}", &self.template[..at]);
            }
            "CONFLICT" if self.method == "PUT" => self.body["ratePerSecond"] = json!("1"),
            "CONFLICT" => drop(ask(&self.router, self.request()).await),
            "INVALID_STATE" => {
                self.path = self.path.replace(&SESSION.to_string(), &GOES_ON.to_string());
            }
            "UNAVAILABLE" if self.is_internal() || self.bearer.is_none() => {
                self.router = router(Failing(Failure::Silence), options());
            }
            "UNAVAILABLE" => self.token = Some(self.token_of(1_000_000).await),
            "DATABASE_ERROR" => {
                self.token = Some(self.token_of(1).await);
                store.close().await;
            }
            "INTERNAL_SERVER_ERROR" => {
                self.router = router(Failing(Failure::PanicWithText), options());
            }
            other => panic!("nobody knows how to bring about {other}: can it happen?"),
        }
    }
}

#[tokio::test]
async fn every_answer_that_is_declared_can_happen() {
    let mut scenes = Vec::new();
    for (contract, template, method, operation) in Contract::operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = contract.resolved(response);
            let codes =
                response.pointer("/content/application~1json/schema/allOf/1/properties/code/enum");
            let codes = codes.and_then(Value::as_array).cloned();
            for outcome in codes.unwrap_or_else(|| vec![json!(status)]) {
                scenes.push((template, method, operation, status, outcome));
            }
        }
    }
    assert!(scenes.len() > 100, "{}", scenes.len());
    let played = scenes.into_iter().map(async |(template, method, operation, status, outcome)| {
        let outcome = outcome.as_str().unwrap();
        let mut scene = Scene::of(method, template, operation).await;
        scene.bring_about(outcome).await;
        if outcome == "200" && template.ends_with("/stream") {
            assert_eq!(follow(&scene.router, scene.request()).await.status(), 200);
            return;
        }
        let answer = ask(&scene.router, scene.request()).await;
        let found = (answer.status.as_str().to_owned(), answer.body["code"].as_str());
        let code = (outcome != status).then_some(outcome);
        assert_eq!(found, (status.to_owned(), code), "{method} {template}: {outcome}");
    });
    join_all(played).await;
}
