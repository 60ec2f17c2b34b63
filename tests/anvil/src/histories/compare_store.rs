//! The store and the model, side by side.

use super::{
    chain::Block,
    expected::{Expected, Seen, Shown},
    view::View,
};
use crate::model::{Account, Model};
use alloy::primitives::{Address, B256};
use eyre::{Result, bail, ensure};
use luxxon_bindings::SessionId;
use luxxon_indexer::{
    ledger::{Block as KeptBlock, Change, Event, Limits, Side, error_name},
    store::{Cursor, Level, PageRequest, SqliteStore, Store, Wallet, WalletChange, WalletEvent},
};

/// More events than any wallet here has.
const ALL: u32 = 10_000;

/// Compares everything that the store tells of wallets and of these sessions.
pub(super) async fn compare(
    store: &SqliteStore,
    view: &View,
    expected: &Expected,
    wallets: &[Address],
    sessions: &[B256],
) -> Result<()> {
    compare_cursor(&store.cursor().await?, view)?;
    for &wallet in wallets {
        for ((found, block), level) in
            store.wallet_levels(wallet).await?.iter().zip(view.levels()).zip(Level::ALL)
        {
            let level = level.as_str();
            ensure!(is_wallet(found, block, wallet), "{wallet} at {level}: {found:?}, {block:?}");
        }
        let page = store.wallet_events(wallet, PageRequest::newest(ALL)).await?.events;
        let history = expected.history(wallet);
        ensure!(page.len() == history.len(), "{wallet}: {page:?}, {history:?}");
        for (found, shown) in page.iter().zip(history) {
            ensure!(is_shown(found, shown), "{wallet}: {found:?}, {shown:?}");
        }
    }
    for &session in sessions {
        compare_session(store, expected, session).await?;
    }
    Ok(())
}

fn compare_cursor(cursor: &Cursor, view: &View) -> Result<()> {
    ensure!(is_block(&cursor.block, view.head()), "at {cursor:?}, not {:?}", view.head());
    let heights = (cursor.safe_block, cursor.final_block);
    let expected = (view.safe, view.final_block);
    ensure!(heights == expected, "safe and final are {heights:?}, not {expected:?}");
    let owed = view.head().model.total_owed();
    ensure!(u128::from(cursor.owed.get()) == owed, "the tables owe {}, not {owed}", cursor.owed);
    Ok(())
}

fn is_block(kept: &KeptBlock, block: &Block) -> bool {
    (kept.number, kept.hash, kept.timestamp) == (block.number, block.hash, block.timestamp)
}

fn is_wallet(found: &Wallet, block: &Block, wallet: Address) -> bool {
    let model: &Model = &block.model;
    let Account { pool, max_rate, max_session, max_day, .. } = model.account(wallet);
    let Limits { max_rate_per_second, max_per_session, max_per_day } = found.limits;
    let limits = [max_rate_per_second, max_per_session, max_per_day];
    u128::from(found.balance.get()) == pool
        && u128::from(found.claimable.get()) == model.held_for(wallet)
        && limits.map(|limit| u128::from(limit.get())) == [max_rate, max_session, max_day]
        && is_block(&found.at, block)
}

fn is_shown(found: &WalletEvent, shown: &Shown) -> bool {
    let WalletEvent { position, side, block, tx_hash, change } = found;
    let (amount, session) = match change {
        WalletChange::Deposit { amount } | WalletChange::Withdrawal { amount } => {
            (amount.to_string(), None)
        }
        WalletChange::Approval { allowance } => (allowance.to_string(), None),
        WalletChange::Settle { amount, session, .. } => (amount.to_string(), Some(session.0)),
    };
    let kind = change.kind().as_str();
    (position.block, position.log_index, *tx_hash)
        == (shown.block.number, shown.log_index, shown.tx_hash)
        && (*side == Side::Payee) == shown.as_payee
        && (kind, amount, session) == (shown.kind, shown.amount.clone(), shown.session)
        && is_block(block, &shown.block)
}

async fn compare_session(store: &SqliteStore, expected: &Expected, session: B256) -> Result<()> {
    let record = store.session(SessionId(session)).await?;
    let stands_at = |found: &(Event, KeptBlock), log_index: u32, tx_hash: B256, block: &Block| {
        let (event, kept) = found;
        (event.position.block, event.position.log_index) == (block.number, log_index)
            && event.tx_hash == tx_hash
            && is_block(kept, block)
    };
    let settled = match (&record.settled, expected.settled.get(&session)) {
        (None, None) => true,
        (Some(found), Some(Seen { block, log_index, tx_hash, what })) => {
            let Change::Settle(it) = &found.0.change else { bail!("{found:?}") };
            let amounts = [it.to_amount, it.fee_amount, it.gross, it.rate_per_second];
            let amounts = amounts.map(|amount| u128::from(amount.get()));
            stands_at(found, *log_index, *tx_hash, block)
                && (it.session.0, it.from, it.to) == (session, what.from, what.to)
                && amounts == [what.to_amount, what.fee_amount, what.gross(), what.rate]
                && u128::from(it.chargeable_seconds) == what.seconds
        }
        _ => false,
    };
    let skipped = match (&record.last_skip, expected.skipped.get(&session)) {
        (None, None) => true,
        (Some(found), Some(Seen { block, log_index, tx_hash, what: (place, name) })) => {
            let Change::EntrySkipped { index, reason, .. } = found.0.change else {
                bail!("{found:?}");
            };
            stands_at(found, *log_index, *tx_hash, block)
                && u64::from(index) == *place
                && error_name(reason) == Some(*name)
        }
        _ => false,
    };
    ensure!(settled && skipped, "session {session}: {record:?}");
    Ok(())
}
