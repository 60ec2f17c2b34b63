use super::{
    Api,
    auth::Caller,
    envelope::{Answer, Success, eip55},
    error::{ApiError, Code},
    input::{self, invalid},
    time,
};
use crate::{
    ledger::{Block, Change, Event, Settlement, meter},
    store::{Scope, Session, SessionRecord, Store},
};
use alloy::primitives::{Address, B256};
use axum::extract::{Path, State, rejection::PathRejection};
use luxxon_bindings::{MicroUsdc, SessionId};
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettlementDto {
    session_id: Uuid,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<PayloadDto>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_hash: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PayloadDto {
    session_id_hash: B256,
    #[serde(serialize_with = "eip55")]
    from: Address,
    #[serde(serialize_with = "eip55")]
    to: Address,
    to_amount: MicroUsdc,
    fee_amount: MicroUsdc,
    rate_per_second: MicroUsdc,
    chargeable_seconds: u32,
    consumer_workspace_id: Uuid,
    operator_workspace_id: Uuid,
    platform_fee_bps: u16,
}

pub(super) async fn settlement<S: Store>(
    State(api): State<Api<S>>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
) -> Answer<SettlementDto> {
    caller.needs(Scope::SessionsRead)?;
    let malformed = || invalid("sessionId:malformed");
    let Path(text) = path.map_err(|_| malformed())?;
    let uuid = input::uuid(&text).ok_or_else(malformed)?;
    let session = SessionId::of(uuid);
    let SessionRecord { registered, settled, .. } = api.store.session(session).await?;
    let settled = settled.as_ref().map(payment).transpose()?;
    if registered.is_none() && settled.is_none() {
        return Err(ApiError::new(Code::SessionNotFound));
    }
    if !is_side(&caller, registered.as_ref(), settled.as_ref()) {
        return Err(ApiError::new(Code::NotAuthorized).detail("session:viewDenied"));
    }
    Ok(Success(SettlementDto {
        session_id: uuid,
        state: if settled.is_some() { "CONFIRMED" } else { "PENDING" },
        payload: registered
            .map(|registered| payload(session, &registered, settled.as_ref()))
            .transpose()?,
        confirmed_at: settled
            .as_ref()
            .map(|payment| time::of_unix(payment.block.timestamp))
            .transpose()?,
        tx_hash: settled.map(|payment| payment.tx_hash),
    }))
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

/// What is to be paid or, once the chain has it, what was paid: the chain is the authority.
fn payload(
    session: SessionId,
    registered: &Session,
    settled: Option<&Payment>,
) -> Result<PayloadDto, ApiError> {
    let terms = &registered.terms;
    let paid = match settled {
        Some(payment) => payment.terms,
        None => composed(session, registered)
            .ok_or_else(|| ApiError::new(Code::InternalServerError).detail("session:price"))?,
    };
    Ok(PayloadDto {
        session_id_hash: session.0,
        from: paid.from,
        to: paid.to,
        to_amount: paid.to_amount,
        fee_amount: paid.fee_amount,
        rate_per_second: paid.rate_per_second,
        chargeable_seconds: paid.chargeable_seconds,
        consumer_workspace_id: terms.consumer_workspace,
        operator_workspace_id: terms.operator_workspace,
        platform_fee_bps: terms.platform_fee_bps,
    })
}

fn composed(session: SessionId, registered: &Session) -> Option<Settlement> {
    let terms = &registered.terms;
    let shares =
        meter::shares(terms.rate_per_second, terms.chargeable_seconds, terms.platform_fee_bps)?;
    Some(Settlement {
        session,
        from: registered.consumer_wallet,
        to: registered.operator_wallet,
        to_amount: shares.to_amount,
        fee_amount: shares.fee_amount,
        gross: shares.gross()?,
        rate_per_second: terms.rate_per_second,
        chargeable_seconds: terms.chargeable_seconds,
    })
}
