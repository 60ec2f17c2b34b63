use super::{Change, Event, Position};
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use std::{collections::BTreeMap, fmt};

/// What the contract can owe an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// Its pool.
    Pool(Address),
    /// What is held for it because it could not be paid.
    Claimable(Address),
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(account) => write!(f, "{account}'s pool"),
            Self::Claimable(account) => write!(f, "what is held for {account},"),
        }
    }
}

/// What an event does to one holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChange {
    /// It grows.
    Credit(Holding, MicroUsdc),
    /// It falls.
    Debit(Holding, MicroUsdc),
}

/// A history that cannot be: an event is missing, doubled or out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {}, log {}: {holding} of {balance} µUSDC cannot {} {amount} µUSDC; an event is missing, \
     doubled or out of order",
    .at.block, .at.log_index, if *.debit { "pay" } else { "take in" }
)]
pub struct BalanceError {
    /// The event that does not fit.
    pub at: Position,
    /// What should have changed.
    pub holding: Holding,
    /// What it held.
    pub balance: MicroUsdc,
    /// What should have moved.
    pub amount: MicroUsdc,
    /// Whether it should have gone out.
    pub debit: bool,
}

impl BalanceChange {
    /// What `change` does to a balance; `None` where none changes. The only place that knows.
    #[must_use]
    pub fn of(change: &Change) -> Option<Self> {
        use Holding::{Claimable, Pool};
        match change {
            Change::Deposit { account, amount, .. } => Some(Self::Credit(Pool(*account), *amount)),
            Change::Withdrawal { account, amount } => Some(Self::Debit(Pool(*account), *amount)),
            Change::Settle(settlement) => {
                Some(Self::Debit(Pool(settlement.from), settlement.gross))
            }
            Change::PayoutHeld { account, amount } => {
                Some(Self::Credit(Claimable(*account), *amount))
            }
            Change::Claimed { account, amount } => Some(Self::Debit(Claimable(*account), *amount)),
            Change::Approval { .. } | Change::LimitsSet { .. } | Change::EntrySkipped { .. } => {
                None
            }
        }
    }

    /// What changes.
    #[must_use]
    pub fn holding(self) -> Holding {
        match self {
            Self::Credit(holding, _) | Self::Debit(holding, _) => holding,
        }
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Credit(holding, amount) => Self::Debit(holding, amount),
            Self::Debit(holding, amount) => Self::Credit(holding, amount),
        }
    }
}

/// The balances at hand: all that a batch of events touches, and the sum of all there are.
///
/// A holding without an entry is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    holdings: BTreeMap<Holding, MicroUsdc>,
    owed: MicroUsdc,
}

impl Balances {
    /// Balances whose sum, those not at hand included, is `owed`.
    #[must_use]
    pub fn owing(owed: MicroUsdc) -> Self {
        Self { owed, ..Self::default() }
    }

    /// Sets what `holding` held before the events to come.
    pub fn load(&mut self, holding: Holding, balance: MicroUsdc) {
        self.holdings.insert(holding, balance);
    }

    /// What `holding` holds.
    #[must_use]
    pub fn balance(&self, holding: Holding) -> MicroUsdc {
        self.holdings.get(&holding).copied().unwrap_or_default()
    }

    /// The sum of all pools and all that is held: what the contract calls `totalOwed`.
    #[must_use]
    pub fn owed(&self) -> MicroUsdc {
        self.owed
    }

    /// Every holding touched or loaded, with its balance, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Holding, MicroUsdc)> {
        self.holdings.iter().map(|(holding, balance)| (*holding, *balance))
    }

    /// Takes in an event that follows all taken in before.
    pub fn apply(&mut self, event: &Event) -> Result<(), BalanceError> {
        BalanceChange::of(&event.change).map_or(Ok(()), |change| self.book(event.position, change))
    }

    /// Takes back the event that was taken in last.
    pub fn revert(&mut self, event: &Event) -> Result<(), BalanceError> {
        BalanceChange::of(&event.change)
            .map_or(Ok(()), |change| self.book(event.position, change.inverse()))
    }

    fn book(&mut self, at: Position, change: BalanceChange) -> Result<(), BalanceError> {
        let holding = change.holding();
        let balance = self.balance(holding);
        let (debit, amount, moved) = match change {
            BalanceChange::Credit(_, amount) => {
                (false, amount, balance.checked_add(amount).zip(self.owed.checked_add(amount)))
            }
            BalanceChange::Debit(_, amount) => {
                (true, amount, balance.checked_sub(amount).zip(self.owed.checked_sub(amount)))
            }
        };
        let (after, owed) = moved.ok_or(BalanceError { at, holding, balance, amount, debit })?;
        self.holdings.insert(holding, after);
        self.owed = owed;
        Ok(())
    }
}

/// What is owed after `events`, where `owed` was before: the sum alone, whatever each balance is.
pub fn owed_after(owed: MicroUsdc, events: &[Event]) -> Result<MicroUsdc, BalanceError> {
    events.iter().try_fold(owed, |owed, event| {
        let Some(change) = BalanceChange::of(&event.change) else { return Ok(owed) };
        let (debit, amount, after) = match change {
            BalanceChange::Credit(_, amount) => (false, amount, owed.checked_add(amount)),
            BalanceChange::Debit(_, amount) => (true, amount, owed.checked_sub(amount)),
        };
        let (at, holding) = (event.position, change.holding());
        after.ok_or(BalanceError { at, holding, balance: owed, amount, debit })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fuzzing::seeded,
        ledger::{Limits, Settlement},
    };
    use alloy::primitives::{B256, Selector, U256};
    use luxxon_bindings::SessionId;
    use proptest::prelude::*;

    fn event(log_index: u32, change: Change) -> Event {
        Event { position: Position { block: 1, log_index }, tx_hash: B256::ZERO, change }
    }

    fn account(number: u8) -> Address {
        Address::repeat_byte(number)
    }

    fn pool(number: u8) -> Holding {
        Holding::Pool(account(number))
    }

    fn held(number: u8) -> Holding {
        Holding::Claimable(account(number))
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

    fn payout_held(to: u8, amount: u64) -> Change {
        Change::PayoutHeld { account: account(to), amount: MicroUsdc::new(amount) }
    }

    fn claimed(by: u8, amount: u64) -> Change {
        Change::Claimed { account: account(by), amount: MicroUsdc::new(amount) }
    }

    #[test]
    fn what_is_owed_is_the_sum_of_all_pools_and_of_all_that_is_held() {
        let mut balances = Balances::default();
        let history =
            [deposit(1, 5_000), settle(1, 2, 4_000, 500), payout_held(2, 4_000), claimed(2, 3_999)];
        let taken: Vec<_> =
            (0..).zip(history).map(|(index, change)| event(index, change)).collect();
        for event in &taken {
            balances.apply(event).unwrap();
        }
        assert_eq!(balances.balance(pool(1)), MicroUsdc::new(500));
        assert_eq!(balances.balance(held(2)), MicroUsdc::new(1));
        assert_eq!(balances.balance(pool(2)), MicroUsdc::ZERO, "a claim is no pool");
        assert_eq!(balances.owed(), MicroUsdc::new(501));
        assert_eq!(owed_after(MicroUsdc::ZERO, &taken), Ok(MicroUsdc::new(501)));
        assert!(balances.apply(&event(9, claimed(2, 2))).is_err());
    }

    #[test]
    fn a_settlement_debits_the_consumer_and_credits_no_pool() {
        let mut balances = Balances::default();
        balances.apply(&event(0, deposit(1, 5_000))).unwrap();
        balances.apply(&event(1, settle(1, 2, 4_250, 750))).unwrap();
        assert_eq!(balances.balance(pool(1)), MicroUsdc::ZERO);
        assert_eq!(balances.balance(pool(2)), MicroUsdc::ZERO);
    }

    #[test]
    fn a_withdrawal_seen_before_its_deposit_is_an_error_and_changes_nothing() {
        let mut balances = Balances::default();
        balances.apply(&event(0, deposit(1, 10))).unwrap();
        let before = balances.clone();
        let error = balances.apply(&event(1, withdrawal(1, 11))).unwrap_err();
        assert_eq!(error.balance, MicroUsdc::new(10));
        let cannot = |holding: &str, what| {
            format!(
                "block 1, log 1: {holding} of 10 µUSDC cannot {what} µUSDC; an event is missing, \
                 doubled or out of order"
            )
        };
        let consumer = account(1);
        assert_eq!(error.to_string(), cannot(&format!("{consumer}'s pool"), "pay 11"));
        assert_eq!(balances, before);
        let error = BalanceError { holding: held(1), debit: false, ..error };
        let text = cannot(&format!("what is held for {consumer},"), "take in 11");
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn what_was_before_a_batch_of_events_is_where_they_begin() {
        let mut balances = Balances::owing(MicroUsdc::new(100));
        balances.load(pool(1), MicroUsdc::new(30));
        balances.load(held(2), MicroUsdc::new(5));
        balances.apply(&event(0, withdrawal(1, 10))).unwrap();
        balances.apply(&event(1, deposit(3, 1))).unwrap();
        assert_eq!(balances.owed(), MicroUsdc::new(91));
        let all: Vec<_> = balances.iter().map(|(holding, it)| (holding, it.get())).collect();
        assert_eq!(all, [(pool(1), 20), (pool(3), 1), (held(2), 5)]);
    }

    #[test]
    fn approvals_limits_and_skipped_entries_touch_no_balance() {
        let mut balances = Balances::default();
        let approval = Change::Approval { owner: account(1), allowance: U256::MAX };
        let (account, limits) = (account(1), Limits::default());
        let session = SessionId(B256::ZERO);
        let skipped =
            Change::EntrySkipped { session, from: account, index: 0, reason: Selector::ZERO };
        for change in [approval, Change::LimitsSet { account, limits }, skipped] {
            let event = event(0, change);
            balances.apply(&event).unwrap();
            balances.revert(&event).unwrap();
            assert_eq!(owed_after(MicroUsdc::ZERO, &[event]), Ok(MicroUsdc::ZERO));
        }
        assert_eq!(balances, Balances::default());
    }

    fn changes() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0..4u8, any::<u64>()).prop_map(|(to, amount)| deposit(to, amount)),
            (0..4u8, 0..1_000u64).prop_map(|(from, amount)| withdrawal(from, amount)),
            (0..4u8, 0..1_000u64).prop_map(|(account, amount)| payout_held(account, amount)),
            (0..4u8, 0..1_000u64).prop_map(|(account, amount)| claimed(account, amount)),
            (0..4u8, 0..4u8, 0..1_000u64, 0..1_000u64)
                .prop_map(|(from, to, amount, fee)| settle(from, to, amount, fee)),
        ]
    }

    proptest! {
        #![proptest_config(seeded(256))]

        /// A rollback is exact: what was applied and then reverted, newest first, was never there.
        #[test]
        fn reverting_what_was_applied_restores_every_balance(
            history in prop::collection::vec(changes(), 0..60),
            keep in 0..60usize,
        ) {
            let (mut balances, mut booked, mut kept) = (Balances::default(), Vec::new(), None);
            for (index, change) in (0..).zip(history) {
                if booked.len() == keep {
                    kept.get_or_insert_with(|| balances.clone());
                }
                let event = event(index, change);
                if balances.apply(&event).is_ok() {
                    booked.push(event);
                }
            }
            let kept = kept.unwrap_or_else(|| balances.clone());
            for event in booked.drain(keep.min(booked.len())..).rev() {
                balances.revert(&event).unwrap();
            }
            prop_assert_eq!(balances.owed(), kept.owed());
            for number in 0..4 {
                prop_assert_eq!(balances.balance(pool(number)), kept.balance(pool(number)));
                prop_assert_eq!(balances.balance(held(number)), kept.balance(held(number)));
            }
        }
    }
}
