//! What is wrong with what is asked, and with who asks.

use super::{
    ADMIN_TOKEN, Keys, NOBODY, SESSION,
    case::{Case, bearer, case, invalid},
};

/// What is wrong with paths, queries and headers, asked with a key that may ask.
pub(super) fn questions(key: &str, head: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    let hyphenated = SESSION.to_string();
    for id in [
        "7",
        "{00000000-0000-0000-0000-000000000007}",
        &SESSION.simple().to_string(),
        &hyphenated.replace('7', "g"),
        &hyphenated.replace('-', "_"),
        &format!("{hyphenated}0"),
        "%C3%BC0000000-0000-0000-0000-00000000007",
        "00000000-0000-0000-0000-00000000000%FF",
        "00000000%2D0000%2D0000%2D0000%2D00000000000",
        "0x0000000000000000000000000000000000000000000000000000000000000007",
        "%00",
        "..%2Fwallet",
    ] {
        cases.push(invalid(&format!("/settlements/{id}"), key, "sessionId:malformed"));
    }
    let version_4 = "1d2e4f7a-9b8c-4d1e-8f2a-3b4c5d6e7f80";
    for (query, detail) in [
        ("cursor=", "cursor:malformed"),
        ("cursor=7", "cursor:malformed"),
        (&format!("cursor={version_4}"), "cursor:malformed"),
        ("limit=0", "limit:outOfRange"),
        ("limit=201", "limit:outOfRange"),
        ("limit=-1", "limit:outOfRange"),
        ("limit=1e2", "limit:outOfRange"),
        ("limit=%2B5", "limit:outOfRange"),
        ("limit=+5", "limit:outOfRange"),
        ("limit=", "limit:outOfRange"),
        ("limit=99999999999999999999", "limit:outOfRange"),
        ("limit=5&limit=6", "query:malformed"),
        ("kind=", "kind:unknown"),
        ("kind=DEPOSIT,", "kind:unknown"),
        ("kind=deposit", "kind:unknown"),
        ("fromBlock=-1", "fromBlock:malformed"),
        ("fromBlock=0x10", "fromBlock:malformed"),
        ("toBlock=18446744073709551616", "toBlock:malformed"),
        ("toBlock=latest", "toBlock:malformed"),
        ("workspaceId=7", "workspaceId:malformed"),
        (&format!("workspaceId={NOBODY}"), "workspaceId:workspaceMismatch"),
    ] {
        cases.push(invalid(&format!("/wallet/events?{query}"), key, detail));
    }
    for number in ["", "-1", "0x10", "18446744073709551616"] {
        let path = format!("/wallet?waitForBlock={number}");
        cases.push(invalid(&path, key, "waitForBlock:malformed"));
    }
    let behind = format!("consistency:behind:{head}");
    for number in [head + 1, u64::MAX] {
        let path = format!("/wallet?waitForBlock={number}");
        cases.push(invalid(&path, key, &behind).meets(503, "UNAVAILABLE"));
    }
    for (chain, number, detail) in
        [(1_u64, 0, "syncToken:otherChain"), (31337, u64::MAX, behind.as_str())]
    {
        let token = format!("{chain:016x}{number:016x}{:064x}", 0);
        let mut case = invalid("/wallet", key, detail).with(&format!("x-lx-sync-token: {token}"));
        if number > 0 {
            case = case.meets(503, "UNAVAILABLE");
        }
        cases.push(case);
    }
    for token in ["", "x", "00", "0x7a69", "ü"] {
        let case = invalid("/wallet", key, "syncToken:malformed");
        cases.push(case.with(&format!("x-lx-sync-token: {token}")));
    }
    let stream = invalid("/wallet/stream", key, "lastEventId:malformed");
    cases.push(stream.with(&format!("last-event-id: {version_4}")));
    let unknown = invalid(&format!("/settlements/{NOBODY}"), key, "");
    cases.push(unknown.meets(404, "SESSION_NOT_FOUND"));
    let foreign = invalid(&format!("/settlements/{SESSION}"), key, "session:viewDenied");
    cases.push(foreign.meets(403, "NOT_AUTHORIZED"));
    for request in ["GET /", "GET /api/v1/", "GET /api/v2/wallet", "GET /api/v1/settlements/"] {
        let request = format!("{request}nowhere/{key}");
        cases.push(case(&request, &bearer(key), 404, "NOT_FOUND", "route:unknown"));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!("{method} /api/v1/wallet");
        cases.push(case(&request, &bearer(key), 405, "METHOD_NOT_ALLOWED", ""));
    }
    cases
}

/// Who asks: nobody, or somebody who may not.
pub(super) fn strangers(keys: &Keys) -> Vec<Case> {
    let Keys { good, scopeless, revoked, live, unknown } = keys;
    let mut cases = Vec::new();
    for header in [
        String::new(),
        format!("authorization: Basic {good}\r\n"),
        "authorization: Bearer\r\n".to_owned(),
        "authorization: \r\n".to_owned(),
        format!("authorization: {good}\r\n"),
        bearer(""),
        bearer(good.trim_start_matches("lxxn_")),
        bearer(&format!("lxxn_test_ü{good}")),
        format!("x-api-key: {good}\r\n"),
    ] {
        let refused =
            case("GET /api/v1/wallet", &header, 401, "NOT_AUTHENTICATED", "apiKey:missing");
        cases.push(refused);
    }
    for (key, code, detail) in [
        (unknown, "NOT_AUTHENTICATED", "apiKey:unknown"),
        (&good[..good.len() - 1].to_owned(), "NOT_AUTHENTICATED", "apiKey:unknown"),
        (live, "NOT_AUTHENTICATED", "apiKey:otherEnvironment"),
        (revoked, "REVOKED_API_KEY", ""),
    ] {
        cases.push(case("GET /api/v1/wallet", &bearer(key), 401, code, detail));
    }
    for path in ["/wallet", "/wallet/events", "/wallet/stream", "/settlements/7"] {
        cases.push(invalid(path, scopeless, "").meets(403, "INSUFFICIENT_SCOPE"));
    }
    for (header, detail) in [
        (String::new(), "adminToken:missing"),
        (format!("authorization: Basic {ADMIN_TOKEN}\r\n"), "adminToken:missing"),
        (bearer(&ADMIN_TOKEN[1..]), "adminToken:unknown"),
        (bearer(good), "adminToken:unknown"),
    ] {
        let request = "GET /internal/v1/workspaces";
        cases.push(case(request, &header, 401, "NOT_AUTHENTICATED", detail));
    }
    cases
}
