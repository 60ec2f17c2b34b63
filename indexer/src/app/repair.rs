use super::{catching_up::Screen, signals::StopSignals};
use crate::{
    chain::identify,
    config::Config,
    metrics::Metrics,
    store::{SqliteStore, Store},
    sync::Syncer,
};
use eyre::{Result, bail, eyre};
use std::sync::Arc;

/// Takes back block `from` and all above it, and reads them again up to where the ledger stood. Cut
/// off, it goes on where it was with the next `run` or `sync`.
pub(super) async fn repair(config: Config, screen: Screen, from: u64) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let metrics: Arc<Metrics> = Arc::default();
    let providers = config.providers(&metrics)?;
    let identified =
        Box::pin(identify(&providers, config.chain_id, config.settlement, config.deploy_block));
    let untouched = || eyre!("stopped before anything was taken back");
    let pins = stop.or(identified).await.ok_or_else(untouched)??.pins;
    SqliteStore::check(&config.db, &pins).await?;
    // Not one that is made where there is none: the name may be mistyped.
    let store = SqliteStore::open_alone(&config.db).await?;
    let stood = store.cursor().await?.block.number;
    if from > stood {
        store.close().await;
        bail!("--from is {from}, but the ledger stands at block {stood}");
    }
    let to = store.take_back_from(from).await?.block.number;
    tracing::info!(from = to + 1, to = stood, "taken back; reading again");
    let syncer = Syncer::new(providers, store.clone(), pins.deployment)
        .with_widest_range(config.max_block_range)
        .watched_by(Arc::clone(&metrics), Arc::default());
    let work = stop.or(syncer.run_until(stood, config.poll));
    let outcome = Box::pin(screen.beside(&metrics, work)).await;
    store.close().await;
    let stopped = || eyre!("stopped before block {stood} was in again; what is in stays");
    let cursor = outcome.ok_or_else(stopped)??;
    tracing::info!(block = cursor.block.number, "everything is in again");
    Ok(())
}
