//! The API's description: the document, and a page that shows it.

use super::{Api, Surface};
use crate::store::Store;
use alloy::hex;
use axum::{
    body::Bytes,
    extract::State,
    http::{
        HeaderName,
        header::{CONTENT_TYPE, ETAG},
    },
    response::IntoResponse,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response, content::ContentBuilder, response::ResponseBuilder},
};

/// A document as it is served: made once, when the router is.
#[derive(Clone, Debug)]
pub(super) struct Document {
    json: Bytes,
    tag: String,
}

impl Document {
    pub(super) fn of(surface: Surface) -> Self {
        let json = surface.json();
        let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&json)[..16]));
        Self { json: json.into(), tag }
    }

    pub(super) fn answer(&self) -> impl IntoResponse + use<> {
        let headers: [(HeaderName, String); 2] =
            [(CONTENT_TYPE, "application/json".to_owned()), (ETAG, self.tag.clone())];
        (headers, self.json.clone())
    }
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
