//! Values to and from columns. Nothing is cut on the way in or guessed on the way out.

use crate::{ledger::Position, store::StoreError};
use alloy::primitives::{Address, B256};
use luxxon_bindings::MicroUsdc;
use sqlx::{Row, sqlite::SqliteRow};

/// `value` as an INTEGER; those are signed 64-bit.
pub(super) fn integer(column: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { column, value })
}

/// The bits of an event's column `position` that say its log index; those above say its block.
pub(super) const LOG_INDEX_BITS: u32 = 23;

/// A place in the chain as the column `position` has it.
pub(super) fn position(at: Position) -> Result<i64, StoreError> {
    let log_index = i64::from(at.log_index);
    let too_large = |column, value| StoreError::TooLarge { column, value };
    if log_index >> LOG_INDEX_BITS > 0 {
        return Err(too_large("log_index", at.log_index.into()));
    }
    let block = integer("block_number", at.block)?.checked_mul(1 << LOG_INDEX_BITS);
    Ok(block.ok_or_else(|| too_large("block_number", at.block))? | log_index)
}

/// The least that `position` can be in block `number` and above; no column holds more than the largest.
pub(super) fn first_of(number: u64) -> i64 {
    let position = |number| position(Position { block: number, log_index: 0 });
    position(number).unwrap_or(i64::MAX)
}

/// Reads the column as an unsigned number.
pub(super) fn number<T: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let value: i64 = row.try_get(column)?;
    T::try_from(value).map_err(|_| StoreError::Damaged(format!("{column} is {value}")))
}

pub(super) fn money(row: &SqliteRow, column: &str) -> Result<MicroUsdc, StoreError> {
    number(row, column).map(MicroUsdc::new)
}

pub(super) fn bytes<const N: usize>(row: &SqliteRow, column: &str) -> Result<[u8; N], StoreError> {
    let value: &[u8] = row.try_get(column)?;
    value
        .try_into()
        .map_err(|_| StoreError::Damaged(format!("{column} has {} bytes, not {N}", value.len())))
}

pub(super) fn address(row: &SqliteRow, column: &str) -> Result<Address, StoreError> {
    bytes(row, column).map(Address::new)
}

pub(super) fn hash(row: &SqliteRow, column: &str) -> Result<B256, StoreError> {
    bytes(row, column).map(B256::new)
}
