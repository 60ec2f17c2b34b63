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

/// Decides from where the ledger stands, where the chain stands, and which block the ledger holds
/// at the height of the chain's head (`None` where it holds none there).
///
/// A head that differs from our block of its height is a reorg, whether the chain grew, kept its
/// height or became shorter. A head that is one of our own blocks is a node behind us. A head below
/// the final height is behind as well: no reorg is deeper than finality.
pub(super) fn next_step(
    cursor: &Cursor,
    heads: &Heads,
    ours_at_head: Option<&Block>,
    range_size: u64,
) -> Step {
    let at = cursor.block.number;
    let head = &heads.latest;
    if head.number < cursor.final_block {
        return Step::Behind;
    }
    if head.number <= at && ours_at_head.is_none_or(|ours| ours.hash != head.hash) {
        return Step::Reorg;
    }
    if head.number < at {
        return Step::Behind;
    }
    if heads.finalized > at {
        let last = heads.finalized.min(at.saturating_add(range_size.max(1)));
        return Step::Range(at + 1..=last);
    }
    if head.number > at {
        return Step::Block(at + 1);
    }
    if heads.finalized > cursor.final_block {
        return Step::Finalize(heads.finalized);
    }
    Step::Wait
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

    fn heads(number: u64, fork: u8, finalized: u64) -> Heads {
        let hash = B256::with_last_byte(fork);
        Heads {
            latest: Header { number, hash, parent_hash: B256::ZERO, timestamp: number },
            finalized,
        }
    }

    fn step(cursor: &Cursor, heads: &Heads) -> Step {
        let ours = block(heads.latest.number);
        let ours = (heads.latest.number <= cursor.block.number).then_some(&ours);
        next_step(cursor, heads, ours, 10)
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
        assert_eq!(next_step(&cursor(100, 36), &heads(99, 1, 36), None, 10), Step::Reorg);
    }

    #[test]
    fn a_range_size_of_zero_still_moves() {
        assert_eq!(next_step(&cursor(0, 0), &heads(100, 1, 36), None, 0), Step::Range(1..=1));
    }
}
