use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Created, Success, eip55},
        error::ApiError,
        input::{Body, address, invalid},
        openapi::formats,
        time,
    },
    store::{NewWorkspace, Store, Workspace},
};
use alloy::primitives::Address;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A workspace to enter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct NewWorkspaceDto {
    #[schema(value_type = formats::Slug)]
    slug: String,
    #[schema(value_type = formats::NewName)]
    name: String,
    #[schema(value_type = formats::GivenAddress)]
    wallet_address: String,
}

/// A workspace: a name for a wallet. Several may share one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WorkspaceDto {
    id: Uuid,
    #[schema(value_type = formats::Slug)]
    slug: String,
    #[schema(value_type = formats::Name)]
    name: String,
    #[serde(serialize_with = "eip55")]
    #[schema(value_type = formats::Address)]
    wallet_address: Address,
    /// When it was entered.
    #[schema(value_type = formats::Timestamp)]
    created_at: String,
}

impl TryFrom<Workspace> for WorkspaceDto {
    type Error = ApiError;

    fn try_from(workspace: Workspace) -> Result<Self, ApiError> {
        let Workspace { id, slug, name, wallet, created_at } = workspace;
        Ok(Self { id, slug, name, wallet_address: wallet, created_at: time::of_unix(created_at)? })
    }
}

/// All workspaces
///
/// By their slugs.
#[utoipa::path(
    get,
    path = "/workspaces",
    operation_id = "listWorkspaces",
    responses((status = 200, description = "All of them", body = Vec<WorkspaceDto>))
)]
pub(super) async fn list<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
) -> Answer<Vec<WorkspaceDto>> {
    let workspaces = api.store.workspaces().await?.into_iter();
    Ok(Success(workspaces.map(WorkspaceDto::try_from).collect::<Result<_, _>>()?))
}

/// Enter a workspace
///
/// A slug that is taken is `CONFLICT`.
#[utoipa::path(
    post,
    path = "/workspaces",
    operation_id = "addWorkspace",
    request_body = NewWorkspaceDto,
    responses((status = 201, description = "The workspace", body = WorkspaceDto))
)]
pub(super) async fn add<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    Body(new): Body<NewWorkspaceDto>,
) -> Result<Created<WorkspaceDto>, ApiError> {
    let wallet = address(&new.wallet_address).ok_or_else(|| invalid("walletAddress:malformed"))?;
    let new = NewWorkspace::checked(new.slug, &new.name, wallet).map_err(invalid)?;
    Ok(Created(api.store.add_workspace(new).await?.try_into()?))
}
