//! What operators entered.

use super::columns::{address, hash, integer, money, number, uuid};
use crate::{
    ledger::meter::{self, Reading},
    store::{ApiKey, NewApiKey, NewSession, NewWorkspace, Session, StoreError, Workspace},
};
use alloy::primitives::B256;
use luxxon_bindings::SessionId;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

pub(super) async fn add_workspace(
    connection: &mut SqliteConnection,
    new: NewWorkspace,
) -> Result<Workspace, StoreError> {
    let row = sqlx::query(
        "INSERT INTO workspaces (id, slug, name, wallet, created_at)
         VALUES (?, ?, ?, ?, unixepoch()) RETURNING *",
    )
    .bind(Uuid::new_v4().as_bytes().to_vec())
    .bind(&new.slug)
    .bind(&new.name)
    .bind(new.wallet.to_vec())
    .fetch_one(connection)
    .await
    .map_err(|error| taken(error, || format!("the workspace slug {}", new.slug)))?;
    workspace_of(&row, "id")
}

pub(super) async fn workspaces(
    connection: &mut SqliteConnection,
) -> Result<Vec<Workspace>, StoreError> {
    let rows = sqlx::query("SELECT * FROM workspaces ORDER BY slug").fetch_all(connection).await?;
    rows.iter().map(|row| workspace_of(row, "id")).collect()
}

/// `id` names the column of the workspace's id.
fn workspace_of(row: &SqliteRow, id: &str) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: uuid(row, id)?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        wallet: address(row, "wallet")?,
        created_at: number(row, "created_at")?,
    })
}

/// What [`api_key_of`] reads.
const API_KEYS: &str = "SELECT workspaces.*, workspace_id, api_keys.id AS key_id, prefix, label,
        scopes, api_keys.created_at AS entered_at, last_used_at, revoked_at
    FROM api_keys JOIN workspaces ON workspaces.id = workspace_id";

fn api_key_of(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    let scopes: &str = row.try_get("scopes")?;
    let scopes = scopes.split_whitespace().map(|scope| scope.parse().map_err(StoreError::Damaged));
    let moment = |column| match row.try_get::<Option<i64>, _>(column)? {
        Some(_) => number(row, column).map(Some),
        None => Ok(None),
    };
    Ok(ApiKey {
        id: uuid(row, "key_id")?,
        workspace: workspace_of(row, "workspace_id")?,
        prefix: row.try_get("prefix")?,
        label: row.try_get("label")?,
        scopes: scopes.collect::<Result<_, _>>()?,
        created_at: number(row, "entered_at")?,
        last_used_at: moment("last_used_at")?,
        revoked_at: moment("revoked_at")?,
    })
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
    let entered = api_key(tx, new.key_hash).await?;
    entered.ok_or_else(|| StoreError::Damaged("a key that was entered is not there".to_owned()))
}

pub(super) async fn api_key(
    connection: &mut SqliteConnection,
    key_hash: [u8; 32],
) -> Result<Option<ApiKey>, StoreError> {
    let sql = AssertSqlSafe(format!("{API_KEYS} WHERE key_hash = ?"));
    let row = sqlx::query(sql).bind(key_hash.to_vec()).fetch_optional(connection).await?;
    row.as_ref().map(api_key_of).transpose()
}

pub(super) async fn api_keys(
    connection: &mut SqliteConnection,
    workspace: Uuid,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = format!("{API_KEYS} WHERE workspace_id = ? ORDER BY api_keys.created_at, key_id");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(workspace.as_bytes().to_vec());
    rows.fetch_all(connection).await?.iter().map(api_key_of).collect()
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
    let sql = AssertSqlSafe(format!("{API_KEYS} WHERE api_keys.id = ?"));
    let row = sqlx::query(sql).bind(key.as_bytes().to_vec()).fetch_optional(tx).await?;
    let row = row.ok_or_else(|| StoreError::Unknown { what: format!("API key {key}") })?;
    api_key_of(&row)
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
    row.as_ref().map(session_of).transpose()
}

fn session_of(row: &SqliteRow) -> Result<Session, StoreError> {
    let reported: Option<&[u8]> = row.try_get("reported_tx")?;
    Ok(Session {
        terms: NewSession {
            id: uuid(row, "uuid")?,
            consumer_workspace: uuid(row, "consumer_workspace_id")?,
            operator_workspace: uuid(row, "operator_workspace_id")?,
            rate_per_second: money(row, "rate_per_second")?,
            platform_fee_bps: number(row, "platform_fee_bps")?,
            max_duration_seconds: number(row, "max_duration_seconds")?,
            reading: reading_of(row)?,
        },
        consumer_wallet: address(row, "consumer_wallet")?,
        operator_wallet: address(row, "operator_wallet")?,
        reported_tx: reported.map(|_| hash(row, "reported_tx")).transpose()?,
    })
}

fn reading_of(row: &SqliteRow) -> Result<Option<Reading>, StoreError> {
    let Some(disconnects) = row.try_get::<Option<&str>, _>("disconnects")? else { return Ok(None) };
    let disconnects = serde_json::from_str(disconnects)
        .map_err(|error| StoreError::Damaged(format!("disconnects: {error}")))?;
    let (started_at, ended_at) = (number(row, "started_at")?, number(row, "ended_at")?);
    Ok(Some(Reading { started_at, ended_at, disconnects }))
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
