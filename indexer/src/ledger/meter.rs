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
/// or 1 µUSDC less, never more. So the contract's meter always holds, and so does its ceiling on the
/// fee, which it compares with both parts together. Of a price of 1 µUSDC with a fee both parts are
/// nothing, and nothing is what the contract refuses to settle: such a session is free.
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
mod tests;
