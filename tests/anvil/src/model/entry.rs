use super::{
    Model, Refusal,
    refusal::{Word, refuse_if},
    refuse_if_wide,
};
use alloy::primitives::{Address, B256};

/// The widest amount, rate and pool: one below 2^64.
pub const WIDEST_AMOUNT: u128 = (1 << 64) - 1;
/// The most seconds of a session: one below 2^32.
pub const WIDEST_SECONDS: u128 = (1 << 32) - 1;
/// The highest fee is a fifth of the gross.
const FEE_CEILING: u128 = 5;

/// A settlement, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The session.
    pub session: B256,
    /// Whose pool pays.
    pub from: Address,
    /// Who is paid.
    pub to: Address,
    /// µUSDC per second.
    pub rate: u128,
    /// Seconds.
    pub seconds: u128,
    /// The operator's part, in µUSDC.
    pub to_amount: u128,
    /// The platform's part, in µUSDC.
    pub fee_amount: u128,
}

impl Entry {
    /// What leaves the pool.
    #[must_use]
    pub fn gross(&self) -> u128 {
        self.to_amount.saturating_add(self.fee_amount)
    }
}

impl Model {
    /// The first rule of a settlement that `entry` breaks, in the order in which the interface
    /// promises them.
    pub(super) fn check(&self, entry: &Entry, now: u64) -> Result<(), Refusal> {
        let Entry { session, from, to, rate, seconds, to_amount, fee_amount } = *entry;
        let settled = self.settled.contains(&session);
        refuse_if(settled, "SessionAlreadySettled(bytes32)", &[session.into()])?;
        refuse_if(!self.is_payable(to), "InvalidPayee(address)", &[to.into()])?;

        refuse_if_wide(rate)?;
        let words = [seconds.into(), WIDEST_SECONDS.into()];
        refuse_if(seconds > WIDEST_SECONDS, "ValueTooLarge(uint256,uint256)", &words)?;
        refuse_if_wide(to_amount)?;
        refuse_if_wide(fee_amount)?;
        let gross = to_amount + fee_amount;
        refuse_if_wide(gross)?;

        let pair = |one: u128, other: u128| [Word::from(one), Word::from(other)];
        refuse_if(gross == 0, "ZeroAmount()", &[])?;
        let metered = rate * seconds;
        refuse_if(gross > metered, "MeterExceeded(uint256,uint256)", &pair(gross, metered))?;
        let dear = fee_amount * FEE_CEILING > gross;
        refuse_if(dear, "FeeExceeded(uint256,uint256)", &pair(fee_amount, gross))?;

        self.check_limits(from, rate, gross, now)?;
        let pool = self.account(from).pool;
        let words = [from.into(), pool.into(), gross.into()];
        refuse_if(gross > pool, "InsufficientPool(address,uint256,uint256)", &words)
    }

    fn check_limits(
        &self,
        from: Address,
        rate: u128,
        gross: u128,
        now: u64,
    ) -> Result<(), Refusal> {
        let account = self.account(from);
        let spent = self.spent_today(from, now) + gross;
        for (value, most, error) in [
            (rate, account.max_rate, "RateLimitExceeded(address,uint256,uint256)"),
            (gross, account.max_session, "SessionLimitExceeded(address,uint256,uint256)"),
            (spent, account.max_day, "DayLimitExceeded(address,uint256,uint256)"),
        ] {
            let words = [from.into(), value.into(), most.into()];
            refuse_if(most != 0 && value > most, error, &words)?;
        }
        Ok(())
    }
}
