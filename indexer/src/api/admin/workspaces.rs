use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Created, Success, eip55},
        error::ApiError,
        input::{Body, address, invalid},
        time,
    },
    store::{NewWorkspace, Store, Workspace},
};
use alloy::primitives::Address;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewWorkspaceDto {
    slug: String,
    name: String,
    wallet_address: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkspaceDto {
    id: Uuid,
    slug: String,
    name: String,
    #[serde(serialize_with = "eip55")]
    wallet_address: Address,
    created_at: String,
}

impl TryFrom<Workspace> for WorkspaceDto {
    type Error = ApiError;

    fn try_from(workspace: Workspace) -> Result<Self, ApiError> {
        let Workspace { id, slug, name, wallet, created_at } = workspace;
        Ok(Self { id, slug, name, wallet_address: wallet, created_at: time::of_unix(created_at)? })
    }
}

/// All workspaces, by their slugs.
pub(super) async fn list<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
) -> Answer<Vec<WorkspaceDto>> {
    let workspaces = api.store.workspaces().await?.into_iter();
    Ok(Success(workspaces.map(WorkspaceDto::try_from).collect::<Result<_, _>>()?))
}

/// Enters a workspace. A slug that is taken is `CONFLICT`.
pub(super) async fn add<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    Body(new): Body<NewWorkspaceDto>,
) -> Result<Created<WorkspaceDto>, ApiError> {
    let wallet = address(&new.wallet_address).ok_or_else(|| invalid("walletAddress:malformed"))?;
    let new = NewWorkspace::checked(new.slug, &new.name, wallet).map_err(invalid)?;
    Ok(Created(api.store.add_workspace(new).await?.try_into()?))
}
