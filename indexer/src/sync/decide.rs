use crate::{
    chain::{Header, Heads},
    ledger::Block,
    store::{Cursor, Heights},
};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Everything the node has is in.
    Wait,
    /// The node is behind us: it has nothing new, and nothing else either.
    Behind,
    /// What is safe or final has changed, and nothing else.
    SetHeights(Heights),
    /// Final blocks are missing: read many at once, up to this one.
    Backfill(u64),
    /// The next block is not final: read it alone, by its hash.
    Block(u64),
    /// The node has another block where ours was: find where the two chains part.
    Reorg,
}

/// Which blocks the ledger holds at the heights the node speaks of; `None` where it holds none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// At the height of the chain's head.
    pub(super) latest: Option<Block>,
    /// At the height of the chain's safe block.
    pub(super) safe: Option<Block>,
    /// At the height of the chain's final block.
    pub(super) finalized: Option<Block>,
}

/// The heights that are safe and final for the ledger: the node's, once the ledger holds those very
/// blocks, else what was before. The numbers alone are not enough: behind a balancer, the blocks
/// that follow may come from another node than the one that gave them.
fn heights(cursor: &Cursor, heads: &Heads, ours: &Ours) -> Heights {
    let held = |ours: Option<Block>, theirs: &Header| {
        ours.filter(|ours| ours.hash == theirs.hash).map(|ours| ours.number)
    };
    let final_block = held(ours.finalized, &heads.finalized).unwrap_or_default();
    let final_block = final_block.max(cursor.final_block);
    // A reorg of the layer below lets it fall, but not below what is final: a node whose safe block is
    // lower is behind, whether we still hold that block or not.
    let safe_block = held(ours.safe, &heads.safe).filter(|safe| *safe >= final_block);
    let safe_block = safe_block.unwrap_or(cursor.safe_block).max(final_block);
    Heights { safe_block, final_block }
}

/// Decides from where the ledger stands and where the chain stands. No block above `until` is taken
/// in; of those that are, what is safe and final is followed all the same.
///
/// A head that differs from our block of its height is a reorg, whether the chain grew, kept its
/// height or became shorter. A head that is one of our own blocks is a node behind us. A head below
/// the final height is behind as well: no reorg is deeper than finality.
pub(super) fn next_step(cursor: &Cursor, heads: &Heads, ours: &Ours, until: u64) -> Step {
    let at = cursor.block.number;
    let head = &heads.latest;
    if head.number < cursor.final_block {
        return Step::Behind;
    }
    if head.number <= at && ours.latest.is_none_or(|ours| ours.hash != head.hash) {
        return Step::Reorg;
    }
    if head.number < at {
        return Step::Behind;
    }
    if heads.finalized.number.min(until) > at {
        return Step::Backfill(heads.finalized.number.min(until));
    }
    if head.number.min(until) > at {
        return Step::Block(at + 1);
    }
    let now = heights(cursor, heads, ours);
    if now == cursor.heights() { Step::Wait } else { Step::SetHeights(now) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::B256;
    use luxxon_bindings::MicroUsdc;

    fn block(number: u64) -> Block {
        Block { number, hash: B256::with_last_byte(1), timestamp: number }
    }

    fn cursor(number: u64, final_block: u64) -> Cursor {
        let owed = MicroUsdc::ZERO;
        Cursor { block: block(number), safe_block: final_block, final_block, owed }
    }

    fn set_to(safe_block: u64, final_block: u64) -> Heights {
        Heights { safe_block, final_block }
    }

    fn header(number: u64, fork: u8) -> Header {
        let hash = B256::with_last_byte(fork);
        Header { number, hash, parent_hash: B256::ZERO, timestamp: number }
    }

    fn heads(number: u64, fork: u8, finalized: u64) -> Heads {
        let finalized = header(finalized, 1);
        Heads { latest: header(number, fork), safe: finalized, finalized }
    }

    fn ours(cursor: &Cursor, heads: &Heads) -> Ours {
        let held = |number| {
            (cursor.final_block..=cursor.block.number).contains(&number).then(|| block(number))
        };
        Ours {
            latest: held(heads.latest.number),
            safe: held(heads.safe.number),
            finalized: held(heads.finalized.number),
        }
    }

    fn step(cursor: &Cursor, heads: &Heads) -> Step {
        next_step(cursor, heads, &ours(cursor, heads), u64::MAX)
    }

    #[test]
    fn a_height_is_safe_or_final_only_where_we_hold_the_block_that_is() {
        let (mut cursor, mut heads) = (cursor(100, 36), heads(101, 1, 40));
        cursor.safe_block = 50;
        heads.safe = header(60, 1);
        let now = |heads: &Heads| {
            let heights = heights(&cursor, heads, &ours(&cursor, heads));
            (heights.safe_block, heights.final_block)
        };
        assert_eq!(now(&heads), (60, 40));
        heads.finalized = header(40, 2);
        assert_eq!(now(&heads), (60, 36), "another final block");
        heads.safe = header(60, 2);
        assert_eq!(now(&heads), (50, 36), "and another safe one");
        heads.safe = header(45, 1);
        assert_eq!(now(&heads), (45, 36), "the safe height may fall");
        (heads.finalized, heads.safe) = (header(20, 1), header(30, 1));
        assert_eq!(now(&heads), (50, 36), "a node that is behind changes nothing");
        // Of what lies below the final height, blocks with events are held for ever.
        let ours = Ours { safe: Some(block(30)), ..ours(&cursor, &heads) };
        let heights = heights(&cursor, &heads, &ours);
        assert_eq!((heights.safe_block, heights.final_block), (50, 36), "nor does it there");
    }

    #[test]
    fn at_the_head_there_is_nothing_to_do_but_to_follow_finality() {
        assert_eq!(step(&cursor(100, 36), &heads(100, 1, 36)), Step::Wait);
        assert_eq!(step(&cursor(100, 36), &heads(100, 1, 40)), Step::SetHeights(set_to(40, 40)));
        let mut safer = heads(100, 1, 36);
        safer.safe = header(90, 1);
        assert_eq!(step(&cursor(100, 36), &safer), Step::SetHeights(set_to(90, 36)));
    }

    #[test]
    fn final_blocks_are_read_many_at_once_and_the_rest_one_by_one() {
        assert_eq!(step(&cursor(0, 0), &heads(100, 1, 36)), Step::Backfill(36));
        assert_eq!(step(&cursor(35, 35), &heads(100, 1, 36)), Step::Backfill(36));
        assert_eq!(step(&cursor(36, 36), &heads(100, 1, 36)), Step::Block(37));
    }

    #[test]
    fn nothing_above_the_last_block_asked_for_is_taken_in_but_finality_is_followed() {
        let step = |cursor: &Cursor, heads: &Heads, until| {
            next_step(cursor, heads, &ours(cursor, heads), until)
        };
        assert_eq!(step(&cursor(0, 0), &heads(100, 1, 36), 20), Step::Backfill(20));
        assert_eq!(step(&cursor(0, 0), &heads(100, 1, 36), 50), Step::Backfill(36));
        assert_eq!(step(&cursor(49, 36), &heads(100, 1, 36), 50), Step::Block(50));
        assert_eq!(step(&cursor(50, 36), &heads(100, 1, 36), 50), Step::Wait);
        assert_eq!(step(&cursor(50, 36), &heads(100, 1, 40), 50), Step::SetHeights(set_to(40, 40)));
        assert_eq!(step(&cursor(50, 36), &heads(50, 2, 36), 50), Step::Reorg);
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
    fn a_head_at_the_final_height_itself_is_taken_for_what_it_is() {
        assert_eq!(step(&cursor(36, 36), &heads(36, 1, 36)), Step::Wait);
        assert_eq!(step(&cursor(100, 36), &heads(36, 1, 36)), Step::Behind);
        assert_eq!(step(&cursor(100, 36), &heads(36, 2, 36)), Step::Reorg);
    }

    #[test]
    fn a_height_we_should_hold_but_do_not_is_looked_into() {
        let step = next_step(&cursor(100, 36), &heads(99, 1, 36), &Ours::default(), u64::MAX);
        assert_eq!(step, Step::Reorg);
    }
}
