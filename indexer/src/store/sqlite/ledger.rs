//! What moves the ledger. Each function runs inside the caller's transaction.

use super::{
    columns::{self, integer},
    reads,
};
use crate::{
    ledger::{Block, Change, Event, PoolChange, Pools},
    store::{Batch, StoreError},
};
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use sqlx::{SqliteConnection, sqlite::SqliteArguments};
use std::collections::BTreeSet;

/// Numbers of the column `events.kind`.
pub(super) mod kind {
    pub(crate) const DEPOSIT: i64 = 1;
    pub(crate) const WITHDRAWAL: i64 = 2;
    pub(crate) const SETTLE: i64 = 3;
    pub(crate) const APPROVAL: i64 = 4;
}

pub(super) async fn commit(
    tx: &mut SqliteConnection,
    after: Block,
    batch: &Batch,
) -> Result<(), StoreError> {
    let cursor = reads::cursor(tx).await?;
    if cursor.block != after {
        let (expected, found) = (after.number, cursor.block.number);
        return Err(StoreError::CursorMoved { expected, found });
    }
    if !batch.follows(after) {
        return Err(StoreError::NotABatch { after: after.number });
    }
    let mut pools = load_pools(tx, &batch.events).await?;
    for block in &batch.blocks {
        insert_block(tx, block).await?;
    }
    for event in &batch.events {
        pools.apply(event)?;
        insert_event(tx, event).await.map_err(|error| error.at(event.position))?;
    }
    store_pools(tx, &pools).await?;
    if let Some(last) = batch.blocks.last() {
        sqlx::query("UPDATE cursor SET block_number = ?")
            .bind(integer("block_number", last.number)?)
            .execute(&mut *tx)
            .await?;
    }
    finalize(tx, batch.final_block).await
}

/// Raises the final height and prunes. The kept blocks are then a function of the chain, the cursor
/// and the final height alone: those with events, and all from the final height up.
pub(super) async fn finalize(
    tx: &mut SqliteConnection,
    final_block: u64,
) -> Result<(), StoreError> {
    let cursor = reads::cursor(tx).await?;
    let final_block = final_block.min(cursor.block.number);
    if final_block <= cursor.final_block {
        return Ok(());
    }
    let final_block = integer("final_block", final_block)?;
    sqlx::query("UPDATE cursor SET final_block = ?").bind(final_block).execute(&mut *tx).await?;
    // Nothing without events is left below the old final height, so the look begins there.
    sqlx::query(
        "DELETE FROM blocks WHERE number >= ? AND number < ?
            AND NOT EXISTS (SELECT 1 FROM events WHERE block_number = blocks.number)",
    )
    .bind(integer("final_block", cursor.final_block)?)
    .bind(final_block)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn rollback(tx: &mut SqliteConnection, to: u64) -> Result<u64, StoreError> {
    let cursor = reads::cursor(tx).await?;
    let too_deep = StoreError::RollbackTooDeep { to, final_block: cursor.final_block };
    if to < cursor.final_block || reads::block(tx, to).await?.is_none() {
        return Err(too_deep);
    }
    let events = reads::events_above(tx, to).await?;
    let mut pools = load_pools(tx, &events).await?;
    for event in events.iter().rev() {
        pools.revert(event)?;
    }
    store_pools(tx, &pools).await?;
    let to = integer("block_number", to)?;
    sqlx::query("UPDATE cursor SET block_number = ?").bind(to).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM events WHERE block_number > ?").bind(to).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM blocks WHERE number > ?").bind(to).execute(&mut *tx).await?;
    Ok(events.len() as u64)
}

async fn load_pools(tx: &mut SqliteConnection, events: &[Event]) -> Result<Pools, StoreError> {
    let touched: BTreeSet<Address> = events
        .iter()
        .filter_map(|event| PoolChange::of(&event.change))
        .map(PoolChange::account)
        .collect();
    let mut pools = Pools::default();
    for account in touched {
        let row = sqlx::query("SELECT balance FROM pools WHERE account = ?")
            .bind(account.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
        let balance = row.map(|row| columns::money(&row, "balance")).transpose()?;
        pools.load(account, balance.unwrap_or_default());
    }
    Ok(pools)
}

async fn store_pools(tx: &mut SqliteConnection, pools: &Pools) -> Result<(), StoreError> {
    for (account, balance) in pools.iter() {
        let query = if balance == MicroUsdc::ZERO {
            sqlx::query("DELETE FROM pools WHERE account = ?").bind(account.to_vec())
        } else {
            sqlx::query(
                "INSERT INTO pools (account, balance) VALUES (?, ?)
                 ON CONFLICT (account) DO UPDATE SET balance = excluded.balance",
            )
            .bind(account.to_vec())
            .bind(integer("balance", balance.get())?)
        };
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_block(tx: &mut SqliteConnection, block: &Block) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO blocks (number, hash, timestamp) VALUES (?, ?, ?)")
        .bind(integer("number", block.number)?)
        .bind(block.hash.to_vec())
        .bind(integer("timestamp", block.timestamp)?)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn insert_event(tx: &mut SqliteConnection, event: &Event) -> Result<(), StoreError> {
    let row = EventRow::of(&event.change)?;
    row.bind(
        sqlx::query(
            "INSERT INTO events (block_number, log_index, tx_hash, kind, account, counterparty,
                amount, allowance, session_id, to_amount, fee_amount, rate_per_second,
                chargeable_seconds)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(integer("block_number", event.position.block)?)
        .bind(i64::from(event.position.log_index))
        .bind(event.tx_hash.to_vec()),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The columns of `events` that depend on the kind.
#[derive(Default)]
struct EventRow {
    kind: i64,
    account: Address,
    counterparty: Option<Address>,
    amount: Option<i64>,
    allowance: Option<[u8; 32]>,
    session_id: Option<[u8; 32]>,
    to_amount: Option<i64>,
    fee_amount: Option<i64>,
    rate_per_second: Option<[u8; 8]>,
    chargeable_seconds: Option<i64>,
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

impl EventRow {
    fn of(change: &Change) -> Result<Self, StoreError> {
        let money = |column, amount: MicroUsdc| integer(column, amount.get()).map(Some);
        Ok(match change {
            Change::Deposit { account, payer, amount } => Self {
                kind: kind::DEPOSIT,
                account: *account,
                counterparty: Some(*payer),
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Withdrawal { account, amount } => Self {
                kind: kind::WITHDRAWAL,
                account: *account,
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Settle(settlement) => Self {
                kind: kind::SETTLE,
                account: settlement.from,
                counterparty: Some(settlement.to),
                amount: money("amount", settlement.gross)?,
                session_id: Some(settlement.session.0.0),
                to_amount: money("to_amount", settlement.to_amount)?,
                fee_amount: money("fee_amount", settlement.fee_amount)?,
                rate_per_second: Some(settlement.rate_per_second.get().to_be_bytes()),
                chargeable_seconds: Some(i64::from(settlement.chargeable_seconds)),
                allowance: None,
            },
            Change::Approval { owner, allowance } => Self {
                kind: kind::APPROVAL,
                account: *owner,
                allowance: Some(allowance.to_be_bytes()),
                ..Self::default()
            },
        })
    }

    fn bind(self, query: Query<'_>) -> Query<'_> {
        query
            .bind(self.kind)
            .bind(self.account.to_vec())
            .bind(self.counterparty.map(|address| address.to_vec()))
            .bind(self.amount)
            .bind(self.allowance.map(|word| word.to_vec()))
            .bind(self.session_id.map(|word| word.to_vec()))
            .bind(self.to_amount)
            .bind(self.fee_amount)
            .bind(self.rate_per_second.map(|rate| rate.to_vec()))
            .bind(self.chargeable_seconds)
    }
}
