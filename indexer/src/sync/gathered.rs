use crate::{
    ledger::{Block, Event, owed_after},
    store::{Batch, Cursor, Heights, StoreError},
};
use std::time::{Duration, Instant};

/// Events that are worth a transaction. The indexes are written at random: the more rows at once,
/// the fewer times each of their pages.
const MANY: usize = 40_000;
/// What is gathered is written after this long, however little it is: a quiet chain, or a slow node.
const LONG: Duration = Duration::from_secs(1);

/// Final ranges that are linked and checked, and not written yet.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Where the ledger stands.
    written: Cursor,
    /// Where it will stand.
    tip: Cursor,
    blocks: Vec<Block>,
    events: Vec<Event>,
    since: Instant,
}

impl Gathered {
    /// Nothing yet, behind `cursor`.
    pub(super) fn behind(cursor: Cursor) -> Self {
        let (blocks, events, since) = (Vec::new(), Vec::new(), Instant::now());
        Self { written: cursor, tip: cursor, blocks, events, since }
    }

    /// Where the ledger will stand when this is written. Its heights are not told.
    pub(super) fn tip(&self) -> &Cursor {
        &self.tip
    }

    /// Adds a range that follows the tip: the blocks to keep, its last among them.
    pub(super) fn add(&mut self, blocks: Vec<Block>, events: Vec<Event>) -> Result<(), StoreError> {
        let Some(&last) = blocks.last() else { return Ok(()) };
        self.tip.owed = owed_after(self.tip.owed, &events)?;
        if self.blocks.is_empty() {
            self.since = Instant::now();
        }
        self.tip.block = last;
        // The last block of the range before is only kept for its events now.
        let holds_events = |block: &Block| {
            self.events.last().is_some_and(|event| event.position.block == block.number)
        };
        if self.blocks.last().is_some_and(|block| !holds_events(block)) {
            self.blocks.pop();
        }
        self.blocks.extend(blocks);
        self.events.extend(events);
        Ok(())
    }

    /// Whether it should be written now.
    pub(super) fn is_due(&self) -> bool {
        self.events.len() >= MANY || self.rest().is_zero()
    }

    /// How long it may still wait for more.
    pub(super) fn rest(&self) -> Duration {
        if self.blocks.is_empty() { LONG } else { LONG.saturating_sub(self.since.elapsed()) }
    }

    /// What is to be written, and the block it follows; `None` where that is nothing.
    pub(super) fn take(&mut self) -> Option<(Block, Batch)> {
        if self.blocks.is_empty() {
            return None;
        }
        let to = self.tip.block.number;
        let heights = Heights { safe_block: to, final_block: to };
        let (blocks, events) = (std::mem::take(&mut self.blocks), std::mem::take(&mut self.events));
        Some((self.written.block, Batch { blocks, events, heights }))
    }

    /// It was written.
    pub(super) fn written(&mut self, cursor: Cursor) {
        *self = Self::behind(cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONSUMER, block, cursor, deposit, event, first};
    use luxxon_bindings::MicroUsdc;

    #[test]
    fn ranges_become_one_batch_that_keeps_only_what_one_range_would() {
        let mut gathered = Gathered::behind(cursor(first(), 99, 5));
        gathered.add(vec![block(105)], Vec::new()).unwrap();
        let events = vec![event(107, 0, deposit(CONSUMER, 3)), event(110, 1, deposit(CONSUMER, 4))];
        gathered.add(vec![block(107), block(110)], events.clone()).unwrap();
        gathered.add(vec![block(115)], Vec::new()).unwrap();
        assert_eq!(gathered.tip().block, block(115));
        assert_eq!(gathered.tip().owed, MicroUsdc::new(12));
        let (after, batch) = gathered.take().unwrap();
        assert_eq!(after, first());
        assert_eq!(batch.blocks, [block(107), block(110), block(115)]);
        assert_eq!(batch.events, events);
        assert_eq!((batch.heights.safe_block, batch.heights.final_block), (115, 115));
        gathered.written(cursor(block(115), 115, 12));
        assert_eq!(gathered.take(), None);
        gathered.add(vec![block(120)], vec![event(120, 0, deposit(CONSUMER, 1))]).unwrap();
        assert_eq!(gathered.tip().owed, MicroUsdc::new(13));
        assert_eq!(gathered.take().unwrap().0, block(115));
    }

    #[test]
    fn it_is_due_when_it_is_large() {
        let mut gathered = Gathered::behind(cursor(first(), 99, 0));
        let events = (0..).take(MANY).map(|index| event(100, index, deposit(CONSUMER, 1)));
        assert!(!gathered.is_due());
        gathered.add(vec![block(100)], events.collect()).unwrap();
        assert!(gathered.is_due());
    }
}
