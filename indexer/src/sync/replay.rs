//! All logs of a stretch of blocks in their order, for who reads them once and keeps no ledger.

use super::RangeSize;
use crate::{
    chain::{ChainError, Providers, RangeLogs, Wanted, backoff},
    ledger::{Block, Deployment},
};
use alloy::primitives::B256;

/// A question that failed so often in a row is given up, some ten seconds after it was first put.
const MOST_FAILURES: u32 = 6;

/// Reads the blocks of a deployment from one block to another, a range at a time: what the contract
/// logged, the allowances it was given, and the USDC that went to it and from it.
///
/// Each range follows the one before, by its hash, and the last ends with the very block that it was
/// to end with. Nothing is known of what a node withholds: compare what the contract owes after a
/// range with its logs, and have the range read [`again_in_parts`](Self::again_in_parts).
#[derive(Debug)]
pub struct Replay {
    providers: Providers,
    deployment: Deployment,
    size: RangeSize,
    next: u64,
    /// The block before the next, once that was read.
    parent: Option<B256>,
    last: Block,
    /// Up to here, parts are halves of what is left.
    in_parts_to: Option<u64>,
}

impl Replay {
    /// The blocks from `first` to `last`, both included.
    #[must_use]
    pub fn new(providers: Providers, deployment: Deployment, first: u64, last: Block) -> Self {
        let (size, parent, in_parts_to) = (RangeSize::new(None), None, None);
        Self { providers, deployment, size, next: first, parent, last, in_parts_to }
    }

    /// The next range; `None` after the last. A node that fails is asked again for some seconds.
    pub async fn next(&mut self) -> Result<Option<RangeLogs>, ChainError> {
        let mut failures = 0;
        while self.next <= self.last.number {
            let to = self.end_of_next();
            let blocks = to - self.next + 1;
            let error = match self.read(to).await {
                Ok(range) => return Ok(Some(range)),
                Err(error) => error,
            };
            if let Some(less) = error.asks_for_less().filter(|_| blocks > 1) {
                self.size.refused(blocks, less);
                continue;
            }
            failures += 1;
            if !error.is_retryable() || failures == MOST_FAILURES {
                return Err(error);
            }
            tokio::time::sleep(backoff(failures, fastrand::f64())).await;
        }
        Ok(None)
    }

    /// The last range does not add up: it comes again in parts that end with the first block that
    /// does not. Returns whether there are smaller parts.
    pub fn again_in_parts(&mut self, range: &RangeLogs) -> bool {
        let Some(last) = range.blocks.last().filter(|last| last.number > range.first.number) else {
            return false;
        };
        (self.next, self.parent) = (range.first.number, Some(range.first.parent_hash));
        self.in_parts_to = Some(last.number);
        true
    }

    fn end_of_next(&self) -> u64 {
        let whole = self.next.saturating_add(self.size.get() - 1).min(self.last.number);
        match self.in_parts_to {
            Some(to) if self.next <= to => whole.min(self.next + (to - self.next) / 2),
            _ => whole,
        }
    }

    async fn read(&mut self, to: u64) -> Result<RangeLogs, ChainError> {
        let (from, wanted) = (self.next, Wanted::LedgerAndTransfers);
        let (range, source) = self.providers.range_logs(self.deployment, wanted, from, to).await?;
        let parted = |at: u64| {
            self.providers.doubt(source);
            Err(ChainError::Inconsistent(format!("block {at} is another than it was")))
        };
        if self.parent.is_some_and(|parent| parent != range.first.parent_hash) {
            return parted(from - 1);
        }
        let end = range.blocks.last().copied().unwrap_or_else(|| range.first.block());
        if to == self.last.number && end != self.last {
            return parted(to);
        }
        self.size.answered(to - from + 1, range.answer_bytes);
        (self.next, self.parent) = (to + 1, Some(end.hash));
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Header;
    use alloy::primitives::Address;

    fn block(number: u64) -> Block {
        Block { number, hash: B256::repeat_byte(1), timestamp: 0 }
    }

    /// What is read next of the blocks 10 to 1,000.
    fn replay() -> Replay {
        let providers = Providers::at("http://127.0.0.1:1".parse().unwrap()).unwrap();
        let (settlement, usdc) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let deployment = Deployment { settlement, usdc, deploy_block: 11 };
        Replay::new(providers, deployment, 10, block(1_000))
    }

    fn range(from: u64, to: u64) -> RangeLogs {
        let (hash, parent_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        RangeLogs {
            first: Header { number: from, hash, parent_hash, timestamp: 0 },
            blocks: vec![block(to)],
            logs: Vec::new(),
            owed: None,
            held: None,
            answer_bytes: 0,
        }
    }

    /// Reads on until the block `bad` is alone: the ranges on the way.
    fn narrowed(bad: u64) -> Vec<(u64, u64)> {
        let (mut replay, mut ranges) = (replay(), Vec::new());
        loop {
            let (from, to) = (replay.next, replay.end_of_next());
            ranges.push((from, to));
            if !(from..=to).contains(&bad) {
                replay.next = to + 1;
            } else if !replay.again_in_parts(&range(from, to)) {
                return ranges;
            }
        }
    }

    #[test]
    fn what_does_not_add_up_is_halved_until_its_first_block_is_alone() {
        assert_eq!(narrowed(20)[..4], [(10, 41), (10, 25), (10, 17), (18, 21)]);
        for bad in [10, 20, 25, 26, 41, 42, 999, 1_000] {
            let ranges = narrowed(bad);
            assert_eq!(ranges.last(), Some(&(bad, bad)), "{ranges:?}");
        }
        assert!(narrowed(20).len() < 12, "{:?}", narrowed(20));
    }

    #[test]
    fn the_last_block_ends_the_last_range() {
        let mut replay = replay();
        replay.next = 990;
        assert_eq!(replay.end_of_next(), 1_000);
        assert!(replay.again_in_parts(&range(990, 1_000)));
        assert_eq!(replay.end_of_next(), 995);
    }
}
