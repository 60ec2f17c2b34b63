//! Faults at random, for soak tests: the same seed draws the same faults.

use super::{
    fault::{AnswerFault, BatchFault, ExchangeFault, Fault, Suggestion},
    wording::RANGE_WORDINGS,
};
use fastrand::Rng;
use std::time::Duration;

/// Draws a fault for one request in so many.
#[derive(Clone, Debug)]
pub struct Random {
    rng: Rng,
    one_in: u32,
    faults: Vec<Fault>,
}

impl Random {
    /// One request in `one_in` meets one of `faults`.
    #[must_use]
    pub fn new(seed: u64, one_in: u32, faults: Vec<Fault>) -> Self {
        Self { rng: Rng::with_seed(seed), one_in, faults }
    }

    pub(super) fn draw(&mut self) -> Option<Fault> {
        let met = self.one_in > 0 && self.rng.u32(0..self.one_in) == 0;
        if met { self.rng.choice(&self.faults).cloned() } else { None }
    }
}

/// The faults that an answer shows: whoever looks closely enough needs no other source to see them.
#[must_use]
pub fn visible_faults() -> Vec<Fault> {
    let status = |status, retry_after| ExchangeFault::Status { status, retry_after, body: "" };
    let answers = [
        AnswerFault::Behind(3),
        AnswerFault::BehindAndSaysSo(3),
        AnswerFault::SyncingAt(0),
        AnswerFault::Null,
        AnswerFault::Error { code: -32005, message: "limit exceeded" },
        AnswerFault::Error { code: -32000, message: "header not found" },
        AnswerFault::PendingLog,
        AnswerFault::ZeroHashLog,
        AnswerFault::RemovedLog,
        AnswerFault::DuplicatedLogs,
        AnswerFault::ReversedLogs,
    ];
    let limits = RANGE_WORDINGS.iter().map(|wording| AnswerFault::RangeTooLarge {
        most: 5,
        wording,
        suggests: Suggestion::Smaller,
    });
    let exchanges = [
        status(429, None),
        status(502, None),
        status(503, None),
        ExchangeFault::Delay(Duration::from_millis(20)),
        ExchangeFault::Truncated,
        ExchangeFault::NotJson,
        ExchangeFault::Reset,
    ];
    let batches = [BatchFault::Reversed, BatchFault::LastMissing, BatchFault::Refused];
    answers
        .into_iter()
        .chain(limits)
        .map(Fault::from)
        .chain(exchanges.map(Fault::from))
        .chain(batches.map(Fault::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_faults_and_every_fault_is_drawn() {
        let thousands = || {
            let mut random = Random::new(7, 4, visible_faults());
            (0..4_000).map(|_| random.draw()).collect::<Vec<_>>()
        };
        let drawn = thousands();
        assert_eq!(drawn, thousands());
        let met = drawn.iter().flatten().count();
        assert!((800..1_200).contains(&met), "{met}");
        for fault in visible_faults() {
            assert!(drawn.contains(&Some(fault.clone())), "{fault:?}");
        }
    }

    #[test]
    fn one_in_none_is_never() {
        let mut random = Random::new(7, 0, visible_faults());
        assert!((0..100).all(|_| random.draw().is_none()));
    }
}
