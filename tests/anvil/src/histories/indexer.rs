//! The indexer of a history, in this process: it is cut off, and starts again, within microseconds.

use super::base::Base;
use axum::Router;
use eyre::{Result, bail};
use luxxon_indexer::{
    api::{self, Options, PublicConfig},
    chain::Providers,
    store::{SqliteStore, StoreError},
    sync::{Progress, SyncError, Syncer},
};
use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

/// How long a process may take from its beginning to its program's.
const LONGEST_START: Duration = Duration::from_secs(10);

/// More steps than any of the chains here needs.
const MOST_STEPS: u32 = 500;

/// A syncer, a store and an API.
#[derive(Debug)]
pub(super) struct Indexer {
    pub(super) db: PathBuf,
    node: Providers,
    pub(super) store: SqliteStore,
    pub(super) router: Router,
    syncer: Syncer<SqliteStore>,
}

impl Indexer {
    /// Starts on `db`, with the node at `node`.
    pub(super) async fn start(base: &Base, db: &Path, node: &Providers) -> Result<Self> {
        Ok(Self::over(base, db, node, open(base, db).await?))
    }

    /// The same over a store that is open.
    pub(super) fn over(base: &Base, db: &Path, node: &Providers, store: SqliteStore) -> Self {
        let deployment = base.identity.pins.deployment;
        let config = PublicConfig {
            chain_id: base.identity.pins.chain_id,
            chain_name: "anvil".to_owned(),
            rpc_url: node.names(),
            explorer_url: String::new(),
            usdc: deployment.usdc,
            settlement: deployment.settlement,
        };
        let options = Options {
            config,
            build_sha: "histories".to_owned(),
            admin: None,
            uses: std::sync::Arc::default(),
            requests_per_second: None,
            cors_origins: Vec::new(),
            stop: None,
        };
        let router = api::router(store.clone(), options);
        let syncer = Syncer::new(node.clone(), store.clone(), deployment);
        Self { db: db.to_owned(), node: node.clone(), store, router, syncer }
    }

    /// Takes in everything that the node has. Nothing may go wrong.
    pub(super) async fn rest(&mut self) -> Result<(), SyncError> {
        until_rest(&mut self.syncer).await
    }

    /// The same, but it is killed after so many polls; whether it was before everything was in. It
    /// starts again in any case.
    pub(super) async fn killed(self, base: &Base, polls: u16) -> Result<(Self, bool)> {
        let Self { db, node, store, router, mut syncer } = self;
        let finished = {
            let mut rest = pin!(until_rest(&mut syncer));
            let mut left = polls;
            poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                rest.as_mut().poll(context).map(Some)
            })
            .await
        };
        let cut = finished.is_none();
        finished.transpose()?;
        drop((store, router, syncer));
        Ok((Self::start(base, &db, &node).await?, cut))
    }

    /// Takes in what there is through a node that misbehaves, for a while. What is wrong with it may
    /// be seen, but is nothing to stop for.
    pub(super) async fn through(&mut self, base: &Base, node: &Providers) -> Result<()> {
        const PATIENCE: u32 = 8;
        let deployment = base.identity.pins.deployment;
        let mut syncer = Syncer::new(node.clone(), self.store.clone(), deployment);
        let mut failures = 0;
        for _ in 0..MOST_STEPS {
            match syncer.step().await {
                Ok(Progress::AtHead) => return Ok(()),
                Ok(Progress::Advanced) => {}
                Ok(Progress::NodeBehind | Progress::RolledBack) => failures += 1,
                Err(error) if error.is_retryable() => failures += 1,
                Err(error) => bail!("it stops for a node's fault: {error}"),
            }
            if failures > PATIENCE {
                return Ok(());
            }
        }
        bail!("it did not come to rest in {MOST_STEPS} steps")
    }

    /// Stops as it does when it is told to.
    pub(super) async fn stop(self) -> Result<PathBuf> {
        let Self { db, store, router, syncer, .. } = self;
        drop((router, syncer));
        store.close().await;
        Ok(db)
    }
}

async fn open(base: &Base, db: &Path) -> Result<SqliteStore> {
    let began = Instant::now();
    loop {
        match SqliteStore::open(db, &base.identity.pins, base.identity.first).await {
            // Where another history starts its node at this moment, the child has our files, and the
            // lock with them, until it has become anvil.
            Err(StoreError::InUse { .. }) if began.elapsed() < LONGEST_START => {
                tokio::task::yield_now().await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Steps until everything is in, or the node is behind.
async fn until_rest(syncer: &mut Syncer<SqliteStore>) -> Result<(), SyncError> {
    for _ in 0..MOST_STEPS {
        if matches!(syncer.step().await?, Progress::AtHead | Progress::NodeBehind) {
            return Ok(());
        }
    }
    panic!("the syncer did not come to rest in {MOST_STEPS} steps")
}
