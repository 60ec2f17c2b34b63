use super::{
    Api,
    auth::Caller,
    envelope::{TrueAt, eip55},
    error::{ApiError, Code},
    input::path_uuid,
    openapi::formats,
    time,
};
use crate::{
    ledger::{Block, Change, Event, Settlement, error_name},
    store::{Level, Scope, Session, SessionRecord, Store},
};
use alloy::primitives::{Address, B256};
use axum::extract::{Path, State, rejection::PathRejection};
use luxxon_bindings::{MicroUsdc, SessionId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far a payment is, in the platform's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SettlementState {
    /// The session has not ended.
    NotReady,
    /// It has, and what is to be paid is known.
    Pending,
    /// A transaction that pays it was reported.
    Submitted,
    /// The chain has it, or there is nothing to pay.
    Confirmed,
}

/// How far the payment of a session is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxSettlementViewDto)]
pub(in crate::api) struct SettlementDto {
    session_id: Uuid,
    state: SettlementState,
    /// What was paid, once the chain has it; before, what is to be paid. Not there while the session
    /// goes on, nor of one that was never registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PayloadDto)]
    payload: Option<PayloadDto>,
    /// The transaction that paid it, or is said to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = formats::Bytes32)]
    tx_hash: Option<B256>,
    /// The time of the block that paid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = formats::Timestamp)]
    confirmed_at: Option<String>,
    /// How sure the chain is of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = formats::Finality)]
    finality: Option<&'static str>,
    /// Why the last batch that had the session left it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SkipDto)]
    last_skip: Option<SkipDto>,
    /// The session costs nothing, so no transaction will pay it.
    #[serde(skip_serializing_if = "is_false")]
    nothing_to_settle: bool,
    /// What the chain settled differently from what was registered: an alarm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceDto>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Why a batch left a session out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxSettlementSkipDto)]
struct SkipDto {
    /// The name of the contract's error, or its selector where that is not known.
    #[schema(pattern = "^([A-Z][A-Za-z0-9]*|0x[0-9a-f]{8})$", examples("InsufficientPool"))]
    reason: String,
    #[schema(value_type = formats::Bytes32)]
    tx_hash: B256,
    #[schema(value_type = formats::BlockNumber)]
    block_number: String,
}

impl SkipDto {
    fn of((event, block): &(Event, Block)) -> Option<Self> {
        let Change::EntrySkipped { reason, .. } = &event.change else { return None };
        let reason = error_name(*reason).map_or_else(|| reason.to_string(), str::to_owned);
        Some(Self { reason, tx_hash: event.tx_hash, block_number: block.number.to_string() })
    }
}

/// Something that the chain settled differently.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LxSettlementDifferenceDto)]
struct DifferenceDto {
    /// The field of the payload.
    #[schema(examples("toAmount"))]
    field: &'static str,
    registered: String,
    settled: String,
}

/// A payment, as the contract takes it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxSettlementPayloadDto)]
struct PayloadDto {
    /// The session's on-chain form: keccak256 of its UUID's text in lower case.
    #[schema(value_type = formats::Bytes32)]
    session_id_hash: B256,
    /// The consumer's wallet.
    #[serde(serialize_with = "eip55")]
    #[schema(value_type = formats::Address)]
    from: Address,
    /// The operator's wallet.
    #[serde(serialize_with = "eip55")]
    #[schema(value_type = formats::Address)]
    to: Address,
    /// The operator's part.
    #[schema(value_type = formats::MicroUsdc)]
    to_amount: MicroUsdc,
    /// The platform's part.
    #[schema(value_type = formats::MicroUsdc)]
    fee_amount: MicroUsdc,
    #[schema(value_type = formats::MicroUsdc)]
    rate_per_second: MicroUsdc,
    /// Whole seconds that are charged.
    #[schema(format = Int64, maximum = 4_294_967_295_u32)]
    chargeable_seconds: u32,
    consumer_workspace_id: Uuid,
    operator_workspace_id: Uuid,
    /// The platform's part in basis points, as it was registered.
    #[schema(maximum = 2000)]
    platform_fee_bps: u16,
}

/// How far the payment of a session is
///
/// A registered session is shown to its two workspaces. One that only the chain knows is shown to the
/// two wallets, without `payload`.
#[utoipa::path(
    get,
    path = "/settlements/{sessionId}",
    operation_id = "LxSettlementController_get",
    params((
        "sessionId" = formats::AnyUuid,
        Path,
        description = "The session"
    )),
    responses((status = 200, description = "The payment", body = SettlementDto))
)]
pub(super) async fn settlement<S: Store>(
    State(api): State<Api<S>>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
) -> Result<TrueAt<SettlementDto>, ApiError> {
    caller.needs(Scope::SessionsRead)?;
    let uuid = path_uuid(path, "sessionId:malformed")?;
    let record = api.store.session(SessionId::of(uuid)).await?;
    let at = record.cursor.block;
    let settled = record.settled.as_ref().map(payment).transpose()?;
    if record.registered.is_none() && settled.is_none() {
        return Err(ApiError::new(Code::SessionNotFound).true_at(at));
    }
    if !is_side(&caller, record.registered.as_ref(), settled.as_ref()) {
        let refused = ApiError::new(Code::NotAuthorized).detail("session:viewDenied");
        return Err(refused.true_at(at));
    }
    Ok(TrueAt(at, view(uuid, &record)?))
}

/// A session's payment as the platform shows it.
pub(in crate::api) fn view(id: Uuid, record: &SessionRecord) -> Result<SettlementDto, ApiError> {
    let settled = record.settled.as_ref().map(payment).transpose()?;
    let registered = record.registered.as_ref();
    let composed = registered.map(|it| composed(record.session, it)).transpose()?.flatten();
    let free = composed.is_some_and(|terms| terms.gross == MicroUsdc::ZERO);
    let reported = registered.and_then(|session| session.reported_tx);
    let last_skip = record.last_skip.as_ref().and_then(SkipDto::of);
    // A transaction that left it out will never pay it.
    let reported = reported.filter(|_| !record.reported_skipped);
    let state = match (&settled, &composed, reported) {
        (Some(_), _, _) => SettlementState::Confirmed,
        (None, None, _) => SettlementState::NotReady,
        (None, Some(_), _) if free => SettlementState::Confirmed,
        (None, Some(_), Some(_)) => SettlementState::Submitted,
        (None, Some(_), None) => SettlementState::Pending,
    };
    let differences = match (registered, &settled) {
        (Some(session), Some(paid)) => differences(session, composed.as_ref(), &paid.terms),
        _ => Vec::new(),
    };
    // The chain is the authority: what was paid, once it has it, and what is to be paid before.
    let terms = settled.as_ref().map(|payment| payment.terms).or(composed);
    Ok(SettlementDto {
        session_id: id,
        state,
        payload: registered.zip(terms).map(|(session, terms)| payload(session, &terms)),
        tx_hash: settled.as_ref().map(|payment| payment.tx_hash).or(reported),
        confirmed_at: settled
            .as_ref()
            .map(|payment| time::of_unix(payment.block.timestamp))
            .transpose()?,
        finality: record.level().map(Level::as_str),
        last_skip,
        nothing_to_settle: settled.is_none() && free,
        differences,
    })
}

/// A payment the chain has.
struct Payment {
    tx_hash: B256,
    block: Block,
    terms: Settlement,
}

fn payment((event, block): &(Event, Block)) -> Result<Payment, ApiError> {
    match event.change {
        Change::Settle(terms) => Ok(Payment { tx_hash: event.tx_hash, block: *block, terms }),
        _ => Err(ApiError::new(Code::InternalServerError).detail("session:notASettlement")),
    }
}

/// A registered session belongs to its two workspaces. Of one that only the chain knows, the sides
/// are the two wallets.
fn is_side(caller: &Caller, registered: Option<&Session>, settled: Option<&Payment>) -> bool {
    match registered {
        Some(session) => [session.terms.consumer_workspace, session.terms.operator_workspace]
            .contains(&caller.workspace()),
        None => settled.is_some_and(|payment| {
            [payment.terms.from, payment.terms.to].contains(&caller.wallet())
        }),
    }
}

fn payload(session: &Session, terms: &Settlement) -> PayloadDto {
    PayloadDto {
        session_id_hash: terms.session.0,
        from: terms.from,
        to: terms.to,
        to_amount: terms.to_amount,
        fee_amount: terms.fee_amount,
        rate_per_second: terms.rate_per_second,
        chargeable_seconds: terms.chargeable_seconds,
        consumer_workspace_id: session.terms.consumer_workspace,
        operator_workspace_id: session.terms.operator_workspace,
        platform_fee_bps: session.terms.platform_fee_bps,
    }
}

/// What is to be paid for a session, which the chain calls `id`; `None` while it goes on.
fn composed(id: SessionId, session: &Session) -> Result<Option<Settlement>, ApiError> {
    let terms = &session.terms;
    if terms.reading.is_none() {
        return Ok(None);
    }
    let impossible = || ApiError::new(Code::InternalServerError).detail("session:price");
    let (chargeable_seconds, shares) = terms.price().ok_or_else(impossible)?;
    Ok(Some(Settlement {
        session: id,
        from: session.consumer_wallet,
        to: session.operator_wallet,
        to_amount: shares.to_amount,
        fee_amount: shares.fee_amount,
        gross: shares.gross().ok_or_else(impossible)?,
        rate_per_second: terms.rate_per_second,
        chargeable_seconds,
    }))
}

fn differences(
    session: &Session,
    composed: Option<&Settlement>,
    settled: &Settlement,
) -> Vec<DifferenceDto> {
    // While the session goes on, nobody knows its seconds: the chain's stand for them.
    let registered = Settlement {
        from: session.consumer_wallet,
        to: session.operator_wallet,
        rate_per_second: session.terms.rate_per_second,
        ..composed.copied().unwrap_or(*settled)
    };
    [
        difference("from", registered.from, settled.from),
        difference("to", registered.to, settled.to),
        difference("toAmount", registered.to_amount, settled.to_amount),
        difference("feeAmount", registered.fee_amount, settled.fee_amount),
        difference("ratePerSecond", registered.rate_per_second, settled.rate_per_second),
        difference("chargeableSeconds", registered.chargeable_seconds, settled.chargeable_seconds),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// As a rule there is none, and nothing to be written out: an address takes a hash.
fn difference<T: Copy + PartialEq + ToString>(
    field: &'static str,
    registered: T,
    settled: T,
) -> Option<DifferenceDto> {
    (registered != settled).then(|| {
        let (registered, settled) = (registered.to_string(), settled.to_string());
        DifferenceDto { field, registered, settled }
    })
}
