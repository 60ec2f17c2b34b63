//! What moves the ledger. Each function runs inside the caller's transaction.

use super::{
    bulk::{self, Insert, Query, Row},
    columns::{first_of, integer, position},
    find, reads,
};
use crate::{
    ledger::{BalanceChange, Balances, Block, Change, Event, Holding},
    store::{Batch, Cursor, Heights, StoreError},
};
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// Numbers of the column `events.kind`.
pub(super) mod kind {
    pub(crate) const DEPOSIT: i64 = 1;
    pub(crate) const WITHDRAWAL: i64 = 2;
    pub(crate) const SETTLE: i64 = 3;
    pub(crate) const APPROVAL: i64 = 4;
    pub(crate) const PAYOUT_HELD: i64 = 5;
    pub(crate) const CLAIMED: i64 = 6;
    pub(crate) const LIMITS_SET: i64 = 7;
    pub(crate) const ENTRY_SKIPPED: i64 = 8;
}

pub(super) async fn commit(
    tx: &mut SqliteConnection,
    after: Block,
    batch: &Batch,
) -> Result<Cursor, StoreError> {
    let cursor = reads::cursor(tx).await?;
    if cursor.block != after {
        let (expected, found) = (after.number, cursor.block.number);
        return Err(StoreError::CursorMoved { expected, found });
    }
    if !batch.follows(after) {
        return Err(StoreError::NotABatch { after: after.number });
    }
    let mut balances = load_balances(tx, cursor.owed, &batch.events).await?;
    for event in &batch.events {
        balances.apply(event)?;
    }
    BLOCKS.rows(tx, &batch.blocks).await?;
    insert_events(tx, &batch.events).await?;
    find::enter(tx, &batch.events).await?;
    store_balances(tx, &balances).await?;
    if let Some(last) = batch.blocks.last() {
        move_cursor(tx, last.number, balances.owed()).await?;
    }
    set_heights(tx, batch.heights).await?;
    reads::cursor(tx).await
}

/// Sets the safe height, raises the final one and prunes. The kept blocks are then a function of the
/// chain, the cursor and the final height alone: those with events, and all from the final height
/// up.
pub(super) async fn set_heights(
    tx: &mut SqliteConnection,
    heights: Heights,
) -> Result<(), StoreError> {
    let cursor = reads::cursor(tx).await?;
    let highest = cursor.block.number;
    let final_block = heights.final_block.min(highest).max(cursor.final_block);
    let safe_block = heights.safe_block.min(highest).max(final_block);
    if (safe_block, final_block) == (cursor.safe_block, cursor.final_block) {
        return Ok(());
    }
    let final_row = integer("final_block", final_block)?;
    sqlx::query("UPDATE cursor SET safe_block = ?, final_block = ?")
        .bind(integer("safe_block", safe_block)?)
        .bind(final_row)
        .execute(&mut *tx)
        .await?;
    // Nothing without events is left below the old final height, so the look begins there.
    sqlx::query(
        "DELETE FROM blocks WHERE number >= ? AND number < ?
            AND NOT EXISTS (SELECT 1 FROM events
                WHERE position >= blocks.number << 23 AND position < blocks.number + 1 << 23)",
    )
    .bind(integer("final_block", cursor.final_block)?)
    .bind(final_row)
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
    take_back(tx, &cursor, to).await
}

/// Takes back all above the kept block `to`.
async fn take_back(tx: &mut SqliteConnection, cursor: &Cursor, to: u64) -> Result<u64, StoreError> {
    let events = reads::events(tx, to.saturating_add(1), cursor.block.number).await?;
    let mut balances = load_balances(tx, cursor.owed, &events).await?;
    for event in events.iter().rev() {
        balances.revert(event)?;
    }
    store_balances(tx, &balances).await?;
    move_cursor(tx, to, balances.owed()).await?;
    find::take_back(tx, to).await?;
    delete_above(tx, to).await?;
    Ok(events.len() as u64)
}

/// Deletes the blocks above `to` and their events.
pub(super) async fn delete_above(tx: &mut SqliteConnection, to: u64) -> Result<(), StoreError> {
    let above = to.saturating_add(1);
    sqlx::query("DELETE FROM events WHERE position >= ?")
        .bind(first_of(above))
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM blocks WHERE number >= ?")
        .bind(integer("number", above)?)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Puts the cursor on the block `to`. What was safe or final above it is so no more.
async fn move_cursor(
    tx: &mut SqliteConnection,
    to: u64,
    owed: MicroUsdc,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cursor SET block_number = ?1, safe_block = min(safe_block, ?1),
            final_block = min(final_block, ?1), owed = ?2",
    )
    .bind(integer("block_number", to)?)
    .bind(integer("owed", owed.get())?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The balances that `events` touch.
async fn load_balances(
    tx: &mut SqliteConnection,
    owed: MicroUsdc,
    events: &[Event],
) -> Result<Balances, StoreError> {
    let touched = events.iter().filter_map(|event| BalanceChange::of(&event.change));
    load_holdings(tx, owed, touched.map(BalanceChange::holding).collect()).await
}

/// The balances of `holdings`.
pub(super) async fn load_holdings(
    tx: &mut SqliteConnection,
    owed: MicroUsdc,
    holdings: BTreeSet<Holding>,
) -> Result<Balances, StoreError> {
    let (mut pools, mut claimables) = (Vec::new(), Vec::new());
    for holding in holdings {
        match holding {
            Holding::Pool(account) => pools.push(account),
            Holding::Claimable(account) => claimables.push(account),
        }
    }
    let mut balances = Balances::owing(owed);
    for (account, balance) in bulk::POOLS.load(tx, &pools).await? {
        balances.load(Holding::Pool(account), balance);
    }
    for (account, balance) in bulk::CLAIMABLES.load(tx, &claimables).await? {
        balances.load(Holding::Claimable(account), balance);
    }
    Ok(balances)
}

pub(super) async fn store_balances(
    tx: &mut SqliteConnection,
    balances: &Balances,
) -> Result<(), StoreError> {
    let (mut pools, mut claimables) = (Vec::new(), Vec::new());
    for (holding, balance) in balances.iter() {
        match holding {
            Holding::Pool(account) => pools.push((account, balance)),
            Holding::Claimable(account) => claimables.push((account, balance)),
        }
    }
    bulk::POOLS.store(tx, &pools).await?;
    bulk::CLAIMABLES.store(tx, &claimables).await
}

const BLOCKS: Insert =
    Insert { into: "INSERT INTO blocks (number, hash, timestamp)", columns: 3, then: "" };

const EVENTS: Insert = Insert {
    into: "INSERT INTO events (position, tx_hash, kind, account, counterparty,
            amount, allowance, session_id, to_amount, fee_amount, rate_per_second,
            chargeable_seconds)",
    columns: 12,
    then: "",
};

/// The same, for the two kinds that share few columns with the others. A row brings a value for every
/// column of its statement: with the five of these in the one above, it takes half as long again, and
/// nearly all rows of a backfill are its.
const LIMITS_AND_SKIPS: Insert = Insert {
    into: "INSERT INTO events (position, tx_hash, kind, account, session_id,
            max_rate_per_second, max_per_session, max_per_day, entry_index, reason)",
    columns: 10,
    then: "",
};

async fn insert_events(tx: &mut SqliteConnection, events: &[Event]) -> Result<(), StoreError> {
    let (mut usual, mut others) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        match event.change {
            Change::LimitsSet { .. } | Change::EntrySkipped { .. } => {
                others.push(LimitsOrSkip(event));
            }
            _ => usual.push(Usual(event)),
        }
    }
    EVENTS.rows(tx, &usual).await?;
    LIMITS_AND_SKIPS.rows(tx, &others).await
}

/// An event as a row of [`EVENTS`].
struct Usual<'e>(&'e Event);

/// An event as a row of [`LIMITS_AND_SKIPS`].
struct LimitsOrSkip<'e>(&'e Event);

impl Row for Block {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        Ok(query
            .bind(integer("number", self.number)?)
            .bind(self.hash.to_vec())
            .bind(integer("timestamp", self.timestamp)?))
    }
}

impl Row for Usual<'_> {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let row = EventRow::of(&self.0.change)?;
        Ok(bind_common(query, self.0, &row)?
            .bind(row.counterparty.map(|address| address.to_vec()))
            .bind(row.amount)
            .bind(row.allowance.map(|word| word.to_vec()))
            .bind(row.session_id.map(|word| word.to_vec()))
            .bind(row.to_amount)
            .bind(row.fee_amount)
            .bind(row.rate_per_second.map(|rate| rate.to_vec()))
            .bind(row.chargeable_seconds))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.0.position)
    }
}

impl Row for LimitsOrSkip<'_> {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let row = EventRow::of(&self.0.change)?;
        Ok(bind_common(query, self.0, &row)?
            .bind(row.session_id.map(|word| word.to_vec()))
            .bind(row.max_rate_per_second)
            .bind(row.max_per_session)
            .bind(row.max_per_day)
            .bind(row.entry_index)
            .bind(row.reason.map(|selector| selector.to_vec())))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.0.position)
    }
}

/// The columns that every event has.
fn bind_common<'q>(
    query: Query<'q>,
    event: &Event,
    row: &EventRow,
) -> Result<Query<'q>, StoreError> {
    Ok(query
        .bind(position(event.position)?)
        .bind(event.tx_hash.to_vec())
        .bind(row.kind)
        .bind(row.account.to_vec()))
}

/// The columns of `events` that depend on the kind.
#[derive(Default)]
pub(super) struct EventRow {
    pub(super) kind: i64,
    account: Address,
    counterparty: Option<Address>,
    pub(super) amount: Option<i64>,
    pub(super) allowance: Option<[u8; 32]>,
    pub(super) session_id: Option<[u8; 32]>,
    pub(super) to_amount: Option<i64>,
    fee_amount: Option<i64>,
    rate_per_second: Option<[u8; 8]>,
    chargeable_seconds: Option<i64>,
    max_rate_per_second: Option<i64>,
    max_per_session: Option<i64>,
    max_per_day: Option<i64>,
    entry_index: Option<i64>,
    reason: Option<[u8; 4]>,
}

impl EventRow {
    pub(super) fn of(change: &Change) -> Result<Self, StoreError> {
        let account = change.account();
        let money = |column, amount: MicroUsdc| integer(column, amount.get()).map(Some);
        Ok(match change {
            Change::Deposit { payer, amount, .. } => Self {
                kind: kind::DEPOSIT,
                account,
                counterparty: Some(*payer),
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Withdrawal { amount, .. } => Self {
                kind: kind::WITHDRAWAL,
                account,
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Settle(settlement) => Self {
                kind: kind::SETTLE,
                account,
                counterparty: Some(settlement.to),
                amount: money("amount", settlement.gross)?,
                session_id: Some(settlement.session.0.0),
                to_amount: money("to_amount", settlement.to_amount)?,
                fee_amount: money("fee_amount", settlement.fee_amount)?,
                rate_per_second: Some(settlement.rate_per_second.get().to_be_bytes()),
                chargeable_seconds: Some(i64::from(settlement.chargeable_seconds)),
                ..Self::default()
            },
            Change::PayoutHeld { amount, .. } => Self {
                kind: kind::PAYOUT_HELD,
                account,
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Claimed { amount, .. } => Self {
                kind: kind::CLAIMED,
                account,
                amount: money("amount", *amount)?,
                ..Self::default()
            },
            Change::Approval { allowance, .. } => Self {
                kind: kind::APPROVAL,
                account,
                allowance: Some(allowance.to_be_bytes()),
                ..Self::default()
            },
            Change::LimitsSet { limits, .. } => Self {
                kind: kind::LIMITS_SET,
                account,
                max_rate_per_second: money("max_rate_per_second", limits.max_rate_per_second)?,
                max_per_session: money("max_per_session", limits.max_per_session)?,
                max_per_day: money("max_per_day", limits.max_per_day)?,
                ..Self::default()
            },
            Change::EntrySkipped { session, index, reason, .. } => Self {
                kind: kind::ENTRY_SKIPPED,
                account,
                session_id: Some(session.0.0),
                entry_index: Some(i64::from(*index)),
                reason: Some(reason.0),
                ..Self::default()
            },
        })
    }
}
