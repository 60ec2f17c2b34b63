use super::{
    SyncError,
    decide::{Step, next_step},
    pace::{RangeSize, backoff},
};
use crate::{
    chain::{ChainError, Heads, Node, RangeLogs},
    ledger::{Block, Deployment, Event, RawLog, decode},
    store::{Batch, Cursor, Store},
};
use std::{convert::Infallible, ops::RangeInclusive, time::Duration};
use tracing::{debug, info, warn};

/// What a step achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything the node has is in.
    AtHead,
    /// The node is behind the ledger.
    NodeBehind,
    /// The ledger grew, or more of it became final.
    Advanced,
    /// The ledger gave up blocks that the chain gave up.
    RolledBack,
}

/// Follows one deployment.
#[derive(Debug)]
pub struct Syncer<S> {
    node: Node,
    store: S,
    deployment: Deployment,
    range_size: RangeSize,
}

impl<S: Store> Syncer<S> {
    /// Follows `deployment` from wherever `store` stands.
    pub fn new(node: Node, store: S, deployment: Deployment) -> Self {
        Self { node, store, deployment, range_size: RangeSize::default() }
    }

    /// Follows the chain until something is wrong that trying again does not mend, asking the node
    /// for news every `poll`. It may be dropped at any await: nothing is ever half written.
    pub async fn follow(mut self, poll: Duration) -> Result<Infallible, SyncError> {
        let mut failures = 0;
        loop {
            let wait = match self.step().await {
                Ok(Progress::Advanced | Progress::RolledBack) => {
                    failures = 0;
                    continue;
                }
                Ok(Progress::AtHead | Progress::NodeBehind) => {
                    failures = 0;
                    poll
                }
                Err(error) if error.is_retryable() => {
                    failures += 1;
                    let wait = backoff(failures);
                    warn!(%error, failures, ?wait, "will try again");
                    wait
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes one step towards the chain's head.
    pub async fn step(&mut self) -> Result<Progress, SyncError> {
        let heads = self.node.heads().await?;
        let cursor = self.store.cursor().await?;
        let ours_at_head = self.store.block(heads.latest.number).await?;
        match next_step(&cursor, &heads, ours_at_head.as_ref(), self.range_size.get()) {
            Step::Wait => Ok(Progress::AtHead),
            Step::Behind => {
                debug!(head = heads.latest.number, cursor = cursor.block.number, "node behind");
                Ok(Progress::NodeBehind)
            }
            Step::Finalize(number) => {
                self.store.finalize(number).await?;
                Ok(Progress::Advanced)
            }
            Step::Range(range) => self.take_range(&cursor, &heads, range).await,
            Step::Block(number) => self.take_block(&cursor, &heads, number).await,
            Step::Reorg => self.roll_back(&cursor, &heads).await,
        }
    }

    async fn take_range(
        &mut self,
        cursor: &Cursor,
        heads: &Heads,
        range: RangeInclusive<u64>,
    ) -> Result<Progress, SyncError> {
        let (from, to) = range.into_inner();
        let answer = match self.node.range_logs(&self.deployment, from, to).await {
            Ok(answer) => answer,
            Err(error) if error.asks_for_less() && self.range_size.refused() => {
                info!(%error, from, to, next = self.range_size.get(), "asking for fewer blocks");
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let RangeLogs { first, blocks, logs } = answer;
        if first.parent_hash != cursor.block.hash {
            return self.roll_back(cursor, heads).await;
        }
        self.range_size.answered();
        let batch = Batch { blocks, events: self.decode(&logs)?, final_block: heads.finalized };
        info!(from, to, events = batch.events.len(), head = heads.latest.number, "backfilled");
        self.store.commit(cursor.block, batch).await?;
        Ok(Progress::Advanced)
    }

    async fn take_block(
        &mut self,
        cursor: &Cursor,
        heads: &Heads,
        number: u64,
    ) -> Result<Progress, SyncError> {
        let header = match heads.latest {
            latest if latest.number == number => latest,
            _ => self.node.header(number).await?.ok_or(ChainError::UnknownBlock(number))?,
        };
        if header.parent_hash != cursor.block.hash {
            return self.roll_back(cursor, heads).await;
        }
        let logs = self.node.block_logs(&self.deployment, &header).await?.logs;
        let batch = Batch {
            blocks: vec![header.block()],
            events: self.decode(&logs)?,
            final_block: heads.finalized,
        };
        debug!(number, events = batch.events.len(), "block taken in");
        self.store.commit(cursor.block, batch).await?;
        Ok(Progress::Advanced)
    }

    /// Finds the last block the node shares with us and takes back all above it.
    async fn roll_back(&mut self, cursor: &Cursor, heads: &Heads) -> Result<Progress, SyncError> {
        let highest = cursor.block.number.min(heads.latest.number);
        for number in (cursor.final_block..=highest).rev() {
            let ours = self.kept(number).await?;
            match self.node.header(number).await? {
                Some(theirs) if theirs.hash == ours.hash && number == cursor.block.number => {
                    let what = format!("block {} does not follow block {number}", number + 1);
                    return Err(ChainError::Inconsistent(what).into());
                }
                Some(theirs) if theirs.hash == ours.hash => {
                    let events = self.store.rollback(number).await?;
                    let depth = cursor.block.number - number;
                    warn!(fork = number, depth, events, "reorg: rolled back");
                    return Ok(Progress::RolledBack);
                }
                Some(theirs) if number == cursor.final_block => {
                    return Err(SyncError::FinalBlockReplaced {
                        final_block: number,
                        ours: ours.hash,
                        theirs: theirs.hash,
                    });
                }
                Some(_) | None => {}
            }
        }
        // The node lost even the final block: it is resyncing, not on another chain.
        Err(ChainError::UnknownBlock(cursor.final_block).into())
    }

    async fn kept(&self, number: u64) -> Result<Block, SyncError> {
        let block = self.store.block(number).await?;
        Ok(block.ok_or_else(|| {
            crate::store::StoreError::Damaged(format!("block {number} is not kept, but should be"))
        })?)
    }

    fn decode(&self, logs: &[RawLog]) -> Result<Vec<Event>, SyncError> {
        logs.iter()
            .filter_map(|raw| {
                decode(&self.deployment, raw)
                    .map_err(|source| SyncError::Decode {
                        block: raw.position.block,
                        log_index: raw.position.log_index,
                        source,
                    })
                    .transpose()
            })
            .collect()
    }
}
