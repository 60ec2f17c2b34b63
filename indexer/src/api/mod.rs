//! The platform's published read API, over the store. It never talks to a node.

mod admin;
mod auth;
mod awake;
mod config;
mod consistency;
mod docs;
mod envelope;
mod error;
mod input;
mod last_uses;
mod manners;
mod me;
mod openapi;
mod operations;
mod rate_limit;
mod server;
mod settlements;
mod status;
mod stream;
mod time;
mod wallet;

#[cfg(test)]
mod tests;

pub use admin::AdminToken;
pub use config::PublicConfig;
pub use error::{ApiError, Code};
pub use last_uses::LastUses;
pub use openapi::Surface;
pub use operations::operations;
pub use server::serve;
pub use status::About;

use crate::store::{
    Scope::{SessionsRead, WalletRead},
    Store,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, Method,
        header::{AUTHORIZATION, ETAG, IF_NONE_MATCH, RETRY_AFTER},
    },
    middleware::{self, Next},
    response::Response,
    routing::{any, get},
};
use docs::Document;
use openapi::{Needs, Routes};
use rate_limit::RateLimit;
use std::{num::NonZeroU32, ops::Deref, sync::Arc};
use tokio::sync::watch;
use tower_http::cors::CorsLayer;

/// What the API is told, besides its store.
#[derive(Clone, Debug)]
pub struct Options {
    /// What `/config` says.
    pub config: PublicConfig,
    /// What `/health` says is running.
    pub build_sha: String,
    /// Who may administer; nobody, where it is `None`.
    pub admin: Option<AdminToken>,
    /// Where the uses of keys are noted.
    pub uses: Arc<LastUses>,
    /// Requests of one key in a second; as many as it likes, where it is `None`.
    pub requests_per_second: Option<NonZeroU32>,
    /// The web sites whose pages may ask.
    pub cors_origins: Vec<HeaderValue>,
    /// Changes, or is closed, when streams are to end; they never do, where it is `None`.
    pub stop: Option<watch::Receiver<()>>,
}

/// What the handlers share. Each request takes it a few times: a clone costs next to nothing.
#[derive(Debug)]
pub(crate) struct Api<S>(Arc<Shared<S>>);

impl<S> Clone for Api<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Deref for Api<S> {
    type Target = Shared<S>;

    fn deref(&self) -> &Shared<S> {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Shared<S> {
    store: S,
    config: PublicConfig,
    build_sha: String,
    admin: Option<AdminToken>,
    uses: Arc<LastUses>,
    rate_limit: Option<RateLimit>,
    recent_keys: auth::RecentKeys,
    stop: Option<watch::Receiver<()>>,
    streams: stream::Streams,
    document: Document,
    internal_document: Document,
}

/// The routes under `/api/v1` and, where there is a token for it, `/internal/v1`; and `/docs`, which
/// shows what the first are.
///
/// Every request that is HTTP is answered in one of the two published envelopes: an unknown route
/// is `NOT_FOUND`, another method `METHOD_NOT_ALLOWED`, a panic `INTERNAL_SERVER_ERROR`. What is no
/// HTTP, or too large a head, the server refuses before it gets here, with an empty body.
pub fn router<S: Store>(store: S, options: Options) -> Router {
    let Options { config, build_sha, admin, uses, requests_per_second, cors_origins, stop } =
        options;
    let administered = admin.is_some();
    let api = Api(Arc::new(Shared {
        store,
        config,
        build_sha,
        admin,
        uses,
        rate_limit: requests_per_second.map(RateLimit::per_second),
        recent_keys: auth::RecentKeys::default(),
        stop,
        streams: stream::Streams::default(),
        document: Document::of(Surface::Published),
        internal_document: Document::of(Surface::Internal),
    }));
    let mut v1 = published().into_router();
    for path in ["", "/", "/{*path}"] {
        v1 = v1.route(&format!("{}{path}", Surface::Published.prefix()), any(unknown_route));
    }
    // One layer for all: each is a price that every request pays.
    let mut v1 = v1
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(api.clone(), answered::<S>))
        .with_state(api.clone());
    // Around that: pages may read what went wrong, too. Without origins, OPTIONS is a method like any
    // other that nothing here knows.
    if !cors_origins.is_empty() {
        v1 = v1.layer(cors(cors_origins));
    }
    let mut others = Router::new().route("/docs", get(docs::page));
    if administered {
        others = others.merge(admin::routes().into_router().with_state(api));
    }
    let others = others.fallback(unknown_route).method_not_allowed_fallback(other_method);
    bounded(others).merge(v1)
}

/// Answers a request of `/api/v1`: with a token and in time.
async fn answered<S: Store>(State(api): State<Api<S>>, request: Request, next: Next) -> Response {
    manners::bounded(consistency::keep(&api, request, next)).await
}

/// Answers what panics or takes too long.
fn bounded(routes: Router) -> Router {
    let bounded = async |request, next: Next| manners::bounded(next.run(request)).await;
    routes.layer(middleware::from_fn(bounded))
}

/// The routes under `/api/v1`.
fn published<S: Store>() -> Routes<S> {
    use Needs::{Key, Nothing, Scope};
    Routes::of(Surface::Published)
        .group("Health")
        .add(config::__path_health, config::health::<S>, Nothing, &[])
        .group("Config")
        .add(config::__path_config, config::config::<S>, Nothing, &[])
        .group("Me")
        .add(me::__path_me, me::me::<S>, Key, &[])
        .group("Wallet")
        .add(wallet::__path_wallet, wallet::wallet::<S>, Scope(WalletRead), &[])
        .add(wallet::__path_events, wallet::events::<S>, Scope(WalletRead), &[])
        .add(stream::__path_stream, stream::stream::<S>, Scope(WalletRead), &[])
        .group("Settlements")
        .add(
            settlements::__path_settlement,
            settlements::settlement::<S>,
            Scope(SessionsRead),
            &[Code::NotAuthorized, Code::SessionNotFound],
        )
        .group("Documentation")
        .add(docs::__path_json, docs::json::<S>, Nothing, &[])
}

/// Lets pages of `origins` read answers. A key is sent by the page itself: no cookie is ever asked
/// for.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET])
        .allow_headers([
            AUTHORIZATION,
            IF_NONE_MATCH,
            consistency::SYNC_TOKEN,
            stream::LAST_EVENT_ID,
            manners::REQUEST_ID,
            HeaderName::from_static("x-lx-consistency-token"),
        ])
        .expose_headers([ETAG, RETRY_AFTER, consistency::SYNC_TOKEN, manners::REQUEST_ID])
}

async fn unknown_route() -> ApiError {
    ApiError::new(Code::NotFound).detail("route:unknown")
}

/// The route adds `Allow`.
async fn other_method() -> ApiError {
    ApiError::new(Code::MethodNotAllowed)
}
