//! What the indexer should hold: the blocks it has seen, and how far they are safe and final.

use super::chain::{Block, Chain};
use std::sync::Arc;

/// Blocks from the head to the one that is safe; twice as many to the final one.
const SLOTS: u64 = 12;

/// The ledger of an indexer that has nothing left to do. Block `n` is at place `n`.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) safe: u64,
    pub(super) final_block: u64,
}

impl View {
    pub(super) fn of(chain: &Chain) -> Self {
        let mut view = Self { blocks: chain.blocks.clone(), safe: 0, final_block: 0 };
        view.rise();
        view
    }

    /// Follows the chain. One that is only shorter is waited for: its node may be behind.
    pub(super) fn follow(&mut self, chain: &Chain) {
        let same = |(ours, theirs): &(&Arc<Block>, &Arc<Block>)| ours.hash == theirs.hash;
        let shared = self.blocks.iter().zip(&chain.blocks).take_while(same).last();
        let fork = shared.map_or(0, |(block, _)| block.number);
        if fork == chain.head().number && fork < self.head().number {
            return;
        }
        self.blocks.clone_from(&chain.blocks);
        self.safe = self.safe.min(fork);
        self.rise();
    }

    /// What is final stays so, and is safe. While the chain's safe block is lower than that, what was
    /// safe before stays so, too.
    fn rise(&mut self) {
        let head = self.head().number;
        self.final_block = self.final_block.max(head.saturating_sub(2 * SLOTS));
        let safe = head.saturating_sub(SLOTS);
        self.safe = if safe < self.final_block { self.safe.max(self.final_block) } else { safe };
    }

    pub(super) fn head(&self) -> &Arc<Block> {
        self.blocks.last().expect("there is a first block")
    }

    /// The last blocks of all levels: latest, safe, final.
    pub(super) fn levels(&self) -> [&Arc<Block>; 3] {
        let at = |height: u64| &self.blocks[usize::try_from(height).expect("a short chain")];
        [self.head(), at(self.safe), at(self.final_block)]
    }

    /// How sure a block is.
    pub(super) fn finality(&self, number: u64) -> &'static str {
        match number {
            number if number <= self.final_block => "finalized",
            number if number <= self.safe => "safe",
            _ => "latest",
        }
    }
}
