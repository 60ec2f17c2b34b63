//! How much to ask for at once, and how long to wait after a failure.

use std::time::Duration;

/// Blocks asked for in one range. Grows by a tenth with each answer, halves with each refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RangeSize(u64);

impl RangeSize {
    /// Where it begins. Public nodes commonly allow 1,000 to 10,000.
    const START: u64 = 1_000;
    /// Where it ends: more blocks save no round trips worth having, and hold more in memory.
    const MAX: u64 = 10_000;

    pub(super) fn get(self) -> u64 {
        self.0
    }

    pub(super) fn answered(&mut self) {
        self.0 = (self.0 + (self.0 / 10).max(1)).min(Self::MAX);
    }

    /// Returns whether there is less to ask for.
    pub(super) fn refused(&mut self) -> bool {
        let smaller = self.0 > 1;
        self.0 = (self.0 / 2).max(1);
        smaller
    }
}

impl Default for RangeSize {
    fn default() -> Self {
        Self(Self::START)
    }
}

/// The wait after the `failures`th failure in a row: 250 ms, doubled each time, 15 s at most.
pub(super) fn backoff(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(15);
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_down_to_one_block_and_answers_grow_it_to_the_ceiling() {
        let mut size = RangeSize::default();
        while size.refused() {}
        assert_eq!(size.get(), 1);
        for _ in 0..200 {
            let before = size.get();
            size.answered();
            assert!(size.get() > before || before == RangeSize::MAX);
        }
        assert_eq!(size.get(), RangeSize::MAX);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(backoff(1), Duration::from_millis(250));
        assert_eq!(backoff(2), Duration::from_millis(500));
        assert_eq!(backoff(u32::MAX), Duration::from_secs(15));
    }
}
