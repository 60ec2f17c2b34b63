use super::{
    RangeSize, SyncError,
    backfill::{Backfill, Range},
    decide::{Ours, Step, next_step},
    decode_all,
    gathered::Gathered,
    owed::{add_up, check_owed},
    waiting::WaitingForNode,
};
use crate::{
    chain::{BlockLogs, ChainError, Heads, Providers, Quorum, backoff},
    health::Health,
    ledger::{Block, Deployment},
    metrics::{Metrics, Taken},
    store::{Batch, Cursor, Heights, Store, StoreError},
};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::{debug, warn};

/// How often the head is looked at all the same while a node tells of new ones: its telling may
/// have stopped without a sign.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

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

/// Whether the node's chain parts from ours.
enum Parted {
    Yes,
    No,
}

/// Follows one deployment.
#[derive(Debug)]
pub struct Syncer<S> {
    providers: Providers,
    store: S,
    deployment: Deployment,
    range_size: RangeSize,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    waiting: WaitingForNode,
}

impl<S: Store> Syncer<S> {
    /// Follows `deployment` from wherever `store` stands.
    pub fn new(providers: Providers, store: S, deployment: Deployment) -> Self {
        let (metrics, health) = Default::default();
        let (range_size, waiting) = (RangeSize::new(None), WaitingForNode::default());
        Self { providers, store, deployment, range_size, metrics, health, waiting }
    }

    /// Tells `metrics` and `health` how it goes.
    #[must_use]
    pub fn watched_by(self, metrics: Arc<Metrics>, health: Arc<Health>) -> Self {
        Self { metrics, health, ..self }
    }

    /// Never asks for more than `blocks` at once.
    #[must_use]
    pub fn with_widest_range(mut self, blocks: Option<u64>) -> Self {
        self.range_size = RangeSize::new(blocks);
        self
    }

    /// Follows the chain until something is wrong that trying again does not mend. It looks for
    /// news every `poll`, or when a node tells of them. It may be dropped at any await: nothing is
    /// ever half written.
    pub async fn follow(mut self, poll: Duration) -> Result<Infallible, SyncError> {
        let mut news = self.providers.news();
        loop {
            self.steps_to_head(u64::MAX).await?;
            self.wait(&mut news, poll).await;
        }
    }

    /// Takes in the chain up to block `until`, and what is safe and final of it; waits for it where
    /// it is not there yet.
    pub async fn run_until(mut self, until: u64, poll: Duration) -> Result<Cursor, SyncError> {
        let mut news = self.providers.news();
        loop {
            self.steps_to_head(until).await?;
            let cursor = self.store.cursor().await?;
            if cursor.block.number >= until {
                return Ok(cursor);
            }
            self.wait(&mut news, poll).await;
        }
    }

    /// Waits until there may be something to look at.
    async fn wait(&self, news: &mut Option<watch::Receiver<u64>>, poll: Duration) {
        let Some(news) = news else { return tokio::time::sleep(poll).await };
        let longest = if self.providers.tells_of_heads() { poll.max(LOOK_ANYWAY) } else { poll };
        // Its sender lives as long as the node.
        let _ = tokio::time::timeout(longest, news.changed()).await;
    }

    /// Steps until everything is in, or there is a reason to wait for the node.
    async fn steps_to_head(&mut self, until: u64) -> Result<(), SyncError> {
        let mut failures = 0;
        loop {
            let step = self.step_until(until).await;
            self.waiting.note(&step);
            if matches!(step, Ok(Progress::Advanced | Progress::AtHead | Progress::RolledBack)) {
                self.health.moved();
            }
            match &step {
                Ok(_) => self.health.node_answered(),
                Err(SyncError::Chain(_)) => self.health.node_failed(),
                Err(_) => {}
            }
            match step {
                Ok(Progress::Advanced) => failures = 0,
                // Behind a balancer whose nodes differ at the head, the next step may undo a
                // rollback.
                Ok(Progress::RolledBack | Progress::AtHead | Progress::NodeBehind) => return Ok(()),
                Err(error) if error.is_retryable() => {
                    failures += 1;
                    let wait = self.wait_after(failures);
                    warn!(%error, failures, ?wait, "will try again");
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Not before a node can be asked again.
    fn wait_after(&self, failures: u32) -> Duration {
        let wait = backoff(failures, fastrand::f64());
        let rests = self.providers.all_rest_until();
        let rest = rests.map(|until| until.saturating_duration_since(Instant::now()));
        wait.max(rest.unwrap_or_default())
    }

    /// Takes one step towards the chain's head.
    pub async fn step(&mut self) -> Result<Progress, SyncError> {
        self.step_until(u64::MAX).await
    }

    /// Takes one step towards block `until`, or towards the chain's head where that is lower.
    async fn step_until(&mut self, until: u64) -> Result<Progress, SyncError> {
        let heads = self.providers.heads().await?;
        let cursor = self.store.cursor().await?;
        let (safe, finalized) = (cursor.safe_block, cursor.final_block);
        self.metrics.stands(cursor.block, safe, finalized, heads.latest.number);
        let ours = Ours {
            latest: self.store.block(heads.latest.number).await?,
            safe: self.store.block(heads.safe.number).await?,
            finalized: self.store.block(heads.finalized.number).await?,
        };
        match next_step(&cursor, &heads, &ours, until) {
            Step::Wait => Ok(Progress::AtHead),
            Step::Behind => {
                debug!(head = heads.latest.number, cursor = cursor.block.number, "node behind");
                Ok(Progress::NodeBehind)
            }
            Step::SetHeights(heights) => self.set_heights(&cursor, heights).await,
            Step::Backfill(last) => self.backfill(&cursor, &heads, last).await,
            Step::Block(number) => self.take_block(&cursor, &heads, number).await,
            Step::Reorg => self.roll_back(&cursor, &heads).await,
        }
    }

    async fn backfill(
        &mut self,
        cursor: &Cursor,
        heads: &Heads,
        last: u64,
    ) -> Result<Progress, SyncError> {
        if self.providers.quorum() == Quorum::Two && cursor.block.number > cursor.final_block {
            // What comes now makes all before it final, which one node alone has told of so far.
            let theirs = self.providers.header(cursor.block.number).await?;
            if theirs.is_none_or(|theirs| theirs.hash != cursor.block.hash) {
                return self.roll_back(cursor, heads).await;
            }
            self.confirm(cursor.final_block + 1, cursor.block.number).await?;
        }
        let mut gathered = Gathered::behind(*cursor);
        let outcome = self.gather(&mut gathered, heads, last).await;
        // Whatever else ended it, what was gathered before is good.
        if !matches!(outcome, Err(SyncError::OwedDiffers { .. })) {
            write(&self.store, &self.metrics, &self.health, &mut gathered, heads).await?;
        }
        match outcome? {
            Parted::No => Ok(Progress::Advanced),
            Parted::Yes => self.roll_back(&self.store.cursor().await?, heads).await,
        }
    }

    /// Takes in final blocks up to `last`, and writes them whenever they are many.
    async fn gather(
        &mut self,
        gathered: &mut Gathered,
        heads: &Heads,
        last: u64,
    ) -> Result<Parted, SyncError> {
        let (deployment, first) = (self.deployment, gathered.tip().block.number + 1);
        let mut ranges =
            Backfill::new(&self.providers, deployment, &mut self.range_size, first, last);
        loop {
            let Ok(next) = tokio::time::timeout(gathered.rest(), ranges.next()).await else {
                // A slow node must not keep back what is here.
                write(&self.store, &self.metrics, &self.health, gathered, heads).await?;
                continue;
            };
            let Some(Range { parent, blocks, events, owed, source }) = next? else {
                return Ok(Parted::No);
            };
            let (tip, to) = (*gathered.tip(), blocks.last().map_or(last, |block| block.number));
            if parent != tip.block.hash {
                return Ok(Parted::Yes);
            }
            if to == heads.finalized.number && blocks.last() != Some(&heads.finalized.block()) {
                self.providers.doubt(source);
                let what = format!("two answers give the final block {to} two hashes");
                return Err(ChainError::Inconsistent(what).into());
            }
            if let Err(missing) = add_up(&tip, &events, owed, to) {
                self.providers.doubt(source);
                check_owed(&self.providers, deployment, tip.block, tip.owed).await?;
                if ranges.again_in_parts(tip.block.number + 1, to) {
                    warn!(error = %missing, "asking for fewer blocks");
                    continue;
                }
                return Err(missing.into());
            }
            let asked = to - tip.block.number;
            debug!(to, blocks = asked, events = events.len(), "backfilled");
            self.metrics.range(asked);
            gathered.add(blocks, events)?;
            if gathered.is_due() {
                write(&self.store, &self.metrics, &self.health, gathered, heads).await?;
            }
        }
    }

    async fn take_block(
        &mut self,
        cursor: &Cursor,
        heads: &Heads,
        number: u64,
    ) -> Result<Progress, SyncError> {
        let header = match heads.latest {
            latest if latest.number == number => latest,
            _ => self.providers.header(number).await?.ok_or(ChainError::UnknownBlock(number))?,
        };
        if header.parent_hash != cursor.block.hash {
            return self.roll_back(cursor, heads).await;
        }
        let (BlockLogs { logs, owed }, source) =
            self.providers.block_logs(self.deployment, header).await?;
        let events = decode_all(&self.deployment, &logs)?;
        if let Err(missing) = add_up(cursor, &events, owed, number) {
            self.providers.doubt(source);
            check_owed(&self.providers, self.deployment, cursor.block, cursor.owed).await?;
            return Err(missing.into());
        }
        debug!(number, events = events.len(), "block taken in");
        // What is final is raised on its own, after a look at what the contract owes there.
        let batch = Batch { blocks: vec![header.block()], events, heights: cursor.heights() };
        let (taken, began) = (Taken::of(&batch.events), Instant::now());
        self.store.commit(cursor.block, batch).await?;
        self.metrics.committed(&taken, began.elapsed());
        Ok(Progress::Advanced)
    }

    /// Sets what is safe and what is final. What becomes final must add up to what the contract
    /// owes there and, with a quorum of two, be what two nodes have.
    async fn set_heights(
        &mut self,
        cursor: &Cursor,
        heights: Heights,
    ) -> Result<Progress, SyncError> {
        let to = heights.final_block;
        if to > cursor.final_block {
            if self.providers.quorum() == Quorum::Two {
                self.confirm(cursor.final_block + 1, to).await?;
            }
            let at = self.kept(to).await?;
            let owed = self.store.owed_at(to).await?;
            check_owed(&self.providers, self.deployment, at, owed).await?;
        }
        self.store.set_heights(heights).await?;
        Ok(Progress::Advanced)
    }

    /// Compares what is in the tables with what two nodes agree on, a range at a time.
    async fn confirm(&mut self, mut from: u64, last: u64) -> Result<(), SyncError> {
        let (deployment, size) = (self.deployment, &mut self.range_size);
        let mut ranges = Backfill::new(&self.providers, deployment, size, from, last);
        while let Some(Range { blocks, events: theirs, .. }) = ranges.next().await? {
            let to = blocks.last().map_or(last, |block| block.number);
            let ours = self.store.events(from, to).await?;
            if ours != theirs {
                let (ours, theirs) = (ours.len(), theirs.len());
                return Err(SyncError::NotConfirmed { from, to, ours, theirs });
            }
            from = to + 1;
        }
        Ok(())
    }

    /// Finds the last block the node shares with us and takes back all above it.
    async fn roll_back(&mut self, cursor: &Cursor, heads: &Heads) -> Result<Progress, SyncError> {
        let highest = cursor.block.number.min(heads.latest.number);
        for number in (cursor.final_block..=highest).rev() {
            let ours = self.kept(number).await?;
            match self.providers.header(number).await? {
                Some(theirs) if theirs.hash == ours.hash && number == cursor.block.number => {
                    let what = format!("block {} does not follow block {number}", number + 1);
                    return Err(ChainError::Inconsistent(what).into());
                }
                Some(theirs) if theirs.hash == ours.hash => {
                    let events = self.store.rollback(number).await?;
                    let depth = cursor.block.number - number;
                    self.metrics.reorg(depth);
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
}

/// Writes what was gathered, in one transaction.
async fn write<S: Store>(
    store: &S,
    metrics: &Metrics,
    health: &Health,
    gathered: &mut Gathered,
    heads: &Heads,
) -> Result<(), SyncError> {
    let Some((after, batch)) = gathered.take() else { return Ok(()) };
    let (taken, began) = (Taken::of(&batch.events), Instant::now());
    let cursor = store.commit(after, batch).await?;
    metrics.committed(&taken, began.elapsed());
    metrics.stands(cursor.block, cursor.safe_block, cursor.final_block, heads.latest.number);
    gathered.written(cursor);
    health.moved();
    Ok(())
}
