//! Sessions, by small numbers: the first are registered, and anybody may settle the others.

use super::cast::Players;
use crate::model::Entry;
use alloy::primitives::{B256, keccak256};
use std::sync::LazyLock;
use uuid::Uuid;

/// What is registered of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Which consumer.
    pub(super) consumer: usize,
    /// Which operator.
    pub(super) operator: usize,
    /// µUSDC per second.
    pub(super) rate: u128,
    /// The platform's part, in basis points.
    pub(super) bps: u16,
    /// How long it was; `None` while it goes on.
    pub(super) seconds: Option<u128>,
}

impl Terms {
    /// What the operator and the platform get for so many seconds, each rounded down.
    fn shares(self, seconds: u128) -> (u128, u128) {
        let (price, bps) = (self.rate * seconds, u128::from(self.bps));
        (price * (10_000 - bps) / 10_000, price * bps / 10_000)
    }

    /// What is to be settled; `None` while the session goes on.
    pub(super) fn due(self, session: B256, players: &Players) -> Option<Entry> {
        let seconds = self.seconds?;
        let (to_amount, fee_amount) = self.shares(seconds);
        let (from, to) = (players.consumers[self.consumer], players.operators[self.operator]);
        Some(Entry { session, from, to, rate: self.rate, seconds, to_amount, fee_amount })
    }
}

const fn terms(
    consumer: usize,
    operator: usize,
    rate: u128,
    bps: u16,
    seconds: Option<u128>,
) -> Terms {
    Terms { consumer, operator, rate, bps, seconds }
}

/// The sessions that are registered: some that ended, one that is free, one that goes on.
pub(super) const REGISTERED: [Terms; 8] = [
    terms(0, 0, 1_000, 1_500, Some(5)),
    terms(1, 1, 333, 2_000, Some(61)),
    terms(2, 2, 7, 1, Some(1)),
    terms(3, 0, 0, 1_500, Some(60)),
    terms(0, 1, 250, 0, None),
    terms(1, 2, 90, 999, Some(600)),
    terms(2, 0, 4_321, 1_234, Some(7)),
    terms(3, 1, 1, 2_000, Some(3)),
];

/// The UUID of session `number`.
pub(super) fn uuid_of(number: u8) -> Uuid {
    Uuid::from_u128(0x1111_2222_3333_4444_8555_6666_7777_0000 + u128::from(number))
}

/// The on-chain form of each session there is.
static HASHES: LazyLock<Vec<B256>> = LazyLock::new(|| {
    (0..=u8::MAX).map(|number| keccak256(uuid_of(number).hyphenated().to_string())).collect()
});

/// The on-chain form of session `number`.
pub(super) fn hash_of(number: u8) -> B256 {
    HASHES[usize::from(number)]
}

/// The session with that on-chain form.
pub(super) fn number_of(session: B256) -> Option<u8> {
    let at = HASHES.iter().position(|known| *known == session)?;
    u8::try_from(at).ok()
}

/// What is registered of session `number`.
pub(super) fn terms_of(number: u8) -> Option<Terms> {
    REGISTERED.get(usize::from(number)).copied()
}

/// Which of the sessions there are is meant by a number of a step: every eighth is one of the first,
/// which are registered.
pub(super) fn numbered(number: u8) -> u8 {
    if number.is_multiple_of(8) { number / 8 % 8 } else { number }
}
