use super::{
    Status,
    board::{Board, LOOK},
    view::StatusDto,
};
use crate::{
    api::{
        error::{ApiError, Code},
        time,
    },
    store::Store,
};
use axum::{
    extract::State,
    response::{Sse, sse::Event},
};
use futures_util::{Stream, stream};
use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until, timeout},
};

/// Streams at once. Each holds a connection, and nobody has to show a key for one.
const STREAMS: usize = 64;

/// Between two events: a backfill moves the ledger faster than anybody reads.
const PAUSE: Duration = Duration::from_millis(200);

/// After so long the status is sent though it is the same: a page that hears nothing for longer has
/// lost its connection.
const SIGN_OF_LIFE: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 15_000 });

/// The places that there are.
#[derive(Clone, Debug)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS)))
    }
}

/// Sends `status` (what `/status` answers) at once and whenever it has changed.
pub(super) async fn stream<S: Store>(
    State(status): State<Status<S>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let Status { board, streams: Streams(places), stop, .. } = status;
    let place = places
        .try_acquire_owned()
        .map_err(|_| ApiError::new(Code::RateLimited).detail("stream:tooMany").retry_after(10))?;
    // What cannot be looked up is refused, not begun.
    let moved = board.store.moved();
    board.now().await?;
    let (sent, sent_at) = (None, Instant::now());
    let viewer = Viewer { board, moved, stop, sent, sent_at, _place: place };
    Ok(Sse::new(stream::unfold(viewer, Viewer::next)))
}

/// One page that is open.
struct Viewer<S> {
    board: Board<S>,
    moved: watch::Receiver<()>,
    stop: Option<watch::Receiver<()>>,
    /// What it shows.
    sent: Option<Arc<StatusDto>>,
    sent_at: Instant,
    _place: OwnedSemaphorePermit,
}

impl<S: Store> Viewer<S> {
    /// The next thing to send; `None` ends the stream.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            self.moved.mark_unchanged();
            // Where it cannot be looked up, the page comes again.
            let status = self.board.now().await.ok()?;
            let known = self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, &status));
            if !known || self.sent_at.elapsed() >= SIGN_OF_LIFE {
                let event = Event::default().event("status");
                let event = event.json_data(status.at(time::unix_now())).inspect_err(|error| {
                    tracing::error!(%error, "the status cannot be written");
                });
                (self.sent, self.sent_at) = (Some(status), Instant::now());
                return Some((Ok(event.ok()?), self));
            }
            if !self.wait().await {
                return None;
            }
        }
    }

    /// Waits until there may be something to send; false when the stream is to end.
    async fn wait(&mut self) -> bool {
        let Self { moved, stop, sent_at, .. } = self;
        let news = async {
            sleep_until(*sent_at + PAUSE).await;
            timeout(LOOK, moved.changed()).await
        };
        let stopped = async {
            match stop {
                Some(stop) => drop(stop.changed().await),
                None => pending().await,
            }
        };
        tokio::select! {
            news = news => !matches!(news, Ok(Err(_))),
            () = stopped => false,
        }
    }
}
