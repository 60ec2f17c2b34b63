//! The tables that events are found by. All that is in them follows from `events`.

use super::{
    bulk::{Insert, Query, Row},
    columns::{address, first_of, hash, integer, number},
    ledger::EventRow,
};
use crate::{
    ledger::{Change, Event, Position, Side},
    store::StoreError,
};
use alloy::primitives::Address;
use luxxon_bindings::SessionId;
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteRow};

const WALLET_EVENTS: Insert = Insert {
    into:
        "INSERT INTO wallet_events (account, block_number, log_index, side, kind, tx_hash, amount,
            allowance, session_id)",
    columns: 9,
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

/// An account, and an event that concerns it, from which side.
struct Seen<'e>(Address, &'e Event, Side);

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
    for event in events {
        let Event { position, change, .. } = event;
        seen.push(Seen(change.account(), event, Side::Account));
        match change {
            Change::Settle(settlement) => {
                seen.push(Seen(settlement.to, event, Side::Payee));
                settled.push(OfSession(settlement.session, *position));
            }
            Change::EntrySkipped { session, .. } => skipped.push(OfSession(*session, *position)),
            Change::LimitsSet { account, .. } => limits_set.push(OfAccount(*account, *position)),
            _ => {}
        }
    }
    // Each table in the order of its key.
    seen.sort_unstable_by_key(|Seen(account, event, side)| (*account, event.position, *side));
    settled.sort_unstable();
    skipped.sort_unstable();
    limits_set.sort_unstable();
    WALLET_EVENTS.rows(tx, &seen).await?;
    SETTLEMENTS.rows(tx, &settled).await?;
    SKIPS.rows(tx, &skipped).await?;
    LIMITS_SET.rows(tx, &limits_set).await
}

/// Makes the events above block `to`, which are still there, found no more.
pub(super) async fn take_back(tx: &mut SqliteConnection, to: u64) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM wallet_events WHERE block_number > ?1 AND account IN
            (SELECT account FROM events WHERE position >= ?2
             UNION SELECT counterparty FROM events WHERE position >= ?2 AND kind = 3)",
        "DELETE FROM settlements WHERE block_number > ?1 AND session_id IN
            (SELECT session_id FROM events WHERE position >= ?2 AND kind = 3)",
        "DELETE FROM skips WHERE block_number > ?1 AND session_id IN
            (SELECT session_id FROM events WHERE position >= ?2 AND kind = 8)",
        "DELETE FROM limits_set WHERE block_number > ?1 AND account IN
            (SELECT account FROM events WHERE position >= ?2 AND kind = 7)",
    ] {
        sqlx::query(sql)
            .bind(integer("block_number", to)?)
            .bind(first_of(to.saturating_add(1)))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// A row of one of these tables that is not what `events` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// An event that an account should see so and does not, or the other way round.
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
    /// Its columns: those that name a row, and those that follow.
    key: &'static str,
    rest: &'static str,
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
        key: "account, block_number, log_index, side",
        rest: "kind, tx_hash, amount, allowance, session_id",
        rows:
            "SELECT account, block_number, log_index, 0 AS side, kind, tx_hash, amount, allowance,
                session_id FROM events
            UNION ALL
            SELECT counterparty, block_number, log_index, 1, kind, tx_hash, to_amount, allowance,
                session_id FROM events WHERE kind = 3",
        stands: "(kind, tx_hash) = (it.kind, it.tx_hash)
            AND allowance IS it.allowance AND session_id IS it.session_id
            AND iif(it.side = 0, account = it.account AND amount IS it.amount,
                kind = 3 AND counterparty = it.account AND to_amount = it.amount)",
        read: |row| Ok(Misplaced::WalletEvent(address(row, "account")?, position(row)?)),
    },
    Derived {
        table: "settlements",
        key: "session_id, block_number, log_index",
        rest: "",
        rows: "SELECT session_id, block_number, log_index FROM events WHERE kind = 3",
        stands: "kind = 3 AND session_id = it.session_id",
        read: |row| Ok(Misplaced::Settlement(SessionId(hash(row, "session_id")?))),
    },
    Derived {
        table: "skips",
        key: "session_id, block_number, log_index",
        rest: "",
        rows: "SELECT session_id, block_number, log_index FROM events WHERE kind = 8",
        stands: "kind = 8 AND session_id = it.session_id",
        read: |row| Ok(Misplaced::Skip(SessionId(hash(row, "session_id")?), position(row)?)),
    },
    Derived {
        table: "limits_set",
        key: "account, block_number, log_index",
        rest: "",
        rows: "SELECT account, block_number, log_index FROM events WHERE kind = 7",
        stands: "kind = 7 AND account = it.account",
        read: |row| Ok(Misplaced::LimitsSet(address(row, "account")?, position(row)?)),
    },
];

impl Derived {
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.split(", ").chain(self.rest.split_terminator(", "))
    }

    /// Finds the rows that are missing.
    fn missing(&self) -> String {
        let Self { table, rows, .. } = self;
        let columns = self.columns().collect::<Vec<_>>().join(", ");
        let same = self.columns().map(|column| format!("{table}.{column} IS it.{column}"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        format!(
            "SELECT {columns} FROM ({rows}) AS it WHERE NOT EXISTS
                (SELECT 1 FROM {table} WHERE {same})"
        )
    }

    /// The rows that should not be there, as what follows `SELECT …` and `DELETE`.
    fn wrong(&self) -> String {
        let Self { table, stands, .. } = self;
        format!(
            "FROM {table} AS it WHERE NOT EXISTS (SELECT 1 FROM events
                WHERE position = it.block_number << 23 | it.log_index
                    AND (events.block_number, events.log_index) = (it.block_number, it.log_index)
                    AND {stands})"
        )
    }
}

/// What is not as `events` says, and whether an event says that it should be there.
pub(super) async fn misplaced(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Misplaced, bool)>, StoreError> {
    let mut found = Vec::new();
    for table in DERIVED {
        let wrong = format!("SELECT {} {}", table.key, table.wrong());
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
        let columns = table.columns().collect::<Vec<_>>().join(", ");
        let insert = format!("INSERT INTO {} ({columns}) {}", table.table, table.missing());
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

impl Row for Seen<'_> {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let Self(account, event, side) = self;
        let Event { position, tx_hash, change } = event;
        let row = EventRow::of(change)?;
        let amount = match side {
            Side::Account => row.amount,
            Side::Payee => row.to_amount,
        };
        Ok(query
            .bind(account.to_vec())
            .bind(integer("block_number", position.block)?)
            .bind(i64::from(position.log_index))
            .bind(side_column(*side))
            .bind(row.kind)
            .bind(tx_hash.to_vec())
            .bind(amount)
            .bind(row.allowance.map(|word| word.to_vec()))
            .bind(row.session_id.map(|word| word.to_vec())))
    }

    fn blame(&self, error: StoreError) -> StoreError {
        error.at(self.1.position)
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
