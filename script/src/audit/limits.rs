//! What an account lets settlements take, and what they took today.

use luxxon_bindings::MicroUsdc;
use luxxon_indexer::ledger::{Limits, Settlement};

const DAY: u64 = 24 * 60 * 60;

/// The contract counts what a day spent up to here; beyond, it stays.
const MOST_SPENT: u64 = (1 << 48) - 1;

/// The limits of one account, and what its pool spent on the last day that it spent something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spending {
    limits: Limits,
    day: u64,
    spent: u64,
}

impl Spending {
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// They hold from the next settlement on. What was spent today still counts.
    pub(super) fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Counts a settlement at the Unix time `time`; an error is what it exceeds, found and expected.
    pub(super) fn settle(
        &mut self,
        time: u64,
        settlement: &Settlement,
    ) -> Result<(), (String, String)> {
        let Limits { max_rate_per_second, max_per_session, max_per_day } = self.limits;
        let today = time / DAY;
        let before = if self.day == today { self.spent } else { 0 };
        let spent = before.saturating_add(settlement.gross.get());
        (self.day, self.spent) = (today, spent.min(MOST_SPENT));
        let from = settlement.from;
        for (what, value, limit) in [
            ("µUSDC per second", settlement.rate_per_second.get(), max_rate_per_second),
            ("µUSDC for a session", settlement.gross.get(), max_per_session),
            ("µUSDC on one UTC day", spent, max_per_day),
        ] {
            if limit != MicroUsdc::ZERO && value > limit.get() {
                let expected = format!("at most {limit}, as {from} has set");
                return Err((format!("{value} {what} out of {from}'s pool"), expected));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, B256};
    use luxxon_bindings::SessionId;

    fn settlement(gross: u64, rate: u64) -> Settlement {
        Settlement {
            session: SessionId(B256::ZERO),
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            to_amount: MicroUsdc::new(gross),
            fee_amount: MicroUsdc::ZERO,
            gross: MicroUsdc::new(gross),
            rate_per_second: MicroUsdc::new(rate),
            chargeable_seconds: u32::MAX,
        }
    }

    fn limits(rate: u64, session: u64, day: u64) -> Limits {
        let [max_rate_per_second, max_per_session, max_per_day] =
            [rate, session, day].map(MicroUsdc::new);
        Limits { max_rate_per_second, max_per_session, max_per_day }
    }

    #[test]
    fn each_limit_holds_up_to_itself_and_zero_is_none() {
        let allowed = |of: Limits, gross, rate| {
            let mut spending = Spending::default();
            spending.set(of);
            spending.settle(0, &settlement(gross, rate)).is_ok()
        };
        assert!(allowed(Limits::default(), u64::MAX, u64::MAX));
        for (of, gross, rate) in
            [(limits(9, 0, 0), 100, 9), (limits(0, 9, 0), 9, 100), (limits(0, 0, 9), 9, 100)]
        {
            assert!(allowed(of, gross, rate), "{of:?}");
            assert!(!allowed(of, gross + 1, rate + 1), "{of:?}");
        }
    }

    #[test]
    fn a_day_counts_what_came_before_its_limit_and_ends_at_midnight_in_utc() {
        let mut spending = Spending::default();
        assert!(spending.settle(DAY - 2, &settlement(60, 1)).is_ok());
        spending.set(limits(0, 0, 100));
        let error = spending.settle(DAY - 1, &settlement(41, 1)).unwrap_err();
        assert!(error.0.starts_with("101 µUSDC on one UTC day"), "{error:?}");
        assert!(spending.settle(DAY, &settlement(100, 1)).is_ok());
        assert!(spending.settle(2 * DAY - 1, &settlement(1, 1)).is_err());
    }

    #[test]
    fn what_a_day_spends_is_counted_as_far_as_the_contract_counts() {
        let mut spending = Spending::default();
        assert!(spending.settle(0, &settlement(u64::MAX, 1)).is_ok());
        assert_eq!(spending.spent, MOST_SPENT);
        spending.set(limits(0, 0, MOST_SPENT));
        assert!(spending.settle(1, &settlement(1, 1)).is_err());
    }
}
