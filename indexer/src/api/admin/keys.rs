use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Created, Success},
        error::{ApiError, Code},
        input::{Body, invalid, path_uuid},
        openapi::formats,
        time,
    },
    key::{Environment, PlainKey},
    store::{ApiKey, NewApiKey, Scope, Store},
};
use alloy::primitives::B256;
use axum::extract::{Path, State, rejection::PathRejection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A key to make, or to bring in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct NewKeyDto {
    /// What its holder calls it.
    #[schema(value_type = formats::NewName)]
    label: String,
    #[schema(value_type = Vec<formats::Scope>)]
    scopes: Vec<String>,
    /// SHA-256 of a key that its holder has already: it is brought in, and none is made.
    #[schema(value_type = Option<formats::GivenBytes32>)]
    sha256: Option<B256>,
    /// What is shown of such a key: its first 20 characters, or nothing.
    #[schema(pattern = "^[A-Za-z0-9_]{0,20}$")]
    prefix: Option<String>,
}

/// A key, without itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct KeyDto {
    id: Uuid,
    /// The workspace that it speaks for.
    workspace_id: Uuid,
    /// Its first 20 characters.
    #[schema(pattern = "^[A-Za-z0-9_]{0,20}$", examples("lxxn_test_8c3a5b_Qm1"))]
    prefix: String,
    /// What its holder calls it.
    #[schema(value_type = formats::Name)]
    label: String,
    #[schema(value_type = formats::Environment)]
    environment: &'static str,
    #[schema(value_type = Vec<formats::Scope>)]
    scopes: Vec<&'static str>,
    /// Some seconds more or less.
    #[schema(value_type = Option<formats::Timestamp>, required = true)]
    last_used_at: Option<String>,
    #[schema(value_type = Option<formats::Timestamp>, required = true)]
    revoked_at: Option<String>,
    /// Until when a revoked key still works.
    #[schema(value_type = Option<formats::Timestamp>, required = true)]
    grace_period_end: Option<String>,
    #[schema(value_type = formats::Timestamp)]
    created_at: String,
    /// The key itself: said once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, pattern = "^lxxn_(test|live)_[0-9a-f]{6}_[0-9A-Za-z]{43}$")]
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

/// The keys of a workspace
///
/// The oldest first, revoked ones included. A workspace that is not there has none.
#[utoipa::path(
    get,
    path = "/workspaces/{workspaceId}/api-keys",
    operation_id = "listApiKeys",
    params(("workspaceId" = formats::AnyUuid, Path, description = "The workspace")),
    responses((status = 200, description = "Its keys", body = Vec<KeyDto>))
)]
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

/// Make a key, or bring one in
///
/// One that is made is shown in this answer, as `plaintext`, and never again.
#[utoipa::path(
    post,
    path = "/workspaces/{workspaceId}/api-keys",
    operation_id = "addApiKey",
    params(("workspaceId" = formats::AnyUuid, Path, description = "The workspace")),
    request_body = NewKeyDto,
    responses((status = 201, description = "The key", body = KeyDto))
)]
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

/// Revoke a key
///
/// It works for a minute more. One that is revoked stays as it is.
#[utoipa::path(
    post,
    path = "/api-keys/{keyId}/revoke",
    operation_id = "revokeApiKey",
    params(("keyId" = formats::AnyUuid, Path, description = "The key's id")),
    responses((status = 200, description = "The key", body = KeyDto))
)]
pub(super) async fn revoke<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
) -> Answer<KeyDto> {
    let key = path_uuid(path, "keyId:malformed")?;
    let key = api.store.revoke_api_key(key, time::unix_now()).await?;
    Ok(Success(KeyDto::of(key, api.config.environment())?))
}
