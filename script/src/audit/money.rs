//! The USDC that a transaction moves, against what its events say it should.

use super::{At, Check, Violation};
use alloy::primitives::{Address, U256};
use std::collections::BTreeMap;

/// What one transaction moved to the contract and from it, and what its events make due.
///
/// A batch pays its payees in runs, and what it holds back it says afterwards, so only the sums of
/// a transaction are exact.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    /// Its last log so far.
    pub(super) last: At,
    deposited: BTreeMap<Address, U256>,
    came: BTreeMap<Address, U256>,
    due: BTreeMap<Address, U256>,
    held: BTreeMap<Address, U256>,
    went: BTreeMap<Address, U256>,
}

fn add(sums: &mut BTreeMap<Address, U256>, account: Address, amount: U256) {
    let sum = sums.entry(account).or_default();
    *sum = sum.saturating_add(amount);
}

fn of(sums: &BTreeMap<Address, U256>, account: &Address) -> U256 {
    sums.get(account).copied().unwrap_or_default()
}

impl Transaction {
    pub(super) fn new(first: At) -> Self {
        let [deposited, came, due, held, went] = Default::default();
        Self { last: first, deposited, came, due, held, went }
    }

    /// `payer` has to bring `amount`.
    pub(super) fn deposit(&mut self, payer: Address, amount: U256) {
        add(&mut self.deposited, payer, amount);
    }

    /// `account` has to get `amount`.
    pub(super) fn due(&mut self, account: Address, amount: U256) {
        add(&mut self.due, account, amount);
    }

    /// `amount` of what `account` has to get stays here.
    pub(super) fn hold(&mut self, account: Address, amount: U256) {
        add(&mut self.held, account, amount);
    }

    /// `account` brought `amount`.
    pub(super) fn came(&mut self, account: Address, amount: U256) {
        add(&mut self.came, account, amount);
    }

    /// `account` got `amount`.
    pub(super) fn went(&mut self, account: Address, amount: U256) {
        add(&mut self.went, account, amount);
    }

    /// How many payers and payees there are.
    pub(super) fn sides(&self) -> (u64, u64) {
        (self.deposited.len() as u64, self.due.len() as u64)
    }

    /// At the transaction's end. More may come than was deposited: anyone can send USDC.
    pub(super) fn close(&self) -> Result<(), Violation> {
        for (payer, deposited) in &self.deposited {
            let came = of(&self.came, payer);
            if came < *deposited {
                let found = format!("{payer} sent {came} µUSDC");
                let expected = format!("{deposited} µUSDC, which it deposited");
                return Err(Violation::at(self.last, Check::Deposits, found, expected));
            }
        }
        for account in self.due.keys().chain(self.held.keys()).chain(self.went.keys()) {
            let [due, held, went] =
                [&self.due, &self.held, &self.went].map(|sums| of(sums, account));
            if went.checked_add(held) != Some(due) {
                let found = format!("{account} got {went} µUSDC, and {held} are held for it");
                let expected = format!("{due} µUSDC in all");
                return Err(Violation::at(self.last, Check::Paid, found, expected));
            }
        }
        Ok(())
    }
}

/// The USDC that the contract holds, by its transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    came: U256,
    went: U256,
    /// What it held before all that was read; `None` until a node can say.
    before: Option<U256>,
}

impl Holdings {
    pub(super) fn came(&mut self, amount: U256) {
        self.came = self.came.saturating_add(amount);
    }

    pub(super) fn went(&mut self, amount: U256) {
        self.went = self.went.saturating_add(amount);
    }

    /// What it holds, as far as that is known; less than nothing is nothing.
    pub(super) fn now(&self) -> Option<U256> {
        self.before.map(|before| before.saturating_add(self.came).saturating_sub(self.went))
    }

    /// What a node says that it holds now; what it held before follows, where that was not known.
    /// `false` where the transfers say something else.
    pub(super) fn is(&mut self, held: U256) -> bool {
        if let Some(now) = self.now() {
            return now == held;
        }
        self.before = held.saturating_add(self.went).checked_sub(self.came);
        self.before.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::B256;
    use luxxon_indexer::ledger::Position;

    const ONE: Address = Address::repeat_byte(1);
    const OTHER: Address = Address::repeat_byte(2);

    fn found(moves: impl FnOnce(&mut Transaction)) -> Option<(Check, String)> {
        let position = Position { block: 5, log_index: 2 };
        let mut transaction = Transaction::new(At { position, tx_hash: B256::repeat_byte(7) });
        moves(&mut transaction);
        transaction.close().err().map(|violation| (violation.check, violation.found))
    }

    fn usd(amount: u64) -> U256 {
        U256::from(amount)
    }

    #[test]
    fn payouts_of_a_transaction_are_exact_for_each_payee() {
        let paid = |to_one: u64, held: u64, to_other: u64| {
            found(|transaction| {
                transaction.due(ONE, usd(3));
                transaction.due(ONE, usd(4));
                transaction.due(OTHER, usd(5));
                transaction.went(ONE, usd(to_one));
                transaction.hold(ONE, usd(held));
                transaction.went(OTHER, usd(to_other));
            })
        };
        assert_eq!(paid(7, 0, 5), None);
        assert_eq!(paid(0, 7, 5), None);
        let (check, text) = paid(6, 0, 5).unwrap();
        assert_eq!(check, Check::Paid);
        assert_eq!(text, format!("{ONE} got 6 µUSDC, and 0 are held for it"));
        for (one, held, other) in [(8, 0, 5), (7, 1, 5), (7, 0, 4), (7, 0, 6)] {
            assert_eq!(paid(one, held, other).map(|(check, _)| check), Some(Check::Paid));
        }
    }

    #[test]
    fn what_goes_without_an_event_is_found_and_what_comes_is_surplus() {
        let went = found(|transaction| transaction.went(ONE, usd(1)));
        assert_eq!(went.map(|(check, _)| check), Some(Check::Paid));
        let held = found(|transaction| transaction.hold(ONE, usd(1)));
        assert_eq!(held.map(|(check, _)| check), Some(Check::Paid));
        assert_eq!(found(|transaction| transaction.came(ONE, usd(1))), None);
    }

    #[test]
    fn a_deposit_comes_from_its_own_payer_and_whole() {
        let came = |from: Address, amount: u64| {
            found(|transaction| {
                transaction.deposit(ONE, usd(5));
                transaction.came(from, usd(amount));
            })
        };
        assert_eq!(came(ONE, 5), None);
        assert_eq!(came(ONE, 6), None);
        assert_eq!(came(ONE, 4).map(|(check, _)| check), Some(Check::Deposits));
        assert_eq!(came(OTHER, 5).map(|(check, _)| check), Some(Check::Deposits));
    }

    #[test]
    fn what_was_held_before_follows_from_the_first_answer_and_binds_the_others() {
        let mut holdings = Holdings::default();
        holdings.came(usd(10));
        holdings.went(usd(3));
        assert_eq!(holdings.now(), None);
        assert!(holdings.is(usd(9)), "2 were there before");
        assert_eq!(holdings.now(), Some(usd(9)));
        holdings.went(usd(1));
        assert!(holdings.is(usd(8)));
        assert!(!holdings.is(usd(7)) && !holdings.is(usd(9)));
        let mut less = Holdings::default();
        less.came(usd(10));
        assert!(!less.is(usd(9)), "it would have held less than nothing before");
    }
}
