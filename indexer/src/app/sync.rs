use super::signals::StopSignals;
use crate::{
    chain::{Identity, identify},
    config::Config,
    store::SqliteStore,
    sync::Syncer,
};
use eyre::{Result, bail};
use std::sync::Arc;

/// Takes in the chain up to block `until`, or until a signal.
pub(super) async fn sync(config: Config, until: u64) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let providers = config.providers(&Arc::default())?;
    let Identity { pins, first } =
        identify(&providers, config.chain_id, config.settlement, config.deploy_block).await?;
    let store = SqliteStore::open(&config.db, &pins, first).await?;
    let syncer = Syncer::new(providers, store.clone(), pins.deployment)
        .with_widest_range(config.max_block_range);
    let outcome = tokio::select! {
        outcome = syncer.run_until(until, config.poll) => outcome.map(Some),
        () = stop.received() => Ok(None),
    };
    store.close().await;
    match outcome? {
        Some(cursor) => tracing::info!(block = cursor.block.number, "everything is in"),
        None => bail!("stopped before block {until} was in; what is in stays"),
    }
    Ok(())
}
