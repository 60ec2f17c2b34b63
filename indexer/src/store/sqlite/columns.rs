//! Values to and from columns. Nothing is cut on the way in or guessed on the way out.

use crate::store::StoreError;
use alloy::primitives::{Address, B256};
use luxxon_bindings::MicroUsdc;
use sqlx::{Row, sqlite::SqliteRow};

/// `value` as an INTEGER; those are signed 64-bit.
pub(super) fn integer(column: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { column, value })
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
