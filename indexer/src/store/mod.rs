//! Where the ledger and the registry are kept: the [`Store`] trait and its SQLite implementation.
//!
//! The ledger is a cache of the chain and moves only with its cursor; the registry (workspaces,
//! keys, registered sessions) is what operators enter. This module is the only one that speaks SQL.

mod error;
mod registry;
mod sqlite;

pub use error::StoreError;
pub use registry::{ApiKey, NewApiKey, NewSession, NewWorkspace, Scope, Session, Workspace};
pub use sqlite::{Contradiction, Misplaced, Rebuilt, SqliteStore, keep_resident};

use crate::ledger::{Block, Deployment, Event, EventId, Limits, Position, Side};
use alloy::primitives::{Address, B256, U256};
use luxxon_bindings::{MicroUsdc, SessionId};
use std::future::Future;
use tokio::sync::watch;
use uuid::Uuid;

/// What one database follows, for ever. A daemon that is told otherwise is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pins {
    /// The chain's id.
    pub chain_id: u64,
    /// The hash of block 0: tells two chains of one id apart.
    pub genesis_hash: B256,
    /// The contracts.
    pub deployment: Deployment,
    /// keccak256 of the settlement contract's code.
    pub code_hash: B256,
}

/// How far the ledger has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last block that is wholly in.
    pub block: Block,
    /// The last block that is safe: `final_block` or above.
    pub safe_block: u64,
    /// The height below which nothing is ever rolled back.
    pub final_block: u64,
    /// The sum of all pools and of all that is held: what the contract calls `totalOwed`.
    pub owed: MicroUsdc,
}

impl Cursor {
    /// The last block of `level`.
    #[must_use]
    pub fn height_of(&self, level: Level) -> u64 {
        match level {
            Level::Latest => self.block.number,
            Level::Safe => self.safe_block,
            Level::Finalized => self.final_block,
        }
    }

    /// How sure block `number` is, which is in.
    #[must_use]
    pub fn level_of(&self, number: u64) -> Level {
        match number {
            number if number <= self.final_block => Level::Finalized,
            number if number <= self.safe_block => Level::Safe,
            _ => Level::Latest,
        }
    }

    /// How far the chain is sure of what is in.
    #[must_use]
    pub fn heights(&self) -> Heights {
        Heights { safe_block: self.safe_block, final_block: self.final_block }
    }
}

/// How far the chain is sure of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heights {
    /// The last block that only a reorg of the layer below replaces.
    pub safe_block: u64,
    /// The last block that no reorg replaces.
    pub final_block: u64,
}

/// Blocks that follow the cursor, and their events: all of it is written, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The blocks to keep, ascending: each that holds an event, and the last block of the batch,
    /// which becomes the cursor.
    pub blocks: Vec<Block>,
    /// The events, ascending.
    pub events: Vec<Event>,
    /// What the chain calls safe and final; each counts as far as the cursor reaches.
    pub heights: Heights,
}

impl Batch {
    /// Whether the batch follows the block `after` and holds together: blocks ascending and all
    /// above `after`, events ascending, each in one of the blocks.
    fn follows(&self, after: Block) -> bool {
        let numbers = || self.blocks.iter().map(|block| block.number);
        let positions = || self.events.iter().map(|event| event.position);
        let in_a_block = |position: Position| {
            self.blocks.binary_search_by_key(&position.block, |block| block.number).is_ok()
        };
        numbers().next().is_some_and(|first| first > after.number)
            && numbers().is_sorted_by(|a, b| a < b)
            && positions().is_sorted_by(|a, b| a < b)
            && positions().all(in_a_block)
    }
}

/// How sure what is read has to be. On Base, `Safe` is about two minutes behind `Latest`, and
/// `Finalized` about twenty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything that is in. A reorg may take it back.
    Latest,
    /// What only a reorg of the layer below takes back.
    Safe,
    /// What nothing takes back.
    Finalized,
}

impl Level {
    /// All there are, the least sure first.
    pub const ALL: [Self; 3] = [Self::Latest, Self::Safe, Self::Finalized];

    /// Its name, as the chain's nodes have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

/// What a wallet is owed, what it lets settlements take, and the block it is true at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// What its pool holds.
    pub balance: MicroUsdc,
    /// What is held for it because it could not be paid.
    pub claimable: MicroUsdc,
    /// What settlements may take from its pool, as it set it last.
    pub limits: Limits,
    /// The block it is true at: the cursor's, or the last one of the level it was read at.
    pub at: Block,
}

/// What the contract keeps of an account: all that it owes it, and the limits it has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Whose.
    pub account: Address,
    /// Its pool.
    pub pool: MicroUsdc,
    /// What is held for it.
    pub claimable: MicroUsdc,
    /// What settlements may take from its pool.
    pub limits: Limits,
}

/// What a wallet's history shows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletEvent {
    /// Where the event stands.
    pub position: Position,
    /// Which side of it the wallet is on.
    pub side: Side,
    /// The block it stands in.
    pub block: Block,
    /// Its transaction.
    pub tx_hash: B256,
    /// What it was to the wallet.
    pub change: WalletChange,
}

/// What an event was to a wallet, on its side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletChange {
    /// Money entered the pool.
    Deposit {
        /// How much.
        amount: MicroUsdc,
    },
    /// Money left it by its owner.
    Withdrawal {
        /// How much.
        amount: MicroUsdc,
    },
    /// A session was paid.
    Settle {
        /// The whole price for who paid it, and the operator's part for the operator.
        amount: MicroUsdc,
        /// The session.
        session: SessionId,
        /// Its UUID, where it is registered.
        uuid: Option<Uuid>,
    },
    /// The contract was allowed to move USDC.
    Approval {
        /// How much, in µUSDC: any number of 256 bits.
        allowance: U256,
    },
}

impl WalletChange {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Deposit { .. } => EventKind::Deposit,
            Self::Withdrawal { .. } => EventKind::Withdrawal,
            Self::Settle { .. } => EventKind::Settle,
            Self::Approval { .. } => EventKind::Approval,
        }
    }
}

/// The kinds of events that a wallet's history shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Money entered the pool.
    Deposit,
    /// Money left it by its owner.
    Withdrawal,
    /// A session was paid.
    Settle,
    /// The contract was allowed to move USDC.
    Approval,
}

impl EventKind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Deposit, Self::Withdrawal, Self::Settle, Self::Approval];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "DEPOSIT",
            Self::Withdrawal => "WITHDRAWAL",
            Self::Settle => "SETTLE",
            Self::Approval => "APPROVAL",
        }
    }
}

/// Which events of a wallet to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only those older than this one.
    pub before: Option<EventId>,
    /// Only those of these kinds.
    pub kinds: Vec<EventKind>,
    /// Only those in this block or above.
    pub from_block: u64,
    /// Only those in this block or below.
    pub to_block: u64,
    /// At most so many.
    pub limit: u32,
}

impl PageRequest {
    /// The newest `limit`, of all kinds.
    #[must_use]
    pub fn newest(limit: u32) -> Self {
        let (from_block, to_block) = (0, u64::MAX);
        Self { before: None, kinds: EventKind::ALL.to_vec(), from_block, to_block, limit }
    }
}

/// Some events of a wallet, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletPage {
    /// The events.
    pub events: Vec<WalletEvent>,
    /// The block that they are true at: the cursor's.
    pub at: Block,
}

/// The newest events of all accounts, and where the ledger stood when they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The events, each with its block, newest first.
    pub events: Vec<(Event, Block)>,
    /// How far the ledger had come.
    pub cursor: Cursor,
}

/// What is known of a session's payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session.
    pub session: SessionId,
    /// What was registered, if anything was.
    pub registered: Option<Session>,
    /// The payment and its block, once the chain has it.
    pub settled: Option<(Event, Block)>,
    /// The last time a batch left it out, and the block of that, be it before it was settled or
    /// after: a [`Change::EntrySkipped`](crate::ledger::Change::EntrySkipped).
    pub last_skip: Option<(Event, Block)>,
    /// Whether the transaction that was reported left the session out.
    pub reported_skipped: bool,
    /// How far the ledger had come.
    pub cursor: Cursor,
}

impl SessionRecord {
    /// How sure the payment is, once the chain has it.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.settled.as_ref().map(|(_, block)| self.cursor.level_of(block.number))
    }
}

/// The one way to the tables.
///
/// Writing methods are atomic: when one returns an error, nothing was written. Reading methods each
/// see one state of the ledger, that of one cursor.
pub trait Store: Clone + Send + Sync + 'static {
    /// How far the ledger has come.
    fn cursor(&self) -> impl Future<Output = Result<Cursor, StoreError>> + Send;

    /// Something that changes whenever this process has moved the cursor.
    fn moved(&self) -> watch::Receiver<()>;

    /// The kept block of that height, if it is kept.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<Block>, StoreError>> + Send;

    /// Appends `batch`, which follows the block `after`, and moves the cursor with it, to where it
    /// returns.
    ///
    /// Refused with [`StoreError::CursorMoved`] when the cursor is no longer at `after`, and with
    /// [`StoreError::NotABatch`] when the batch does not follow it or does not hold together.
    fn commit(
        &self,
        after: Block,
        batch: Batch,
    ) -> impl Future<Output = Result<Cursor, StoreError>> + Send;

    /// Sets the safe and the final height to `heights`, or to the cursor where that is lower, and
    /// forgets the blocks that no rollback can need any more. The final height never falls; the safe
    /// one does when the layer below is reorganised, but not below the final one.
    fn set_heights(&self, heights: Heights) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes back every block above `to`, which must be kept and not below the final height.
    /// Returns how many events went.
    fn rollback(&self, to: u64) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The events of the blocks `from` to `to`, both included, in their order.
    fn events(
        &self,
        from: u64,
        to: u64,
    ) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;

    /// The sum of all balances after block `number`, which is not below the final height.
    fn owed_at(&self, number: u64) -> impl Future<Output = Result<MicroUsdc, StoreError>> + Send;

    /// The balances and limits after block `number`, which is not below the final height, of
    /// `accounts` in their order, and the sum of all balances there are.
    fn accounts_at(
        &self,
        number: u64,
        accounts: &[Address],
    ) -> impl Future<Output = Result<(Vec<AccountState>, MicroUsdc), StoreError>> + Send;

    /// Accounts whose balances or limits changed in the blocks `from` to `to`, at most `limit`.
    fn accounts_touched(
        &self,
        from: u64,
        to: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Address>, StoreError>> + Send;

    /// The next `limit` accounts that ever had an event, in the order of their addresses.
    fn accounts_after(
        &self,
        after: Option<Address>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Address>, StoreError>> + Send;

    /// The next `limit` settled sessions behind `after` and up to block `to`, in the order of the
    /// chain.
    fn sessions_after(
        &self,
        after: Position,
        to: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(Position, SessionId)>, StoreError>> + Send;

    /// What `account` is owed, and its limits, by everything that is in.
    fn wallet(&self, account: Address) -> impl Future<Output = Result<Wallet, StoreError>> + Send {
        self.wallet_at(account, Level::Latest)
    }

    /// What `account` was owed after the last block of `level`, and its limits there.
    fn wallet_at(
        &self,
        account: Address,
        level: Level,
    ) -> impl Future<Output = Result<Wallet, StoreError>> + Send;

    /// The same at every level, in the order of [`Level::ALL`], all of one state of the ledger.
    fn wallet_levels(
        &self,
        account: Address,
    ) -> impl Future<Output = Result<[Wallet; 3], StoreError>> + Send;

    /// The deposits, withdrawals, settlements (both sides) and approvals of `account` that `request`
    /// asks for, newest first.
    fn wallet_events(
        &self,
        account: Address,
        request: PageRequest,
    ) -> impl Future<Output = Result<WalletPage, StoreError>> + Send;

    /// The oldest `limit` events of the same kinds that are newer than the side of an event that
    /// `after` names, oldest first; `None` where the block `seen` is not kept any more.
    fn wallet_news(
        &self,
        account: Address,
        seen: Option<Block>,
        after: (Position, Side),
        limit: u32,
    ) -> impl Future<Output = Result<Option<WalletPage>, StoreError>> + Send;

    /// What is known of a session's payment, and why the last batch that left it out did.
    fn session(
        &self,
        session: SessionId,
    ) -> impl Future<Output = Result<SessionRecord, StoreError>> + Send;

    /// The holder of the key with that SHA-256, if there is one.
    fn api_key(
        &self,
        key_hash: [u8; 32],
    ) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// Enters a workspace.
    fn add_workspace(
        &self,
        workspace: NewWorkspace,
    ) -> impl Future<Output = Result<Workspace, StoreError>> + Send;

    /// All workspaces, by their slugs.
    fn workspaces(&self) -> impl Future<Output = Result<Vec<Workspace>, StoreError>> + Send;

    /// Enters a key of a workspace. [`StoreError::Unknown`] where that does not exist.
    fn add_api_key(
        &self,
        key: NewApiKey,
    ) -> impl Future<Output = Result<ApiKey, StoreError>> + Send;

    /// The keys of a workspace, the oldest first, revoked ones included.
    fn api_keys(
        &self,
        workspace: Uuid,
    ) -> impl Future<Output = Result<Vec<ApiKey>, StoreError>> + Send;

    /// Revokes the key with the id `key` at `at`, in Unix seconds; one that is revoked stays as it
    /// is. [`StoreError::Unknown`] where there is none.
    fn revoke_api_key(
        &self,
        key: Uuid,
        at: u64,
    ) -> impl Future<Output = Result<ApiKey, StoreError>> + Send;

    /// Notes when keys were last used: their ids, and Unix seconds.
    fn note_uses(
        &self,
        uses: &[(Uuid, u64)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Enters a session. Entering the same one again is harmless, and so is saying when one ran that
    /// had not ended before; entering a different one under the same UUID is a
    /// [`StoreError::Conflict`]. [`StoreError::Unknown`] where a workspace does not exist, and
    /// [`StoreError::Unpayable`] where the contract would refuse the payment.
    fn register_session(
        &self,
        session: NewSession,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes the transaction that is said to pay a session, in place of one that was noted before.
    /// [`StoreError::Unknown`] where it is not registered, [`StoreError::NotEnded`] where it goes on.
    fn report_transaction(
        &self,
        session: SessionId,
        tx_hash: B256,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The newest `limit` events of every kind and account.
    fn newest_events(&self, limit: u32) -> impl Future<Output = Result<Newest, StoreError>> + Send;
}
