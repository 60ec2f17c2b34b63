//! What is read from the ledger.

use super::{
    columns::{address, bytes, hash, integer, money, number, uuid, word},
    ledger::kind,
};
use crate::{
    ledger::{Block, Change, Event, EventId, Position, Settlement, Side},
    store::{Cursor, StoreError, WalletEvent},
};
use alloy::primitives::Address;
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

pub(super) async fn cursor(connection: &mut SqliteConnection) -> Result<Cursor, StoreError> {
    let row = sqlx::query(
        "SELECT number, hash, timestamp, safe_block, final_block, owed
         FROM cursor JOIN blocks ON number = block_number",
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::Damaged("it has no cursor".to_owned()))?;
    Ok(Cursor {
        block: block_of(&row)?,
        safe_block: number(&row, "safe_block")?,
        final_block: number(&row, "final_block")?,
        owed: money(&row, "owed")?,
    })
}

pub(super) async fn block(
    connection: &mut SqliteConnection,
    number: u64,
) -> Result<Option<Block>, StoreError> {
    let row = sqlx::query("SELECT number, hash, timestamp FROM blocks WHERE number = ?")
        .bind(integer("number", number)?)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(block_of).transpose()
}

/// The events of `account` in the blocks above `number`, ascending.
pub(super) async fn events_of(
    connection: &mut SqliteConnection,
    account: Address,
    number: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM events WHERE account = ? AND block_number > ?
         ORDER BY block_number, log_index",
    )
    .bind(account.to_vec())
    .bind(integer("number", number)?)
    .fetch_all(connection)
    .await?;
    rows.iter().map(event_of).collect()
}

/// One row a side, newest first. Each side is read along its own index and stops at the limit, so a
/// page costs the same however long the history is.
///
/// A side's upper bound is exclusive: an event is older than a cursor when its position is lower,
/// or the same and the cursor was its other, later side.
pub(super) async fn wallet_events(
    connection: &mut SqliteConnection,
    account: Address,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<WalletEvent>, StoreError> {
    let (block, log_index, same_event) = match before {
        Some(id) => {
            let position = id.position();
            let log_index = i64::from(position.log_index);
            (integer("block_number", position.block)?, log_index, id.side() == Side::Payee)
        }
        None => (i64::MAX, i64::MAX - 1, false),
    };
    let rows = sqlx::query(
        "SELECT page.side, events.*, blocks.number, blocks.hash, blocks.timestamp, sessions.uuid
         FROM (
            SELECT * FROM (
                SELECT 0 AS side, block_number, log_index FROM events
                WHERE account = ?1 AND (block_number, log_index) < (?2, ?3) AND kind <= 4
                ORDER BY block_number DESC, log_index DESC LIMIT ?5)
            UNION ALL
            SELECT * FROM (
                SELECT 1 AS side, block_number, log_index FROM events
                WHERE kind = 3 AND counterparty = ?1 AND (block_number, log_index) < (?2, ?4)
                ORDER BY block_number DESC, log_index DESC LIMIT ?5)
         ) AS page
         JOIN events USING (block_number, log_index)
         JOIN blocks ON blocks.number = page.block_number
         LEFT JOIN sessions ON sessions.session_id = events.session_id
         ORDER BY page.block_number DESC, page.log_index DESC, page.side DESC
         LIMIT ?5",
    )
    .bind(account.to_vec())
    .bind(block)
    .bind(log_index + i64::from(same_event))
    .bind(log_index)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(wallet_event_of).collect()
}

pub(super) async fn settled(
    connection: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<(Event, Block)>, StoreError> {
    let row = sqlx::query(
        "SELECT events.*, blocks.number, blocks.hash, blocks.timestamp
         FROM settlements
         JOIN events USING (block_number, log_index)
         JOIN blocks ON blocks.number = block_number
         WHERE settlements.session_id = ?",
    )
    .bind(session.0.to_vec())
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((event_of(&row)?, block_of(&row)?))).transpose()
}

/// The events of the blocks `from` to `to`, both included, ascending.
pub(super) async fn events(
    connection: &mut SqliteConnection,
    from: u64,
    to: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM events WHERE block_number BETWEEN ? AND ?
         ORDER BY block_number, log_index",
    )
    .bind(integer("number", from)?)
    .bind(integer("number", to)?)
    .fetch_all(connection)
    .await?;
    rows.iter().map(event_of).collect()
}

pub(super) fn block_of(row: &SqliteRow) -> Result<Block, StoreError> {
    Ok(Block {
        number: number(row, "number")?,
        hash: hash(row, "hash")?,
        timestamp: number(row, "timestamp")?,
    })
}

fn wallet_event_of(row: &SqliteRow) -> Result<WalletEvent, StoreError> {
    let side = match row.try_get::<i64, _>("side")? {
        0 => Side::Account,
        _ => Side::Payee,
    };
    let session = match row.try_get::<Option<Vec<u8>>, _>("uuid")? {
        Some(_) => Some(uuid(row, "uuid")?),
        None => None::<Uuid>,
    };
    Ok(WalletEvent { event: event_of(row)?, side, block: block_of(row)?, session })
}

pub(super) fn event_of(row: &SqliteRow) -> Result<Event, StoreError> {
    let account = address(row, "account")?;
    let change = match row.try_get::<i64, _>("kind")? {
        kind::DEPOSIT => Change::Deposit {
            account,
            payer: address(row, "counterparty")?,
            amount: money(row, "amount")?,
        },
        kind::WITHDRAWAL => Change::Withdrawal { account, amount: money(row, "amount")? },
        kind::SETTLE => Change::Settle(settlement_of(row, account, money(row, "amount")?)?),
        kind::PAYOUT_HELD => Change::PayoutHeld { account, amount: money(row, "amount")? },
        kind::CLAIMED => Change::Claimed { account, amount: money(row, "amount")? },
        kind::APPROVAL => Change::Approval { owner: account, allowance: word(row, "allowance")? },
        other => return Err(StoreError::Damaged(format!("an event of kind {other}"))),
    };
    let position =
        Position { block: number(row, "block_number")?, log_index: number(row, "log_index")? };
    Ok(Event { position, tx_hash: hash(row, "tx_hash")?, change })
}

fn settlement_of(
    row: &SqliteRow,
    from: Address,
    gross: MicroUsdc,
) -> Result<Settlement, StoreError> {
    Ok(Settlement {
        session: SessionId(hash(row, "session_id")?),
        from,
        to: address(row, "counterparty")?,
        to_amount: money(row, "to_amount")?,
        fee_amount: money(row, "fee_amount")?,
        gross,
        rate_per_second: bytes(row, "rate_per_second")
            .map(u64::from_be_bytes)
            .map(MicroUsdc::new)?,
        chargeable_seconds: number(row, "chargeable_seconds")?,
    })
}
