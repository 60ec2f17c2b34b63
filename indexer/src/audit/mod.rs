//! Compares the tables with the contract.
//!
//! Every comparison is of one block, by its hash, on both sides: the contract is asked for its state
//! after that block, and the tables for theirs. What the node no longer knows is said to be
//! unavailable; that is no difference.

mod calls;

use crate::{
    chain::{ChainError, Providers},
    ledger::{Block, Deployment, Holding, Position},
    store::{AccountState, Cursor, Store, StoreError},
};
use alloy::primitives::{Address, U256};
use calls::Question;
use luxxon_bindings::{MicroUsdc, SessionId};
use std::{collections::BTreeSet, fmt};

/// Questions put to the node in one batch. Public nodes commonly take 100.
const AT_ONCE: usize = 50;

/// The most accounts that are looked at first because something happened to them.
const MOST_TOUCHED: u32 = 1_000;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The node.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was compared is the same.
    Clean(Compared),
    /// This is not.
    Differs(Compared, Vec<Difference>),
    /// The node does not have the state of the block any more.
    StateUnavailable {
        /// The block.
        block: Block,
        /// The node's words.
        reason: String,
    },
    /// The block was replaced meanwhile: there is nothing to compare.
    Replaced(Block),
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The block on both sides.
    pub block: Block,
    /// How many accounts: `deposits`, `claimable` and `limitsOf` of each.
    pub accounts: u64,
    /// How many sessions: whether each is `settled`.
    pub sessions: u64,
}

/// Something that the contract and the tables say differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub subject: Subject,
    /// What the contract says, in µUSDC.
    pub chain: U256,
    /// What the tables say, in µUSDC.
    pub tables: U256,
}

/// What can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `totalOwed()`, and the sum of the tables.
    TotalOwed,
    /// The USDC the contract holds, which must be what it owes at least.
    UsdcHeld,
    /// `deposits(account)`.
    Pool(Address),
    /// `claimable(account)`.
    Claimable(Address),
    /// `limitsOf(account)`, the first of it.
    MaxRatePerSecond(Address),
    /// `limitsOf(account)`, the second.
    MaxPerSession(Address),
    /// `limitsOf(account)`, the third.
    MaxPerDay(Address),
    /// `settled(session)`: 1 is yes.
    Settled(SessionId),
}

impl From<Holding> for Subject {
    fn from(holding: Holding) -> Self {
        match holding {
            Holding::Pool(account) => Self::Pool(account),
            Holding::Claimable(account) => Self::Claimable(account),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TotalOwed => f.write_str("totalOwed()"),
            Self::UsdcHeld => f.write_str("the USDC the contract holds"),
            Self::Pool(account) => write!(f, "deposits({account})"),
            Self::Claimable(account) => write!(f, "claimable({account})"),
            Self::MaxRatePerSecond(account) => write!(f, "limitsOf({account}).maxRatePerSecond"),
            Self::MaxPerSession(account) => write!(f, "limitsOf({account}).maxPerSession"),
            Self::MaxPerDay(account) => write!(f, "limitsOf({account}).maxPerDay"),
            Self::Settled(session) => write!(f, "settled({})", session.0),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, chain, tables } = self;
        write!(f, "{subject} is {chain} on chain, and {tables} in the tables")
    }
}

/// Asks the contract, in its state after `block`, what `accounts` have and whether `sessions` are
/// settled; and, where `owed` is what it must owe, what it owes, and whether it holds that much USDC.
/// Returns what differs.
pub async fn compare(
    providers: &Providers,
    deployment: &Deployment,
    block: Block,
    owed: Option<MicroUsdc>,
    accounts: &[AccountState],
    sessions: &[SessionId],
) -> Result<Vec<Difference>, ChainError> {
    let mut questions = Vec::new();
    if let Some(owed) = owed {
        questions.extend([Question::TotalOwed(owed), Question::UsdcHeld(owed)]);
    }
    for &AccountState { account, pool, claimable, limits } in accounts {
        questions.push(Question::Pool(account, pool));
        questions.push(Question::Claimable(account, claimable));
        questions.push(Question::Limits(account, limits));
    }
    questions.extend(sessions.iter().copied().map(Question::Settled));
    let mut differences = Vec::new();
    for some in questions.chunks(AT_ONCE) {
        differences.extend(calls::ask(providers, deployment, block, some).await?);
    }
    Ok(differences)
}

/// Compares a ledger with its contract, some of it at a time or all of it.
#[derive(Debug)]
pub struct Auditor<S> {
    providers: Providers,
    store: S,
    deployment: Deployment,
    /// Up to where accounts that changed were looked at; `None` before the first look.
    seen: Option<u64>,
    /// What differed in the last look, and what it could not compare: looked at again until it is
    /// the same.
    again: Again,
    last_account: Option<Address>,
    last_session: Position,
}

#[derive(Clone, Debug, Default)]
struct Again {
    accounts: BTreeSet<Address>,
    sessions: BTreeSet<SessionId>,
}

impl Again {
    fn of(differences: &[Difference]) -> Self {
        let mut again = Self::default();
        for Difference { subject, .. } in differences {
            match subject {
                Subject::Pool(account)
                | Subject::Claimable(account)
                | Subject::MaxRatePerSecond(account)
                | Subject::MaxPerSession(account)
                | Subject::MaxPerDay(account) => {
                    again.accounts.insert(*account);
                }
                Subject::Settled(session) => {
                    again.sessions.insert(*session);
                }
                // They are among what every look compares.
                Subject::TotalOwed | Subject::UsdcHeld => {}
            }
        }
        again
    }
}

/// Whether `totalOwed` and the USDC held are among what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sums {
    Compared,
    LeftOut,
}

/// Accounts, and sessions, read from the tables at once.
const PAGE: u32 = 500;

const BEGINNING: Position = Position { block: 0, log_index: 0 };

impl<S: Store> Auditor<S> {
    /// An auditor that has looked at nothing yet.
    pub fn new(providers: Providers, store: S, deployment: Deployment) -> Self {
        let (seen, again, last_account) = (None, Again::default(), None);
        let last_session = BEGINNING;
        Self { providers, store, deployment, seen, again, last_account, last_session }
    }

    /// Compares the sums, what differed in the last look, the accounts that changed since (a thousand
    /// of them at most), and the next `some` accounts and sessions: after enough looks, all.
    pub async fn look(&mut self, some: u32) -> Result<Outcome, AuditError> {
        let cursor = self.store.cursor().await?;
        let block = self.block_to_compare(&cursor).await?;
        // What came before the first look comes in its turn.
        let since = self.seen.unwrap_or(block.number);
        let touched = self.store.accounts_touched(since + 1, block.number, MOST_TOUCHED).await?;
        self.seen = Some(block.number);
        self.again.accounts.extend(touched);

        let next = self.store.accounts_after(self.last_account, some).await?;
        // Behind the last one it begins again.
        self.last_account = next.last().copied().filter(|_| next.len() == some as usize);
        let accounts: BTreeSet<Address> = self.again.accounts.iter().copied().chain(next).collect();
        let accounts: Vec<Address> = accounts.into_iter().collect();

        let next = self.store.sessions_after(self.last_session, block.number, some).await?;
        let last_session = next.last().filter(|_| next.len() == some as usize);
        self.last_session = last_session.map_or(BEGINNING, |(position, _)| *position);
        let next = next.into_iter().map(|(_, session)| session);
        let sessions: BTreeSet<SessionId> =
            self.again.sessions.iter().copied().chain(next).collect();
        let sessions: Vec<SessionId> = sessions.into_iter().collect();

        let outcome = self.compare(block, Sums::Compared, &accounts, &sessions).await;
        match &outcome {
            Ok(Outcome::Clean(_)) => self.again = Again::default(),
            Ok(Outcome::Differs(_, differences)) => self.again = Again::of(differences),
            // Nothing was compared: no more than this many wait for the next look.
            Ok(_) | Err(_) => {
                while self.again.accounts.len() > MOST_TOUCHED as usize {
                    self.again.accounts.pop_last();
                }
            }
        }
        outcome
    }

    /// Compares everything, at one block. `progress` is told how many accounts and sessions were
    /// compared.
    pub async fn compare_all(&self, progress: impl Fn(u64)) -> Result<Outcome, AuditError> {
        let cursor = self.store.cursor().await?;
        let block = self.block_to_compare(&cursor).await?;
        let mut all = Compared { block, accounts: 0, sessions: 0 };
        let mut differences = Vec::new();
        let (mut account, mut session) = (None, BEGINNING);
        let mut sums = Sums::Compared;
        loop {
            let accounts = self.store.accounts_after(account, PAGE).await?;
            let sessions = self.store.sessions_after(session, block.number, PAGE).await?;
            account = accounts.last().copied().or(account);
            session = sessions.last().map_or(session, |(position, _)| *position);
            let ids: Vec<SessionId> = sessions.into_iter().map(|(_, session)| session).collect();
            match self.compare(block, sums, &accounts, &ids).await? {
                Outcome::Clean(_) => {}
                Outcome::Differs(_, more) => differences.extend(more),
                // What was found until then was compared with the state of that very block.
                _ if !differences.is_empty() => break,
                other => return Ok(other),
            }
            sums = Sums::LeftOut;
            all.accounts += accounts.len() as u64;
            all.sessions += ids.len() as u64;
            progress(all.accounts + all.sessions);
            if accounts.is_empty() && ids.is_empty() {
                break;
            }
        }
        Ok(if differences.is_empty() {
            Outcome::Clean(all)
        } else {
            Outcome::Differs(all, differences)
        })
    }

    /// The safe block, where there is one behind the deployment: it is still there when the answer
    /// comes. Else the last.
    async fn block_to_compare(&self, cursor: &Cursor) -> Result<Block, AuditError> {
        let safe = self.store.block(cursor.safe_block).await?;
        let safe = safe.filter(|block| block.number >= self.deployment.deploy_block);
        Ok(safe.unwrap_or(cursor.block))
    }

    /// Whether `block` is still the chain's at its height. Once it is final, the tables keep it only
    /// for its events, and the node is asked.
    async fn still_there(&self, block: Block) -> Result<bool, AuditError> {
        if let Some(kept) = self.store.block(block.number).await? {
            return Ok(kept == block);
        }
        let is_final = block.number < self.store.cursor().await?.final_block;
        let header = self.providers.header(block.number).await?;
        Ok(is_final && header.is_some_and(|header| header.block() == block))
    }

    /// Why the node did not answer about `block`: nodes have many words for a block that they do not
    /// have any more, or not yet.
    async fn without_state(&self, block: Block, error: ChainError) -> Result<Outcome, AuditError> {
        match self.providers.header(block.number).await {
            Ok(None) => {
                let reason = "the node does not have that block".to_owned();
                Ok(Outcome::StateUnavailable { block, reason })
            }
            Ok(Some(header)) if header.block() != block => Ok(Outcome::Replaced(block)),
            Ok(Some(_)) | Err(_) => Err(error.into()),
        }
    }

    /// Compares these accounts and these sessions at `block`.
    async fn compare(
        &self,
        block: Block,
        sums: Sums,
        accounts: &[Address],
        sessions: &[SessionId],
    ) -> Result<Outcome, AuditError> {
        let (states, owed) = self.store.accounts_at(block.number, accounts).await?;
        // Read after the accounts: they are of this block if it is still the one.
        if !self.still_there(block).await? {
            return Ok(Outcome::Replaced(block));
        }
        if block.number < self.deployment.deploy_block {
            let reason = "the contract was not deployed yet".to_owned();
            return Ok(Outcome::StateUnavailable { block, reason });
        }
        let owed = (sums == Sums::Compared).then_some(owed);
        let compared =
            compare(&self.providers, &self.deployment, block, owed, &states, sessions).await;
        let differences = match compared {
            Ok(differences) => differences,
            Err(ChainError::StateUnavailable { message: reason, .. }) => {
                return Ok(Outcome::StateUnavailable { block, reason });
            }
            Err(other) => return self.without_state(block, other).await,
        };
        let accounts = accounts.len() as u64;
        let compared = Compared { block, accounts, sessions: sessions.len() as u64 };
        Ok(if differences.is_empty() {
            Outcome::Clean(compared)
        } else {
            Outcome::Differs(compared, differences)
        })
    }
}
