//! What every request and every answer of the API has in common.

use super::error::{ApiError, Code};
use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use uuid::Uuid;

/// Names a request, so that it can be found in the log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name that a client may give its request.
const LONGEST_ID: usize = 64;

/// How long a request may take, its body included: longer than a client waits for its own writes.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Gives each request a name, the client's where that is one, and the same to its answer; logs both.
pub(super) async fn name(request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(|| {
        let id = Uuid::new_v4().to_string();
        HeaderValue::try_from(id).expect("hexadecimal digits and hyphens")
    });
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let (name, micros) = (id.to_str().unwrap_or_default(), began.elapsed().as_micros());
    if response.status().is_server_error() {
        tracing::warn!(request = name, %method, path, status, micros, "a request failed");
    } else {
        tracing::debug!(request = name, %method, path, status, micros, "answered");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let fits = (1..=LONGEST_ID).contains(&id.len());
    (fits && id.as_bytes().iter().all(u8::is_ascii_graphic)).then(|| id.clone())
}

/// Ends what takes too long here. A body that does not come is told of before.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    match timeout(LONGEST_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(Code::Unavailable).retry_after(1).into_response(),
    }
}

/// Answers with 304 and no body where the client has what it would be answered.
pub(super) async fn unless_known(request: Request, next: Next) -> Response {
    let known = request.headers().get_all(IF_NONE_MATCH);
    let known: Vec<String> =
        known.iter().filter_map(|value| value.to_str().ok().map(str::to_owned)).collect();
    let mut response = next.run(request).await;
    let is_known =
        response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).is_some_and(|tag| {
            known.iter().flat_map(|list| list.split(',')).any(|one| one.trim() == tag)
        });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
    }
    response
}
