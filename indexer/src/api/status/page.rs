use alloy::hex;
use axum::{
    http::{
        HeaderValue,
        header::{
            CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The status page: one text, which asks for nothing but the status.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    /// What the page may do: run this script, show this style, and ask where it came from.
    policy: HeaderValue,
    tag: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let text = HTML
            .replacen("<style></style>", &format!("<style>{STYLE}</style>"), 1)
            .replacen("<script></script>", &format!("<script>{SCRIPT}</script>"), 1);
        let policy = [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            &format!("script-src {}", source(SCRIPT)),
            &format!("style-src {}", source(STYLE)),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
        .join("; ");
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..16]));
        let [policy, tag] = [policy, tag].map(|value| HeaderValue::try_from(value).expect("ASCII"));
        Self { text, policy, tag }
    }

    pub(super) fn answer(&self) -> Response {
        let fixed = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ];
        let own = [(CONTENT_SECURITY_POLICY, self.policy.clone()), (ETAG, self.tag.clone())];
        (fixed, own, self.text.clone()).into_response()
    }
}

/// A text by its hash, as a policy names it.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)))
}
