//! What the tests of several modules build on: a deployment, its blocks and events, and a store in
//! a directory of its own.

use crate::{
    ledger::{Block, Change, Deployment, Event, Limits, Position, Settlement, meter::Reading},
    store::{
        Batch, Cursor, Heights, NewSession, NewWorkspace, Pins, SqliteStore, Store, Wallet,
        Workspace,
    },
};
use alloy::{
    primitives::{Address, B256, U256, address, keccak256},
    sol_types::SolError,
};
use luxxon_bindings::{MicroUsdc, SessionId, settlement::LuxxonSettlement::InsufficientPool};
use std::path::PathBuf;
use tempfile::TempDir;
use uuid::Uuid;

/// The block the deployment is in. A new ledger begins one before it.
pub(crate) const DEPLOY_BLOCK: u64 = 100;

/// Wallets whose EIP-55 form has letters of both cases: the examples of the EIP itself.
pub(crate) const CONSUMER: Address = address!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
pub(crate) const OPERATOR: Address = address!("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359");
pub(crate) const STRANGER: Address = address!("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB");

/// What the databases of the tests are pinned to.
pub(crate) fn pins() -> Pins {
    Pins {
        chain_id: 84532,
        genesis_hash: B256::repeat_byte(0x9e),
        deployment: Deployment {
            settlement: address!("0xa748C178df47c2DA2227C247293943713eB65a26"),
            usdc: address!("0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
            deploy_block: DEPLOY_BLOCK,
        },
        code_hash: B256::repeat_byte(0xc0),
    }
}

/// The block of that height on the chain most tests follow; block 100 is of 2026-05-13T11:30:00Z.
pub(crate) fn block(number: u64) -> Block {
    forked(number, 0)
}

/// The block of that height on another chain: the same time, another hash.
pub(crate) fn forked(number: u64, fork: u64) -> Block {
    let hash = keccak256([number.to_be_bytes(), fork.to_be_bytes()].concat());
    Block { number, hash, timestamp: 1_778_671_600 + 2 * number }
}

/// The block before the deployment.
pub(crate) fn first() -> Block {
    block(DEPLOY_BLOCK - 1)
}

pub(crate) fn event(block: u64, log_index: u32, change: Change) -> Event {
    let position = Position { block, log_index };
    let tx_hash = keccak256(format!("transaction of {block}, {log_index}"));
    Event { position, tx_hash, change }
}

pub(crate) fn deposit(account: Address, amount: u64) -> Change {
    Change::Deposit { account, payer: account, amount: MicroUsdc::new(amount) }
}

pub(crate) fn withdrawal(account: Address, amount: u64) -> Change {
    Change::Withdrawal { account, amount: MicroUsdc::new(amount) }
}

pub(crate) fn approval(owner: Address, allowance: U256) -> Change {
    Change::Approval { owner, allowance }
}

pub(crate) fn limits_set(account: Address, limits: Limits) -> Change {
    Change::LimitsSet { account, limits }
}

pub(crate) fn limits(max_rate_per_second: u64, max_per_session: u64, max_per_day: u64) -> Limits {
    Limits {
        max_rate_per_second: MicroUsdc::new(max_rate_per_second),
        max_per_session: MicroUsdc::new(max_per_session),
        max_per_day: MicroUsdc::new(max_per_day),
    }
}

/// Left out as the `index`th entry of a batch, because the pool holds too little.
pub(crate) fn skipped(session: Uuid, from: Address, index: u8) -> Change {
    let reason = InsufficientPool::SELECTOR.into();
    Change::EntrySkipped { session: SessionId::of(session), from, index, reason }
}

/// A payment of `to_amount` to the operator and `fee_amount` to the platform.
pub(crate) fn settle(
    session: Uuid,
    from: Address,
    to: Address,
    to_amount: u64,
    fee_amount: u64,
) -> Change {
    Change::Settle(Settlement {
        session: SessionId::of(session),
        from,
        to,
        to_amount: MicroUsdc::new(to_amount),
        fee_amount: MicroUsdc::new(fee_amount),
        gross: MicroUsdc::new(to_amount.saturating_add(fee_amount)),
        rate_per_second: MicroUsdc::new(1_000),
        chargeable_seconds: 5,
    })
}

/// Five seconds at 1,000 µUSDC, 15 % of it the platform's: 4,250 and 750.
pub(crate) fn terms(session: Uuid, consumer: &Workspace, operator: &Workspace) -> NewSession {
    NewSession {
        id: session,
        consumer_workspace: consumer.id,
        operator_workspace: operator.id,
        rate_per_second: MicroUsdc::new(1_000),
        platform_fee_bps: 1_500,
        max_duration_seconds: 60,
        reading: Some(Reading { started_at: 1_000, ended_at: 6_999, disconnects: Vec::new() }),
    }
}

/// One block and its events, of which none is final yet.
pub(crate) fn one_block(block: Block, changes: impl IntoIterator<Item = Change>) -> Batch {
    let number = block.number;
    let events = (0..).zip(changes).map(|(log_index, change)| event(number, log_index, change));
    Batch { blocks: vec![block], events: events.collect(), heights: Heights::default() }
}

/// What is final is safe, and nothing else.
pub(crate) fn up_to(final_block: u64) -> Heights {
    Heights { safe_block: final_block, final_block }
}

/// A cursor on `block`, with what [`up_to`] makes final, which owes `owed`.
pub(crate) fn cursor(block: Block, final_block: u64, owed: u64) -> Cursor {
    Cursor { block, safe_block: final_block, final_block, owed: MicroUsdc::new(owed) }
}

/// A wallet whose pool holds `balance`, for which nothing is held, and which has no limits.
pub(crate) fn pool_of(balance: u64, at: Block) -> Wallet {
    let (balance, limits) = (MicroUsdc::new(balance), Limits::default());
    Wallet { balance, claimable: MicroUsdc::ZERO, limits, at }
}

/// A new database. It is gone when the directory is dropped.
pub(crate) async fn new_store() -> (TempDir, SqliteStore) {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&db_path(&directory), &pins(), first()).await.unwrap();
    (directory, store)
}

pub(crate) fn db_path(directory: &TempDir) -> PathBuf {
    directory.path().join("ledger.db")
}

/// Takes in a block that follows the cursor.
pub(crate) async fn take(
    store: &SqliteStore,
    block: Block,
    changes: impl IntoIterator<Item = Change>,
) {
    let cursor = store.cursor().await.unwrap();
    store.commit(cursor.block, one_block(block, changes)).await.unwrap();
}

/// Enters a workspace.
pub(crate) async fn workspace(store: &SqliteStore, slug: &str, wallet: Address) -> Workspace {
    let (slug, name) = (slug.to_owned(), format!("The {slug}"));
    store.add_workspace(NewWorkspace { slug, name, wallet }).await.unwrap()
}
