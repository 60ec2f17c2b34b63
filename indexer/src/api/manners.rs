//! What every request and every answer of the API has in common.

use super::error::{ApiError, Code};
use crate::key::PlainKey;
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use tower::Service;
use uuid::{Builder, Uuid};

/// Names a request, so that it can be found in the log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name that a client may give its request.
const LONGEST_ID: usize = 64;

/// How long a request may take, its body included: longer than a client waits for its own writes.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Ends what takes too long (a body that does not come is told of before), and answers what panics.
pub(super) async fn bounded(answer: impl Future<Output = Response>) -> Response {
    match timeout(LONGEST_REQUEST, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => panicked(&*panic),
        Err(_) => ApiError::new(Code::Unavailable).retry_after(1).into_response(),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something that is no text");
    tracing::error!(what, "a handler panicked");
    ApiError::new(Code::InternalServerError).into_response()
}

/// What `router` answers. Gives each request a name, the client's where that is one, and the same to
/// its answer; logs both.
pub(super) async fn named(mut router: Router, request: Request) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(new_id);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let began = Instant::now();
    // A router is always ready.
    let Ok(mut response) = router.call(request).await;
    let status = response.status().as_u16();
    let (name, path) = (id.to_str().unwrap_or_default(), loggable(uri.path()));
    let micros = began.elapsed().as_micros();
    if response.status().is_server_error() {
        tracing::warn!(request = name, %method, path, status, micros, "a request failed");
    } else {
        tracing::debug!(request = name, %method, path, status, micros, "answered");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// `path` as the log may have it: some clients put their key where it does not belong, and with `%`
/// it can be written in other ways. No path that is known has one.
fn loggable(path: &str) -> &str {
    if path.contains(PlainKey::MARK) || path.contains('%') { "…" } else { path }
}

/// A name is to be found in a log, not to be kept from anyone: it takes no system call.
fn new_id() -> HeaderValue {
    let id = Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().hyphenated();
    let text = id.encode_lower(&mut Uuid::encode_buffer()).to_owned();
    HeaderValue::try_from(text).expect("hexadecimal digits and hyphens")
}

fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let fits = (1..=LONGEST_ID).contains(&id.len());
    let fits = fits && id.as_bytes().iter().all(u8::is_ascii_graphic);
    let holds_key = id.to_str().is_ok_and(|id| id.contains(PlainKey::MARK));
    (fits && !holds_key).then(|| id.clone())
}

/// What the client has, by its word: the values of `If-None-Match`.
pub(super) struct Known(Vec<HeaderValue>);

impl Known {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    /// The answer; 304 and no body where the client has it.
    pub(super) fn unless(&self, mut response: Response) -> Response {
        if !self.has(response.headers()) {
            return response;
        }
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
        response
    }

    fn has(&self, answered: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let Some(tag) = answered.get(ETAG) else { return false };
        let tag = text(tag);
        self.0.iter().any(|list| text(list).split(',').any(|one| one.trim() == tag))
    }
}

/// Answers with 304 and no body where the client has what it would be answered.
pub(super) async fn unless_known(request: Request, next: Next) -> Response {
    let known = Known::of(request.headers());
    known.unless(next.run(request).await)
}
