use super::Admin;
use crate::{
    api::{
        Api,
        envelope::{Answer, Success},
        error::{ApiError, Code},
        input::{Body, invalid, micro_usdc, objects, path_uuid, uuid},
        openapi::formats,
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
use utoipa::ToSchema;
use uuid::Uuid;

/// The most times that a session may have been cut off: more is a mistake of the caller's.
const MOST_DISCONNECTS: usize = 10_000;

/// A session to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SessionRegistrationDto)]
pub(in crate::api) struct RegistrationDto {
    #[schema(value_type = formats::AnyUuid)]
    consumer_workspace_id: String,
    #[schema(value_type = formats::AnyUuid)]
    operator_workspace_id: String,
    #[schema(value_type = formats::GivenMicroUsdc)]
    rate_per_second: String,
    /// The platform's part, in basis points.
    #[schema(maximum = 2000)]
    platform_fee_bps: u16,
    /// The most seconds that are charged.
    #[schema(format = Int64, maximum = 4_294_967_295_u32)]
    max_duration_seconds: u32,
    /// When the first frame was there. Without this and `endedAt`, the session has not ended.
    #[schema(value_type = Option<formats::GivenTime>)]
    started_at: Option<String>,
    #[schema(value_type = Option<formats::GivenTime>)]
    ended_at: Option<String>,
    /// When it was cut off. Only what lies between start and end counts.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 10_000)]
    disconnect_windows: Vec<DisconnectDto>,
}

/// A time without the other side.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DisconnectWindowDto)]
struct DisconnectDto {
    #[schema(value_type = formats::GivenTime)]
    started_at: String,
    /// Left out, or null, of one that was not over when the session ended.
    #[schema(value_type = Option<formats::GivenTime>)]
    ended_at: Option<String>,
}

/// A transaction that is said to pay a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TransactionReportDto)]
pub(in crate::api) struct ReportDto {
    #[schema(value_type = formats::GivenBytes32)]
    tx_hash: B256,
}

/// Register a session
///
/// The same one again is harmless; a different one under its id is `CONFLICT`, unless it says when one
/// ran that had not ended before. A price that the contract would not take is `INVALID_INPUT`.
#[utoipa::path(
    put,
    path = "/settlements/{sessionId}",
    operation_id = "registerSession",
    params(("sessionId" = formats::AnyUuid, Path, description = "The session")),
    request_body = RegistrationDto,
    responses((status = 200, description = "How far its payment is", body = SettlementDto))
)]
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

/// Report the transaction that pays a session
///
/// It is only noted: the chain alone confirms a payment.
#[utoipa::path(
    put,
    path = "/settlements/{sessionId}/transaction",
    operation_id = "reportTransaction",
    params(("sessionId" = formats::AnyUuid, Path, description = "The session")),
    request_body = ReportDto,
    responses((status = 200, description = "How far its payment is", body = SettlementDto))
)]
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
