//! What rows say, whichever of the two clients read them: sqlx, which writes, or rusqlite, which
//! answers.

use super::{columns::LOG_INDEX_BITS, ledger::kind};
use crate::{
    ledger::{Block, Change, Event, Limits, Position, Settlement, Side, meter::Reading},
    store::{ApiKey, Cursor, NewSession, Session, StoreError, Workspace},
};
use alloy::primitives::{Address, B256, Selector};
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::{Row as _, sqlite::SqliteRow};
use uuid::Uuid;

/// A row. Columns are found by their place, counted from 0: that is what a row costs least by.
pub(super) trait Columns {
    /// The number in the column `at`; `None` where that is NULL.
    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError>;

    /// The bytes in the column `at`, likewise.
    fn blob(&self, at: usize) -> Result<Option<&[u8]>, StoreError>;

    /// The text in the column `at`, likewise.
    fn text(&self, at: usize) -> Result<Option<&str>, StoreError>;
}

impl Columns for SqliteRow {
    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(at)?)
    }

    fn blob(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.try_get(at)?)
    }

    fn text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        Ok(self.try_get(at)?)
    }
}

impl Columns for rusqlite::Row<'_> {
    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError> {
        self.get_ref(at)?.as_i64_or_null().map_err(|_| not_a("number", at))
    }

    fn blob(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        self.get_ref(at)?.as_blob_or_null().map_err(|_| not_a("blob", at))
    }

    fn text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        self.get_ref(at)?.as_str_or_null().map_err(|_| not_a("text", at))
    }
}

fn not_a(what: &str, at: usize) -> StoreError {
    StoreError::Damaged(format!("column {at} is no {what}"))
}

/// The columns of an event, as [`event`] reads them.
macro_rules! event_columns {
    () => {
        "events.position, events.tx_hash, events.kind, events.account,
         events.counterparty, events.amount, events.allowance, events.session_id,
         events.to_amount, events.fee_amount, events.rate_per_second, events.chargeable_seconds,
         events.max_rate_per_second, events.max_per_session, events.max_per_day,
         events.entry_index, events.reason"
    };
}
pub(super) use event_columns;

/// How many they are: the place of the first column behind them.
pub(super) const BEHIND_EVENT: usize = 17;

/// The event that a row begins with.
pub(super) fn event(row: &impl Columns) -> Result<Event, StoreError> {
    let account = address(row, 3)?;
    let change = match number(row, 2)? {
        kind::DEPOSIT => {
            Change::Deposit { account, payer: address(row, 4)?, amount: money(row, 5)? }
        }
        kind::WITHDRAWAL => Change::Withdrawal { account, amount: money(row, 5)? },
        kind::SETTLE => Change::Settle(Settlement {
            session: session_id(row, 7)?,
            from: account,
            to: address(row, 4)?,
            to_amount: money(row, 8)?,
            fee_amount: money(row, 9)?,
            gross: money(row, 5)?,
            rate_per_second: MicroUsdc::new(u64::from_be_bytes(bytes(row, 10)?)),
            chargeable_seconds: number(row, 11)?,
        }),
        kind::PAYOUT_HELD => Change::PayoutHeld { account, amount: money(row, 5)? },
        kind::CLAIMED => Change::Claimed { account, amount: money(row, 5)? },
        kind::APPROVAL => Change::Approval { owner: account, allowance: hash(row, 6)?.into() },
        kind::LIMITS_SET => Change::LimitsSet { account, limits: limits(row, 12)? },
        kind::ENTRY_SKIPPED => Change::EntrySkipped {
            session: session_id(row, 7)?,
            from: account,
            index: number(row, 15)?,
            reason: Selector::new(bytes(row, 16)?),
        },
        other => return Err(StoreError::Damaged(format!("an event of kind {other}"))),
    };
    Ok(Event { position: position(row, 0)?, tx_hash: hash(row, 1)?, change })
}

/// Where the column `at` says that something stands.
pub(super) fn position(row: &impl Columns, at: usize) -> Result<Position, StoreError> {
    let position: u64 = number(row, at)?;
    let log_index = position & ((1 << LOG_INDEX_BITS) - 1);
    let log_index = u32::try_from(log_index).map_err(|_| not_a("position", at))?;
    Ok(Position { block: position >> LOG_INDEX_BITS, log_index })
}

/// The columns of limits, as [`limits`] reads them.
macro_rules! limits_columns {
    () => {
        "events.max_rate_per_second, events.max_per_session, events.max_per_day"
    };
}
pub(super) use limits_columns;

/// How many they are: the place of the first column behind them.
pub(super) const BEHIND_LIMITS: usize = 3;

/// The limits in the column `at` and the two behind it.
pub(super) fn limits(row: &impl Columns, at: usize) -> Result<Limits, StoreError> {
    Ok(Limits {
        max_rate_per_second: money(row, at)?,
        max_per_session: money(row, at + 1)?,
        max_per_day: money(row, at + 2)?,
    })
}

/// The columns of a block, as [`block`] reads them.
macro_rules! block_columns {
    () => {
        "blocks.number, blocks.hash, blocks.timestamp"
    };
}
pub(super) use block_columns;

/// The block in the column `at` and the two behind it.
pub(super) fn block(row: &impl Columns, at: usize) -> Result<Block, StoreError> {
    Ok(Block {
        number: number(row, at)?,
        hash: hash(row, at + 1)?,
        timestamp: number(row, at + 2)?,
    })
}

/// Reads the cursor, as [`cursor`] does.
pub(super) const CURSOR: &str = concat!(
    "SELECT ",
    block_columns!(),
    ", safe_block, final_block, owed
     FROM cursor CROSS JOIN blocks ON blocks.number = block_number"
);

/// A row of [`CURSOR`].
pub(super) fn cursor(row: Option<&impl Columns>) -> Result<Cursor, StoreError> {
    let row =
        row.ok_or_else(|| StoreError::Damaged("it has no cursor, or lacks its block".to_owned()))?;
    Ok(Cursor {
        block: block(row, 0)?,
        safe_block: number(row, 3)?,
        final_block: number(row, 4)?,
        owed: money(row, 5)?,
    })
}

/// Reads a registered session, as [`session`] does, and what else is named.
macro_rules! sessions {
    ($more:literal) => {
        concat!(
            "SELECT uuid, consumer_workspace_id, operator_workspace_id,
                rate_per_second, platform_fee_bps, max_duration_seconds, started_at, ended_at,
                disconnects, reported_tx, consumer.wallet, operator.wallet",
            $more,
            " FROM sessions
             JOIN workspaces AS consumer ON consumer.id = consumer_workspace_id
             JOIN workspaces AS operator ON operator.id = operator_workspace_id
             WHERE session_id = ?"
        )
    };
}
pub(super) use sessions;

/// How many columns a session has: the place of the first behind them.
pub(super) const BEHIND_SESSION: usize = 12;

/// Reads a registered session.
pub(super) const SESSION: &str = sessions!("");

/// A row of what `sessions!` reads.
pub(super) fn session(row: &impl Columns) -> Result<Session, StoreError> {
    Ok(Session {
        terms: NewSession {
            id: uuid(row, 0)?,
            consumer_workspace: uuid(row, 1)?,
            operator_workspace: uuid(row, 2)?,
            rate_per_second: money(row, 3)?,
            platform_fee_bps: number(row, 4)?,
            max_duration_seconds: number(row, 5)?,
            reading: reading(row)?,
        },
        reported_tx: row.blob(9)?.map(|_| hash(row, 9)).transpose()?,
        consumer_wallet: address(row, 10)?,
        operator_wallet: address(row, 11)?,
    })
}

fn reading(row: &impl Columns) -> Result<Option<Reading>, StoreError> {
    let Some(disconnects) = row.text(8)? else { return Ok(None) };
    let disconnects = serde_json::from_str(disconnects)
        .map_err(|error| StoreError::Damaged(format!("disconnects: {error}")))?;
    Ok(Some(Reading { started_at: number(row, 6)?, ended_at: number(row, 7)?, disconnects }))
}

/// The columns of a workspace, as [`workspace`] reads them.
macro_rules! workspace_columns {
    () => {
        "workspaces.id, workspaces.slug, workspaces.name, workspaces.wallet, workspaces.created_at"
    };
}
pub(super) use workspace_columns;

/// The workspace that a row begins with.
pub(super) fn workspace(row: &impl Columns) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: uuid(row, 0)?,
        slug: text(row, 1)?,
        name: text(row, 2)?,
        wallet: address(row, 3)?,
        created_at: number(row, 4)?,
    })
}

/// Reads keys with their workspaces, as [`api_key`] does; a condition follows.
macro_rules! api_keys {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            workspace_columns!(),
            ", api_keys.id, prefix, label, scopes, api_keys.created_at, last_used_at, revoked_at
             FROM api_keys JOIN workspaces ON workspaces.id = workspace_id WHERE ",
            $condition
        )
    };
}
pub(super) use api_keys;

/// Reads the key with a SHA-256.
pub(super) const API_KEY: &str = api_keys!("key_hash = ?");

/// A row of what `api_keys!` reads.
pub(super) fn api_key(row: &impl Columns) -> Result<ApiKey, StoreError> {
    let scopes = text(row, 8)?;
    let scopes = scopes.split_whitespace().map(|scope| scope.parse().map_err(StoreError::Damaged));
    let moment = |at| row.integer(at)?.map(|_| number(row, at)).transpose();
    Ok(ApiKey {
        workspace: workspace(row)?,
        id: uuid(row, 5)?,
        prefix: text(row, 6)?,
        label: text(row, 7)?,
        scopes: scopes.collect::<Result<_, _>>()?,
        created_at: number(row, 9)?,
        last_used_at: moment(10)?,
        revoked_at: moment(11)?,
    })
}

/// The side that the column `at` says.
pub(super) fn side(row: &impl Columns, at: usize) -> Result<Side, StoreError> {
    Ok(if number::<i64>(row, at)? == 0 { Side::Account } else { Side::Payee })
}

pub(super) fn number<T: TryFrom<i64>>(row: &impl Columns, at: usize) -> Result<T, StoreError> {
    let value = row.integer(at)?.ok_or_else(|| not_a("number", at))?;
    T::try_from(value).map_err(|_| StoreError::Damaged(format!("column {at} is {value}")))
}

/// What a condition in the column `at` came to.
pub(super) fn truth(row: &impl Columns, at: usize) -> Result<bool, StoreError> {
    Ok(number::<i64>(row, at)? != 0)
}

pub(super) fn money(row: &impl Columns, at: usize) -> Result<MicroUsdc, StoreError> {
    number(row, at).map(MicroUsdc::new)
}

pub(super) fn hash(row: &impl Columns, at: usize) -> Result<B256, StoreError> {
    bytes(row, at).map(B256::new)
}

pub(super) fn uuid(row: &impl Columns, at: usize) -> Result<Uuid, StoreError> {
    bytes(row, at).map(Uuid::from_bytes)
}

fn address(row: &impl Columns, at: usize) -> Result<Address, StoreError> {
    bytes(row, at).map(Address::new)
}

fn session_id(row: &impl Columns, at: usize) -> Result<SessionId, StoreError> {
    hash(row, at).map(SessionId)
}

fn text(row: &impl Columns, at: usize) -> Result<String, StoreError> {
    row.text(at)?.map(str::to_owned).ok_or_else(|| not_a("text", at))
}

fn bytes<const N: usize>(row: &impl Columns, at: usize) -> Result<[u8; N], StoreError> {
    let value = row.blob(at)?.ok_or_else(|| not_a("blob", at))?;
    value
        .try_into()
        .map_err(|_| StoreError::Damaged(format!("column {at} has {} bytes, not {N}", value.len())))
}
