//! What a person does to a database: making the ledger's balances again, taking blocks back for
//! good, copying the file.

use super::{
    SqliteStore, bulk,
    columns::{integer, money, number},
    find::{self, Misplaced},
    ledger, reads,
    rows::{self, BEHIND_EVENT, block_columns, event_columns},
};
use crate::{
    ledger::{Balances, Block, Event, Holding},
    store::{Cursor, StoreError},
};
use futures_util::TryStreamExt;
use luxxon_bindings::MicroUsdc;
use sqlx::SqliteConnection;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
};

/// Events that are in memory at once while balances are made again.
const EVENTS_AT_ONCE: u32 = 10_000;

/// What making the balances again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The events that were booked.
    pub events: u64,
    /// The accounts that have a balance.
    pub balances: u64,
    /// Whether anything is another than before: if so, the tables were damaged.
    pub changed: bool,
}

/// Something that is not what the events say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A balance.
    Balance {
        /// Whose balance.
        holding: Holding,
        /// What the events add up to.
        events: MicroUsdc,
        /// What the balance is in the tables.
        tables: MicroUsdc,
    },
    /// The sum of all balances.
    Owed {
        /// What the events add up to.
        events: MicroUsdc,
        /// What the tables have for it.
        tables: MicroUsdc,
    },
    /// A block that has events and is not there. Only taking it back and reading it anew helps.
    NoBlock(u64),
    /// Where an event is found.
    Misplaced {
        /// What should be found, or should not.
        what: Misplaced,
        /// Whether an event says that it should.
        by_event: bool,
    },
}

impl SqliteStore {
    /// Makes everything that follows from the events again: the balances, and what events are
    /// found by. What operators entered is not touched; a crash
    /// leaves everything as it was. `progress` is told the block reached.
    pub async fn rebuild(&self, progress: impl Fn(u64) + Send) -> Result<Rebuilt, StoreError> {
        let mut tx = self.write().await?;
        let rebuilt = rebuild(&mut tx, progress).await?;
        tx.commit().await?;
        Ok(rebuilt)
    }

    /// What is not what the events say, all of one moment.
    pub async fn contradictions(&self) -> Result<Vec<Contradiction>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let (booked, _) = book_all(&mut tx, |_| ()).await?;
        let kept = all_balances(&mut tx).await?;
        let holdings: BTreeSet<Holding> =
            booked.iter().chain(kept.iter()).map(|(holding, _)| holding).collect();
        let compared = holdings.into_iter().map(|holding| {
            let (events, tables) = (booked.balance(holding), kept.balance(holding));
            (holding, events, tables)
        });
        let mut contradictions: Vec<Contradiction> = compared
            .filter(|(_, events, tables)| events != tables)
            .map(|(holding, events, tables)| Contradiction::Balance { holding, events, tables })
            .collect();
        let (events, tables) = (booked.owed(), owed(&mut tx).await?);
        if events != tables {
            contradictions.push(Contradiction::Owed { events, tables });
        }
        contradictions
            .extend(without_block(&mut tx).await?.into_iter().map(Contradiction::NoBlock));
        let misplaced = find::misplaced(&mut tx).await?.into_iter();
        contradictions
            .extend(misplaced.map(|(what, by_event)| Contradiction::Misplaced { what, by_event }));
        Ok(contradictions)
    }

    /// Takes back block `from` and all above it, final or not, and makes again what follows from the
    /// events that are left: the daemon will read those blocks anew. Returns where the ledger then stands: on the last kept
    /// block below `from`.
    pub async fn take_back_from(&self, from: u64) -> Result<Cursor, StoreError> {
        let mut tx = self.write().await?;
        let to: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM blocks WHERE number < ?")
            .bind(integer("from", from)?)
            .fetch_one(&mut *tx)
            .await?;
        let to = to.ok_or(StoreError::NothingBelow { from })?;
        sqlx::query(
            "UPDATE cursor SET block_number = ?1, safe_block = min(safe_block, ?1),
                final_block = min(final_block, ?1)",
        )
        .bind(to)
        .execute(&mut *tx)
        .await?;
        ledger::delete_above(&mut tx, from.saturating_sub(1)).await?;
        rebuild(&mut tx, |_| ()).await?;
        let cursor = reads::cursor(&mut tx).await?;
        tx.commit().await?;
        Ok(cursor)
    }

    /// Hands every event to `each`, in the order of the chain, with its block: those of one moment,
    /// however long it takes. Stops at the first error of `each`, and returns it.
    pub async fn each_event<E>(
        &self,
        mut each: impl FnMut(&Event, &Block) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        let mut reader = self.pool.acquire().await?;
        let mut found = sqlx::query(concat!(
            "SELECT ",
            event_columns!(),
            ", ",
            block_columns!(),
            " FROM events JOIN blocks ON number = block_number ORDER BY position"
        ))
        .fetch(&mut *reader);
        while let Some(row) = found.try_next().await? {
            if let Err(error) = each(&rows::event(&row)?, &rows::block(&row, BEHIND_EVENT)?) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Copies the database as it is at one moment to `to`, which must not exist. Readers and the
    /// writer go on meanwhile. The file is there when it is whole and on the disk.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let failed = |reason: String| StoreError::NotCopied { path: to.to_owned(), reason };
        if to.exists() {
            return Err(failed("there is a file already".to_owned()));
        }
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let name = part.to_str().ok_or_else(|| failed("its name is no text".to_owned()))?;
        // What an earlier copy left that was cut off.
        let _ = fs::remove_file(&part);
        // A reader sees one moment, and in WAL mode keeps nobody from writing.
        let mut reader = self.pool.acquire().await?;
        let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut *reader).await;
        let kept = copied.map_err(|error| failed(error.to_string())).and_then(|_| {
            let synced = File::open(&part).and_then(|file| file.sync_all());
            synced.and_then(|()| fs::rename(&part, to)).map_err(|error| failed(error.to_string()))
        });
        if kept.is_err() {
            let _ = fs::remove_file(&part);
        }
        kept
    }
}

async fn rebuild(tx: &mut SqliteConnection, progress: impl Fn(u64)) -> Result<Rebuilt, StoreError> {
    let cursor = reads::cursor(tx).await?;
    let (balances, events) = book_all(tx, progress).await?;
    let before = all_balances(tx).await?;
    let some = |balances: &Balances| -> Vec<(Holding, MicroUsdc)> {
        balances.iter().filter(|(_, balance)| *balance > MicroUsdc::ZERO).collect()
    };
    let after = some(&balances);
    let wrong = some(&before) != after || cursor.owed != balances.owed();
    if wrong {
        sqlx::query("DELETE FROM pools").execute(&mut *tx).await?;
        sqlx::query("DELETE FROM claimables").execute(&mut *tx).await?;
        ledger::store_balances(tx, &balances).await?;
        sqlx::query("UPDATE cursor SET owed = ?")
            .bind(integer("owed", balances.owed().get())?)
            .execute(&mut *tx)
            .await?;
    }
    let changed = find::rebuild(tx).await? || wrong;
    Ok(Rebuilt { events, balances: after.len() as u64, changed })
}

/// What all events add up to, and how many there are.
async fn book_all(
    tx: &mut SqliteConnection,
    progress: impl Fn(u64),
) -> Result<(Balances, u64), StoreError> {
    let (mut balances, mut events) = (Balances::owing(MicroUsdc::ZERO), 0);
    let mut after = None;
    loop {
        let some = reads::events_after(tx, after, EVENTS_AT_ONCE).await?;
        let Some(last) = some.last() else { break };
        after = Some(last.position);
        for event in &some {
            balances.apply(event)?;
        }
        events += some.len() as u64;
        progress(last.position.block);
    }
    Ok((balances, events))
}

/// The sum of all balances, as the ledger goes on from it; whether its block is there does not matter.
async fn owed(tx: &mut SqliteConnection) -> Result<MicroUsdc, StoreError> {
    let row = sqlx::query("SELECT owed FROM cursor").fetch_one(tx).await?;
    money(&row, "owed")
}

/// The blocks that have events and are not there, ascending.
async fn without_block(tx: &mut SqliteConnection) -> Result<Vec<u64>, StoreError> {
    const BLOCKS: &str = "SELECT DISTINCT block_number FROM events
         WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE number = block_number)
         ORDER BY block_number";
    let rows = sqlx::query(BLOCKS).fetch_all(tx).await?;
    rows.iter().map(|row| number(row, "block_number")).collect()
}

async fn all_balances(tx: &mut SqliteConnection) -> Result<Balances, StoreError> {
    let mut balances = Balances::default();
    for (account, balance) in bulk::POOLS.all(tx).await? {
        balances.load(Holding::Pool(account), balance);
    }
    for (account, balance) in bulk::CLAIMABLES.all(tx).await? {
        balances.load(Holding::Claimable(account), balance);
    }
    Ok(balances)
}
