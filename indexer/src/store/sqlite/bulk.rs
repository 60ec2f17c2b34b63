//! Many rows in one statement: a statement's round trip to SQLite's thread costs more than its row.

use super::columns;
use crate::store::StoreError;
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use sqlx::{AssertSqlSafe, SqliteConnection, error::DatabaseError, sqlite::SqliteArguments};

/// Rows in one statement. More gain nothing that can be measured, and the rows that are left over
/// go one by one.
const ROWS: usize = 64;

pub(super) type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// A table to insert into.
pub(super) struct Insert {
    /// `INSERT INTO table (columns)`.
    pub(super) into: &'static str,
    /// How many columns there are.
    pub(super) columns: usize,
    /// What follows the values: nothing, or what to do with a row that is there.
    pub(super) then: &'static str,
}

/// A row as the values of a statement.
pub(super) trait Row {
    /// Adds the row's values, one for each column.
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError>;

    /// The error, with what the row is about.
    fn blame(&self, error: StoreError) -> StoreError {
        error
    }
}

impl Insert {
    /// Inserts `rows`. When it fails, the error is that of the first row that cannot be inserted.
    pub(super) async fn rows<R: Row>(
        &self,
        tx: &mut SqliteConnection,
        rows: &[R],
    ) -> Result<(), StoreError> {
        let (many, one) = (self.statement(ROWS), self.statement(1));
        let (chunks, rest) = rows.as_chunks::<ROWS>();
        for chunk in chunks {
            let mut query = sqlx::query(AssertSqlSafe(many.as_str()));
            for row in chunk {
                query = row.bind(query).map_err(|error| row.blame(error))?;
            }
            match query.execute(&mut *tx).await {
                Ok(_) => {}
                Err(error) if is_constraint(&error) => one_by_one(tx, &one, chunk).await?,
                // SQLite may have ended the transaction (the disk is full, say): whatever followed
                // would be outside of it.
                Err(error) => return Err(error.into()),
            }
        }
        one_by_one(tx, &one, rest).await
    }

    /// The names in it are constants of this program.
    fn statement(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        format!("{} VALUES {} {}", self.into, vec![row; rows].join(", "), self.then)
    }
}

/// Whether a row is refused, and nothing else is wrong.
fn is_constraint(error: &sqlx::Error) -> bool {
    /// The low byte of SQLite's result code `SQLITE_CONSTRAINT`.
    const CONSTRAINT: i32 = 19;
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == CONSTRAINT)
}

async fn one_by_one<R: Row>(
    tx: &mut SqliteConnection,
    one: &str,
    rows: &[R],
) -> Result<(), StoreError> {
    for row in rows {
        let query = row.bind(sqlx::query(AssertSqlSafe(one)));
        let query = query.map_err(|error| row.blame(error))?;
        query.execute(&mut *tx).await.map_err(|error| row.blame(error.into()))?;
    }
    Ok(())
}

/// A table that holds one balance for each account that has any.
#[derive(Clone, Copy)]
pub(super) struct BalanceTable {
    all: &'static str,
    select: &'static str,
    insert: &'static str,
    delete: &'static str,
}

pub(super) const POOLS: BalanceTable = BalanceTable {
    all: "SELECT account, balance FROM pools",
    select: "SELECT account, balance FROM pools WHERE account IN",
    insert: "INSERT INTO pools (account, balance)",
    delete: "DELETE FROM pools WHERE account IN",
};
pub(super) const CLAIMABLES: BalanceTable = BalanceTable {
    all: "SELECT account, balance FROM claimables",
    select: "SELECT account, balance FROM claimables WHERE account IN",
    insert: "INSERT INTO claimables (account, balance)",
    delete: "DELETE FROM claimables WHERE account IN",
};

impl BalanceTable {
    /// The balances of those of `accounts` that have one.
    pub(super) async fn load(
        self,
        tx: &mut SqliteConnection,
        accounts: &[Address],
    ) -> Result<Vec<(Address, MicroUsdc)>, StoreError> {
        let mut balances = Vec::with_capacity(accounts.len());
        for chunk in accounts.chunks(ROWS) {
            let sql = list(self.select, chunk.len());
            let rows = all(&sql, chunk).fetch_all(&mut *tx).await?;
            for row in &rows {
                balances.push((columns::address(row, "account")?, columns::money(row, "balance")?));
            }
        }
        Ok(balances)
    }

    /// Every balance there is.
    pub(super) async fn all(
        self,
        tx: &mut SqliteConnection,
    ) -> Result<Vec<(Address, MicroUsdc)>, StoreError> {
        let rows = sqlx::query(self.all).fetch_all(tx).await?;
        rows.iter()
            .map(|row| Ok((columns::address(row, "account")?, columns::money(row, "balance")?)))
            .collect()
    }

    /// Sets the balances of accounts; one of nothing has no row.
    pub(super) async fn store(
        self,
        tx: &mut SqliteConnection,
        balances: &[(Address, MicroUsdc)],
    ) -> Result<(), StoreError> {
        let (empty, some): (Vec<_>, Vec<_>) =
            balances.iter().partition(|(_, balance)| *balance == MicroUsdc::ZERO);
        let insert = Insert {
            into: self.insert,
            columns: 2,
            then: "ON CONFLICT (account) DO UPDATE SET balance = excluded.balance",
        };
        insert.rows(tx, &some).await?;
        let empty: Vec<Address> = empty.into_iter().map(|(account, _)| account).collect();
        for chunk in empty.chunks(ROWS) {
            let sql = list(self.delete, chunk.len());
            all(&sql, chunk).execute(&mut *tx).await?;
        }
        Ok(())
    }
}

impl Row for (Address, MicroUsdc) {
    fn bind<'q>(&self, query: Query<'q>) -> Result<Query<'q>, StoreError> {
        let (account, balance) = self;
        Ok(query.bind(account.to_vec()).bind(columns::integer("balance", balance.get())?))
    }
}

fn list(statement: &str, values: usize) -> String {
    format!("{statement} ({})", vec!["?"; values].join(", "))
}

fn all<'q>(sql: &'q str, accounts: &[Address]) -> Query<'q> {
    let query = sqlx::query(AssertSqlSafe(sql));
    accounts.iter().fold(query, |query, account| query.bind(account.to_vec()))
}
