use alloy::primitives::{Address, B256};
use eyre::Result;
use luxxon_bindings::SessionId;
use luxxon_indexer::{
    ledger::{Block, Deployment, EventId, Position, Side},
    store::{Pins, SqliteStore},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::path::{Path, PathBuf};

/// Events of one block, and accounts that take turns: 50 consumers and 50 operators, so that even
/// ten thousand events give each of them several pages.
const EVENTS_IN_A_BLOCK: u64 = 100;
const CONSUMERS: u64 = 50;
const OPERATORS: u64 = 50;

/// A database of events that no chain ever had, written straight into its tables. Of sixteen events
/// one is a deposit; the others are settlements.
#[derive(Debug)]
pub struct Synthetic {
    path: PathBuf,
    blocks: u64,
}

impl Synthetic {
    /// Makes one of `events` events, a whole number of blocks, at `path`.
    pub async fn make(path: &Path, events: u64) -> Result<Self> {
        let first = Block { number: 0, hash: B256::repeat_byte(1), timestamp: 0 };
        let contract = Address::repeat_byte;
        let deployment = Deployment { settlement: contract(1), usdc: contract(2), deploy_block: 1 };
        let (genesis_hash, code_hash) = (first.hash, B256::repeat_byte(2));
        let pins = Pins { chain_id: 31_337, genesis_hash, deployment, code_hash };
        SqliteStore::open(path, &pins, first).await?.close().await;

        let blocks = events / EVENTS_IN_A_BLOCK;
        // What is lost when the machine stops is made again.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false)
            .pragma("cache_size", "-262144");
        let mut connection = options.connect().await?;
        for sql in rows(blocks) {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(Self { path: path.to_owned(), blocks })
    }

    /// The database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Any consumer.
    #[must_use]
    pub fn consumer(&self) -> Address {
        let name = format!("consumer {:011}", fastrand::u64(..CONSUMERS));
        Address::from_slice(name.as_bytes())
    }

    /// The name of an event in the middle of the history.
    #[must_use]
    pub fn middle(&self) -> EventId {
        let position = Position { block: self.blocks / 2, log_index: 0 };
        EventId::new(position, Side::Account, B256::ZERO).expect("few blocks")
    }

    /// Any `count` settled sessions.
    pub async fn sessions(&self, count: usize) -> Result<Vec<SessionId>> {
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(true);
        let mut connection = options.connect().await?;
        let mut sessions = Vec::with_capacity(count);
        while sessions.len() < count {
            let session: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT session_id FROM events WHERE position = ? << 23 | ?")
                    .bind(i64::try_from(fastrand::u64(1..=self.blocks))?)
                    .bind(i64::try_from(fastrand::u64(..EVENTS_IN_A_BLOCK))?)
                    .fetch_one(&mut connection)
                    .await?;
            sessions.extend(session.map(|session| SessionId(B256::from_slice(&session))));
        }
        connection.close().await?;
        Ok(sessions)
    }
}

/// The statements that make the rows of `blocks` blocks.
fn rows(blocks: u64) -> [String; 6] {
    let count = |to: u64| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to})"
        )
    };
    let address =
        |who: &str, number: &str| format!("CAST(printf('{who} %011d', {number}) AS BLOB)");
    // The multipliers have no factor in common with the number of accounts: each gets its turn.
    let consumer = address("consumer", &format!("(i * 7919) % {CONSUMERS}"));
    let operator = address("operator", &format!("(i * 104729 + i / 50) % {OPERATORS}"));
    let blocks_sql = format!(
        "{} INSERT INTO blocks (number, hash, timestamp)
            SELECT i + 1, randomblob(32), 1700000000 + 2 * i FROM n",
        count(blocks)
    );
    let events = format!(
        "{} INSERT INTO events (position, tx_hash, kind, account, counterparty,
                amount, session_id, to_amount, fee_amount, rate_per_second, chargeable_seconds)
            SELECT 1 + i / {EVENTS_IN_A_BLOCK} << 23 | i % {EVENTS_IN_A_BLOCK}, randomblob(32),
                iif(d, 1, 3), {consumer}, iif(d, {consumer}, {operator}), iif(d, 1000000, 1100),
                iif(d, NULL, randomblob(32)), iif(d, NULL, 1000), iif(d, NULL, 100),
                iif(d, NULL, zeroblob(8)), iif(d, NULL, 60)
            FROM (SELECT i, (i / 50) % 16 = 0 AS d FROM n)",
        count(blocks * EVENTS_IN_A_BLOCK)
    );
    let pools = format!(
        "{} INSERT INTO pools (account, balance) SELECT {}, 1000000 FROM n",
        count(CONSUMERS),
        address("consumer", "i")
    );
    let cursor = format!(
        "UPDATE cursor SET block_number = {blocks}, safe_block = {blocks},
            final_block = {blocks}, owed = (SELECT sum(balance) FROM pools)"
    );
    // One sort of all keys in place of ten million steps through a tree.
    let wallet_events = "INSERT INTO wallet_events (account, block_number, log_index, side, kind,
            tx_hash, amount, allowance, session_id)
        SELECT account, block_number, log_index, 0, kind, tx_hash, amount, allowance, session_id
        FROM events
        UNION ALL
        SELECT counterparty, block_number, log_index, 1, kind, tx_hash, to_amount, allowance,
            session_id
        FROM events WHERE kind = 3
        ORDER BY 1, 2, 3, 4";
    let settlements = "INSERT INTO settlements (session_id, block_number, log_index)
        SELECT session_id, block_number, log_index FROM events WHERE kind = 3 ORDER BY session_id";
    [blocks_sql, events, wallet_events.to_owned(), settlements.to_owned(), pools, cursor]
}
