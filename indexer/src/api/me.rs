use super::{
    Api,
    auth::Caller,
    envelope::{Answer, Success},
    openapi::formats,
};
use crate::store::{Scope, Store};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who is asking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxMeApiKeyDto)]
pub(super) struct MeDto {
    #[schema(value_type = formats::CallerKind)]
    kind: &'static str,
    /// The key's id, which is no secret.
    key_id: Uuid,
    /// The workspace that the key speaks for.
    workspace_id: Uuid,
    #[schema(value_type = formats::Environment)]
    environment: &'static str,
    #[schema(value_type = Vec<formats::Scope>)]
    scopes: Vec<&'static str>,
    workspace: WorkspaceDto,
}

/// The workspace that a key speaks for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LxMeApiKeyWorkspaceDto)]
struct WorkspaceDto {
    id: Uuid,
    #[schema(value_type = formats::Slug)]
    slug: String,
    #[schema(value_type = formats::Name)]
    name: String,
}

/// Who is asking
///
/// Any key will do, whatever its scopes.
#[utoipa::path(
    get,
    path = "/me",
    operation_id = "LxMeController_me",
    responses((status = 200, description = "The key and its workspace", body = MeDto))
)]
pub(super) async fn me<S: Store>(State(api): State<Api<S>>, caller: Caller) -> Answer<MeDto> {
    let key = caller.key();
    let workspace = key.workspace.clone();
    Ok(Success(MeDto {
        kind: "api_key",
        key_id: key.id,
        workspace_id: workspace.id,
        environment: api.config.environment().as_str(),
        scopes: key.scopes.iter().copied().map(Scope::as_str).collect(),
        workspace: WorkspaceDto { id: workspace.id, slug: workspace.slug, name: workspace.name },
    }))
}
