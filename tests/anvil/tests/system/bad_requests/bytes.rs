//! What is wrong with the bytes: bodies that cannot be read, and heads that are no HTTP.

use super::{
    ADMIN_TOKEN,
    case::{Case, Expected, Then, bearer, case, entry},
};

/// A body may have so many bytes.
const LONGEST_BODY: usize = 2 << 20;

/// Bodies that are not what their heads say, or no JSON, or too much of it.
pub(super) fn bodies() -> Vec<Case> {
    let mut cases = Vec::new();
    let deep = "[".repeat(100_000);
    let object = format!(r#"{{"slug":{}"#, r#"{"slug":"#.repeat(100_000));
    for (body, detail) in [
        (&b""[..], "body:malformed"),
        (b"null", "body:malformed"),
        (b"{", "body:malformed"),
        (b"{}", "slug:missing"),
        (b"[1]", "body:malformed"),
        (b"\xff\xfe", "body:malformed"),
        (b"NaN", "body:malformed"),
        (deep.as_bytes(), "body:malformed"),
        (object.as_bytes(), "slug:malformed"),
        (&vec![b' '; LONGEST_BODY + 1], "body:tooLarge"),
    ] {
        cases.push(entry("POST /workspaces", body, detail));
    }
    let post = |headers: &str, body: &str, detail: &str| {
        let headers = bearer(ADMIN_TOKEN) + headers;
        let request = "POST /internal/v1/workspaces";
        Case { body: body.into(), ..case(request, &headers, 400, "INVALID_INPUT", detail) }
    };
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/jsonx\r\n"] {
        let headers = format!("{kind}content-length: 2\r\n");
        cases.push(post(&headers, "{}", "contentType:unsupported"));
    }
    let json = "content-type: application/json\r\n";
    let huge = format!("{json}content-length: 1000000000000\r\n");
    cases.push(post(&huge, &" ".repeat(LONGEST_BODY + 1), "body:tooLarge"));
    let long = format!("{json}content-length: 100\r\n");
    cases.push(post(&long, "{", "body:unreadable").then(Then::Ends));
    cases.push(post(&long, "{", "body:tooSlow"));
    let forever = format!("{json}content-length: 1000\r\n");
    cases.push(post(&forever, "{", "body:tooSlow").then(Then::Drips));
    let chunked = format!("{json}transfer-encoding: chunked\r\n");
    cases.push(post(&chunked, "zz\r\n{}\r\n", "body:unreadable"));
    cases.push(post(&chunked, "2\r\n{}garbage", "body:unreadable"));
    cases.push(post(&chunked, "fffffffffffffffff\r\n", "body:unreadable"));
    cases
}

/// What the server refuses before the API sees it.
pub(super) fn heads(key: &str) -> Vec<Case> {
    let raw = |head: &str, expected| Case {
        head: head.to_owned(),
        body: Vec::new(),
        then: Then::Waits,
        expected,
    };
    let get = |headers: &str| format!("GET /api/v1/wallet HTTP/1.1\r\nhost: api\r\n{headers}");
    let long = format!("x: {}\r\n", "x".repeat(16 << 10));
    vec![
        raw("HELO api\r\n\r\n", Expected::Status(400)),
        raw("GET /api/v1/wallet\r\n\r\n", Expected::Status(400)),
        raw("GET /api/v1/wallet HTTP/9.9\r\n\r\n", Expected::Status(400)),
        raw("GET /api/v1/a b HTTP/1.1\r\n\r\n", Expected::Status(400)),
        raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Expected::Nothing),
        raw("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", Expected::Status(400)),
        raw(&get("no colon\r\n\r\n"), Expected::Status(400)),
        raw(&get("x: \u{0}\r\n\r\n"), Expected::Status(400)),
        raw(&get("content-length: -1\r\n\r\n"), Expected::Status(400)),
        raw(&get("content-length: 1\r\ncontent-length: 2\r\n\r\n"), Expected::Status(400)),
        raw(&get(&format!("{}{long}\r\n", bearer(key))), Expected::Status(431)),
        raw(&get(&format!("{}\r\n", "x: 1\r\n".repeat(200))), Expected::Status(431)),
        raw(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(16 << 10)), Expected::Status(431)),
        raw("", Expected::Nothing).then(Then::Ends),
        raw(&get(&bearer(key)), Expected::Nothing).then(Then::Ends),
        raw(&get(&bearer(key)), Expected::Nothing),
        raw(&get("x: "), Expected::Nothing).then(Then::Drips),
    ]
}
