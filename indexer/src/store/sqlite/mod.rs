//! The SQLite store: one file in WAL mode, one connection that writes, others that only read and
//! never wait for it.

mod answers;
mod audit_reads;
mod bulk;
mod columns;
mod find;
mod ledger;
mod lock;
mod maintenance;
mod open;
mod readers;
mod reads;
mod registry;
mod resident;
mod rows;

#[cfg(test)]
mod tests;

use super::{
    AccountState, ApiKey, Batch, Cursor, Heights, Level, NewApiKey, NewSession, NewWorkspace,
    Newest, PageRequest, SessionRecord, Store, StoreError, Wallet, WalletPage, Workspace,
};
use crate::ledger::{Block, Event, Position, Side};
use alloy::primitives::{Address, B256};
pub use find::Misplaced;
use lock::Lock;
use luxxon_bindings::{MicroUsdc, SessionId};
pub use maintenance::{Contradiction, Rebuilt};
use readers::Readers;
pub use resident::keep_resident;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
};
use tokio::sync::watch;
use uuid::Uuid;

/// The store in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// One connection; every transaction on it begins as a writer (`BEGIN IMMEDIATE`), so none
    /// fails half-way because another process wrote in between.
    writer: SqlitePool,
    /// Answer the API.
    readers: Readers,
    /// Connections opened read-only, for who looks at more at once.
    pool: SqlitePool,
    /// Where this process is the one that moves the ledger.
    lock: Arc<Mutex<Option<Lock>>>,
    /// Tells whoever waits that the cursor has moved.
    moved: watch::Sender<()>,
}

impl Store for SqliteStore {
    async fn cursor(&self) -> Result<Cursor, StoreError> {
        self.readers.read(answers::cursor)
    }

    fn moved(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    async fn block(&self, number: u64) -> Result<Option<Block>, StoreError> {
        self.readers.read(|reader| answers::block(reader, number))
    }

    async fn commit(&self, after: Block, batch: Batch) -> Result<Cursor, StoreError> {
        let mut tx = self.write().await?;
        let cursor = ledger::commit(&mut tx, after, &batch).await?;
        tx.commit().await?;
        self.moved.send_replace(());
        Ok(cursor)
    }

    async fn set_heights(&self, heights: Heights) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        ledger::set_heights(&mut tx, heights).await?;
        tx.commit().await?;
        self.moved.send_replace(());
        Ok(())
    }

    async fn rollback(&self, to: u64) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let events = ledger::rollback(&mut tx, to).await?;
        tx.commit().await?;
        self.moved.send_replace(());
        Ok(events)
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<Event>, StoreError> {
        reads::events(&mut *self.pool.acquire().await?, from, to).await
    }

    async fn owed_at(&self, number: u64) -> Result<MicroUsdc, StoreError> {
        let mut tx = self.pool.begin().await?;
        Ok(audit_reads::accounts_at(&mut tx, number, &[]).await?.1)
    }

    async fn accounts_at(
        &self,
        number: u64,
        accounts: &[Address],
    ) -> Result<(Vec<AccountState>, MicroUsdc), StoreError> {
        let mut tx = self.pool.begin().await?;
        audit_reads::accounts_at(&mut tx, number, accounts).await
    }

    async fn accounts_touched(
        &self,
        from: u64,
        to: u64,
        limit: u32,
    ) -> Result<Vec<Address>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        audit_reads::accounts_touched(&mut connection, from, to, limit).await
    }

    async fn accounts_after(
        &self,
        after: Option<Address>,
        limit: u32,
    ) -> Result<Vec<Address>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        audit_reads::accounts_after(&mut connection, after, limit).await
    }

    async fn sessions_after(
        &self,
        after: Position,
        to: u64,
        limit: u32,
    ) -> Result<Vec<(Position, SessionId)>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        audit_reads::sessions_after(&mut connection, after, to, limit).await
    }

    async fn wallet_at(&self, account: Address, level: Level) -> Result<Wallet, StoreError> {
        let read = |reader: &_| answers::wallet(reader, account, [level]);
        let [wallet] = self.readers.read(read)?;
        Ok(wallet)
    }

    async fn wallet_levels(&self, account: Address) -> Result<[Wallet; 3], StoreError> {
        let read = |reader: &_| answers::wallet(reader, account, Level::ALL);
        self.readers.read(read)
    }

    async fn wallet_events(
        &self,
        account: Address,
        request: PageRequest,
    ) -> Result<WalletPage, StoreError> {
        let read = |reader: &_| answers::wallet_events(reader, account, &request);
        self.readers.read(read)
    }

    async fn wallet_news(
        &self,
        account: Address,
        seen: Option<Block>,
        after: (Position, Side),
        limit: u32,
    ) -> Result<Option<WalletPage>, StoreError> {
        let read = |reader: &_| answers::wallet_news(reader, account, seen, after, limit);
        self.readers.read(read)
    }

    async fn session(&self, session: SessionId) -> Result<SessionRecord, StoreError> {
        self.readers.read(|reader| answers::session(reader, session))
    }

    async fn api_key(&self, key_hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.readers.read(|reader| answers::api_key(reader, key_hash))
    }

    async fn add_workspace(&self, workspace: NewWorkspace) -> Result<Workspace, StoreError> {
        let mut tx = self.write().await?;
        let workspace = registry::add_workspace(&mut tx, workspace).await?;
        tx.commit().await?;
        Ok(workspace)
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        registry::workspaces(&mut *self.pool.acquire().await?).await
    }

    async fn add_api_key(&self, key: NewApiKey) -> Result<ApiKey, StoreError> {
        let mut tx = self.write().await?;
        let key = registry::add_api_key(&mut tx, &key).await?;
        tx.commit().await?;
        Ok(key)
    }

    async fn api_keys(&self, workspace: Uuid) -> Result<Vec<ApiKey>, StoreError> {
        registry::api_keys(&mut *self.pool.acquire().await?, workspace).await
    }

    async fn revoke_api_key(&self, key: Uuid, at: u64) -> Result<ApiKey, StoreError> {
        let mut tx = self.write().await?;
        let key = registry::revoke_api_key(&mut tx, key, at).await?;
        tx.commit().await?;
        Ok(key)
    }

    async fn note_uses(&self, uses: &[(Uuid, u64)]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        registry::note_uses(&mut tx, uses).await?;
        tx.commit().await
    }

    async fn register_session(&self, session: NewSession) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        registry::register_session(&mut tx, &session).await?;
        tx.commit().await
    }

    async fn report_transaction(
        &self,
        session: SessionId,
        tx_hash: B256,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        registry::report_transaction(&mut tx, session, tx_hash).await?;
        tx.commit().await
    }

    async fn newest_events(&self, limit: u32) -> Result<Newest, StoreError> {
        self.readers.read(|reader| answers::newest_events(reader, limit))
    }
}

impl SqliteStore {
    async fn write(&self) -> Result<Writing, StoreError> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Writing { tx, readers: self.readers.clone() })
    }
}

/// A transaction that writes. It is taken back where it is dropped.
struct Writing {
    tx: Transaction<'static, Sqlite>,
    readers: Readers,
}

impl Writing {
    /// Makes it last, and seen by every read from then on.
    async fn commit(self) -> Result<(), StoreError> {
        let Self { tx, readers } = self;
        // Until now there was nothing new to see, and reads could share a state.
        let hold = readers.hold();
        // SQLite goes on where the caller goes away, and no state may be kept before it is through.
        let through = tokio::spawn(async move {
            let committed = tx.commit().await;
            drop(hold);
            committed
        });
        Ok(through.await.map_err(|_| StoreError::Closed)??)
    }

    #[cfg(test)]
    async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}
