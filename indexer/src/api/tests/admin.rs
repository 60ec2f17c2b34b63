use super::{ADMIN_TOKEN, Server, administer, ask, get, options};
use crate::{
    api::{AdminToken, Options, router},
    key::PlainKey,
    store::Store,
    testing::{CONSUMER, STRANGER},
};
use alloy::hex;
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

fn harbour() -> Value {
    json!({ "slug": "harbour", "name": " The harbour ", "walletAddress": CONSUMER.to_string() })
}

fn key(scopes: &[&str]) -> Value {
    json!({ "label": "laptop", "scopes": scopes })
}

#[tokio::test]
async fn a_workspace_that_was_entered_is_listed_and_its_slug_is_taken() {
    let server = Server::start().await;
    let entered = administer(&server.router, "POST", "/workspaces", &harbour()).await.made();
    assert_eq!(entered["slug"], "harbour");
    assert_eq!(entered["name"], "The harbour");
    assert_eq!(entered["walletAddress"], CONSUMER.to_string());
    let listed = administer(&server.router, "GET", "/workspaces", &Value::Null).await.data();
    assert!(listed.as_array().unwrap().contains(&entered), "{listed}");

    let again = administer(&server.router, "POST", "/workspaces", &harbour()).await;
    let detail = Some("the workspace slug harbour");
    again.refused(409, "CONFLICT", "Conflicts with an existing resource", detail);
}

#[tokio::test]
async fn a_key_is_shown_once_and_works() {
    let server = Server::start().await;
    let workspace = administer(&server.router, "POST", "/workspaces", &harbour()).await.made();
    let path = format!("/workspaces/{}/api-keys", workspace["id"].as_str().unwrap());
    let made = administer(&server.router, "POST", &path, &key(&["wallet:read"])).await.made();
    let plain = made["plaintext"].as_str().unwrap();
    assert!(plain.starts_with("lxxn_test_"), "{plain}");
    assert_eq!(made["prefix"], plain[..20]);
    assert_eq!((&made["environment"], &made["label"]), (&json!("TEST"), &json!("laptop")));

    let me = get(&server.router, "/me", plain).await.data();
    let expected = json!({
        "kind": "api_key",
        "keyId": made["id"],
        "workspaceId": workspace["id"],
        "environment": "TEST",
        "scopes": ["wallet:read"],
        "workspace": { "id": workspace["id"], "slug": "harbour", "name": "The harbour" },
    });
    assert_eq!(me, expected);
    get(&server.router, "/wallet", plain).await.data();

    let listed = administer(&server.router, "GET", &path, &Value::Null).await.data();
    let mut shown_later = made.clone();
    shown_later.as_object_mut().unwrap().remove("plaintext");
    assert_eq!(listed, json!([shown_later]));
}

#[tokio::test]
async fn a_key_is_brought_in_by_its_hash() {
    let server = Server::start().await;
    let path = format!("/workspaces/{}/api-keys", server.consumer.id());
    let plain = PlainKey::presented("lxxn_test_8c3a5b6f_0123456789abcdef0123456789abcdef");
    let mut new = key(&["wallet:read", "pricing:read"]);
    new["sha256"] = hex::encode(plain.hash()).into();
    new["prefix"] = "lxxn_test_8c3a5b6f_".into();
    let brought_in = administer(&server.router, "POST", &path, &new).await.made();
    assert_eq!(brought_in["prefix"], "lxxn_test_8c3a5b6f_");
    assert_eq!(brought_in.get("plaintext"), None);
    get(&server.router, "/wallet", plain.reveal()).await.data();

    let again = administer(&server.router, "POST", &path, &new).await;
    let detail = Some("the API key lxxn_test_8c3a5b6f_…");
    again.refused(409, "CONFLICT", "Conflicts with an existing resource", detail);
}

#[tokio::test]
async fn a_revoked_key_works_for_a_minute_and_no_longer() {
    let server = Server::start().await;
    let path = format!("/workspaces/{}/api-keys", server.consumer.id());
    let made = administer(&server.router, "POST", &path, &key(&["wallet:read"])).await.made();
    let (id, plain) = (made["id"].as_str().unwrap(), made["plaintext"].as_str().unwrap());
    let revoke = format!("/api-keys/{id}/revoke");
    let revoked = administer(&server.router, "POST", &revoke, &Value::Null).await.data();
    assert_ne!(revoked["revokedAt"], Value::Null);
    assert_ne!(revoked["gracePeriodEnd"], revoked["revokedAt"]);
    get(&server.router, "/wallet", plain).await.data();
    let again = administer(&server.router, "POST", &revoke, &Value::Null).await.data();
    assert_eq!(again["revokedAt"], revoked["revokedAt"]);

    // Another one, revoked a minute ago.
    let made = administer(&server.router, "POST", &path, &key(&["wallet:read"])).await.made();
    let plain = made["plaintext"].as_str().unwrap();
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let now = crate::api::time::unix_now();
    server.store.revoke_api_key(id, now - 60).await.unwrap();
    let refused = get(&server.router, "/wallet", plain).await;
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    refused.refused(401, "REVOKED_API_KEY", "API key has been revoked", None);
}

#[tokio::test]
async fn a_key_of_the_other_environment_is_refused() {
    let server = Server::start().await;
    let path = format!("/workspaces/{}/api-keys", server.consumer.id());
    let live = PlainKey::presented("lxxn_live_abc123_secret");
    let mut new = key(&["wallet:read"]);
    new["sha256"] = hex::encode(live.hash()).into();
    administer(&server.router, "POST", &path, &new).await.made();
    let answer = get(&server.router, "/wallet", live.reveal()).await;
    answer.not_authenticated("apiKey:otherEnvironment");
}

#[tokio::test]
async fn when_a_key_was_last_used_is_written_down_later() {
    let mut server = Server::start().await;
    let options = options();
    server.router = router(server.store.clone(), options.clone());
    let used = || async {
        let keys = server.store.api_keys(server.consumer.workspace.id).await.unwrap();
        keys[0].last_used_at
    };
    server.get("/wallet", &server.consumer).await.data();
    assert_eq!(used().await, None);
    options.uses.write_down(&server.store).await.unwrap();
    assert!(used().await.is_some());
}

#[tokio::test]
async fn without_a_token_there_is_no_administration() {
    let server = Server::start().await;
    let off = router(server.store.clone(), Options { admin: None, ..options() });
    let answer = administer(&off, "GET", "/workspaces", &Value::Null).await;
    answer.refused(404, "NOT_FOUND", "Resource not found", Some("route:unknown"));
}

#[tokio::test]
async fn administration_needs_the_token_and_no_key_will_do() {
    let server = Server::start().await;
    let ask_with = async |authorization: Option<String>| {
        let request = Request::get("/internal/v1/workspaces");
        let request = authorization
            .into_iter()
            .fold(request, |request, value| request.header("authorization", value));
        ask(&server.router, request.body(Body::empty()).unwrap()).await
    };
    for none in [None, Some(ADMIN_TOKEN.to_owned()), Some(format!("Basic {ADMIN_TOKEN}"))] {
        ask_with(none).await.not_authenticated("adminToken:missing");
    }
    let almost = &ADMIN_TOKEN[1..];
    for other in [almost, &server.consumer.key, ""] {
        let answer = ask_with(Some(format!("Bearer {other}"))).await;
        answer.not_authenticated("adminToken:unknown");
    }
    let answer = get(&server.router, "/wallet", ADMIN_TOKEN).await;
    answer.not_authenticated("apiKey:missing");
}

#[tokio::test]
async fn what_cannot_be_entered_is_refused_by_the_name_of_its_field() {
    let server = Server::start().await;
    let with = |base: &Value, field: &str, value: Value| {
        let mut changed = base.clone();
        changed[field] = value;
        changed
    };
    let (workspace, long) = (harbour(), "x".repeat(81));
    for (field, value, detail) in [
        ("slug", json!("No"), "slug:malformed"),
        ("slug", json!("a".repeat(41)), "slug:malformed"),
        ("slug", json!(7), "slug:malformed"),
        ("name", json!("  "), "name:malformed"),
        ("name", json!(long), "name:malformed"),
        ("name", json!("a\nb"), "name:malformed"),
        ("walletAddress", json!("0x12"), "walletAddress:malformed"),
        // One letter's case off its checksum.
        ("walletAddress", json!(swapped(&STRANGER.to_string())), "walletAddress:malformed"),
        ("walletAddress", json!(format!("0x{}", "0".repeat(40))), "walletAddress:zero"),
        ("more", json!(1), "more:unknown"),
    ] {
        let body = with(&workspace, field, value);
        administer(&server.router, "POST", "/workspaces", &body).await.invalid(detail);
    }
    administer(&server.router, "POST", "/workspaces", &json!({})).await.invalid("slug:missing");
    administer(&server.router, "POST", "/workspaces", &json!([])).await.invalid("body:malformed");

    let keys = format!("/workspaces/{}/api-keys", server.consumer.id());
    for (field, value, detail) in [
        ("label", json!(""), "label:malformed"),
        ("scopes", json!(["wallet:write"]), "scopes:malformed"),
        ("scopes", json!("wallet:read"), "scopes:malformed"),
        ("sha256", json!("12"), "sha256:malformed"),
        ("prefix", json!("lxxn_test_"), "prefix:withoutSha256"),
    ] {
        let body = with(&key(&[]), field, value);
        administer(&server.router, "POST", &keys, &body).await.invalid(detail);
    }
    let nowhere = "/workspaces/nowhere/api-keys";
    let answer = administer(&server.router, "POST", nowhere, &key(&[])).await;
    answer.invalid("workspaceId:malformed");
    let unknown = uuid::Uuid::from_u128(9);
    let path = format!("/workspaces/{unknown}/api-keys");
    let answer = administer(&server.router, "POST", &path, &key(&[])).await;
    let detail = format!("workspace {unknown}");
    answer.refused(404, "NOT_FOUND", "Resource not found", Some(&detail));
    let answer = administer(&server.router, "POST", "/api-keys/x/revoke", &Value::Null).await;
    answer.invalid("keyId:malformed");
}

/// The case of the last letter is another.
fn swapped(address: &str) -> String {
    let at = address.rfind(|char: char| char.is_ascii_alphabetic()).unwrap();
    let letter = &address[at..=at];
    let other = if letter.chars().all(char::is_uppercase) {
        letter.to_lowercase()
    } else {
        letter.to_uppercase()
    };
    format!("{}{other}{}", &address[..at], &address[at + 1..])
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_large_is_refused() {
    let server = Server::start().await;
    let post = async |content_type: &str, body: Vec<u8>| {
        let request = Request::post("/internal/v1/workspaces")
            .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
            .header("content-type", content_type);
        ask(&server.router, request.body(Body::from(body)).unwrap()).await
    };
    let json = harbour().to_string().into_bytes();
    for other in ["text/plain", "application/x-www-form-urlencoded", ""] {
        post(other, json.clone()).await.invalid("contentType:unsupported");
    }
    for broken in ["", "{", "{}}", "\u{0}", "nul"] {
        let answer = post("application/json", broken.into()).await;
        assert!(answer.status.is_client_error(), "{broken:?}");
    }
    post("application/json; charset=utf-8", vec![b' '; 3 << 20]).await.invalid("body:tooLarge");
    post("application/json; charset=utf-8", json).await.made();
}

#[test]
fn a_token_is_long_and_never_shown() {
    let token = AdminToken::new(&format!(" {ADMIN_TOKEN}\n")).unwrap();
    assert_eq!(token, AdminToken::new(ADMIN_TOKEN).unwrap());
    assert_eq!(format!("{token:?}"), "AdminToken(…)");
    let short = AdminToken::new("SECRET").unwrap_err();
    assert_eq!(short, "it has 6 characters, expected 32 at least");
    let spaced = AdminToken::new(&"SECRET ".repeat(9)).unwrap_err();
    assert_eq!(spaced, "expected printable ASCII without spaces");
}
