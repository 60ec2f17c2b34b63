//! The API's description: the document, and a page that shows it.

use super::{Api, Surface};
use crate::store::Store;
use alloy::hex;
use axum::{
    body::Bytes,
    extract::State,
    http::{
        HeaderValue,
        header::{
            CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{Html, IntoResponse},
};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::LazyLock};
use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response, content::ContentBuilder, response::ResponseBuilder},
};

/// A document as it is served: made once, when the router is.
#[derive(Clone, Debug)]
pub(super) struct Document {
    json: Bytes,
    tag: HeaderValue,
}

impl Document {
    pub(super) fn of(surface: Surface) -> Self {
        let json = surface.json();
        let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&json)[..16]));
        let tag = HeaderValue::try_from(tag).expect("hexadecimal digits and quotes");
        Self { json: json.into(), tag }
    }

    pub(super) fn answer(&self) -> impl IntoResponse + use<> {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json), (ETAG, self.tag.clone())], self.json.clone())
    }
}

/// Shows the document that is served beside it, and asks nobody else for anything.
const PAGE: &str = include_str!("docs.html");

/// Only the page's own script and style are run, and only this server is asked.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let inline = PAGE.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        BASE64.encode(&Sha256::digest(inline.unwrap_or_default().0))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});

/// `GET /docs`.
pub(super) async fn page() -> impl IntoResponse {
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE))
}

/// A document without an envelope, and without a schema of its own.
pub(super) struct Bare;

impl IntoResponses for Bare {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().build();
        let response = ResponseBuilder::new().description("The document");
        let response = response.content("application/json", content).build();
        [("200".to_owned(), response.into())].into()
    }
}

/// This document
///
/// OpenAPI 3.1, without an envelope. `GET /docs`, beside `/api/v1`, shows it to people.
#[utoipa::path(get, path = "/docs-json", operation_id = "LxDocsController_json", responses(Bare))]
pub(super) async fn json<S: Store>(State(api): State<Api<S>>) -> impl IntoResponse {
    api.document.answer()
}
