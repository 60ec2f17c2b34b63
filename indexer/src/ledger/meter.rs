//! What a session costs, in integers.

use luxxon_bindings::MicroUsdc;
use serde::{Deserialize, Serialize};

/// The whole, in basis points.
pub const BASIS_POINTS: u16 = 10_000;

/// The largest share of a payment the contract lets the platform take: `MAX_FEE_BPS`, 20 %.
pub const MAX_FEE_BPS: u16 = 2_000;

/// How a session's price is divided between its operator and the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The operator's part.
    pub to_amount: MicroUsdc,
    /// The platform's part.
    pub fee_amount: MicroUsdc,
}

impl Shares {
    /// What leaves the pool: both parts together.
    #[must_use]
    pub fn gross(self) -> Option<MicroUsdc> {
        self.to_amount.checked_add(self.fee_amount)
    }
}

/// Divides the price of `seconds` at `rate` µUSDC per second, `fee_bps` of it going to the
/// platform.
///
/// Each part is rounded down on its own, as the platform publishes it: together they are the price
/// or 1 µUSDC less, never more, so the contract's meter always holds.
///
/// `None` where the price does not fit 64 bits or the fee is above [`MAX_FEE_BPS`].
#[must_use]
pub fn shares(rate: MicroUsdc, seconds: u32, fee_bps: u16) -> Option<Shares> {
    if fee_bps > MAX_FEE_BPS {
        return None;
    }
    let price = u128::from(rate.get()) * u128::from(seconds);
    u64::try_from(price).ok()?;
    let part = |bps: u16| {
        u64::try_from(price * u128::from(bps) / u128::from(BASIS_POINTS)).ok().map(MicroUsdc::new)
    };
    Some(Shares { to_amount: part(BASIS_POINTS - fee_bps)?, fee_amount: part(fee_bps)? })
}

/// When a session ran, in Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the first frame was there.
    pub started_at: u64,
    /// When it ended.
    pub ended_at: u64,
    /// When it was cut off. In any order; they may overlap.
    pub disconnects: Vec<Disconnect>,
}

/// A time in which a session was cut off, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnect {
    /// When it was lost.
    pub from: u64,
    /// When it was back; `None` where it was not.
    pub to: Option<u64>,
}

impl Reading {
    /// The seconds to charge, `most` at most.
    ///
    /// The whole seconds from start to end, less the time in which it was cut off, which is rounded up
    /// to whole seconds. Only what lies between start and end counts of a cut, and
    /// of several at once it counts once. One that was not over lasts to the end. A cut, or a session,
    /// that ends before it begins (clocks differ) lasted no time.
    #[must_use]
    pub fn chargeable_seconds(&self, most: u32) -> u32 {
        let whole = self.ended_at.saturating_sub(self.started_at) / 1_000;
        let seconds = whole.saturating_sub(self.cut_off().div_ceil(1_000));
        u32::try_from(seconds).unwrap_or(u32::MAX).min(most)
    }

    /// The milliseconds between start and end in which it was cut off.
    fn cut_off(&self) -> u64 {
        let inside = |time: u64| time.clamp(self.started_at, self.ended_at.max(self.started_at));
        let mut cuts: Vec<(u64, u64)> = self
            .disconnects
            .iter()
            .map(|cut| (inside(cut.from), inside(cut.to.unwrap_or(self.ended_at))))
            .collect();
        cuts.sort_unstable();
        let (mut total, mut counted_to) = (0, self.started_at);
        for (from, to) in cuts {
            total += to.saturating_sub(from.max(counted_to));
            counted_to = counted_to.max(to);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(started_at: u64, ended_at: u64, cuts: &[(u64, Option<u64>)], most: u32) -> u32 {
        let disconnects = cuts.iter().map(|&(from, to)| Disconnect { from, to }).collect();
        Reading { started_at, ended_at, disconnects }.chargeable_seconds(most)
    }

    #[test]
    fn whole_seconds_are_charged_and_no_more_than_the_longest_time() {
        assert_eq!(seconds(1_000, 6_999, &[], 60), 5);
        assert_eq!(seconds(1_000, 1_999, &[], 60), 0);
        assert_eq!(seconds(0, 3_600_000, &[], 60), 60);
        assert_eq!(seconds(0, u64::MAX, &[], u32::MAX), u32::MAX);
        assert_eq!(seconds(0, 3_600_000, &[], 0), 0);
    }

    #[test]
    fn the_time_of_cuts_is_taken_off_rounded_up() {
        assert_eq!(seconds(0, 10_000, &[(2_000, Some(4_000))], 60), 8);
        assert_eq!(seconds(0, 10_000, &[(2_000, Some(2_001))], 60), 9);
        assert_eq!(seconds(0, 10_000, &[(2_000, None)], 60), 2);
        // Overlapping, one in the other, and out of order.
        assert_eq!(seconds(0, 10_000, &[(5_000, Some(7_000)), (2_000, Some(6_000))], 60), 5);
        assert_eq!(seconds(0, 10_000, &[(1_000, Some(9_000)), (3_000, Some(4_000))], 60), 2);
        // Longer than the session, and beside it.
        assert_eq!(seconds(5_000, 9_000, &[(0, Some(20_000))], 60), 0);
        assert_eq!(seconds(5_000, 9_000, &[(0, Some(5_000)), (9_000, Some(20_000))], 60), 4);
    }

    #[test]
    fn what_ends_before_it_begins_lasted_no_time() {
        assert_eq!(seconds(9_000, 5_000, &[(6_000, Some(7_000))], 60), 0);
        assert_eq!(seconds(0, 10_000, &[(7_000, Some(3_000))], 60), 10);
    }

    #[test]
    fn the_longest_time_bounds_what_was_charged_and_not_what_ran() {
        // A hundred seconds, half of them cut: fifty are left, of which sixty may be charged.
        assert_eq!(seconds(0, 100_000, &[(0, Some(50_000))], 60), 50);
    }

    proptest! {
        /// Looked at millisecond by millisecond.
        #[test]
        fn seconds_are_those_of_a_clock_that_ticks_every_millisecond(
            started_at in 0_u64..3_000,
            ended_at in 0_u64..9_000,
            cuts in prop::collection::vec((0_u64..9_000, prop::option::of(0_u64..9_000)), 0..4),
            most in 0_u32..8,
        ) {
            let cut = |time: u64| cuts.iter().any(|&(from, to)| {
                from <= time && time < to.unwrap_or(ended_at)
            });
            let lost = (started_at..ended_at).filter(|&time| cut(time)).count() as u64;
            let ran = (started_at..ended_at).count() as u64;
            let left = (ran / 1_000).saturating_sub(lost.div_ceil(1_000));
            let expected = u32::try_from(left).unwrap().min(most);
            prop_assert_eq!(seconds(started_at, ended_at, &cuts, most), expected);
        }
    }

    fn parts(rate: u64, seconds: u32, fee_bps: u16) -> Option<(u64, u64)> {
        shares(MicroUsdc::new(rate), seconds, fee_bps)
            .map(|shares| (shares.to_amount.get(), shares.fee_amount.get()))
    }

    #[test]
    fn the_published_examples_hold() {
        assert_eq!(parts(1_000, 5, 1_500), Some((4_250, 750)));
        assert_eq!(parts(1_000, 360, 500), Some((342_000, 18_000)));
        assert_eq!(parts(1_111, 3, 1_500), Some((2_833, 499)));
    }

    #[test]
    fn a_price_past_64_bits_or_a_fee_past_the_ceiling_has_no_shares() {
        assert_eq!(parts(u64::MAX, 2, 1_500), None);
        assert!(parts(u64::MAX, 1, 2_000).is_some());
        assert_eq!(parts(1_000, 1, 2_001), None);
    }

    proptest! {
        #[test]
        fn the_parts_miss_the_price_by_at_most_one_and_keep_the_fee_under_the_ceiling(
            rate: u64, seconds: u32, fee_bps in 0..=MAX_FEE_BPS,
        ) {
            let price = u128::from(rate) * u128::from(seconds);
            match parts(rate, seconds, fee_bps) {
                Some((to, fee)) => {
                    let gross = u128::from(to) + u128::from(fee);
                    prop_assert!(gross == price || gross + 1 == price);
                    prop_assert!(u128::from(fee) * 10_000 <= gross * u128::from(MAX_FEE_BPS));
                }
                None => prop_assert!(price > u128::from(u64::MAX)),
            }
        }
    }
}
