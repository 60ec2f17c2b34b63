use crate::{
    chain::{Identity, identify},
    config::Config,
    store::SqliteStore,
};
use eyre::Result;
use std::{
    io::{Write, stdout},
    sync::Arc,
};

/// Checks everything that `run` would, and prints what it would do. Writes nothing.
pub(super) async fn check(config: Config) -> Result<()> {
    let providers = config.providers(&Arc::default())?;
    let Identity { pins, first } =
        identify(&providers, config.chain_id, config.settlement, config.deploy_block).await?;
    let public = config.public_config(pins.deployment.usdc)?;
    SqliteStore::check(&config.db, &pins).await?;
    let heads = providers.heads().await?;
    let db = if let Some(process) = SqliteStore::in_use_by(&config.db) {
        format!("{}: in use by {process}, goes on where that stops", config.db.display())
    } else if config.db.exists() {
        format!("{}: goes on where it stands", config.db.display())
    } else {
        format!("{}: made new, begins with block {}", config.db.display(), first.number)
    };
    let mut out = stdout().lock();
    writeln!(out, "chain       {} ({})", public.chain_id, public.chain_name)?;
    writeln!(out, "nodes       {}", providers.names())?;
    writeln!(out, "quorum      {}", config.quorum())?;
    writeln!(
        out,
        "head        {} (safe {}, final {})",
        heads.latest.number, heads.safe.number, heads.finalized.number
    )?;
    writeln!(out, "settlement  {}, since block {}", config.settlement, config.deploy_block)?;
    writeln!(out, "usdc        {}", pins.deployment.usdc)?;
    writeln!(out, "database    {db}")?;
    writeln!(out, "serves on   {}", config.listen)?;
    writeln!(out, "wallets use {}", public.rpc_url)?;
    Ok(())
}
