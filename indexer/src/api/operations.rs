//! What the people who run the daemon ask it: not under `/api/v1`, so that a proxy can leave it out.

use super::{About, bounded, other_method, status};
use crate::{health::Health, metrics::Metrics, store::Store};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;

/// What Prometheus expects of an exposition in `OpenMetrics`' text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
struct Operations {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Serialize)]
struct ReadyDto {
    ready: bool,
    complaints: Vec<String>,
}

/// `/ready` (200, or 503 with what is wrong), `/metrics`, and the status page at `/`. Its streams end
/// when `stop` changes or is closed; never, where that is `None`.
pub fn operations<S: Store>(store: S, about: About, stop: Option<watch::Receiver<()>>) -> Router {
    let (health, metrics) = (Arc::clone(&about.health), Arc::clone(&about.metrics));
    let routes = Router::new()
        .route("/ready", get(ready))
        .route("/metrics", get(text))
        .with_state(Operations { health, metrics })
        .merge(status::routes(store, about, stop));
    bounded(routes.method_not_allowed_fallback(other_method))
}

async fn ready(State(Operations { health, .. }): State<Operations>) -> Response {
    let complaints = health.complaints();
    let ready = complaints.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyDto { ready, complaints })).into_response()
}

async fn text(State(Operations { metrics, .. }): State<Operations>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
