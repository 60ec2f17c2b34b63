use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Success},
        error::{ApiError, Code},
        input::{Body, invalid, micro_usdc, path_uuid, uuid},
        settlements::{SettlementDto, view},
        time,
    },
    ledger::meter::{Disconnect, MAX_FEE_BPS, Reading},
    store::{NewSession, Store, StoreError},
};
use alloy::primitives::B256;
use axum::extract::{Path, State, rejection::PathRejection};
use luxxon_bindings::SessionId;
use serde::Deserialize;
use uuid::Uuid;

/// The most times that a session may have been cut off: more is a mistake of the caller's.
const MOST_DISCONNECTS: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RegistrationDto {
    consumer_workspace_id: String,
    operator_workspace_id: String,
    /// µUSDC per second.
    rate_per_second: String,
    platform_fee_bps: u16,
    max_duration_seconds: u32,
    /// When the first frame was there. Without this and `endedAt`, the session has not ended.
    started_at: Option<String>,
    ended_at: Option<String>,
    #[serde(default)]
    disconnect_windows: Vec<DisconnectDto>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DisconnectDto {
    started_at: String,
    /// Left out, or null, of one that was not over when the session ended.
    ended_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReportDto {
    tx_hash: B256,
}

/// Registers a session. The same one again is harmless; a different one under its id is `CONFLICT`,
/// unless it says when one ran that had not ended before.
pub(super) async fn register<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
    Body(registration): Body<RegistrationDto>,
) -> Answer<SettlementDto> {
    let id = path_uuid(path, "sessionId:malformed")?;
    let session = registration.checked(id)?;
    api.store.register_session(session).await.map_err(|error| match error {
        // The columns have a bit less than the contract.
        StoreError::TooLarge { .. } => invalid("session:unpayable"),
        other => other.into(),
    })?;
    Ok(Success(view(id, &api.store.session(SessionId::of(id)).await?)?))
}

/// Notes the transaction that is said to pay a session. The chain alone confirms it.
pub(super) async fn report<S: Store>(
    State(api): State<Api<S>>,
    _: Admin,
    path: Result<Path<String>, PathRejection>,
    Body(ReportDto { tx_hash }): Body<ReportDto>,
) -> Answer<SettlementDto> {
    let id = path_uuid(path, "sessionId:malformed")?;
    let session = SessionId::of(id);
    api.store.report_transaction(session, tx_hash).await.map_err(|error| match error {
        StoreError::Unknown { .. } => ApiError::new(Code::SessionNotFound),
        other => other.into(),
    })?;
    Ok(Success(view(id, &api.store.session(session).await?)?))
}

impl RegistrationDto {
    fn checked(self, id: Uuid) -> Result<NewSession, ApiError> {
        let workspace = |text: &str, detail| uuid(text).ok_or_else(|| invalid(detail));
        if self.platform_fee_bps > MAX_FEE_BPS {
            return Err(invalid("platformFeeBps:outOfRange"));
        }
        Ok(NewSession {
            id,
            consumer_workspace: workspace(
                &self.consumer_workspace_id,
                "consumerWorkspaceId:malformed",
            )?,
            operator_workspace: workspace(
                &self.operator_workspace_id,
                "operatorWorkspaceId:malformed",
            )?,
            rate_per_second: micro_usdc(&self.rate_per_second)
                .ok_or_else(|| invalid("ratePerSecond:malformed"))?,
            platform_fee_bps: self.platform_fee_bps,
            max_duration_seconds: self.max_duration_seconds,
            reading: self.reading()?,
        })
    }

    fn reading(&self) -> Result<Option<Reading>, ApiError> {
        let moment =
            |text: &str, detail| time::unix_milliseconds(text).ok_or_else(|| invalid(detail));
        let (started_at, ended_at) = match (&self.started_at, &self.ended_at) {
            (Some(started_at), Some(ended_at)) => {
                (moment(started_at, "startedAt:malformed")?, moment(ended_at, "endedAt:malformed")?)
            }
            (None, None) if self.disconnect_windows.is_empty() => return Ok(None),
            (None, _) => return Err(invalid("startedAt:missing")),
            (Some(_), None) => return Err(invalid("endedAt:missing")),
        };
        if self.disconnect_windows.len() > MOST_DISCONNECTS {
            return Err(invalid("disconnectWindows:tooMany"));
        }
        let disconnects = self.disconnect_windows.iter().map(|window| {
            let detail = "disconnectWindows:malformed";
            let to = window.ended_at.as_deref().map(|text| moment(text, detail)).transpose()?;
            Ok(Disconnect { from: moment(&window.started_at, detail)?, to })
        });
        let disconnects = disconnects.collect::<Result<_, ApiError>>()?;
        Ok(Some(Reading { started_at, ended_at, disconnects }))
    }
}
