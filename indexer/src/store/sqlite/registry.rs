//! What operators entered.

use super::columns::{address, integer, money, number, uuid};
use crate::{
    ledger::meter::{self, Shares},
    store::{ApiKey, NewApiKey, NewSession, NewWorkspace, Session, StoreError, Workspace},
};
use luxxon_bindings::{MicroUsdc, SessionId};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

pub(super) async fn add_workspace(
    connection: &mut SqliteConnection,
    new: NewWorkspace,
) -> Result<Workspace, StoreError> {
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO workspaces (id, slug, name, wallet, created_at)
         VALUES (?, ?, ?, ?, unixepoch())",
    )
    .bind(id.as_bytes().to_vec())
    .bind(&new.slug)
    .bind(&new.name)
    .bind(new.wallet.to_vec())
    .execute(connection)
    .await
    .map_err(|error| taken(error, || format!("the workspace slug {}", new.slug)))?;
    Ok(Workspace { id, slug: new.slug, wallet: new.wallet })
}

pub(super) async fn add_api_key(
    connection: &mut SqliteConnection,
    new: &NewApiKey,
) -> Result<(), StoreError> {
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "INSERT INTO api_keys (id, workspace_id, key_hash, prefix, scopes, created_at)
         VALUES (?, ?, ?, ?, ?, unixepoch())",
    )
    .bind(Uuid::new_v4().as_bytes().to_vec())
    .bind(new.workspace.as_bytes().to_vec())
    .bind(new.key_hash.to_vec())
    .bind(&new.prefix)
    .bind(scopes.join(" "))
    .execute(connection)
    .await
    .map_err(|error| taken(error, || format!("the API key {}…", new.prefix)))?;
    Ok(())
}

pub(super) async fn api_key(
    connection: &mut SqliteConnection,
    key_hash: [u8; 32],
) -> Result<Option<ApiKey>, StoreError> {
    let row = sqlx::query(
        "SELECT api_keys.id, workspace_id, wallet, scopes
         FROM api_keys JOIN workspaces ON workspaces.id = workspace_id
         WHERE key_hash = ?",
    )
    .bind(key_hash.to_vec())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let scopes: &str = row.try_get("scopes")?;
        Ok(ApiKey {
            id: uuid(&row, "id")?,
            workspace: uuid(&row, "workspace_id")?,
            wallet: address(&row, "wallet")?,
            scopes: scopes
                .split_whitespace()
                .map(|scope| scope.parse().map_err(StoreError::Damaged))
                .collect::<Result<_, _>>()?,
        })
    })
    .transpose()
}

pub(super) async fn register_session(
    connection: &mut SqliteConnection,
    new: &NewSession,
) -> Result<(), StoreError> {
    let id = SessionId::of(new.id);
    if !is_payable(new) {
        return Err(StoreError::Unpayable { session: new.id });
    }
    if let Some(known) = session(connection, id).await? {
        if known.terms == *new {
            return Ok(());
        }
        return Err(StoreError::Conflict { what: format!("session {} with other terms", new.id) });
    }
    sqlx::query(
        "INSERT INTO sessions (session_id, uuid, consumer_workspace_id, operator_workspace_id,
            rate_per_second, chargeable_seconds, platform_fee_bps, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, unixepoch())",
    )
    .bind(id.0.to_vec())
    .bind(new.id.as_bytes().to_vec())
    .bind(new.consumer_workspace.as_bytes().to_vec())
    .bind(new.operator_workspace.as_bytes().to_vec())
    .bind(integer("rate_per_second", new.rate_per_second.get())?)
    .bind(i64::from(new.chargeable_seconds))
    .bind(i64::from(new.platform_fee_bps))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn session(
    connection: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(
        "SELECT sessions.*, consumer.wallet AS consumer_wallet, operator.wallet AS operator_wallet
         FROM sessions
         JOIN workspaces AS consumer ON consumer.id = consumer_workspace_id
         JOIN workspaces AS operator ON operator.id = operator_workspace_id
         WHERE session_id = ?",
    )
    .bind(session.0.to_vec())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Session {
            terms: NewSession {
                id: uuid(&row, "uuid")?,
                consumer_workspace: uuid(&row, "consumer_workspace_id")?,
                operator_workspace: uuid(&row, "operator_workspace_id")?,
                rate_per_second: money(&row, "rate_per_second")?,
                chargeable_seconds: number(&row, "chargeable_seconds")?,
                platform_fee_bps: number(&row, "platform_fee_bps")?,
            },
            consumer_wallet: address(&row, "consumer_wallet")?,
            operator_wallet: address(&row, "operator_wallet")?,
        })
    })
    .transpose()
}

/// Whether the contract would take the payment, and the ledger could book it.
fn is_payable(new: &NewSession) -> bool {
    meter::shares(new.rate_per_second, new.chargeable_seconds, new.platform_fee_bps)
        .and_then(Shares::gross)
        .is_some_and(|gross| gross > MicroUsdc::ZERO && integer("amount", gross.get()).is_ok())
}

fn taken(error: sqlx::Error, what: impl FnOnce() -> String) -> StoreError {
    match &error {
        sqlx::Error::Database(inner) if inner.is_unique_violation() => {
            StoreError::Conflict { what: what() }
        }
        _ => error.into(),
    }
}
