//! What the API's answers are made of. Each function reads from one state of the database.

use super::{
    columns::integer,
    find::side_column,
    ledger::kind,
    readers::{Ends, Reader},
    reads,
    rows::{self, BEHIND_EVENT, BEHIND_SESSION, block_columns, event_columns, sessions},
};
use crate::{
    ledger::{Balances, Block, Event, Holding, Limits, Position, Side},
    store::{
        ApiKey, Cursor, EventKind, Level, Newest, PageRequest, SessionRecord, StoreError, Wallet,
        WalletChange, WalletEvent, WalletPage,
    },
};
use alloy::primitives::{Address, B256};
use luxxon_bindings::SessionId;
use rusqlite::{Connection, Params, Row};

/// The first row that `sql` finds, as `read` has it.
fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All of them.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn cursor(reader: &Reader) -> Result<Cursor, StoreError> {
    reader.cursor(|| {
        let mut statement = reader.prepare_cached(rows::CURSOR)?;
        rows::cursor(statement.query(())?.next()?)
    })
}

/// The last blocks of the levels, the least sure first.
fn ends(reader: &Reader) -> Result<Ends, StoreError> {
    reader.ends(|| {
        let Cursor { block: latest, safe_block, final_block, .. } = cursor(reader)?;
        let end = |number| {
            let lacking = || StoreError::Damaged(format!("it lacks block {number}"));
            block(reader, number)?.ok_or_else(lacking)
        };
        Ok([latest, end(safe_block)?, end(final_block)?])
    })
}

pub(super) fn block(connection: &Connection, number: u64) -> Result<Option<Block>, StoreError> {
    const BLOCK: &str = concat!("SELECT ", block_columns!(), " FROM blocks WHERE number = ?");
    first(connection, BLOCK, [integer("number", number)?], |row| rows::block(row, 0))
}

/// What `account` was owed after the last block of each of `levels`, the least sure first: what it is
/// owed now, with all that came after that block undone.
pub(super) fn wallet<const N: usize>(
    reader: &Reader,
    account: Address,
    levels: [Level; N],
) -> Result<[Wallet; N], StoreError> {
    let (cursor, ends) = (cursor(reader)?, ends(reader)?);
    let [pool, claimable] = [Holding::Pool(account), Holding::Claimable(account)];
    let lowest = levels.map(|level| cursor.height_of(level)).into_iter().min().unwrap_or_default();
    let Now { mut balances, moved, limited } = now(reader, account, &cursor, lowest)?;
    let mut above = if moved { events_of(reader, account, lowest)? } else { Vec::new() };
    let limits = |number| if limited { limits_set(reader, account, number) } else { Ok(None) };
    let mut set = limits(cursor.block.number)?;
    let mut wallets = Vec::with_capacity(N);
    for level in levels {
        let [latest, safe, finalized] = ends;
        let at = match level {
            Level::Latest => latest,
            Level::Safe => safe,
            Level::Finalized => finalized,
        };
        while let Some(event) = above.pop_if(|event| event.position.block > at.number) {
            balances.revert(&event)?;
        }
        if set.is_some_and(|(block, _)| block > at.number) {
            set = limits(at.number)?;
        }
        wallets.push(Wallet {
            balance: balances.balance(pool),
            claimable: balances.balance(claimable),
            limits: set.map(|(_, limits)| limits).unwrap_or_default(),
            at,
        });
    }
    wallets.try_into().map_err(|_| StoreError::Damaged("levels were lost".to_owned()))
}

/// How an account stands now.
struct Now {
    balances: Balances,
    /// It has events of its own above a block.
    moved: bool,
    /// It has set limits.
    limited: bool,
}

/// Whether there are events above block `lowest`, and limits, is asked along: as a rule there are none.
fn now(
    connection: &Connection,
    account: Address,
    cursor: &Cursor,
    lowest: u64,
) -> Result<Now, StoreError> {
    const NOW: &str = "SELECT
        coalesce((SELECT balance FROM pools WHERE account = ?1), 0),
        coalesce((SELECT balance FROM claimables WHERE account = ?1), 0),
        EXISTS (SELECT 1 FROM wallet_events WHERE account = ?1 AND block_number > ?2 AND side = 0),
        EXISTS (SELECT 1 FROM limits_set WHERE account = ?1)";
    let params = (account.as_slice(), integer("number", lowest)?);
    let now = first(connection, NOW, params, |row| {
        let mut balances = Balances::owing(cursor.owed);
        balances.load(Holding::Pool(account), rows::money(row, 0)?);
        balances.load(Holding::Claimable(account), rows::money(row, 1)?);
        Ok(Now { balances, moved: rows::truth(row, 2)?, limited: rows::truth(row, 3)? })
    })?;
    now.ok_or_else(|| StoreError::Damaged("a row that is always there was not".to_owned()))
}

/// The events that are of `account` itself in the blocks above `number`, ascending.
fn events_of(
    connection: &Connection,
    account: Address,
    number: u64,
) -> Result<Vec<Event>, StoreError> {
    const EVENTS: &str = concat!(
        "SELECT ",
        event_columns!(),
        " FROM wallet_events AS seen
         CROSS JOIN events ON events.position = seen.block_number << 23 | seen.log_index
         WHERE seen.account = ? AND seen.block_number > ? AND seen.side = 0
         ORDER BY seen.block_number, seen.log_index"
    );
    let number = integer("number", number)?;
    all(connection, EVENTS, (account.as_slice(), number), |row| rows::event(row))
}

/// The limits of `account` after block `number`, and the block in which it set them; `None` where it
/// never did.
fn limits_set(
    connection: &Connection,
    account: Address,
    number: u64,
) -> Result<Option<(u64, Limits)>, StoreError> {
    let params = (account.as_slice(), integer("number", number)?);
    first(connection, reads::LIMITS, params, |row| {
        Ok((rows::number(row, rows::BEHIND_LIMITS)?, rows::limits(row, 0)?))
    })
}

/// What an account sees of events, as [`wallet_event`] reads it; a condition and an order follow.
macro_rules! seen_events {
    ($rest:literal) => {
        concat!(
            "SELECT seen.log_index, seen.side, seen.kind, seen.tx_hash, seen.amount, seen.allowance,
                seen.session_id, sessions.uuid, ",
            block_columns!(),
            " FROM wallet_events AS seen
             CROSS JOIN blocks ON blocks.number = seen.block_number
             LEFT JOIN sessions ON sessions.session_id = seen.session_id
             WHERE ",
            $rest
        )
    };
}

fn wallet_event(row: &Row<'_>) -> Result<WalletEvent, StoreError> {
    let block = rows::block(row, 8)?;
    let change = match rows::number(row, 2)? {
        kind::DEPOSIT => WalletChange::Deposit { amount: rows::money(row, 4)? },
        kind::WITHDRAWAL => WalletChange::Withdrawal { amount: rows::money(row, 4)? },
        kind::SETTLE => WalletChange::Settle {
            amount: rows::money(row, 4)?,
            session: SessionId(rows::hash(row, 6)?),
            uuid: rows::Columns::blob(row, 7)?.map(|_| rows::uuid(row, 7)).transpose()?,
        },
        kind::APPROVAL => WalletChange::Approval { allowance: rows::hash(row, 5)?.into() },
        other => {
            return Err(StoreError::Damaged(format!("a history with an event of kind {other}")));
        }
    };
    Ok(WalletEvent {
        position: Position { block: block.number, log_index: rows::number(row, 0)? },
        side: rows::side(row, 1)?,
        block,
        tx_hash: rows::hash(row, 3)?,
        change,
    })
}

/// One row a side, newest first. It is read in the order of its table and stops at the limit, so a
/// page costs the same however long the history is; kinds that are not asked for are passed over.
pub(super) fn wallet_events(
    reader: &Reader,
    account: Address,
    request: &PageRequest,
) -> Result<WalletPage, StoreError> {
    const PAGE: &str = seen_events!(
        "seen.account = ? AND (seen.block_number, seen.log_index, seen.side) < (?, ?, ?)
            AND seen.block_number >= ? AND (? >> seen.kind) & 1
         ORDER BY seen.block_number DESC, seen.log_index DESC, seen.side DESC
         LIMIT ?"
    );
    let PageRequest { before, kinds, from_block, to_block, limit } = request;
    // No column holds a greater one.
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let to_block = column(*to_block);
    let (block, log_index, side) = match before {
        Some(id) if column(id.position().block) <= to_block => {
            let Position { block, log_index } = id.position();
            (column(block), i64::from(log_index), side_column(id.side()))
        }
        _ => (to_block, i64::MAX, 0),
    };
    let kinds = kinds.iter().fold(0_i64, |kinds, kind| kinds | 1 << kind_column(*kind));
    let params =
        (account.as_slice(), block, log_index, side, column(*from_block), kinds, i64::from(*limit));
    let events = all(reader, PAGE, params, wallet_event)?;
    Ok(WalletPage { events, at: cursor(reader)?.block })
}

/// One row a side, oldest first; `None` where the block `seen` is not kept any more.
pub(super) fn wallet_news(
    reader: &Reader,
    account: Address,
    seen: Option<Block>,
    (after, side): (Position, Side),
    limit: u32,
) -> Result<Option<WalletPage>, StoreError> {
    const NEWS: &str = seen_events!(
        "seen.account = ? AND (seen.block_number, seen.log_index, seen.side) > (?, ?, ?)
            AND seen.kind <= 4
         ORDER BY seen.block_number, seen.log_index, seen.side
         LIMIT ?"
    );
    if let Some(seen) = seen
        && block(reader, seen.number)? != Some(seen)
    {
        return Ok(None);
    }
    let block = integer("block_number", after.block)?;
    let (log_index, side, limit) =
        (i64::from(after.log_index), side_column(side), i64::from(limit));
    let params = (account.as_slice(), block, log_index, side, limit);
    let events = all(reader, NEWS, params, wallet_event)?;
    Ok(Some(WalletPage { events, at: cursor(reader)?.block }))
}

/// The number of a kind in its column.
fn kind_column(kind: EventKind) -> i64 {
    match kind {
        EventKind::Deposit => kind::DEPOSIT,
        EventKind::Withdrawal => kind::WITHDRAWAL,
        EventKind::Settle => kind::SETTLE,
        EventKind::Approval => kind::APPROVAL,
    }
}

/// What is known of a session's payment.
pub(super) fn session(reader: &Reader, session: SessionId) -> Result<SessionRecord, StoreError> {
    // Whether batches left it out is asked along: as a rule none did.
    const REGISTERED: &str =
        sessions!(", EXISTS (SELECT 1 FROM skips WHERE skips.session_id = sessions.session_id)");
    let id = session.0.as_slice();
    let registered = first(reader, REGISTERED, [id], |row| {
        Ok((rows::session(row)?, rows::truth(row, BEHIND_SESSION)?))
    })?;
    let (registered, skipped) =
        registered.map_or((None, true), |(it, skipped)| (Some(it), skipped));
    let last_skip = if skipped { first(reader, LAST_SKIP, [id], event_and_block)? } else { None };
    let reported = registered.as_ref().and_then(|session| session.reported_tx);
    let reported_skipped = match reported {
        Some(tx_hash) if skipped => left_out_by(reader, session, tx_hash)?,
        _ => false,
    };
    let (settled, cursor) = (first(reader, SETTLED, [id], event_and_block)?, cursor(reader)?);
    Ok(SessionRecord { session, registered, settled, last_skip, reported_skipped, cursor })
}

const SETTLED: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", ",
    block_columns!(),
    " FROM settlements AS it
     CROSS JOIN events ON events.position = it.block_number << 23 | it.log_index
     CROSS JOIN blocks ON blocks.number = it.block_number
     WHERE it.session_id = ?"
);

/// The last row of a session in the order of `skips`: one look, however often it was skipped.
pub(super) const LAST_SKIP: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", ",
    block_columns!(),
    " FROM skips AS it
     CROSS JOIN events ON events.position = it.block_number << 23 | it.log_index
     CROSS JOIN blocks ON blocks.number = it.block_number
     WHERE it.session_id = ?
     ORDER BY it.block_number DESC, it.log_index DESC
     LIMIT 1"
);

fn event_and_block(row: &Row<'_>) -> Result<(Event, Block), StoreError> {
    Ok((rows::event(row)?, rows::block(row, BEHIND_EVENT)?))
}

/// Whether the transaction `tx_hash` left out an entry of `session`.
fn left_out_by(
    connection: &Connection,
    session: SessionId,
    tx_hash: B256,
) -> Result<bool, StoreError> {
    const LEFT_OUT: &str = "SELECT 1 FROM skips AS it
         CROSS JOIN events ON events.position = it.block_number << 23 | it.log_index
         WHERE it.session_id = ? AND events.tx_hash = ? LIMIT 1";
    let params = (session.0.as_slice(), tx_hash.as_slice());
    Ok(first(connection, LEFT_OUT, params, |_| Ok(()))?.is_some())
}

/// The last rows in the order of `events` itself: as many looks as rows, however many there are.
pub(super) const NEWEST: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", ",
    block_columns!(),
    " FROM events
     CROSS JOIN blocks ON blocks.number = events.block_number
     ORDER BY events.position DESC
     LIMIT ?"
);

/// The newest `limit` events, newest first.
pub(super) fn newest_events(reader: &Reader, limit: u32) -> Result<Newest, StoreError> {
    let events = all(reader, NEWEST, [i64::from(limit)], event_and_block)?;
    Ok(Newest { events, cursor: cursor(reader)? })
}

pub(super) fn api_key(
    connection: &Connection,
    key_hash: [u8; 32],
) -> Result<Option<ApiKey>, StoreError> {
    first(connection, rows::API_KEY, [key_hash.as_slice()], |row| rows::api_key(row))
}
