use super::{Change, Event, Position};
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use std::collections::BTreeMap;

/// What an event does to one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolChange {
    /// The account's pool grows.
    Credit(Address, MicroUsdc),
    /// The account's pool falls.
    Debit(Address, MicroUsdc),
}

/// A history that cannot be: an event is missing, doubled or out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {}, log {}: {account}'s pool of {balance} µUSDC cannot {} {amount} µUSDC; an event is \
     missing, doubled or out of order",
    .at.block, .at.log_index, if *.debit { "pay" } else { "take in" }
)]
pub struct PoolError {
    /// The event that does not fit.
    pub at: Position,
    /// Whose pool.
    pub account: Address,
    /// What it held.
    pub balance: MicroUsdc,
    /// What should have moved.
    pub amount: MicroUsdc,
    /// Whether it should have left the pool.
    pub debit: bool,
}

impl PoolChange {
    /// What `change` does to a pool; `None` where no pool changes. The only place that knows.
    #[must_use]
    pub fn of(change: &Change) -> Option<Self> {
        match change {
            Change::Deposit { account, amount, .. } => Some(Self::Credit(*account, *amount)),
            Change::Withdrawal { account, amount } => Some(Self::Debit(*account, *amount)),
            Change::Settle(settlement) => Some(Self::Debit(settlement.from, settlement.gross)),
            Change::Approval { .. } => None,
        }
    }

    /// Whose pool changes.
    #[must_use]
    pub fn account(self) -> Address {
        match self {
            Self::Credit(account, _) | Self::Debit(account, _) => account,
        }
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Credit(account, amount) => Self::Debit(account, amount),
            Self::Debit(account, amount) => Self::Credit(account, amount),
        }
    }
}

/// The balances of the pools at hand: all that a batch of events touches.
///
/// An account without an entry has an empty pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pools(BTreeMap<Address, MicroUsdc>);

impl Pools {
    /// Sets what `account` held before the events to come.
    pub fn load(&mut self, account: Address, balance: MicroUsdc) {
        self.0.insert(account, balance);
    }

    /// What `account` holds.
    #[must_use]
    pub fn balance(&self, account: Address) -> MicroUsdc {
        self.0.get(&account).copied().unwrap_or_default()
    }

    /// Every account touched or loaded, with what it holds, in the order of the addresses.
    pub fn iter(&self) -> impl Iterator<Item = (Address, MicroUsdc)> {
        self.0.iter().map(|(account, balance)| (*account, *balance))
    }

    /// Takes in an event that follows all taken in before.
    pub fn apply(&mut self, event: &Event) -> Result<(), PoolError> {
        PoolChange::of(&event.change).map_or(Ok(()), |change| self.book(event.position, change))
    }

    /// Takes back the event that was taken in last.
    pub fn revert(&mut self, event: &Event) -> Result<(), PoolError> {
        PoolChange::of(&event.change)
            .map_or(Ok(()), |change| self.book(event.position, change.inverse()))
    }

    fn book(&mut self, at: Position, change: PoolChange) -> Result<(), PoolError> {
        let account = change.account();
        let balance = self.balance(account);
        let (debit, amount, after) = match change {
            PoolChange::Credit(_, amount) => (false, amount, balance.checked_add(amount)),
            PoolChange::Debit(_, amount) => (true, amount, balance.checked_sub(amount)),
        };
        let after = after.ok_or(PoolError { at, account, balance, amount, debit })?;
        self.0.insert(account, after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Settlement;
    use alloy::primitives::{B256, U256};
    use luxxon_bindings::SessionId;
    use proptest::prelude::*;

    fn event(log_index: u32, change: Change) -> Event {
        Event { position: Position { block: 1, log_index }, tx_hash: B256::ZERO, change }
    }

    fn account(number: u8) -> Address {
        Address::repeat_byte(number)
    }

    fn deposit(to: u8, amount: u64) -> Change {
        let (account, amount) = (account(to), MicroUsdc::new(amount));
        Change::Deposit { account, payer: account, amount }
    }

    fn withdrawal(from: u8, amount: u64) -> Change {
        Change::Withdrawal { account: account(from), amount: MicroUsdc::new(amount) }
    }

    fn settle(from: u8, to: u8, to_amount: u64, fee_amount: u64) -> Change {
        Change::Settle(Settlement {
            session: SessionId(B256::ZERO),
            from: account(from),
            to: account(to),
            to_amount: MicroUsdc::new(to_amount),
            fee_amount: MicroUsdc::new(fee_amount),
            gross: MicroUsdc::new(to_amount + fee_amount),
            rate_per_second: MicroUsdc::new(1),
            chargeable_seconds: u32::MAX,
        })
    }

    #[test]
    fn a_settlement_debits_the_consumer_and_credits_no_pool() {
        let mut pools = Pools::default();
        pools.apply(&event(0, deposit(1, 5_000))).unwrap();
        pools.apply(&event(1, settle(1, 2, 4_250, 750))).unwrap();
        assert_eq!(pools.balance(account(1)), MicroUsdc::ZERO);
        assert_eq!(pools.balance(account(2)), MicroUsdc::ZERO);
    }

    #[test]
    fn a_withdrawal_seen_before_its_deposit_is_an_error_and_changes_nothing() {
        let mut pools = Pools::default();
        pools.apply(&event(0, deposit(1, 10))).unwrap();
        let before = pools.clone();
        let error = pools.apply(&event(1, withdrawal(1, 11))).unwrap_err();
        assert_eq!(error.balance, MicroUsdc::new(10));
        assert!(error.to_string().contains("block 1, log 1"), "{error}");
        assert_eq!(pools, before);
    }

    #[test]
    fn an_approval_touches_no_pool() {
        let mut pools = Pools::default();
        let approval = Change::Approval { owner: account(1), allowance: U256::MAX };
        pools.apply(&event(0, approval)).unwrap();
        assert_eq!(pools.iter().count(), 0);
    }

    fn changes() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0..4u8, any::<u64>()).prop_map(|(to, amount)| deposit(to, amount)),
            (0..4u8, 0..1_000u64).prop_map(|(from, amount)| withdrawal(from, amount)),
            (0..4u8, 0..4u8, 0..1_000u64, 0..1_000u64)
                .prop_map(|(from, to, amount, fee)| settle(from, to, amount, fee)),
        ]
    }

    proptest! {
        /// A rollback is exact: what was applied and then reverted, newest first, was never there.
        #[test]
        fn reverting_what_was_applied_restores_every_balance(
            history in prop::collection::vec(changes(), 0..60),
            keep in 0..60usize,
        ) {
            let (mut pools, mut booked, mut kept) = (Pools::default(), Vec::new(), None);
            for (index, change) in (0..).zip(history) {
                if booked.len() == keep {
                    kept.get_or_insert_with(|| pools.clone());
                }
                let event = event(index, change);
                if pools.apply(&event).is_ok() {
                    booked.push(event);
                }
            }
            let kept = kept.unwrap_or_else(|| pools.clone());
            for event in booked.drain(keep.min(booked.len())..).rev() {
                pools.revert(&event).unwrap();
            }
            for number in 0..4 {
                prop_assert_eq!(pools.balance(account(number)), kept.balance(account(number)));
            }
        }
    }
}
