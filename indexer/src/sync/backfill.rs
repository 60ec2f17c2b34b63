//! Final blocks, many at once: fetched and decoded side by side, taken in in their order.

use super::{RangeSize, SyncError, decode_all};
use crate::{
    chain::{AskLess, Providers, RangeLogs, Source, TooLargeIn, Wanted},
    ledger::{Block, Deployment, Event},
};
use alloy::primitives::{B256, U256};
use std::collections::VecDeque;
use tokio::task::JoinHandle;
use tracing::info;

/// Ranges under way at once. A third would wait for the writer, and cost memory.
const AT_ONCE: usize = 2;

/// A range of blocks, fetched and decoded.
#[derive(Debug)]
pub(super) struct Range {
    /// What the block before the range must be.
    pub(super) parent: B256,
    /// The blocks to keep, ascending; the last is the range's.
    pub(super) blocks: Vec<Block>,
    pub(super) events: Vec<Event>,
    /// What the contract owes after the range, where the node can say.
    pub(super) owed: Option<U256>,
    /// Who told of it.
    pub(super) source: Source,
}

/// The ranges up to a final block, in their order. What is under way is given up when this is
/// dropped.
#[derive(Debug)]
pub(super) struct Backfill<'a> {
    providers: &'a Providers,
    deployment: Deployment,
    size: &'a mut RangeSize,
    /// The first block that was not asked for yet.
    next: u64,
    last: u64,
    under_way: VecDeque<Fetch>,
}

#[derive(Debug)]
struct Fetch {
    from: u64,
    to: u64,
    task: JoinHandle<Result<(Range, usize), SyncError>>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<'a> Backfill<'a> {
    /// The blocks from `first` to `last`, both included.
    pub(super) fn new(
        providers: &'a Providers,
        deployment: Deployment,
        size: &'a mut RangeSize,
        first: u64,
        last: u64,
    ) -> Self {
        Self { providers, deployment, size, next: first, last, under_way: VecDeque::new() }
    }

    /// The next range, `None` after the last. The ones behind it are under way when it is returned.
    /// It may be dropped while it waits: the next call waits for the same range.
    pub(super) async fn next(&mut self) -> Result<Option<Range>, SyncError> {
        loop {
            self.fetch_ahead();
            let Some(fetch) = self.under_way.front_mut() else { return Ok(None) };
            let outcome = match (&mut fetch.task).await {
                Ok(outcome) => outcome,
                Err(end) => std::panic::resume_unwind(end.into_panic()),
            };
            let (from, blocks) = (fetch.from, fetch.to - fetch.from + 1);
            self.under_way.pop_front();
            match outcome {
                Ok((range, bytes)) => {
                    self.size.answered(blocks, bytes);
                    self.fetch_ahead();
                    return Ok(Some(range));
                }
                Err(SyncError::Chain(error)) if blocks > 1 => {
                    let Some(less) = error.asks_for_less() else { return Err(error.into()) };
                    self.size.refused(blocks, less);
                    let next = self.size.get();
                    info!(%error, from, blocks, next, "asking for fewer blocks");
                    self.next = from;
                    self.under_way.clear();
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// The range from `first` to `last` lacked logs: it is asked for again in smaller parts. Some
    /// nodes answer what is too large for them by less than there is, and no error. Returns whether
    /// there are smaller parts.
    pub(super) fn again_in_parts(&mut self, first: u64, last: u64) -> bool {
        let blocks = last - first + 1;
        if blocks == 1 {
            return false;
        }
        let too_long = AskLess { too_large_in: Some(TooLargeIn::Answer), suggested: None };
        self.size.refused(blocks, too_long);
        self.next = first;
        self.under_way.clear();
        true
    }

    fn fetch_ahead(&mut self) {
        while self.under_way.len() < AT_ONCE && self.next <= self.last {
            let (from, to) = (self.next, self.last.min(self.next + (self.size.get() - 1)));
            let task = tokio::spawn(fetch(self.providers.clone(), self.deployment, from, to));
            self.under_way.push_back(Fetch { from, to, task });
            self.next = to + 1;
        }
    }
}

async fn fetch(
    providers: Providers,
    deployment: Deployment,
    from: u64,
    to: u64,
) -> Result<(Range, usize), SyncError> {
    let (answer, source) = providers.range_logs(deployment, Wanted::Ledger, from, to).await?;
    let RangeLogs { first, blocks, logs, owed, answer_bytes, .. } = answer;
    let events = decode_all(&deployment, &logs)?;
    Ok((Range { parent: first.parent_hash, blocks, events, owed, source }, answer_bytes))
}
