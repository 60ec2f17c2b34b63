use super::progress::Progress;
use crate::store::{Rebuilt, SqliteStore};
use eyre::Result;
use std::{
    io::{Write, stdout},
    path::PathBuf,
};

/// Makes every balance again from the events, and what events are found by.
pub(super) async fn rebuild(db: PathBuf) -> Result<()> {
    let store = SqliteStore::open_alone(&db).await?;
    let progress = Progress::new("blocks");
    let rebuilt = store.rebuild(|block| progress.at(block)).await;
    progress.done();
    store.close().await;
    let Rebuilt { events, balances, changed } = rebuilt?;
    let outcome = if changed { "they were different before" } else { "they are what they were" };
    writeln!(stdout(), "{balances} balances from {events} events: {outcome}")?;
    Ok(())
}

/// Copies the database to `to`.
pub(super) async fn backup(db: PathBuf, to: PathBuf) -> Result<()> {
    let store = SqliteStore::open_existing(&db).await?;
    let outcome = store.backup(&to).await;
    store.close().await;
    Ok(outcome?)
}
