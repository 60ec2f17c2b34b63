use super::view::StatusDto;
use crate::{
    api::{PublicConfig, error::ApiError},
    health::Health,
    metrics::Metrics,
    store::Store,
};
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

/// How often the status is looked up while the ledger does not move: node and comparisons tell nobody
/// that they have changed.
pub(super) const LOOK: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });

/// Events that are shown.
const SHOWN: u32 = 20;

/// What the status tells of, besides the ledger.
#[derive(Clone, Debug)]
pub struct About {
    /// How the daemon does.
    pub health: Arc<Health>,
    /// Where the node stands.
    pub metrics: Arc<Metrics>,
    /// What is followed.
    pub config: PublicConfig,
    /// What is running.
    pub build_sha: String,
    /// Whether the ledger is compared with the contract now and then.
    pub audits: bool,
}

/// The status, which is looked up once for each change, however many look at it.
#[derive(Debug)]
pub(super) struct Board<S>(Arc<Shared<S>>);

#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) store: S,
    about: About,
    /// How long a status counts as new while the ledger does not move.
    look: Duration,
    last: Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    status: Arc<StatusDto>,
    /// Has changed once the ledger has moved since.
    moved: watch::Receiver<()>,
    at: Instant,
}

impl<S> Clone for Board<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Deref for Board<S> {
    type Target = Shared<S>;

    fn deref(&self) -> &Shared<S> {
        &self.0
    }
}

impl<S: Store> Board<S> {
    pub(super) fn new(store: S, about: About) -> Self {
        Self(Arc::new(Shared { store, about, look: LOOK, last: Mutex::default() }))
    }

    /// The status as it is. The same value as before where nothing has changed.
    pub(super) async fn now(&self) -> Result<Arc<StatusDto>, ApiError> {
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref()
            && look.moved.has_changed().is_ok_and(|changed| !changed)
            && look.at.elapsed() < self.look
        {
            return Ok(Arc::clone(&look.status));
        }
        // Before the ledger is read: what moves meanwhile is seen by the next look.
        let (moved, at) = (self.store.moved(), Instant::now());
        let newest = self.store.newest_events(SHOWN).await?;
        let status = StatusDto::of(&self.about, self.about.health.report(), &newest)?;
        let before = last.take().map(|look| look.status).filter(|before| **before == status);
        let status = before.unwrap_or_else(|| Arc::new(status));
        *last = Some(Look { status: Arc::clone(&status), moved, at });
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::tests::public_config,
        store::SqliteStore,
        testing::{CONSUMER, block, db_path, deposit, new_store, take},
    };

    #[tokio::test]
    async fn the_status_is_looked_up_once_for_each_change() {
        let (directory, store) = new_store().await;
        let about = About {
            health: Arc::default(),
            metrics: Arc::default(),
            config: public_config(),
            build_sha: String::new(),
            audits: true,
        };
        let (look, last) = (Duration::from_hours(1), Mutex::default());
        let board = Board(Arc::new(Shared { store: store.clone(), about, look, last }));
        let first = board.now().await.unwrap();
        // What another process writes is not told of: whoever sees it has looked again.
        let other = SqliteStore::open_existing(&db_path(&directory)).await.unwrap();
        take(&other, block(100), [deposit(CONSUMER, 1)]).await;
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&board.now().await.unwrap(), &first));
        }
        take(&store, block(101), [deposit(CONSUMER, 1)]).await;
        let second = board.now().await.unwrap();
        assert_ne!(second, first);
        assert!(Arc::ptr_eq(&board.now().await.unwrap(), &second));
        // It has moved, and is the same.
        let heights = store.cursor().await.unwrap().heights();
        store.set_heights(heights).await.unwrap();
        assert!(Arc::ptr_eq(&board.now().await.unwrap(), &second));
    }
}
