//! What operators entered.

use super::{
    columns::integer,
    rows::{self, api_keys, workspace_columns},
};
use crate::{
    ledger::meter::{self, Reading},
    store::{ApiKey, NewApiKey, NewSession, NewWorkspace, Session, StoreError, Workspace},
};
use alloy::primitives::B256;
use luxxon_bindings::SessionId;
use sqlx::SqliteConnection;
use uuid::Uuid;

pub(super) async fn add_workspace(
    connection: &mut SqliteConnection,
    new: NewWorkspace,
) -> Result<Workspace, StoreError> {
    let row = sqlx::query(
        "INSERT INTO workspaces (id, slug, name, wallet, created_at)
         VALUES (?, ?, ?, ?, unixepoch()) RETURNING id, slug, name, wallet, created_at",
    )
    .bind(Uuid::new_v4().as_bytes().to_vec())
    .bind(&new.slug)
    .bind(&new.name)
    .bind(new.wallet.to_vec())
    .fetch_one(connection)
    .await
    .map_err(|error| taken(error, || format!("the workspace slug {}", new.slug)))?;
    rows::workspace(&row)
}

pub(super) async fn workspaces(
    connection: &mut SqliteConnection,
) -> Result<Vec<Workspace>, StoreError> {
    let sql = concat!("SELECT ", workspace_columns!(), " FROM workspaces ORDER BY slug");
    sqlx::query(sql).fetch_all(connection).await?.iter().map(rows::workspace).collect()
}

pub(super) async fn add_api_key(
    tx: &mut SqliteConnection,
    new: &NewApiKey,
) -> Result<ApiKey, StoreError> {
    check_workspace(tx, new.workspace).await?;
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "INSERT INTO api_keys (id, workspace_id, key_hash, prefix, label, scopes, created_at)
         VALUES (?, ?, ?, ?, ?, ?, unixepoch())",
    )
    .bind(Uuid::new_v4().as_bytes().to_vec())
    .bind(new.workspace.as_bytes().to_vec())
    .bind(new.key_hash.to_vec())
    .bind(&new.prefix)
    .bind(&new.label)
    .bind(scopes.join(" "))
    .execute(&mut *tx)
    .await
    .map_err(|error| taken(error, || format!("the API key {}…", new.prefix)))?;
    let entered = sqlx::query(rows::API_KEY).bind(new.key_hash.to_vec()).fetch_one(tx).await?;
    rows::api_key(&entered)
}

pub(super) async fn api_keys(
    connection: &mut SqliteConnection,
    workspace: Uuid,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = api_keys!("workspace_id = ? ORDER BY api_keys.created_at, api_keys.id");
    let rows = sqlx::query(sql).bind(workspace.as_bytes().to_vec());
    rows.fetch_all(connection).await?.iter().map(rows::api_key).collect()
}

pub(super) async fn revoke_api_key(
    tx: &mut SqliteConnection,
    key: Uuid,
    at: u64,
) -> Result<ApiKey, StoreError> {
    // Once is enough: the first time counts.
    sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
        .bind(integer("revoked_at", at)?)
        .bind(key.as_bytes().to_vec())
        .execute(&mut *tx)
        .await?;
    let sql = sqlx::query(api_keys!("api_keys.id = ?"));
    let row = sql.bind(key.as_bytes().to_vec()).fetch_optional(tx).await?;
    let row = row.ok_or_else(|| StoreError::Unknown { what: format!("API key {key}") })?;
    rows::api_key(&row)
}

pub(super) async fn note_uses(
    tx: &mut SqliteConnection,
    uses: &[(Uuid, u64)],
) -> Result<(), StoreError> {
    for (key, at) in uses {
        sqlx::query(
            "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
        )
        .bind(integer("last_used_at", *at)?)
        .bind(key.as_bytes().to_vec())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn register_session(
    tx: &mut SqliteConnection,
    new: &NewSession,
) -> Result<(), StoreError> {
    if !can_be_paid(new) {
        return Err(StoreError::Unpayable { session: new.id });
    }
    for workspace in [new.consumer_workspace, new.operator_workspace] {
        check_workspace(tx, workspace).await?;
    }
    let id = SessionId::of(new.id);
    match session(tx, id).await?.map(|known| known.terms) {
        Some(known) if known == *new => return Ok(()),
        Some(known) if !new.ends(&known) => {
            let what = format!("session {} with other terms", new.id);
            return Err(StoreError::Conflict { what });
        }
        _ => {}
    }
    let reading = new.reading.as_ref();
    let disconnects = reading.map(|reading| serde_json::to_string(&reading.disconnects));
    let disconnects = disconnects.transpose().map_err(|error| {
        StoreError::Damaged(format!("the cuts of session {} cannot be written: {error}", new.id))
    })?;
    let moment = |column, of: fn(&Reading) -> u64| {
        reading.map(|reading| integer(column, of(reading))).transpose()
    };
    sqlx::query(
        "INSERT INTO sessions (session_id, uuid, consumer_workspace_id, operator_workspace_id,
            rate_per_second, platform_fee_bps, max_duration_seconds, started_at, ended_at,
            disconnects, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unixepoch())
         ON CONFLICT (session_id) DO UPDATE SET started_at = excluded.started_at,
            ended_at = excluded.ended_at, disconnects = excluded.disconnects",
    )
    .bind(id.0.to_vec())
    .bind(new.id.as_bytes().to_vec())
    .bind(new.consumer_workspace.as_bytes().to_vec())
    .bind(new.operator_workspace.as_bytes().to_vec())
    .bind(integer("rate_per_second", new.rate_per_second.get())?)
    .bind(i64::from(new.platform_fee_bps))
    .bind(i64::from(new.max_duration_seconds))
    .bind(moment("started_at", |reading| reading.started_at)?)
    .bind(moment("ended_at", |reading| reading.ended_at)?)
    .bind(disconnects)
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes the transaction that is said to pay a session.
pub(super) async fn report_transaction(
    tx: &mut SqliteConnection,
    session_id: SessionId,
    tx_hash: B256,
) -> Result<(), StoreError> {
    let known = session(tx, session_id).await?;
    let known = known.ok_or_else(|| StoreError::Unknown { what: "such session".to_owned() })?;
    if known.terms.reading.is_none() {
        return Err(StoreError::NotEnded { session: known.terms.id });
    }
    sqlx::query("UPDATE sessions SET reported_tx = ? WHERE session_id = ?")
        .bind(tx_hash.to_vec())
        .bind(session_id.0.to_vec())
        .execute(tx)
        .await?;
    Ok(())
}

async fn session(
    tx: &mut SqliteConnection,
    session: SessionId,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(rows::SESSION).bind(session.0.to_vec()).fetch_optional(tx).await?;
    row.as_ref().map(rows::session).transpose()
}

/// Whether the contract would take the payment, once there is one, and the ledger could book it.
/// One of nothing needs none.
fn can_be_paid(new: &NewSession) -> bool {
    if new.reading.is_none() {
        return new.platform_fee_bps <= meter::MAX_FEE_BPS;
    }
    let gross = new.price().and_then(|(_, shares)| shares.gross());
    gross.is_some_and(|gross| integer("amount", gross.get()).is_ok())
}

async fn check_workspace(tx: &mut SqliteConnection, id: Uuid) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM workspaces WHERE id = ?")
        .bind(id.as_bytes().to_vec())
        .fetch_optional(tx)
        .await?;
    known.map(|_| ()).ok_or_else(|| StoreError::Unknown { what: format!("workspace {id}") })
}

fn taken(error: sqlx::Error, what: impl FnOnce() -> String) -> StoreError {
    match &error {
        sqlx::Error::Database(inner) if inner.is_unique_violation() => {
            StoreError::Conflict { what: what() }
        }
        _ => error.into(),
    }
}
