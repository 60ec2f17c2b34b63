//! What is read where blocks are taken in and taken back, and by who compares the ledger with the
//! contract.

use super::{
    columns::{first_of, integer, position},
    rows::{self, block_columns, event_columns, limits_columns},
};
use crate::{
    ledger::{Block, Event, Limits, Position},
    store::{Cursor, StoreError},
};
use alloy::primitives::Address;
use sqlx::SqliteConnection;

pub(super) async fn cursor(connection: &mut SqliteConnection) -> Result<Cursor, StoreError> {
    rows::cursor(sqlx::query(rows::CURSOR).fetch_optional(connection).await?.as_ref())
}

pub(super) async fn block(
    connection: &mut SqliteConnection,
    number: u64,
) -> Result<Option<Block>, StoreError> {
    let row = sqlx::query(concat!("SELECT ", block_columns!(), " FROM blocks WHERE number = ?"))
        .bind(integer("number", number)?)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(|row| rows::block(row, 0)).transpose()
}

/// The last row of an account up to a block in the order of `limits_set`: one look, however often it
/// set them.
pub(super) const LIMITS: &str = concat!(
    "SELECT ",
    limits_columns!(),
    ", it.block_number FROM limits_set AS it
     CROSS JOIN events ON events.position = it.block_number << 23 | it.log_index
     WHERE it.account = ? AND it.block_number <= ?
     ORDER BY it.block_number DESC, it.log_index DESC
     LIMIT 1"
);

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
    row.as_ref().map_or(Ok(Limits::default()), |row| rows::limits(row, 0))
}

/// The events of the blocks `from` to `to`, both included, ascending.
pub(super) async fn events(
    connection: &mut SqliteConnection,
    from: u64,
    to: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        event_columns!(),
        " FROM events WHERE position >= ? AND position < ? ORDER BY position"
    ))
    .bind(first_of(from))
    .bind(first_of(to.saturating_add(1)))
    .fetch_all(connection)
    .await?;
    rows.iter().map(rows::event).collect()
}

/// The next `limit` events behind `after`, ascending.
pub(super) async fn events_after(
    connection: &mut SqliteConnection,
    after: Option<Position>,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        event_columns!(),
        " FROM events WHERE position > ? ORDER BY position LIMIT ?"
    ))
    .bind(after.map_or(Ok(-1), position)?)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(rows::event).collect()
}
