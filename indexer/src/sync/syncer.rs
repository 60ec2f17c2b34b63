use super::{
    SyncError,
    decide::{Ours, Step, final_height, next_step},
    pace::{RangeSize, backoff},
};
use crate::{
    chain::{ChainError, Heads, Node, RangeLogs},
    ledger::{Block, Deployment, Event, RawLog, decode},
    store::{Batch, Cursor, Store, StoreError},
};
use std::{
    convert::Infallible,
    ops::RangeInclusive,
    time::{Duration, Instant},
};
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
        let mut waiting = WaitingForNode::default();
        loop {
            let step = self.step().await;
            waiting.note(&step);
            let wait = match step {
                Ok(Progress::Advanced) => Duration::ZERO,
                // Behind a balancer whose nodes differ at the head, the next step may undo this
                // one.
                Ok(Progress::RolledBack | Progress::AtHead | Progress::NodeBehind) => poll,
                Err(error) if error.is_retryable() => {
                    failures += 1;
                    let wait = backoff(failures);
                    warn!(%error, failures, ?wait, "will try again");
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            failures = 0;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Takes one step towards the chain's head.
    pub async fn step(&mut self) -> Result<Progress, SyncError> {
        let heads = self.node.heads().await?;
        let cursor = self.store.cursor().await?;
        let ours = Ours {
            at_head: self.store.block(heads.latest.number).await?,
            at_final: self.store.block(heads.finalized.number).await?,
        };
        match next_step(&cursor, &heads, &ours, self.range_size.get()) {
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
            Step::Block(number) => {
                let final_block = final_height(&cursor, &heads, &ours);
                self.take_block(&cursor, &heads, number, final_block).await
            }
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
        if to == heads.finalized.number && blocks.last() != Some(&heads.finalized.block()) {
            let what = format!("two answers give the final block {to} two hashes");
            return Err(ChainError::Inconsistent(what).into());
        }
        self.range_size.answered();
        let batch = Batch { blocks, events: self.decode(&logs)?, final_block: to };
        info!(from, to, events = batch.events.len(), head = heads.latest.number, "backfilled");
        self.store.commit(cursor.block, batch).await?;
        Ok(Progress::Advanced)
    }

    async fn take_block(
        &mut self,
        cursor: &Cursor,
        heads: &Heads,
        number: u64,
        final_block: u64,
    ) -> Result<Progress, SyncError> {
        let header = match heads.latest {
            latest if latest.number == number => latest,
            _ => self.node.header(number).await?.ok_or(ChainError::UnknownBlock(number))?,
        };
        if header.parent_hash != cursor.block.hash {
            return self.roll_back(cursor, heads).await;
        }
        let logs = self.node.block_logs(&self.deployment, &header).await?.logs;
        let batch =
            Batch { blocks: vec![header.block()], events: self.decode(&logs)?, final_block };
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
            StoreError::Damaged(format!("block {number} is not kept, but should be"))
        })?)
    }

    fn decode(&self, logs: &[RawLog]) -> Result<Vec<Event>, SyncError> {
        logs.iter()
            .filter_map(|raw| {
                decode(&self.deployment, raw)
                    .map_err(|error| SyncError::Decode {
                        block: raw.position.block,
                        log_index: raw.position.log_index,
                        error,
                    })
                    .transpose()
            })
            .collect()
    }
}

/// Says that the node is behind us: when it begins, once a minute while it lasts, and when it is
/// over. A node that was reset to a shorter chain looks like one that is catching up, and nobody
/// should have to guess.
#[derive(Debug, Default)]
struct WaitingForNode {
    since: Option<Instant>,
    said: Option<Instant>,
}

impl WaitingForNode {
    fn note(&mut self, step: &Result<Progress, SyncError>) {
        const EVERY: Duration = Duration::from_mins(1);
        match step {
            Ok(Progress::NodeBehind) => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if self.said.is_none_or(|said| said.elapsed() >= EVERY) {
                    self.said = Some(Instant::now());
                    let waited = since.elapsed().as_secs();
                    warn!(waited, "the node is behind the ledger: waiting for it");
                }
            }
            Ok(_) => {
                if self.since.take().is_some() {
                    self.said = None;
                    info!("the node has caught up");
                }
            }
            Err(_) => {}
        }
    }
}
