use super::{catching_up::Screen, signals::StopSignals};
use crate::{
    chain::{Identity, identify},
    config::Config,
    metrics::Metrics,
    store::SqliteStore,
    sync::Syncer,
};
use eyre::{Result, eyre};
use std::sync::Arc;

/// Takes in the chain up to block `until`, or until a signal.
pub(super) async fn sync(config: Config, screen: Screen, until: u64) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let stopped = || eyre!("stopped before block {until} was in; what is in stays");
    let metrics: Arc<Metrics> = Arc::default();
    let providers = config.providers(&metrics)?;
    let identified =
        Box::pin(identify(&providers, config.chain_id, config.settlement, config.deploy_block));
    let Identity { pins, first } = stop.or(identified).await.ok_or_else(stopped)??;
    let store = SqliteStore::open(&config.db, &pins, first).await?;
    let syncer = Syncer::new(providers, store.clone(), pins.deployment)
        .with_widest_range(config.max_block_range)
        .watched_by(Arc::clone(&metrics), Arc::default());
    let work = stop.or(syncer.run_until(until, config.poll));
    let outcome = Box::pin(screen.beside(&metrics, work)).await;
    store.close().await;
    let cursor = outcome.ok_or_else(stopped)??;
    tracing::info!(block = cursor.block.number, "everything is in");
    Ok(())
}
