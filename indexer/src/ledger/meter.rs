//! What a session costs, in integers.

use luxxon_bindings::MicroUsdc;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
