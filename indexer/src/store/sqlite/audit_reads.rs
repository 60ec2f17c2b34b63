//! What the ledger says, in the form that can be compared with the contract.

use super::{
    columns::{address, first_of, position},
    ledger::load_holdings,
    reads, rows,
};
use crate::{
    ledger::{BalanceChange, Balances, Holding, Position},
    store::{AccountState, StoreError},
};
use alloy::primitives::Address;
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

/// The balances after block `height` of `accounts`, which are those of now with all that came after it
/// undone, their limits there, and the sum of all balances there are.
pub(super) async fn accounts_at(
    tx: &mut SqliteConnection,
    height: u64,
    accounts: &[Address],
) -> Result<(Vec<AccountState>, MicroUsdc), StoreError> {
    let cursor = reads::cursor(tx).await?;
    let above = reads::events(tx, height.saturating_add(1), cursor.block.number).await?;
    let asked = accounts.iter().flat_map(|&of| [Holding::Pool(of), Holding::Claimable(of)]);
    let touched = above.iter().filter_map(|event| BalanceChange::of(&event.change));
    let holdings = asked.chain(touched.map(BalanceChange::holding)).collect();
    let mut balances: Balances = load_holdings(tx, cursor.owed, holdings).await?;
    for event in above.iter().rev() {
        balances.revert(event)?;
    }
    let mut states = Vec::with_capacity(accounts.len());
    for &account in accounts {
        states.push(AccountState {
            account,
            pool: balances.balance(Holding::Pool(account)),
            claimable: balances.balance(Holding::Claimable(account)),
            limits: reads::limits(tx, account, height).await?,
        });
    }
    Ok((states, balances.owed()))
}

/// The accounts whose balances or limits changed in the blocks `from` to `to`, at most `limit`.
pub(super) async fn accounts_touched(
    connection: &mut SqliteConnection,
    from: u64,
    to: u64,
    limit: u32,
) -> Result<Vec<Address>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT account FROM events
         WHERE position >= ? AND position < ? AND kind NOT IN (4, 8) LIMIT ?",
    )
    .bind(first_of(from))
    .bind(first_of(to.saturating_add(1)))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| address(row, "account")).collect()
}

/// The next `limit` accounts that ever saw an event, in the order of their addresses. Each is found
/// by one look, however many events it has.
pub(super) async fn accounts_after(
    connection: &mut SqliteConnection,
    after: Option<Address>,
    limit: u32,
) -> Result<Vec<Address>, StoreError> {
    let rows = sqlx::query(
        "WITH RECURSIVE next (account) AS (
            SELECT min(account) FROM wallet_events WHERE account > ?1
            UNION ALL
            SELECT (SELECT min(account) FROM wallet_events WHERE account > next.account)
            FROM next WHERE next.account IS NOT NULL
         )
         SELECT account FROM next WHERE account IS NOT NULL LIMIT ?2",
    )
    .bind(after.map_or_else(Vec::new, |after| after.to_vec()))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| address(row, "account")).collect()
}

/// The next `limit` settled sessions up to block `to`, in the order of the chain.
pub(super) async fn sessions_after(
    connection: &mut SqliteConnection,
    after: Position,
    to: u64,
    limit: u32,
) -> Result<Vec<(Position, SessionId)>, StoreError> {
    let rows = sqlx::query(
        "SELECT position, session_id FROM events
         WHERE position > ? AND position < ? AND kind = 3 ORDER BY position LIMIT ?",
    )
    .bind(position(after)?)
    .bind(first_of(to.saturating_add(1)))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(settled_session).collect()
}

fn settled_session(row: &SqliteRow) -> Result<(Position, SessionId), StoreError> {
    Ok((rows::position(row, 0)?, SessionId(rows::hash(row, 1)?)))
}
