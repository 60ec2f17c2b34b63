use crate::{chain::Heads, ledger::Block, store::Cursor};
use std::ops::RangeInclusive;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Everything the node has is in.
    Wait,
    /// The node is behind us: it has nothing new, and nothing else either.
    Behind,
    /// More of what is in has become final.
    Finalize(u64),
    /// Final blocks are missing: read many at once.
    Range(RangeInclusive<u64>),
    /// The next block is not final: read it alone, by its hash.
    Block(u64),
    /// The node has another block where ours was: find where the two chains part.
    Reorg,
}

/// Which blocks the ledger holds at the heights the node speaks of; `None` where it holds none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// At the height of the chain's head.
    pub(super) at_head: Option<Block>,
    /// At the height of the chain's final block.
    pub(super) at_final: Option<Block>,
}

/// The height that is final for the ledger: the node's, once the ledger holds that very block, else
/// what was final before. The number alone is not enough: behind a balancer, the blocks that follow
/// may come from another node than the one that gave it.
pub(super) fn final_height(cursor: &Cursor, heads: &Heads, ours: &Ours) -> u64 {
    match ours.at_final {
        Some(ours) if ours.hash == heads.finalized.hash => ours.number.max(cursor.final_block),
        _ => cursor.final_block,
    }
}

/// Decides from where the ledger stands and where the chain stands.
///
/// A head that differs from our block of its height is a reorg, whether the chain grew, kept its
/// height or became shorter. A head that is one of our own blocks is a node behind us. A head below
/// the final height is behind as well: no reorg is deeper than finality.
pub(super) fn next_step(cursor: &Cursor, heads: &Heads, ours: &Ours, range_size: u64) -> Step {
    let at = cursor.block.number;
    let head = &heads.latest;
    if head.number < cursor.final_block {
        return Step::Behind;
    }
    if head.number <= at && ours.at_head.is_none_or(|ours| ours.hash != head.hash) {
        return Step::Reorg;
    }
    if head.number < at {
        return Step::Behind;
    }
    if heads.finalized.number > at {
        let last = heads.finalized.number.min(at.saturating_add(range_size.max(1)));
        return Step::Range(at + 1..=last);
    }
    if head.number > at {
        return Step::Block(at + 1);
    }
    match final_height(cursor, heads, ours) {
        higher if higher > cursor.final_block => Step::Finalize(higher),
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Header;
    use alloy::primitives::B256;

    fn block(number: u64) -> Block {
        Block { number, hash: B256::with_last_byte(1), timestamp: number }
    }

    fn cursor(number: u64, final_block: u64) -> Cursor {
        Cursor { block: block(number), final_block }
    }

    fn header(number: u64, fork: u8) -> Header {
        let hash = B256::with_last_byte(fork);
        Header { number, hash, parent_hash: B256::ZERO, timestamp: number }
    }

    fn heads(number: u64, fork: u8, finalized: u64) -> Heads {
        Heads { latest: header(number, fork), finalized: header(finalized, 1) }
    }

    fn ours(cursor: &Cursor, heads: &Heads) -> Ours {
        let held = |number| {
            (cursor.final_block..=cursor.block.number).contains(&number).then(|| block(number))
        };
        Ours { at_head: held(heads.latest.number), at_final: held(heads.finalized.number) }
    }

    fn step(cursor: &Cursor, heads: &Heads) -> Step {
        next_step(cursor, heads, &ours(cursor, heads), 10)
    }

    #[test]
    fn a_height_is_final_only_where_we_hold_the_block_that_is() {
        let (cursor, mut heads) = (cursor(100, 36), heads(101, 1, 40));
        assert_eq!(final_height(&cursor, &heads, &ours(&cursor, &heads)), 40);
        heads.finalized = header(40, 2);
        assert_eq!(final_height(&cursor, &heads, &ours(&cursor, &heads)), 36, "another block");
        heads.finalized = header(20, 1);
        assert_eq!(final_height(&cursor, &heads, &ours(&cursor, &heads)), 36, "it never falls");
    }

    #[test]
    fn at_the_head_there_is_nothing_to_do_but_to_follow_finality() {
        assert_eq!(step(&cursor(100, 36), &heads(100, 1, 36)), Step::Wait);
        assert_eq!(step(&cursor(100, 36), &heads(100, 1, 40)), Step::Finalize(40));
    }

    #[test]
    fn final_blocks_are_read_by_range_up_to_the_final_height_and_the_rest_one_by_one() {
        assert_eq!(step(&cursor(0, 0), &heads(100, 1, 36)), Step::Range(1..=10));
        assert_eq!(step(&cursor(30, 30), &heads(100, 1, 36)), Step::Range(31..=36));
        assert_eq!(step(&cursor(36, 36), &heads(100, 1, 36)), Step::Block(37));
    }

    #[test]
    fn another_block_at_the_head_is_a_reorg_whatever_the_new_height() {
        assert_eq!(step(&cursor(100, 36), &heads(100, 2, 36)), Step::Reorg, "a sibling");
        assert_eq!(step(&cursor(100, 36), &heads(98, 2, 36)), Step::Reorg, "a shorter chain");
    }

    #[test]
    fn a_head_that_is_one_of_our_blocks_is_a_node_behind_us() {
        assert_eq!(step(&cursor(100, 36), &heads(98, 1, 34)), Step::Behind);
    }

    #[test]
    fn a_head_below_the_final_height_is_never_a_reorg() {
        assert_eq!(step(&cursor(100, 36), &heads(35, 2, 0)), Step::Behind);
    }

    #[test]
    fn a_height_we_should_hold_but_do_not_is_looked_into() {
        assert_eq!(
            next_step(&cursor(100, 36), &heads(99, 1, 36), &Ours::default(), 10),
            Step::Reorg
        );
    }

    #[test]
    fn a_range_size_of_zero_still_moves() {
        assert_eq!(
            next_step(&cursor(0, 0), &heads(100, 1, 36), &Ours::default(), 0),
            Step::Range(1..=1)
        );
    }
}
