use super::{
    Api,
    auth::Caller,
    envelope::{Answer, Success},
};
use crate::store::{Scope, Store};
use axum::extract::State;
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MeDto {
    kind: &'static str,
    key_id: Uuid,
    workspace_id: Uuid,
    environment: &'static str,
    scopes: Vec<&'static str>,
    workspace: WorkspaceDto,
}

#[derive(Debug, Serialize)]
struct WorkspaceDto {
    id: Uuid,
    slug: String,
    name: String,
}

/// Who is asking. Any key will do, whatever its scopes.
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
