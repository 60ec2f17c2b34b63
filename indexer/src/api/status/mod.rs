//! The status page at `/`, and what it shows: how far the ledger has come, whether it is the
//! contract's, and what happened last. Nobody is asked for a key, so nothing is shown but what the
//! chain itself tells everyone: no workspace, no key, and no session that only operators know of.

mod board;
mod page;
mod session;
mod stream;
mod view;

pub use board::About;

use super::{
    envelope::{Answer, Success},
    manners, time,
};
use crate::store::Store;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header::CACHE_CONTROL},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use board::Board;
use page::Page;
use std::sync::Arc;
use stream::Streams;
use tokio::sync::watch;
use view::StatusDto;

/// What the handlers share.
#[derive(Debug)]
struct Status<S> {
    board: Board<S>,
    page: Arc<Page>,
    streams: Streams,
    /// Changes, or is closed, when streams are to end.
    stop: Option<watch::Receiver<()>>,
}

impl<S: Clone> Clone for Status<S> {
    fn clone(&self) -> Self {
        let Self { board, page, streams, stop } = self;
        let (board, page) = (board.clone(), Arc::clone(page));
        Self { board, page, streams: streams.clone(), stop: stop.clone() }
    }
}

/// `/`, `/status` and what is below it.
pub(super) fn routes<S: Store>(
    store: S,
    about: About,
    stop: Option<watch::Receiver<()>>,
) -> Router {
    let (board, page) = (Board::new(store, about), Arc::new(Page::new()));
    Router::new()
        .route("/", get(whole_page::<S>))
        .route("/status", get(status::<S>))
        .route("/status/stream", get(stream::stream::<S>))
        .route("/status/settlements/{session_id}", get(session::session::<S>))
        .layer(middleware::map_response(asked_each_time))
        .layer(middleware::from_fn(manners::unless_known))
        .with_state(Status { board, page, streams: Streams::default(), stop })
}

async fn whole_page<S: Store>(State(status): State<Status<S>>) -> Response {
    status.page.answer()
}

async fn status<S: Store>(State(status): State<Status<S>>) -> Answer<StatusDto> {
    Ok(Success(status.board.now().await?.at(time::unix_now())))
}

/// Who keeps an answer asks each time whether it still holds: the status is of the moment, and the page
/// belongs to its daemon.
async fn asked_each_time(mut response: Response) -> impl IntoResponse {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
