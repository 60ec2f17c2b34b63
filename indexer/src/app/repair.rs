use super::signals::StopSignals;
use crate::{
    chain::{Identity, identify},
    config::Config,
    store::{SqliteStore, Store},
    sync::Syncer,
};
use eyre::{Result, bail};
use std::sync::Arc;

/// Takes back block `from` and all above it, and reads them again up to where the ledger stood. Cut
/// off, it goes on where it was with the next `run` or `sync`.
pub(super) async fn repair(config: Config, from: u64) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let providers = config.providers(&Arc::default())?;
    let Identity { pins, first } =
        identify(&providers, config.chain_id, config.settlement, config.deploy_block).await?;
    let store = SqliteStore::open(&config.db, &pins, first).await?;
    let stood = store.cursor().await?.block.number;
    if from > stood {
        store.close().await;
        bail!("--from is {from}, but the ledger stands at block {stood}");
    }
    let to = store.take_back_from(from).await?.block.number;
    tracing::info!(from = to + 1, to = stood, "taken back; reading again");
    let syncer = Syncer::new(providers, store.clone(), pins.deployment)
        .with_widest_range(config.max_block_range);
    let outcome = tokio::select! {
        outcome = syncer.run_until(stood, config.poll) => outcome.map(Some),
        () = stop.received() => Ok(None),
    };
    store.close().await;
    match outcome? {
        Some(cursor) => tracing::info!(block = cursor.block.number, "everything is in again"),
        None => bail!("stopped before block {stood} was in again; what is in stays"),
    }
    Ok(())
}
