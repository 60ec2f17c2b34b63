//! When the store fails, or the code does.

use super::{Answer, Server, get, get_without_key, options};
use crate::{
    api::{LastUses, router},
    ledger::{Block, Event, Position, Side},
    store::{
        AccountState, ApiKey, Batch, Cursor, Heights, Level, NewApiKey, NewSession, NewWorkspace,
        Newest, PageRequest, SessionRecord, Store, StoreError, Wallet, WalletPage, Workspace,
    },
    testing::CONSUMER,
};
use alloy::primitives::{Address, B256};
use luxxon_bindings::{MicroUsdc, SessionId};
use std::time::Duration;
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

const GUARDED: [&str; 3] =
    ["/wallet", "/wallet/events", "/settlements/b1e2f3a4-5b6c-7d8e-9f0a-1b2c3d4e5f6a"];

/// Neither what failed nor where: only that it may be tried again.
fn database_unavailable(answer: Answer) {
    answer.refused(503, "DATABASE_ERROR", "Database unavailable", None);
}

#[tokio::test]
async fn a_closed_store_is_an_unavailable_database() {
    let server = Server::start().await;
    server.store.close().await;
    for path in GUARDED {
        database_unavailable(server.get(path, &server.consumer).await);
    }
    for path in ["/health", "/config"] {
        get_without_key(&server.router, path).await.data();
    }
}

/// How a store fails once it has recognised the key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Error,
    PanicWithText,
    PanicWithFormattedText,
    PanicWithAnythingElse,
    /// It never answers.
    Silence,
}

/// What must not leave the process.
const SECRET: &str = "SELECT secret FROM /var/lib/ledger.db";

#[derive(Clone, Debug)]
pub(super) struct Failing(pub(super) Failure);

impl Failing {
    async fn fail<T>(&self) -> Result<T, StoreError> {
        match self.0 {
            Failure::Error => Err(StoreError::Damaged(SECRET.to_owned())),
            Failure::PanicWithText => panic!("SELECT secret FROM /var/lib/ledger.db"),
            Failure::PanicWithFormattedText => panic!("{SECRET}"),
            Failure::PanicWithAnythingElse => std::panic::panic_any(SECRET.len()),
            Failure::Silence => std::future::pending().await,
        }
    }
}

impl Store for Failing {
    async fn cursor(&self) -> Result<Cursor, StoreError> {
        self.fail().await
    }

    fn moved(&self) -> watch::Receiver<()> {
        watch::Sender::default().subscribe()
    }

    async fn block(&self, _: u64) -> Result<Option<Block>, StoreError> {
        self.fail().await
    }

    async fn commit(&self, _: Block, _: Batch) -> Result<Cursor, StoreError> {
        self.fail().await
    }

    async fn set_heights(&self, _: Heights) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn events(&self, _: u64, _: u64) -> Result<Vec<Event>, StoreError> {
        self.fail().await
    }

    async fn owed_at(&self, _: u64) -> Result<MicroUsdc, StoreError> {
        self.fail().await
    }

    async fn rollback(&self, _: u64) -> Result<u64, StoreError> {
        self.fail().await
    }

    async fn accounts_at(
        &self,
        _: u64,
        _: &[Address],
    ) -> Result<(Vec<AccountState>, MicroUsdc), StoreError> {
        self.fail().await
    }

    async fn accounts_touched(&self, _: u64, _: u64, _: u32) -> Result<Vec<Address>, StoreError> {
        self.fail().await
    }

    async fn accounts_after(&self, _: Option<Address>, _: u32) -> Result<Vec<Address>, StoreError> {
        self.fail().await
    }

    async fn sessions_after(
        &self,
        _: Position,
        _: u64,
        _: u32,
    ) -> Result<Vec<(Position, SessionId)>, StoreError> {
        self.fail().await
    }

    async fn wallet_at(&self, _: Address, _: Level) -> Result<Wallet, StoreError> {
        self.fail().await
    }

    async fn wallet_levels(&self, _: Address) -> Result<[Wallet; 3], StoreError> {
        self.fail().await
    }

    async fn wallet_events(&self, _: Address, _: PageRequest) -> Result<WalletPage, StoreError> {
        self.fail().await
    }

    async fn wallet_news(
        &self,
        _: Address,
        _: Option<Block>,
        _: (Position, Side),
        _: u32,
    ) -> Result<Option<WalletPage>, StoreError> {
        self.fail().await
    }

    async fn session(&self, _: SessionId) -> Result<SessionRecord, StoreError> {
        self.fail().await
    }

    async fn api_key(&self, _: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let (slug, name) = ("any".to_owned(), "Any".to_owned());
        let id = Uuid::from_u128(2);
        let workspace = Workspace { id, slug, name, wallet: CONSUMER, created_at: 1 };
        Ok(Some(ApiKey {
            id: Uuid::from_u128(1),
            workspace,
            prefix: String::new(),
            label: String::new(),
            scopes: super::ALL_SCOPES.to_vec(),
            created_at: 1,
            last_used_at: None,
            revoked_at: None,
        }))
    }

    async fn add_workspace(&self, _: NewWorkspace) -> Result<Workspace, StoreError> {
        self.fail().await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.fail().await
    }

    async fn add_api_key(&self, _: NewApiKey) -> Result<ApiKey, StoreError> {
        self.fail().await
    }

    async fn api_keys(&self, _: Uuid) -> Result<Vec<ApiKey>, StoreError> {
        self.fail().await
    }

    async fn revoke_api_key(&self, _: Uuid, _: u64) -> Result<ApiKey, StoreError> {
        self.fail().await
    }

    async fn note_uses(&self, _: &[(Uuid, u64)]) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn register_session(&self, _: NewSession) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn report_transaction(&self, _: SessionId, _: B256) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn newest_events(&self, _: u32) -> Result<Newest, StoreError> {
        self.fail().await
    }
}

async fn ask_failing(failure: Failure, path: &str) -> Answer {
    get(&router(Failing(failure), options()), path, "lxxn_test_abc123_any").await
}

#[tokio::test]
async fn an_error_of_the_store_keeps_its_reason_to_itself() {
    for path in GUARDED {
        database_unavailable(ask_failing(Failure::Error, path).await);
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_keeps_its_reason_to_itself() {
    for failure in
        [Failure::PanicWithText, Failure::PanicWithFormattedText, Failure::PanicWithAnythingElse]
    {
        for path in GUARDED {
            let answer = ask_failing(failure, path).await;
            answer.refused(500, "INTERNAL_SERVER_ERROR", "Unexpected error", None);
        }
    }
}

/// The daemon gives up what it has under way when it stops, and writes once more.
#[tokio::test]
async fn uses_of_keys_stay_noted_until_they_are_written_down() {
    let server = Server::start().await;
    let workspace = server.consumer.workspace.id;
    let key = server.store.api_keys(workspace).await.unwrap()[0].id;
    let uses = LastUses::default();
    uses.note(key, 7);
    let silent = Failing(Failure::Silence);
    timeout(Duration::from_millis(10), uses.write_down(&silent)).await.unwrap_err();
    uses.write_down(&Failing(Failure::Error)).await.unwrap_err();
    uses.write_down(&server.store).await.unwrap();
    assert_eq!(server.store.api_keys(workspace).await.unwrap()[0].last_used_at, Some(7));
    // Nothing is left, so nobody is asked.
    uses.write_down(&Failing(Failure::Error)).await.unwrap();
}
