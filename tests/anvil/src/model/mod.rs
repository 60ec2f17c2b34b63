//! What the money should do: the whole ledger as a function of values.
//!
//! It is written from `contracts/ILuxxonSettlement.sol`, `docs/SECURITY.md` and what is published of
//! USDC, to be read beside them, and shares no function with the contract or the indexer: it knows
//! integers, addresses and hashes, and nothing else. For each transaction it tells the events, or
//! the error that it reverts with, to the last byte.
//!
//! What it leaves out is listed in [`Act`]: there is no act for it.

mod entry;
mod event;
mod refusal;
mod roles;
mod settle;
mod token;

pub use entry::{Entry, WIDEST_AMOUNT, WIDEST_SECONDS};
pub use event::{Event, Log};
pub use refusal::Refusal;
pub use token::{Authorization, Token};

use alloy::primitives::{Address, B256, U256};
use refusal::{refuse, refuse_if};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of a UTC day.
pub const DAY: u64 = 86_400;

/// The ledger, the roles and the token, as they are after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The settlement contract's address.
    pub settlement: Address,
    /// Pools and limits. Who is not in here has none.
    pub accounts: BTreeMap<Address, Account>,
    /// What is held for payees whom USDC refused.
    pub claimable: BTreeMap<Address, u128>,
    /// Every session that was ever settled.
    pub settled: BTreeSet<B256>,
    /// Deposits and settlement are stopped.
    pub paused: bool,
    /// Appoints the others.
    pub owner: Address,
    /// Settles; zero is nobody.
    pub relayer: Address,
    /// Stops; zero is nobody.
    pub pauser: Address,
    /// Gets the fees.
    pub platform: Address,
    /// The next relayer, and from when on it may accept.
    pub proposal: Option<(Address, u64)>,
    /// Seconds from a proposal to its acceptance.
    pub relayer_delay: u64,
    /// USDC.
    pub token: Token,
}

/// A pool and what bounds it, in µUSDC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What is in it.
    pub pool: u128,
    /// The highest rate of a session; zero is no limit.
    pub max_rate: u128,
    /// The most for a session; zero is no limit.
    pub max_session: u128,
    /// The most for a UTC day; zero is no limit.
    pub max_day: u128,
    /// What sessions took on [`Self::spent_on`].
    pub spent: u128,
    /// The UTC day of the last settled session, counted from 1970.
    pub spent_on: u64,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who sends it.
    pub from: Address,
    /// What it does.
    pub act: Act,
}

/// What a transaction can do. There is no act for ownership: it moves no money.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as the contracts' functions and arguments are")]
pub enum Act {
    Deposit { amount: u128 },
    DepositFor { account: Address, amount: u128 },
    DepositWithAuthorization(Authorization),
    Withdraw { amount: u128 },
    Claim { account: Address },
    SetLimits { max_rate: u32, max_session: u64, max_day: u64 },
    SettleFromPool(Entry),
    SettleBatch(Vec<Entry>),
    Pause,
    Unpause,
    ProposeRelayer { candidate: Address },
    CancelRelayerProposal,
    AcceptRelayer,
    RevokeRelayer,
    SetPauser { to: Address },
    SetPlatformWallet { to: Address },
    Rescue { to: Address, amount: u128 },
    Approve { allowance: U256 },
    Transfer { to: Address, amount: u128 },
    Blacklist { account: Address },
    UnBlacklist { account: Address },
    PauseToken,
    UnpauseToken,
}

/// The events of a transaction in their order, or why it reverts.
pub type Outcome = Result<Vec<Event>, Refusal>;

impl Model {
    /// What `call` does in a block of that time. What reverts changes nothing.
    pub fn execute(&mut self, call: &Call, now: u64) -> Outcome {
        let mut after = self.clone();
        let events = after.attempt(call, now)?;
        *self = after;
        Ok(events)
    }

    fn attempt(&mut self, Call { from, act }: &Call, now: u64) -> Outcome {
        let from = *from;
        match act {
            Act::Deposit { amount } => self.deposit_for(from, from, *amount),
            Act::DepositFor { account, amount } => self.deposit_for(from, *account, *amount),
            Act::DepositWithAuthorization(signed) => self.deposit_signed(signed, now),
            Act::Withdraw { amount } => self.withdraw(from, *amount),
            Act::Claim { account } => self.claim(*account),
            Act::SetLimits { max_rate, max_session, max_day } => {
                Ok(self.set_limits(from, *max_rate, *max_session, *max_day))
            }
            Act::SettleFromPool(entry) => self.settle_from_pool(from, entry, now),
            Act::SettleBatch(entries) => self.settle_batch(from, entries, now),
            Act::Approve { .. }
            | Act::Transfer { .. }
            | Act::Blacklist { .. }
            | Act::UnBlacklist { .. }
            | Act::PauseToken
            | Act::UnpauseToken => self.token.act(from, act, self.settlement),
            _ => self.administer(from, act, now),
        }
    }

    /// What the contract owes: all pools and all that is held.
    #[must_use]
    pub fn total_owed(&self) -> u128 {
        let pools: u128 = self.accounts.values().map(|account| account.pool).sum();
        pools + self.claimable.values().sum::<u128>()
    }

    /// The account, which has nothing where nothing happened to it.
    #[must_use]
    pub fn account(&self, account: Address) -> Account {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    /// What is held for `account`.
    #[must_use]
    pub fn held_for(&self, account: Address) -> u128 {
        self.claimable.get(&account).copied().unwrap_or_default()
    }

    /// What sessions took from the pool of `account` on the UTC day of `now`.
    #[must_use]
    pub fn spent_today(&self, account: Address, now: u64) -> u128 {
        let account = self.account(account);
        if account.spent_on == now / DAY { account.spent } else { 0 }
    }

    /// USDC that belongs to nobody here.
    #[must_use]
    pub fn surplus(&self) -> u128 {
        self.token.balance(self.settlement) - self.total_owed()
    }

    /// Whether money may belong to `account`, or be paid to it.
    fn is_payable(&self, account: Address) -> bool {
        ![Address::ZERO, self.settlement, self.token.address].contains(&account)
    }

    /// The books of a deposit: what may be wrong with it, before any money moves.
    fn credit(&mut self, account: Address, payer: Address, amount: u128) -> Result<Event, Refusal> {
        refuse_if(self.paused, "ContractPaused()", &[])?;
        refuse_if(amount == 0, "ZeroAmount()", &[])?;
        refuse_if(!self.is_payable(account), "InvalidAccount(address)", &[account.into()])?;
        refuse_if_wide(amount)?;
        let balance = self.account(account).pool + amount;
        refuse_if_wide(balance)?;
        self.accounts.entry(account).or_default().pool = balance;
        Ok(Event::Deposited { account, payer, amount })
    }

    fn deposit_for(&mut self, payer: Address, account: Address, amount: u128) -> Outcome {
        let booked = self.credit(account, payer, amount)?;
        let paid = self.token.transfer_from(self.settlement, payer, amount)?;
        Ok(vec![booked, paid])
    }

    fn deposit_signed(&mut self, signed: &Authorization, now: u64) -> Outcome {
        let booked = self.credit(signed.from, signed.from, signed.amount)?;
        let mut events = vec![booked];
        events.extend(self.token.receive_with_authorization(self.settlement, signed, now)?);
        Ok(events)
    }

    fn withdraw(&mut self, owner: Address, amount: u128) -> Outcome {
        refuse_if(amount == 0, "ZeroAmount()", &[])?;
        let Account { pool, .. } = self.account(owner);
        if amount > pool {
            return refuse(
                "InsufficientPool(address,uint256,uint256)",
                &[owner.into(), pool.into(), amount.into()],
            );
        }
        self.accounts.entry(owner).or_default().pool = pool - amount;
        let paid = self.token.transfer(self.settlement, owner, amount)?;
        Ok(vec![Event::Withdrawn { account: owner, amount }, paid])
    }

    /// Anybody may call it; it pays `account` only.
    fn claim(&mut self, account: Address) -> Outcome {
        let amount = self.claimable.remove(&account).unwrap_or_default();
        refuse_if(amount == 0, "NothingToClaim(address)", &[account.into()])?;
        let paid = self.token.transfer(self.settlement, account, amount)?;
        Ok(vec![Event::Claimed { account, amount }, paid])
    }

    /// What was spent today stays spent.
    fn set_limits(&mut self, owner: Address, rate: u32, session: u64, day: u64) -> Vec<Event> {
        let account = self.accounts.entry(owner).or_default();
        (account.max_rate, account.max_session, account.max_day) =
            (rate.into(), session.into(), day.into());
        vec![Event::LimitsSet { account: owner, limits: [rate.into(), session, day] }]
    }
}

/// No amount and no pool reaches 2^64.
fn refuse_if_wide(value: u128) -> Result<(), Refusal> {
    let words = [value.into(), WIDEST_AMOUNT.into()];
    refuse_if(value > WIDEST_AMOUNT, "ValueTooLarge(uint256,uint256)", &words)
}
