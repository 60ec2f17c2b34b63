//! What is read from the ledger.

use super::{
    columns::{address, bytes, hash, integer, money, number, uuid, word},
    find::side_column,
    ledger::kind,
};
use crate::{
    ledger::{Block, Change, Event, Limits, Position, Settlement, Side},
    store::{Cursor, EventKind, PageRequest, StoreError, WalletEvent},
};
use alloy::primitives::{Address, B256, Selector};
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, sqlite::SqliteRow};
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

/// The events that are of `account` itself in the blocks above `number`, ascending.
pub(super) async fn events_of(
    connection: &mut SqliteConnection,
    account: Address,
    number: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT events.* FROM wallet_events AS seen
         CROSS JOIN events USING (block_number, log_index)
         WHERE seen.account = ? AND seen.block_number > ? AND seen.side = 0
         ORDER BY seen.block_number, seen.log_index",
    )
    .bind(account.to_vec())
    .bind(integer("number", number)?)
    .fetch_all(connection)
    .await?;
    rows.iter().map(event_of).collect()
}

/// What an account sees of events, as [`wallet_event_of`] reads it, in the order of `wallet_events`.
const SEEN_EVENTS: &str =
    "SELECT seen.side, events.*, blocks.number, blocks.hash, blocks.timestamp, sessions.uuid
     FROM wallet_events AS seen
     CROSS JOIN events USING (block_number, log_index)
     CROSS JOIN blocks ON blocks.number = seen.block_number
     LEFT JOIN sessions ON sessions.session_id = events.session_id";

/// One row a side, newest first. It is read in the order of its table and stops at the limit, so a
/// page costs the same however long the history is; kinds that are not asked for are passed over.
pub(super) async fn wallet_events(
    connection: &mut SqliteConnection,
    account: Address,
    request: &PageRequest,
) -> Result<Vec<WalletEvent>, StoreError> {
    let PageRequest { before, kinds, from_block, to_block, limit } = request;
    // No column holds a greater one.
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let to_block = column(*to_block);
    let (block, log_index, side) = match before {
        Some(id) if column(id.position().block) <= to_block => {
            let Position { block, log_index } = id.position();
            (column(block), i64::from(log_index), side_column(id.side()))
        }
        _ => (to_block, i64::MAX, 0),
    };
    let kinds = kinds.iter().fold(0_i64, |kinds, kind| kinds | 1 << kind_column(*kind));
    let sql = format!(
        "{SEEN_EVENTS}
         WHERE seen.account = ? AND (seen.block_number, seen.log_index, seen.side) < (?, ?, ?)
            AND seen.block_number >= ? AND (? >> events.kind) & 1
         ORDER BY seen.block_number DESC, seen.log_index DESC, seen.side DESC
         LIMIT ?"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(account.to_vec())
        .bind(block)
        .bind(log_index)
        .bind(side)
        .bind(column(*from_block))
        .bind(kinds)
        .bind(i64::from(*limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(wallet_event_of).collect()
}

/// One row a side, oldest first.
pub(super) async fn wallet_news(
    connection: &mut SqliteConnection,
    account: Address,
    (after, side): (Position, Side),
    limit: u32,
) -> Result<Vec<WalletEvent>, StoreError> {
    let sql = format!(
        "{SEEN_EVENTS}
         WHERE seen.account = ? AND (seen.block_number, seen.log_index, seen.side) > (?, ?, ?)
            AND events.kind <= 4
         ORDER BY seen.block_number, seen.log_index, seen.side
         LIMIT ?"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(account.to_vec())
        .bind(integer("block_number", after.block)?)
        .bind(i64::from(after.log_index))
        .bind(side_column(side))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(wallet_event_of).collect()
}

/// The number of a kind in its column.
fn kind_column(kind: EventKind) -> i64 {
    match kind {
        EventKind::Deposit => kind::DEPOSIT,
        EventKind::Withdrawal => kind::WITHDRAWAL,
        EventKind::Settle => kind::SETTLE,
        EventKind::Approval => kind::APPROVAL,
    }
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

/// The last row of a session in the order of `skips`: one look, however often it was skipped.
pub(super) const LAST_SKIP: &str = "SELECT events.*, blocks.number, blocks.hash, blocks.timestamp
     FROM skips AS it
     CROSS JOIN events USING (block_number, log_index)
     CROSS JOIN blocks ON blocks.number = it.block_number
     WHERE it.session_id = ?
     ORDER BY it.block_number DESC, it.log_index DESC
     LIMIT 1";

/// The last time a batch left out an entry of `session`.
pub(super) async fn last_skip(
    connection: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<(Event, Block)>, StoreError> {
    let row = sqlx::query(LAST_SKIP).bind(session.0.to_vec()).fetch_optional(connection).await?;
    row.map(|row| Ok((event_of(&row)?, block_of(&row)?))).transpose()
}

/// The last row of an account up to a block in the order of `limits_set`: one look, however often it
/// set them.
pub(super) const LIMITS: &str = "SELECT max_rate_per_second, max_per_session, max_per_day
     FROM limits_set AS it
     CROSS JOIN events USING (block_number, log_index)
     WHERE it.account = ? AND it.block_number <= ?
     ORDER BY it.block_number DESC, it.log_index DESC
     LIMIT 1";

/// The limits of `account` after block `number`: those it set last.
pub(super) async fn limits(
    connection: &mut SqliteConnection,
    account: Address,
    number: u64,
) -> Result<Limits, StoreError> {
    let row = sqlx::query(LIMITS)
        .bind(account.to_vec())
        .bind(integer("number", number)?)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map_or(Ok(Limits::default()), limits_of)
}

/// Whether the transaction `tx_hash` left out an entry of `session`.
pub(super) async fn left_out_by(
    connection: &mut SqliteConnection,
    session: SessionId,
    tx_hash: B256,
) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM skips AS it CROSS JOIN events USING (block_number, log_index)
            WHERE it.session_id = ? AND events.tx_hash = ?)",
    )
    .bind(session.0.to_vec())
    .bind(tx_hash.to_vec())
    .fetch_one(connection)
    .await?;
    Ok(found != 0)
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

/// The next `limit` events behind `after`, ascending.
pub(super) async fn events_after(
    connection: &mut SqliteConnection,
    after: Option<Position>,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let (block, log_index) = match after {
        Some(Position { block, log_index }) => (integer("number", block)?, i64::from(log_index)),
        None => (-1, -1),
    };
    let rows = sqlx::query(
        "SELECT * FROM events WHERE (block_number, log_index) > (?, ?)
         ORDER BY block_number, log_index LIMIT ?",
    )
    .bind(block)
    .bind(log_index)
    .bind(i64::from(limit))
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
        kind::LIMITS_SET => Change::LimitsSet { account, limits: limits_of(row)? },
        kind::ENTRY_SKIPPED => Change::EntrySkipped {
            session: SessionId(hash(row, "session_id")?),
            from: account,
            index: number(row, "entry_index")?,
            reason: bytes(row, "reason").map(Selector::new)?,
        },
        other => return Err(StoreError::Damaged(format!("an event of kind {other}"))),
    };
    let position =
        Position { block: number(row, "block_number")?, log_index: number(row, "log_index")? };
    Ok(Event { position, tx_hash: hash(row, "tx_hash")?, change })
}

fn limits_of(row: &SqliteRow) -> Result<Limits, StoreError> {
    Ok(Limits {
        max_rate_per_second: money(row, "max_rate_per_second")?,
        max_per_session: money(row, "max_per_session")?,
        max_per_day: money(row, "max_per_day")?,
    })
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

/// The last rows in the order of `events` itself: as many looks as rows, however many there are.
pub(super) const NEWEST: &str = "SELECT events.*, blocks.number, blocks.hash, blocks.timestamp
     FROM events
     CROSS JOIN blocks ON blocks.number = events.block_number
     ORDER BY events.block_number DESC, events.log_index DESC
     LIMIT ?";

/// The newest `limit` events, newest first.
pub(super) async fn newest_events(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<(Event, Block)>, StoreError> {
    let rows = sqlx::query(NEWEST).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((event_of(row)?, block_of(row)?))).collect()
}
