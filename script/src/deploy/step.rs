//! What a run has to do, from what it finds. Decisions only.

use crate::{
    chain::Receipt,
    contract::{Difference, compare},
};
use alloy::primitives::B256;

/// What stands at the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The contract.
    Contract,
    /// Other code.
    Other(Difference),
}

impl Found {
    /// Judges the code on chain by the code that must be there.
    #[must_use]
    pub fn of(code: &[u8], expected: &[u8]) -> Self {
        match compare(code, expected) {
            None => Self::Contract,
            Some(_) if code.is_empty() => Self::Nothing,
            Some(difference) => Self::Other(difference),
        }
    }
}

/// What became of the transaction that an earlier run recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// None was recorded.
    None,
    /// The node has it, in no block yet.
    Waiting(B256),
    /// It is in a block.
    Mined(Receipt),
    /// The node does not know it: it was never sent, or was dropped.
    Lost(B256),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The contract is there. With the receipt of the earlier run's transaction, it was that.
    Finish(Option<Receipt>),
    /// Wait for the earlier run's transaction.
    Wait(B256),
    /// Send a transaction; the note says what became of an earlier one.
    Send(Option<String>),
    /// Stop: what stands there is something else.
    Refuse(Difference),
}

/// Decides what comes next.
#[must_use]
pub fn next(found: Found, earlier: Earlier) -> Step {
    match (found, earlier) {
        (Found::Other(difference), _) => Step::Refuse(difference),
        (Found::Contract, Earlier::Mined(receipt)) if receipt.succeeded => {
            Step::Finish(Some(receipt))
        }
        (Found::Contract, _) => Step::Finish(None),
        (Found::Nothing, Earlier::None) => Step::Send(None),
        (Found::Nothing, Earlier::Waiting(hash)) => Step::Wait(hash),
        // A node that is a moment behind its own receipt: waiting looks at the code again.
        (Found::Nothing, Earlier::Mined(receipt)) if receipt.succeeded => Step::Wait(receipt.hash),
        (Found::Nothing, Earlier::Mined(receipt)) => Step::Send(Some(format!(
            "the transaction of an earlier run, {}, reverted in block {}: sending another",
            receipt.hash, receipt.block
        ))),
        (Found::Nothing, Earlier::Lost(hash)) => Step::Send(Some(format!(
            "the node does not know the transaction of an earlier run, {hash}: sending another"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;

    const HASH: B256 = B256::repeat_byte(1);

    fn mined(succeeded: bool) -> Receipt {
        let (sender, block_hash) = (Address::ZERO, B256::ZERO);
        Receipt { hash: HASH, block: 7, block_hash, sender, succeeded }
    }

    #[test]
    fn the_contract_is_enough_whoever_deployed_it() {
        for earlier in [
            Earlier::None,
            Earlier::Waiting(HASH),
            Earlier::Lost(HASH),
            Earlier::Mined(mined(false)),
        ] {
            assert_eq!(next(Found::Contract, earlier), Step::Finish(None));
        }
        let own = mined(true);
        assert_eq!(next(Found::Contract, Earlier::Mined(own)), Step::Finish(Some(own)));
    }

    #[test]
    fn what_was_sent_is_waited_for_and_what_was_lost_is_sent_again() {
        assert_eq!(next(Found::Nothing, Earlier::None), Step::Send(None));
        assert_eq!(next(Found::Nothing, Earlier::Waiting(HASH)), Step::Wait(HASH));
        assert_eq!(next(Found::Nothing, Earlier::Mined(mined(true))), Step::Wait(HASH));
        for (earlier, says) in [
            (Earlier::Lost(HASH), "does not know"),
            (Earlier::Mined(mined(false)), "reverted in block 7"),
        ] {
            let Step::Send(Some(note)) = next(Found::Nothing, earlier) else { panic!("{says}") };
            assert!(note.contains(says) && note.contains(&HASH.to_string()), "{note}");
        }
    }

    #[test]
    fn other_code_stops_everything() {
        let code = [1, 2, 3];
        let other = Found::of(&code, &[1, 2, 4]);
        for earlier in [Earlier::None, Earlier::Waiting(HASH), Earlier::Mined(mined(true))] {
            let Step::Refuse(difference) = next(other.clone(), earlier) else { panic!() };
            assert_eq!(difference.offset, 2);
        }
        assert_eq!(Found::of(&code, &code), Found::Contract);
        assert_eq!(Found::of(&[], &code), Found::Nothing);
    }
}
