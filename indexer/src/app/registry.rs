//! What operators enter, from a shell.

use crate::{
    config::{KeyCommand, KeyFlags, Registry, WorkspaceCommand},
    key::{Environment, PlainKey},
    store::{ApiKey, NewApiKey, NewWorkspace, Scope, SqliteStore, Store, Workspace},
};
use eyre::{Result, eyre};
use serde_json::{Value, json};
use std::{
    io::{Write, stdout},
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) async fn workspace(command: WorkspaceCommand) -> Result<()> {
    match command {
        WorkspaceCommand::Add { slug, name, wallet, registry } => {
            let new = NewWorkspace::checked(slug, &name, wallet).map_err(malformed)?;
            let (as_json, store) = open(registry).await?;
            let entered = store.add_workspace(new).await;
            store.close().await;
            let entered = entered?;
            print(as_json, &of_workspace(&entered), &[line_of_workspace(&entered)])
        }
        WorkspaceCommand::List { registry } => {
            let (as_json, store) = open(registry).await?;
            let all = store.workspaces().await;
            store.close().await;
            let all = all?;
            let lines: Vec<String> = all.iter().map(line_of_workspace).collect();
            print(as_json, &all.iter().map(of_workspace).collect(), &lines)
        }
    }
}

pub(super) async fn key(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Add { key, registry } => {
            let (as_json, store) = open(registry).await?;
            let made = make(&store, &key).await;
            store.close().await;
            let (plain, entered) = made?;
            let mut object = of_key(&entered);
            object["plaintext"] = plain.reveal().into();
            print(as_json, &object, &[plain.reveal().to_owned()])
        }
        KeyCommand::Import { sha256, prefix, key, registry } => {
            let prefix =
                PlainKey::checked_prefix(&prefix).ok_or_else(|| malformed("prefix:malformed"))?;
            let (as_json, store) = open(registry).await?;
            let entered = enter(&store, &key, sha256.0, prefix).await;
            store.close().await;
            let entered = entered?;
            print(as_json, &of_key(&entered), &[line_of_key(&entered)])
        }
        KeyCommand::List { workspace, registry } => {
            let (as_json, store) = open(registry).await?;
            let keys = keys_of(&store, &workspace).await;
            store.close().await;
            let keys = keys?;
            let lines: Vec<String> = keys.iter().map(line_of_key).collect();
            print(as_json, &keys.iter().map(of_key).collect(), &lines)
        }
        KeyCommand::Revoke { id, registry } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let (as_json, store) = open(registry).await?;
            let revoked = store.revoke_api_key(id, now).await;
            store.close().await;
            let revoked = revoked?;
            print(as_json, &of_key(&revoked), &[line_of_key(&revoked)])
        }
    }
}

async fn open(registry: Registry) -> Result<(bool, SqliteStore)> {
    let Registry { json, database } = registry;
    Ok((json, SqliteStore::open_existing(&database.path()?).await?))
}

fn malformed(what: &str) -> eyre::Report {
    let (field, what) = what.split_once(':').unwrap_or(("a value", what));
    let flag = if field == "walletAddress" { "wallet" } else { field };
    eyre!("--{flag} is {what}: see --help")
}

async fn by_slug(store: &SqliteStore, slug: &str) -> Result<Workspace> {
    let found = store.workspaces().await?.into_iter().find(|workspace| workspace.slug == slug);
    found.ok_or_else(|| eyre!("there is no workspace {slug:?}: see `workspace list`"))
}

async fn keys_of(store: &SqliteStore, slug: &str) -> Result<Vec<ApiKey>> {
    Ok(store.api_keys(by_slug(store, slug).await?.id).await?)
}

async fn make(store: &SqliteStore, flags: &KeyFlags) -> Result<(PlainKey, ApiKey)> {
    let workspace = by_slug(store, &flags.workspace).await?.id;
    let environment = Environment::of_chain(store.pins().await?.chain_id);
    let plain = PlainKey::generate(environment, workspace)
        .map_err(|error| eyre!("there is no randomness for a key: {error}"))?;
    let entered = enter(store, flags, plain.hash(), plain.prefix()).await?;
    Ok((plain, entered))
}

async fn enter(
    store: &SqliteStore,
    flags: &KeyFlags,
    key_hash: [u8; 32],
    prefix: String,
) -> Result<ApiKey> {
    let workspace = by_slug(store, &flags.workspace).await?.id;
    let label = NewApiKey::checked_label(&flags.label).map_err(malformed)?;
    let scopes = flags.scopes.clone();
    Ok(store.add_api_key(NewApiKey { workspace, key_hash, prefix, label, scopes }).await?)
}

fn print(as_json: bool, value: &Value, lines: &[String]) -> Result<()> {
    let mut out = stdout().lock();
    if as_json {
        return Ok(writeln!(out, "{value}")?);
    }
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn of_workspace(workspace: &Workspace) -> Value {
    let Workspace { id, slug, name, wallet, created_at } = workspace;
    let wallet = wallet.to_string();
    json!({ "id": id, "slug": slug, "name": name, "walletAddress": wallet, "createdAt": created_at })
}

fn line_of_workspace(workspace: &Workspace) -> String {
    let Workspace { id, slug, name, wallet, .. } = workspace;
    format!("{id}  {wallet}  {slug}  {name}")
}

/// Times are Unix seconds.
fn of_key(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "workspaceId": key.workspace.id,
        "prefix": key.prefix,
        "label": key.label,
        "scopes": scopes(key),
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
        "gracePeriodEnd": key.grace_period_end(),
    })
}

fn line_of_key(key: &ApiKey) -> String {
    let state = match (key.revoked_at, key.last_used_at) {
        (Some(_), _) => "revoked",
        (None, Some(_)) => "used",
        (None, None) => "never used",
    };
    let (scopes, prefix) = (scopes(key).join(","), &key.prefix);
    format!("{}  {prefix}…  {state}  {scopes}  {}", key.id, key.label)
}

fn scopes(key: &ApiKey) -> Vec<&'static str> {
    key.scopes.iter().copied().map(Scope::as_str).collect()
}
