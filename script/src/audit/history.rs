//! The history of a deployment, log by log: what is known after each, and what it may not be.

use super::{
    At, Check, Counts, Place, Violation,
    fact::Fact,
    limits::Spending,
    money::{Holdings, Transaction},
    roles::Roles,
};
use alloy::primitives::{Address, B256, U256};
use luxxon_bindings::{
    MicroUsdc, SessionId, settlement::LuxxonSettlement::LuxxonSettlementEvents as Logged,
};
use luxxon_indexer::{
    chain::RangeLogs,
    ledger::{Balances, Block, Change, Deployment, Event, Holding, RawLog, owed_after},
    store::AccountState,
};
use std::collections::{BTreeMap, HashMap};

/// All that the logs of a deployment say, up to some block. It grows with the accounts and the
/// settled sessions, not with the events.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) deployment: Deployment,
    pub(super) pools: Balances,
    pub(super) accounts: BTreeMap<Address, Account>,
    pub(super) sessions: HashMap<SessionId, At>,
    pub(super) holdings: Holdings,
    /// The transaction that the last log was of.
    pub(super) open: Option<Transaction>,
    /// The last block whose state was what its logs make it.
    added_up: Option<u64>,
    /// Who holds what.
    pub roles: Roles,
    /// How often each check was made.
    pub counts: Counts,
    /// How many events there were of each kind.
    pub events: BTreeMap<&'static str, u64>,
}

/// What is known of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) spending: Spending,
    /// The last log about it.
    pub(super) last: At,
}

impl Account {
    /// One that nothing was known of before the log `at`.
    pub(super) fn new(at: At) -> Self {
        Self { spending: Spending::default(), last: at }
    }
}

impl History {
    /// Nothing yet, of `deployment`, whose relayer's hand-over takes `delay` seconds.
    #[must_use]
    pub fn new(deployment: Deployment, delay: u64) -> Self {
        Self {
            deployment,
            pools: Balances::default(),
            accounts: BTreeMap::new(),
            sessions: HashMap::new(),
            holdings: Holdings::default(),
            open: None,
            added_up: None,
            roles: Roles::new(delay),
            counts: Counts::default(),
            events: BTreeMap::new(),
        }
    }

    /// Whether what the contract owes and holds after `range` is what its logs make it. A log that
    /// cannot be is left to [`take`](Self::take), which names it.
    #[must_use]
    pub fn adds_up(&self, range: &RangeLogs) -> bool {
        let (mut events, mut holdings) = (Vec::new(), self.holdings);
        for raw in &range.logs {
            match Fact::of(&self.deployment, raw) {
                Ok(Fact::Ledger(event)) => events.push(event),
                Ok(Fact::Moved { to, amount, .. }) if to == self.deployment.settlement => {
                    holdings.came(amount);
                }
                Ok(Fact::Moved { amount, .. }) => holdings.went(amount),
                Ok(_) => {}
                Err(_) => return true,
            }
        }
        let Ok(owed) = owed_after(self.pools.owed(), &events) else { return false };
        range.owed.is_none_or(|chain| chain == U256::from(owed.get()))
            && range.held.is_none_or(|held| holdings.is(held))
    }

    /// Takes in the logs of a range, and what the contract owes and holds after it.
    pub fn take(&mut self, range: &RangeLogs) -> Result<(), Violation> {
        let mut blocks = range.blocks.iter().copied().peekable();
        for raw in &range.logs {
            // Each block with logs is among them, in order.
            while blocks.next_if(|block| block.number < raw.position.block).is_some() {}
            let time = blocks.peek().map_or(0, |block| block.timestamp);
            self.take_log(time, raw)?;
        }
        self.close()?;
        let end = range.blocks.last().copied().unwrap_or_else(|| range.first.block());
        self.take_state(end, range)
    }

    fn take_log(&mut self, time: u64, raw: &RawLog) -> Result<(), Violation> {
        let at = At::from(raw);
        if self.open.as_ref().is_some_and(|open| open.last.tx_hash != at.tx_hash) {
            self.close()?;
        }
        let open = self.open.get_or_insert_with(|| Transaction::new(at));
        open.last = at;
        self.counts.add(Check::Logs);
        let fact = Fact::of(&self.deployment, raw).map_err(|found| {
            Violation::at(at, Check::Logs, found, "a log that the contract can write")
        })?;
        match fact {
            Fact::Ledger(event) => self.take_event(at, time, &event),
            Fact::Role(Logged::Rescued(event)) => self.take_rescue(at, &event),
            Fact::Role(logged) => {
                let check = self.roles.take(at, time, &logged)?;
                self.counts.add(check);
                match logged {
                    Logged::PlatformWalletSet(event) => {
                        self.payee(at, "the platform wallet", event.newWallet)
                    }
                    _ => Ok(()),
                }
            }
            Fact::Moved { from, to, amount } => {
                if to == self.deployment.settlement {
                    self.holdings.came(amount);
                    open.came(from, amount);
                } else {
                    self.holdings.went(amount);
                    open.went(to, amount);
                }
                Ok(())
            }
            Fact::Nothing => Ok(()),
        }
    }

    fn take_event(&mut self, at: At, time: u64, event: &Event) -> Result<(), Violation> {
        let account = event.change.account();
        // An allowance alone makes no account.
        if !matches!(event.change, Change::Approval { .. } | Change::EntrySkipped { .. }) {
            self.accounts.entry(account).or_insert(Account::new(at)).last = at;
        }
        let (name, due) = (name_of(&event.change), self.open.as_mut());
        *self.events.entry(name).or_default() += 1;
        match (&event.change, due) {
            (Change::Deposit { account, payer, amount }, Some(open)) => {
                open.deposit(*payer, (*amount).into());
                Self::positive(at, *amount)?;
                self.payee(at, "the pool", *account)?;
                self.not_paused(at, "a deposit")?;
            }
            (
                Change::Withdrawal { account, amount } | Change::Claimed { account, amount },
                Some(open),
            ) => {
                open.due(*account, (*amount).into());
                Self::positive(at, *amount)?;
            }
            (Change::PayoutHeld { account, amount }, Some(open)) => {
                open.hold(*account, (*amount).into());
            }
            (Change::Settle(settlement), Some(open)) => {
                open.due(settlement.to, settlement.to_amount.into());
                if settlement.fee_amount > MicroUsdc::ZERO {
                    open.due(self.roles.platform_wallet, settlement.fee_amount.into());
                }
                self.take_settlement(at, time, settlement)?;
            }
            (Change::LimitsSet { account, limits }, _) => {
                self.accounts.entry(*account).or_insert(Account::new(at)).spending.set(*limits);
            }
            (Change::EntrySkipped { session, reason, .. }, _) => {
                self.take_skip(at, *session, reason.0)?;
            }
            _ => {}
        }
        self.counts.add(Check::Pools);
        self.pools.apply(event).map_err(|error| {
            let found = format!("{} moved {} µUSDC", error.holding, error.amount);
            let expected = format!("at most the {} µUSDC that its logs left there", error.balance);
            Violation::at(at, Check::Pools, found, expected)
        })
    }

    /// Ends the transaction under way.
    fn close(&mut self) -> Result<(), Violation> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let (deposits, payouts) = open.sides();
        self.counts.add_many(Check::Deposits, deposits);
        self.counts.add_many(Check::Paid, payouts);
        open.close()
    }

    fn take_state(&mut self, end: Block, range: &RangeLogs) -> Result<(), Violation> {
        // Only where the block before was right, it is this one that is not.
        let before = self.added_up.replace(end.number);
        let is_alone = before.is_some_and(|before| before + 1 == end.number);
        let violation = |check, found, expected| {
            let place = if is_alone {
                Place::Block(end.number, only_transaction(range))
            } else {
                Place::State(end.number, None)
            };
            Err(Violation { check, place, found, expected })
        };
        let owed = self.pools.owed();
        if let Some(chain) = range.owed {
            self.counts.add(Check::Owed);
            if chain != U256::from(owed.get()) {
                let found = format!("the contract owes {chain} µUSDC");
                let expected = format!("{owed}, by its logs, unless the node keeps some back");
                return violation(Check::Owed, found, expected);
            }
        }
        if let Some(held) = range.held {
            self.counts.add(Check::Held);
            let by_logs = self.holdings.now();
            if !self.holdings.is(held) || held < U256::from(owed.get()) {
                let by_logs = by_logs.map_or("more".to_owned(), |held| held.to_string());
                let found = format!("the contract holds {held} µUSDC");
                let expected = format!("{by_logs}, by USDC's transfers, and the {owed} it owes");
                return violation(Check::Held, found, expected);
            }
        }
        if range.owed.is_none() && range.held.is_none() {
            self.added_up = before;
        }
        Ok(())
    }

    /// What the contract owes.
    #[must_use]
    pub fn owed(&self) -> MicroUsdc {
        self.pools.owed()
    }

    /// The USDC that it holds, where a node could say what it held before.
    #[must_use]
    pub fn held(&self) -> Option<U256> {
        self.holdings.now()
    }

    /// Each account, as the contract must have it.
    pub fn accounts(&self) -> impl Iterator<Item = AccountState> {
        self.accounts.iter().map(|(&account, of)| AccountState {
            account,
            pool: self.pools.balance(Holding::Pool(account)),
            claimable: self.pools.balance(Holding::Claimable(account)),
            limits: of.spending.limits(),
        })
    }

    /// Each session that is settled, in the order of the chain.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        let mut settled: Vec<_> =
            self.sessions.iter().map(|(session, at)| (at.position, *session)).collect();
        settled.sort_unstable_by_key(|(position, _)| *position);
        settled.into_iter().map(|(_, session)| session).collect()
    }

    /// The last log about an account.
    #[must_use]
    pub fn last_of(&self, account: Address) -> Option<At> {
        self.accounts.get(&account).map(|account| account.last)
    }

    /// The log that settled a session.
    #[must_use]
    pub fn settled_at(&self, session: SessionId) -> Option<At> {
        self.sessions.get(&session).copied()
    }
}

/// The transaction that wrote all logs of the last block of a range, where one did.
fn only_transaction(range: &RangeLogs) -> Option<B256> {
    let last = range.blocks.last()?.number;
    let mut hashes =
        range.logs.iter().filter(|log| log.position.block == last).map(|log| log.tx_hash);
    let first = hashes.next()?;
    hashes.all(|hash| hash == first).then_some(first)
}

fn name_of(change: &Change) -> &'static str {
    match change {
        Change::Deposit { .. } => "deposits",
        Change::Withdrawal { .. } => "withdrawals",
        Change::Settle(_) => "settlements",
        Change::PayoutHeld { .. } => "heldPayouts",
        Change::Claimed { .. } => "claims",
        Change::Approval { .. } => "approvals",
        Change::LimitsSet { .. } => "limitsSet",
        Change::EntrySkipped { .. } => "skippedEntries",
    }
}
