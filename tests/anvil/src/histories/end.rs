//! How a history ends.

use super::{
    indexer::Indexer,
    met::Met,
    resolve::time_after,
    run::{DATABASES, Run},
    step::{Does, Wait},
};
use crate::tables;
use eyre::{Result, ensure, eyre};
use luxxon_indexer::{audit::Outcome, sync::SyncError};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

impl Run<'_> {
    /// The chain grows until nothing waits any more; then the tables are those of a clean run.
    pub(super) async fn end(&mut self) -> Result<()> {
        let (head, before) = (self.chain.head().number, self.view.head().number);
        // The final height never falls: a clean run gets there when the chain does.
        let enough = (self.view.final_block + 24).max(before + 1);
        self.chain.mine_empty(enough.saturating_sub(head)).await?;
        self.indexer()?.rest().await?;
        self.after(head + 1, &Does::Audit).await?;
        let contradictions = self.indexer()?.store.contradictions().await?;
        ensure!(contradictions.is_empty(), "the tables contradict each other: {contradictions:?}");
        let rows = tables::dump(&self.indexer()?.db).await?;
        let clean = self.clean_run().await?;
        tables::same(&rows, &clean).map_err(|difference| eyre!("{difference}"))?;
        self.tampered().await
    }

    /// The indexer's comparison with the contract sees a pool that somebody changed behind its back.
    async fn tampered(&mut self) -> Result<()> {
        let db = self.indexer()?.db.clone();
        if tables::read(&db, "SELECT hex(account) FROM pools LIMIT 1").await?.is_empty() {
            return Ok(());
        }
        self.met.note("tampered pools");
        let more = "UPDATE pools SET balance = balance + 1
            WHERE account = (SELECT min(account) FROM pools)";
        tables::tamper(&db, &[more]).await?;
        let outcome = self.compared().await?;
        ensure!(matches!(outcome, Outcome::Differs(..)), "the audit found {outcome:?}");
        Ok(())
    }

    /// What an indexer that was never disturbed leaves in its tables.
    async fn clean_run(&self) -> Result<String> {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let db = self.base.folder.path().join(format!("{number}.db"));
        let mut indexer = Indexer::start(self.base, &db, &self.node).await?;
        indexer.rest().await?;
        let rows = tables::dump(&db).await?;
        remove(&indexer.stop().await?)?;
        Ok(rows)
    }

    /// Another chain in place of one that was final: the ledger stops, and holds what it held.
    pub(super) async fn below_finality(&mut self) -> Result<()> {
        let final_block = self.view.final_block;
        ensure!(final_block > 0, "nothing is final");
        let depth = self.chain.head().number - final_block + 1;
        let before = tables::dump(&self.indexer()?.db).await?;
        self.chain.take_back(depth).await?;
        // Of another time: an empty block in the place of an empty one would be the same again.
        let time = time_after(self.chain.head().timestamp, Wait::Hour);
        self.chain.mine(Vec::new(), time).await?;
        self.chain.mine_empty(depth + 30).await?;
        let stopped = self.indexer()?.rest().await;
        let stopped_for_it = matches!(stopped, Err(SyncError::FinalBlockReplaced { .. }));
        ensure!(stopped_for_it, "it did not stop: {stopped:?}");
        let after = tables::dump(&self.indexer()?.db).await?;
        tables::same(&after, &before).map_err(|difference| eyre!("{difference}"))?;
        self.compare(0).await
    }

    /// Leaves no file behind.
    pub(super) async fn leave(mut self) -> Result<Met> {
        if let Some(indexer) = self.indexer.take() {
            remove(&indexer.stop().await?)?;
        }
        Ok(self.met)
    }
}

fn remove(db: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut name = db.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
