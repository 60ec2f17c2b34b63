//! What is wrong with what is entered.

use super::{
    NOBODY, SESSION,
    case::{Case, entry},
};
use luxxon_indexer::store::Workspace;
use serde_json::{Value, json};
use uuid::Uuid;

/// What is wrong with what is entered, as JSON that can be read.
pub(super) fn entries(workspace: &Workspace) -> Vec<Case> {
    let mut cases = Vec::new();
    let good =
        json!({ "slug": "new", "name": "New", "walletAddress": workspace.wallet.to_string() });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    for (field, value, detail) in [
        ("slug", json!(7), "slug:malformed"),
        ("slug", json!("a"), "slug:malformed"),
        ("slug", json!("../../etc"), "slug:malformed"),
        ("name", json!("a\u{0}b"), "name:malformed"),
        ("name", json!("x".repeat(81)), "name:malformed"),
        ("walletAddress", Value::Null, "walletAddress:malformed"),
        (
            "walletAddress",
            json!("0x5AAEB6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            "walletAddress:malformed",
        ),
        ("walletAddress", json!(format!("0x{}", "0".repeat(40))), "walletAddress:zero"),
        ("admin", json!(true), "admin:unknown"),
    ] {
        cases.push(entry("POST /workspaces", with(field, value), detail));
    }
    let taken = with("slug", json!(workspace.slug));
    let detail = format!("the workspace slug {}", workspace.slug);
    cases.push(entry("POST /workspaces", taken, &detail).meets(409, "CONFLICT"));
    let twice = good.to_string().replacen('{', r#"{"slug":"old","#, 1);
    cases.push(entry("POST /workspaces", twice, "slug:duplicate"));
    let in_order = json!(["new", "New", workspace.wallet.to_string()]).to_string();
    cases.push(entry("POST /workspaces", in_order, "body:malformed"));

    let keys = format!("POST /workspaces/{}/api-keys", workspace.id);
    for (body, detail) in [
        (json!({ "label": "" , "scopes": [] }), "label:malformed"),
        (json!({ "label": "x" }), "scopes:missing"),
        (json!({ "label": "x", "scopes": ["wallet:write"] }), "scopes:malformed"),
        (json!({ "label": "x", "scopes": [], "sha256": "00" }), "sha256:malformed"),
        (json!({ "label": "x", "scopes": [], "prefix": "lxxn" }), "prefix:withoutSha256"),
    ] {
        cases.push(entry(&keys, body.to_string(), detail));
    }
    let add = json!({ "label": "x", "scopes": [] }).to_string();
    cases.push(entry("POST /workspaces/7/api-keys", add.as_str(), "workspaceId:malformed"));
    let nobodys = format!("POST /workspaces/{NOBODY}/api-keys");
    let unknown = format!("workspace {NOBODY}");
    cases.push(entry(&nobodys, add, &unknown).meets(404, "NOT_FOUND"));
    cases.push(entry("POST /api-keys/7/revoke", "", "keyId:malformed"));
    let revoke =
        entry(&format!("POST /api-keys/{NOBODY}/revoke"), "", &format!("API key {NOBODY}"));
    cases.push(revoke.meets(404, "NOT_FOUND"));

    let session = json!({
        "consumerWorkspaceId": workspace.id,
        "operatorWorkspaceId": workspace.id,
        "ratePerSecond": "1000",
        "platformFeeBps": 1_500,
        "maxDurationSeconds": 60,
        "startedAt": "2026-05-13T11:30:00Z",
        "endedAt": "2026-05-13T11:31:00Z",
    });
    let put = format!("PUT /settlements/{NOBODY}");
    for (field, value, detail) in [
        ("platformFeeBps", json!(2_001), "platformFeeBps:outOfRange"),
        ("platformFeeBps", json!(-1), "platformFeeBps:malformed"),
        ("platformFeeBps", json!(1.5), "platformFeeBps:malformed"),
        ("ratePerSecond", json!("-1"), "ratePerSecond:malformed"),
        ("ratePerSecond", json!(1_000), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("18446744073709551616"), "ratePerSecond:malformed"),
        ("ratePerSecond", json!("18446744073709551615"), "session:unpayable"),
        ("maxDurationSeconds", json!(4_294_967_296_u64), "maxDurationSeconds:malformed"),
        ("startedAt", Value::Null, "startedAt:missing"),
        ("endedAt", json!("2026-13-13T11:31:00Z"), "endedAt:malformed"),
        ("endedAt", json!("1969-12-31T23:59:59Z"), "endedAt:malformed"),
        ("disconnectWindows", json!([{ "startedAt": "" }]), "disconnectWindows:malformed"),
        ("consumerWorkspaceId", json!("7"), "consumerWorkspaceId:malformed"),
        ("operatorWorkspaceId", json!(NOBODY), unknown.as_str()),
    ] {
        let mut body = session.clone();
        body[field] = value;
        let case = entry(&put, body.to_string(), detail);
        cases.push(if detail == unknown { case.meets(404, "NOT_FOUND") } else { case });
    }
    let report = |session: Uuid, hash: &str, detail: &str| {
        let body = json!({ "txHash": hash }).to_string();
        entry(&format!("PUT /settlements/{session}/transaction"), body, detail)
    };
    let hash = "00".repeat(32);
    cases.push(report(NOBODY, "0x7", "txHash:malformed"));
    cases.push(report(NOBODY, &hash, "").meets(404, "SESSION_NOT_FOUND"));
    cases.push(report(SESSION, &hash, "session:notEnded").meets(409, "INVALID_STATE"));
    cases
}
