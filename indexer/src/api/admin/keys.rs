use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Created, Success},
        error::{ApiError, Code},
        input::{Body, invalid, path_uuid},
        time,
    },
    key::{Environment, PlainKey},
    store::{ApiKey, NewApiKey, Scope, Store},
};
use alloy::primitives::B256;
use axum::extract::{Path, State, rejection::PathRejection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewKeyDto {
    label: String,
    scopes: Vec<String>,
    /// SHA-256 of a key that its holder has already: it is brought in, and none is made.
    sha256: Option<B256>,
    /// What is shown of such a key: its first 20 characters, or nothing.
    prefix: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyDto {
    id: Uuid,
    workspace_id: Uuid,
    prefix: String,
    label: String,
    environment: &'static str,
    scopes: Vec<&'static str>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    grace_period_end: Option<String>,
    created_at: String,
    /// The key itself: said once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<String>,
}

impl KeyDto {
    fn of(key: ApiKey, environment: Environment) -> Result<Self, ApiError> {
        let moment = |seconds: Option<u64>| seconds.map(time::of_unix).transpose();
        Ok(Self {
            last_used_at: moment(key.last_used_at)?,
            revoked_at: moment(key.revoked_at)?,
            grace_period_end: moment(key.grace_period_end())?,
            created_at: time::of_unix(key.created_at)?,
            id: key.id,
            workspace_id: key.workspace.id,
            prefix: key.prefix,
            label: key.label,
            environment: environment.as_str(),
            scopes: key.scopes.into_iter().map(Scope::as_str).collect(),
            plaintext: None,
        })
    }
}

/// The keys of a workspace, the oldest first, revoked ones included.
pub(super) async fn list<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
) -> Answer<Vec<KeyDto>> {
    let workspace = path_uuid(path, "workspaceId:malformed")?;
    let environment = api.config.environment();
    let keys = api.store.api_keys(workspace).await?.into_iter();
    Ok(Success(keys.map(|key| KeyDto::of(key, environment)).collect::<Result<_, _>>()?))
}

/// Makes a key of a workspace, or brings one in.
pub(super) async fn add<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
    Body(new): Body<NewKeyDto>,
) -> Result<Created<KeyDto>, ApiError> {
    let workspace = path_uuid(path, "workspaceId:malformed")?;
    let environment = api.config.environment();
    let label = NewApiKey::checked_label(&new.label).map_err(invalid)?;
    let scopes = new.scopes.iter().map(|scope| scope.parse());
    let scopes: Vec<Scope> =
        scopes.collect::<Result<_, _>>().map_err(|_| invalid("scopes:malformed"))?;
    let made = match new.sha256 {
        Some(_) => None,
        None => Some(PlainKey::generate(environment, workspace).map_err(|error| {
            tracing::error!(%error, "no randomness for a key");
            ApiError::new(Code::InternalServerError)
        })?),
    };
    let (key_hash, prefix) = match (&made, new.sha256) {
        (Some(key), _) if new.prefix.is_none() => (key.hash(), key.prefix()),
        (Some(_), _) => return Err(invalid("prefix:withoutSha256")),
        (None, hash) => {
            let prefix = new.prefix.unwrap_or_default();
            let prefix = PlainKey::checked_prefix(&prefix).ok_or(invalid("prefix:malformed"))?;
            (hash.unwrap_or_default().0, prefix)
        }
    };
    let new = NewApiKey { workspace, key_hash, prefix, label, scopes };
    let key = KeyDto::of(api.store.add_api_key(new).await?, environment)?;
    let plaintext = made.map(|key| key.reveal().to_owned());
    Ok(Created(KeyDto { plaintext, ..key }))
}

/// Revokes a key: it works for a minute more. One that is revoked stays as it is.
pub(super) async fn revoke<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
) -> Answer<KeyDto> {
    let key = path_uuid(path, "keyId:malformed")?;
    let key = api.store.revoke_api_key(key, time::unix_now()).await?;
    Ok(Success(KeyDto::of(key, api.config.environment())?))
}
