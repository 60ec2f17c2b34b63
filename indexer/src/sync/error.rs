use crate::{chain::ChainError, ledger::DecodeError, store::StoreError};
use alloy::primitives::{B256, U256};
use luxxon_bindings::MicroUsdc;

/// Why following the chain stopped short.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The node.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A log that cannot be.
    #[error("block {block}, log {log_index}: {error}")]
    Decode {
        /// The log's block.
        block: u64,
        /// Its index there.
        log_index: u32,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The node's chain parts from ours below what it had called final.
    #[error(
        "the node's chain parts from ours below block {final_block}, which was final: ours is \
         {ours}, the node's is {theirs}. Is it a node of another chain, or was the chain reset?"
    )]
    FinalBlockReplaced {
        /// The final height.
        final_block: u64,
        /// Our block's hash there.
        ours: B256,
        /// The node's.
        theirs: B256,
    },
    /// The contract owes something else than its logs add up to: a log is missing, and the node
    /// said nothing of it.
    #[error(
        "at block {block} the contract owes {chain} µUSDC, but its logs add up to {tables}: the \
         node withheld logs at or below that block. Nothing above it is taken in. Run `repair` \
         from a block before the gap, best with another node"
    )]
    OwedDiffers {
        /// The block.
        block: u64,
        /// What `totalOwed` says there.
        chain: U256,
        /// The sum of the tables.
        tables: MicroUsdc,
    },
    /// Two nodes agree on logs that are not those that were taken in.
    #[error(
        "two nodes agree that blocks {from} to {to} hold {theirs} events, but {ours} others were \
         taken in when those blocks were new: run `repair --from {from}`"
    )]
    NotConfirmed {
        /// The first block.
        from: u64,
        /// The last block.
        to: u64,
        /// How many events are in the tables.
        ours: usize,
        /// How many the nodes have.
        theirs: usize,
    },
}

impl SyncError {
    /// Whether trying again may help. Otherwise something is wrong that only a person can put
    /// right, and going on would serve wrong balances.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Chain(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
            Self::Decode { .. }
            | Self::FinalBlockReplaced { .. }
            | Self::OwedDiffers { .. }
            | Self::NotConfirmed { .. } => false,
        }
    }
}
