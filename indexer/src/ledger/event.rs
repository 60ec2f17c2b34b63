use alloy::primitives::{Address, B256, Selector, U256};
use luxxon_bindings::{MicroUsdc, SessionId};

/// A block, as far as the ledger needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// When it was made: Unix time in seconds, by the chain's clock.
    pub timestamp: u64,
}

/// Where an event stands in the chain. Ordered as the chain orders events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The block's number.
    pub block: u64,
    /// The log's index in its block, not in its transaction.
    pub log_index: u32,
}

/// One thing that happened to money the ledger tracks, or that bears on who may take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// The transaction that caused it.
    pub tx_hash: B256,
    /// What happened.
    pub change: Change,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Money entered a pool.
    Deposit {
        /// Whose pool grew.
        account: Address,
        /// Whose USDC paid for it.
        payer: Address,
        /// How much entered.
        amount: MicroUsdc,
    },
    /// An account took money out of its own pool.
    Withdrawal {
        /// Whose pool fell.
        account: Address,
        /// How much left.
        amount: MicroUsdc,
    },
    /// A session was paid out of its consumer's pool.
    Settle(Settlement),
    /// A payee could not be paid by a batch: the contract holds the money for it.
    PayoutHeld {
        /// Who can claim it.
        account: Address,
        /// How much is held.
        amount: MicroUsdc,
    },
    /// Money that was held was paid out.
    Claimed {
        /// Who was paid.
        account: Address,
        /// How much.
        amount: MicroUsdc,
    },
    /// A wallet allowed the settlement contract to move its USDC. No pool changes.
    Approval {
        /// Whose USDC may be moved.
        owner: Address,
        /// The new allowance in µUSDC: any 256-bit value, 2^256 − 1 being usual.
        allowance: U256,
    },
    /// An account set the limits of its pool. No balance changes.
    LimitsSet {
        /// Whose pool.
        account: Address,
        /// What holds from here on, in place of all that was set before.
        limits: Limits,
    },
    /// A batch left an entry out. No balance changes, and the session is what it was: one that is
    /// not settled can still be.
    EntrySkipped {
        /// The session that was to be paid.
        session: SessionId,
        /// The consumer, whose pool was to pay.
        from: Address,
        /// The entry's place in its batch, from 0: below [`MAX_BATCH_SIZE`].
        index: u8,
        /// The selector of the error that settling it alone would have ended with;
        /// [`error_name`](super::error_name) has its name.
        reason: Selector,
    },
}

/// The most entries a batch has: the contract's `MAX_BATCH_SIZE`.
pub const MAX_BATCH_SIZE: u8 = 100;

/// What an account lets settlements take from its pool. Nothing set is no limit, as zero is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The highest rate of a session, in µUSDC per second: below 2^32.
    pub max_rate_per_second: MicroUsdc,
    /// The most for one session, in µUSDC, the platform's part included: below 2^48.
    pub max_per_session: MicroUsdc,
    /// The most for all sessions of a UTC day, in µUSDC: below 2^48.
    pub max_per_day: MicroUsdc,
}

impl Change {
    /// Whose pool, claimable, allowance or limits it is about.
    #[must_use]
    pub fn account(&self) -> Address {
        match self {
            Self::Deposit { account, .. }
            | Self::Withdrawal { account, .. }
            | Self::PayoutHeld { account, .. }
            | Self::Claimed { account, .. }
            | Self::LimitsSet { account, .. } => *account,
            Self::Settle(settlement) => settlement.from,
            Self::EntrySkipped { from, .. } => *from,
            Self::Approval { owner, .. } => *owner,
        }
    }
}

/// A session's payment, as the contract booked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The session that was paid.
    pub session: SessionId,
    /// The consumer, whose pool paid.
    pub from: Address,
    /// The operator, who was paid.
    pub to: Address,
    /// What the operator received.
    pub to_amount: MicroUsdc,
    /// What the platform received.
    pub fee_amount: MicroUsdc,
    /// What left the pool: operator's and platform's parts together.
    pub gross: MicroUsdc,
    /// The session's price in µUSDC per second.
    pub rate_per_second: MicroUsdc,
    /// The seconds that were charged.
    pub chargeable_seconds: u32,
}
