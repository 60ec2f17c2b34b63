//! The API as a client meets it: requests through the router, over a real store.

mod admin;
mod auth;
mod consistency;
mod contract;
mod events;
mod failures;
mod manners;
mod openapi;
mod public;
mod published;
mod refusals;
mod settlements;
mod status;
mod status_page;
mod stream;
mod wallet;

use super::{AdminToken, Options, PublicConfig, manners::named, router};
use crate::{
    key::PlainKey,
    store::{NewApiKey, Scope, SqliteStore, Store, Workspace},
    testing::{self, CONSUMER, OPERATOR, STRANGER, new_store, pins},
};
use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, Request, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::Response,
};
use contract::Asked;
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;

/// A workspace and the key of its only user.
#[derive(Clone)]
struct Party {
    workspace: Workspace,
    key: String,
}

impl Party {
    fn id(&self) -> String {
        self.workspace.id.to_string()
    }
}

/// An API over a new store, with a workspace for each side of a session and one that has no part in
/// it.
struct Server {
    router: Router,
    store: SqliteStore,
    consumer: Party,
    operator: Party,
    stranger: Party,
    _directory: TempDir,
}

const ALL_SCOPES: [Scope; 2] = [Scope::WalletRead, Scope::SessionsRead];

impl Server {
    async fn start() -> Self {
        let (directory, store) = new_store().await;
        let router = router(store.clone(), options());
        let party = async |slug: &str, wallet| {
            let workspace = testing::workspace(&store, slug, wallet).await;
            let key = add_key(&store, &workspace, slug, &ALL_SCOPES).await;
            Party { workspace, key }
        };
        let consumer = party("consumer", CONSUMER).await;
        let operator = party("operator", OPERATOR).await;
        let stranger = party("stranger", STRANGER).await;
        Self { router, store, consumer, operator, stranger, _directory: directory }
    }

    /// A GET of `/api/v1` and `path` with the party's key.
    async fn get(&self, path: &str, party: &Party) -> Answer {
        get(&self.router, path, &party.key).await
    }
}

/// Enters a key that ends in `secret`.
async fn add_key(
    store: &SqliteStore,
    workspace: &Workspace,
    secret: &str,
    scopes: &[Scope],
) -> String {
    let text = format!("lxxn_test_abc123_{secret}");
    let key = PlainKey::presented(&text);
    let (key_hash, prefix, scopes) = (key.hash(), key.prefix(), scopes.to_vec());
    let label = secret.to_owned();
    store
        .add_api_key(NewApiKey { workspace: workspace.id, key_hash, prefix, label, scopes })
        .await
        .unwrap();
    text
}

/// What opens `/internal/v1`.
const ADMIN_TOKEN: &str = "an-admin-token-of-the-tests-0123456789";

fn options() -> Options {
    let (config, build_sha) = (public_config(), "0d4f1a2b".to_owned());
    let admin = Some(AdminToken::new(ADMIN_TOKEN).unwrap());
    let (uses, requests_per_second, cors_origins) = (Arc::default(), None, Vec::new());
    Options { config, build_sha, admin, uses, requests_per_second, cors_origins, stop: None }
}

pub(super) fn public_config() -> PublicConfig {
    PublicConfig {
        chain_id: pins().chain_id,
        chain_name: "Base Sepolia".to_owned(),
        rpc_url: "https://sepolia.base.org".to_owned(),
        explorer_url: "https://sepolia.basescan.org".to_owned(),
        usdc: pins().deployment.usdc,
        settlement: pins().deployment.settlement,
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// Every answer is compared with what the API says of itself.
async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let asked = Asked::of(&request);
    let (answer, body) = exchange(router, request).await;
    contract::check(&asked, answer.status, &answer.headers, body.as_ref());
    answer
}

/// The answer, and its body where it has one.
async fn exchange(router: &Router, request: Request<Body>) -> (Answer, Option<Value>) {
    let response = named(router.clone(), request).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    // Only 304 has no body.
    let body: Option<Value> =
        (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).expect("JSON"));
    let (status, headers) = (parts.status, parts.headers);
    (Answer { status, headers, body: body.clone().unwrap_or_default() }, body)
}

/// The beginning of an answer that has no end.
async fn follow(router: &Router, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let response = named(router.clone(), request).await;
    contract::check(&asked, response.status(), response.headers(), None);
    response
}

async fn get(router: &Router, path: &str, key: &str) -> Answer {
    let request = Request::get(format!("/api/v1{path}"));
    ask(router, request.header(AUTHORIZATION, format!("Bearer {key}")).body(Body::empty()).unwrap())
        .await
}

/// A request of `/internal/v1` and `path` with the admin's token and a body.
async fn administer(router: &Router, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/internal/v1{path}"))
        .header(AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
        .header(CONTENT_TYPE, "application/json");
    ask(router, request.body(Body::from(body.to_string())).unwrap()).await
}

async fn get_without_key(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(format!("/api/v1{path}")).body(Body::empty()).unwrap()).await
}

impl Answer {
    /// The data of a successful answer, whose envelope is the published one and nothing more.
    fn data(mut self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.check_envelope();
        let envelope = self.body.as_object_mut().unwrap();
        let data = envelope.remove("data").unwrap();
        let expected = serde_json::json!({ "statusCode": 200, "message": "Request successful" });
        assert_eq!(self.body, expected);
        data
    }

    /// The data of an answer that says that something was made.
    fn made(mut self) -> Value {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        self.status = StatusCode::OK;
        assert_eq!(self.body["statusCode"], 201);
        self.body["statusCode"] = 200.into();
        self.data()
    }

    /// Checks an unsuccessful answer: its envelope is the published one and nothing more.
    fn refused(mut self, status: u16, code: &str, message: &str, detail: Option<&str>) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.check_envelope();
        let mut expected =
            serde_json::json!({ "statusCode": status, "code": code, "message": message });
        if let Some(detail) = detail {
            expected["detail"] = detail.into();
        }
        assert_eq!(self.body, expected);
    }

    fn invalid(self, detail: &str) {
        self.refused(400, "INVALID_INPUT", "Invalid request payload", Some(detail));
    }

    fn not_authenticated(self, detail: &str) {
        assert_eq!(self.headers["www-authenticate"], "Bearer");
        self.refused(401, "NOT_AUTHENTICATED", "Session expired or missing", Some(detail));
    }

    /// Checks what both envelopes share, and takes the one value out that is of the moment.
    fn check_envelope(&mut self) {
        assert_eq!(self.headers["content-type"], "application/json");
        let timestamp = self.body.as_object_mut().unwrap().remove("timestamp").unwrap();
        let timestamp = timestamp.as_str().unwrap();
        assert!(is_iso_8601_with_milliseconds(timestamp), "{timestamp}");
    }
}

fn is_iso_8601_with_milliseconds(text: &str) -> bool {
    let shape: String =
        text.chars().map(|char| if char.is_ascii_digit() { '9' } else { char }).collect();
    shape == "9999-99-99T99:99:99.999Z"
}
