//! The same steps with the real daemon, which is killed as `kill -9` does.

use super::{
    base::Base,
    indexer::Indexer,
    run::Run,
    step::{Step, Trouble},
};
use crate::{Daemon, programs};
use eyre::{Result, WrapErr, ensure};
use luxxon_indexer::store::{SqliteStore, Store};
use luxxon_script::devnet::IndexerOptions;
use std::time::{Duration, Instant};

/// It follows a block within milliseconds, unless the machine is busy.
const LONGEST: Duration = Duration::from_mins(1);

/// Plays `steps` while a daemon follows; its tables are compared after each. Returns how often it was
/// killed.
pub async fn play_with_daemon(base: &Base, steps: &[Step]) -> Result<u32> {
    let mut run = Run::begin(base).await?;
    let db = run.take()?.stop().await?;
    let deployment = base.identity.pins.deployment;
    let options = IndexerOptions {
        program: programs()?.join("luxxon-indexer"),
        rpc_url: run.chain.anvil.url().clone(),
        chain_id: base.identity.pins.chain_id,
        settlement: deployment.settlement.to_string(),
        deploy_block: deployment.deploy_block,
        db: db.clone(),
        listen: "127.0.0.1:0".to_owned(),
    };
    let mut daemon = Daemon::start(&options).await?;
    // Beside the daemon it reads, and never steps.
    let store = SqliteStore::open_existing(&db).await?;
    run.indexer = Some(Indexer::over(base, &db, &run.node, store));
    let mut kills = 0;
    for (index, step) in steps.iter().enumerate() {
        let changed = run.change(&step.does).await?;
        if let Some(Trouble::Kill(polls)) = step.trouble {
            tokio::time::sleep(Duration::from_millis(polls.into())).await;
            daemon.kill().await?;
            daemon = Daemon::start(&options).await?;
            kills += 1;
        }
        run.view.follow(&run.chain);
        at_rest(&mut run, &daemon).await.wrap_err_with(|| format!("step {}", index + 1))?;
        let after = run.after(changed, &step.does).await;
        after.wrap_err_with(|| format!("step {}", index + 1))?;
    }
    daemon.stop().await?.says(0, &[])?;
    run.leave().await?;
    Ok(kills)
}

/// Waits until the daemon has everything, and knows what of it is safe and final.
async fn at_rest(run: &mut Run<'_>, daemon: &Daemon) -> Result<()> {
    let began = Instant::now();
    loop {
        let cursor = run.indexer()?.store.cursor().await?;
        let view = &run.view;
        let heights = (cursor.safe_block, cursor.final_block);
        if cursor.block.hash == view.head().hash && heights == (view.safe, view.final_block) {
            return Ok(());
        }
        ensure!(began.elapsed() < LONGEST, "it stays at {cursor:?}: {}", daemon.said());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
