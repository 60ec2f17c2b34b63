//! The tables that events are found by. All that is in them follows from `events`.

use super::{
    bulk::{Insert, Query, Row},
    columns::{address, hash, integer, number},
};
use crate::{
    ledger::{Change, Event, Position, Side},
    store::StoreError,
};
use alloy::primitives::Address;
use luxxon_bindings::SessionId;
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteRow};

const WALLET_EVENTS: Insert = Insert {
    into: "INSERT INTO wallet_events (account, block_number, log_index, side)",
    columns: 4,
    then: "",
};

const SETTLEMENTS: Insert = Insert {
    into: "INSERT INTO settlements (session_id, block_number, log_index)",
    columns: 3,
    then: "",
};

const SKIPS: Insert = Insert {
    into: "INSERT INTO skips (session_id, block_number, log_index)",
    columns: 3,
    then: "",
};

const LIMITS_SET: Insert = Insert {
    into: "INSERT INTO limits_set (account, block_number, log_index)",
    columns: 3,
    then: "",
};

/// An account, and an event that concerns it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Seen(Address, Position, i64);

/// A session, and where it was settled or skipped.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OfSession(SessionId, Position);

/// An account, and where it set its limits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OfAccount(Address, Position);

/// Makes `events` found.
pub(super) async fn enter(tx: &mut SqliteConnection, events: &[Event]) -> Result<(), StoreError> {
    let (mut seen, mut settled) = (Vec::with_capacity(2 * events.len()), Vec::new());
    let (mut skipped, mut limits_set) = (Vec::new(), Vec::new());
    for Event { position, change, .. } in events {
        seen.push(Seen(change.account(), *position, side_column(Side::Account)));
        match change {
            Change::Settle(settlement) => {
                seen.push(Seen(settlement.to, *position, side_column(Side::Payee)));
                settled.push(OfSession(settlement.session, *position));
            }
            Change::EntrySkipped { session, .. } => skipped.push(OfSession(*session, *position)),
            Change::LimitsSet { account, .. } => limits_set.push(OfAccount(*account, *position)),
            _ => {}
        }
    }
    in_order(tx, &WALLET_EVENTS, seen).await?;
    in_order(tx, &SETTLEMENTS, settled).await?;
    in_order(tx, &SKIPS, skipped).await?;
    in_order(tx, &LIMITS_SET, limits_set).await
}

/// Enters `rows` in the order of their keys.
async fn in_order<R: Row + Ord>(
    tx: &mut SqliteConnection,
    table: &Insert,
    mut rows: Vec<R>,
) -> Result<(), StoreError> {
    rows.sort_unstable();
    table.rows(tx, &rows).await
}

/// Makes the events above block `to`, which are still there, found no more.
pub(super) async fn take_back(tx: &mut SqliteConnection, to: u64) -> Result<(), StoreError> {
    let to = integer("block_number", to)?;
    for sql in [
        "DELETE FROM wallet_events WHERE block_number > ?1 AND account IN
            (SELECT account FROM events WHERE block_number > ?1
             UNION SELECT counterparty FROM events WHERE block_number > ?1 AND kind = 3)",
        "DELETE FROM settlements WHERE session_id IN
            (SELECT session_id FROM events WHERE block_number > ?1 AND kind = 3)",
        "DELETE FROM skips WHERE block_number > ?1 AND session_id IN
            (SELECT session_id FROM events WHERE block_number > ?1 AND kind = 8)",
        "DELETE FROM limits_set WHERE block_number > ?1 AND account IN
            (SELECT account FROM events WHERE block_number > ?1 AND kind = 7)",
    ] {
        sqlx::query(sql).bind(to).execute(&mut *tx).await?;
    }
    Ok(())
}

/// A row of one of these tables that is not what `events` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// An event that an account should see and does not, or the other way round.
    WalletEvent(Address, Position),
    /// A session that should be found settled and is not, or the other way round.
    Settlement(SessionId),
    /// A session that should be found skipped there and is not, or the other way round.
    Skip(SessionId, Position),
    /// An account that should be found to have set its limits there and is not, or the other way
    /// round.
    LimitsSet(Address, Position),
}

/// How a table follows from `events`.
struct Derived {
    table: &'static str,
    /// Its columns.
    columns: &'static str,
    /// The rows it should have.
    rows: &'static str,
    /// Whether its row `it` should be there for the event in the same place.
    stands: &'static str,
    /// What a row of it says.
    read: fn(&SqliteRow) -> Result<Misplaced, StoreError>,
}

const DERIVED: [Derived; 4] = [
    Derived {
        table: "wallet_events",
        columns: "account, block_number, log_index, side",
        rows: "SELECT account, block_number, log_index, 0 AS side FROM events
            UNION ALL
            SELECT counterparty, block_number, log_index, 1 FROM events WHERE kind = 3",
        stands: "iif(it.side = 0, account = it.account, kind = 3 AND counterparty = it.account)",
        read: |row| Ok(Misplaced::WalletEvent(address(row, "account")?, position(row)?)),
    },
    Derived {
        table: "settlements",
        columns: "session_id, block_number, log_index",
        rows: "SELECT session_id, block_number, log_index FROM events WHERE kind = 3",
        stands: "kind = 3 AND session_id = it.session_id",
        read: |row| Ok(Misplaced::Settlement(SessionId(hash(row, "session_id")?))),
    },
    Derived {
        table: "skips",
        columns: "session_id, block_number, log_index",
        rows: "SELECT session_id, block_number, log_index FROM events WHERE kind = 8",
        stands: "kind = 8 AND session_id = it.session_id",
        read: |row| Ok(Misplaced::Skip(SessionId(hash(row, "session_id")?), position(row)?)),
    },
    Derived {
        table: "limits_set",
        columns: "account, block_number, log_index",
        rows: "SELECT account, block_number, log_index FROM events WHERE kind = 7",
        stands: "kind = 7 AND account = it.account",
        read: |row| Ok(Misplaced::LimitsSet(address(row, "account")?, position(row)?)),
    },
];

impl Derived {
    /// Finds the rows that are missing.
    fn missing(&self) -> String {
        let Self { table, columns, rows, .. } = self;
        let it = columns.split(", ").map(|column| format!("it.{column}"));
        let it = it.collect::<Vec<_>>().join(", ");
        format!(
            "SELECT {columns} FROM ({rows}) AS it WHERE NOT EXISTS
                (SELECT 1 FROM {table} WHERE ({columns}) = ({it}))"
        )
    }

    /// The rows that should not be there, as what follows `SELECT …` and `DELETE`.
    fn wrong(&self) -> String {
        let Self { table, stands, .. } = self;
        format!(
            "FROM {table} AS it WHERE NOT EXISTS (SELECT 1 FROM events
                WHERE (block_number, log_index) = (it.block_number, it.log_index) AND {stands})"
        )
    }
}

/// What is not as `events` says, and whether an event says that it should be there.
pub(super) async fn misplaced(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Misplaced, bool)>, StoreError> {
    let mut found = Vec::new();
    for table in DERIVED {
        let wrong = format!("SELECT {} {}", table.columns, table.wrong());
        for (sql, by_event) in [(table.missing(), true), (wrong, false)] {
            for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await? {
                found.push(((table.read)(&row)?, by_event));
            }
        }
    }
    Ok(found)
}

/// Makes these tables what `events` says. Returns whether they were not.
pub(super) async fn rebuild(tx: &mut SqliteConnection) -> Result<bool, StoreError> {
    let mut changed = 0;
    for table in DERIVED {
        let delete = format!("DELETE {}", table.wrong());
        let insert = format!("INSERT INTO {} ({}) {}", table.table, table.columns, table.missing());
        for sql in [delete, insert] {
            changed += sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?.rows_affected();
        }
    }
    Ok(changed > 0)
}

/// The number of a side in its column.
pub(super) fn side_column(side: Side) -> i64 {
    match side {
        Side::Account => 0,
        Side::Payee => 1,
    }
}

fn position(row: &SqliteRow) -> Result<Position, StoreError> {
    Ok(Position { block: number(row, "block_number")?, log_index: number(row, "log_index")? })
}

impl Row for Seen {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let Self(account, position, side) = self;
        Ok(query
            .bind(account.to_vec())
            .bind(integer("block_number", position.block)?)
            .bind(i64::from(position.log_index))
            .bind(*side))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.1)
    }
}

impl Row for OfSession {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let Self(session, position) = self;
        Ok(query
            .bind(session.0.to_vec())
            .bind(integer("block_number", position.block)?)
            .bind(i64::from(position.log_index)))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.1)
    }
}

impl Row for OfAccount {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let Self(account, position) = self;
        Ok(query
            .bind(account.to_vec())
            .bind(integer("block_number", position.block)?)
            .bind(i64::from(position.log_index)))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.1)
    }
}
