use super::{
    Api,
    auth::Caller,
    consistency::{behind, wait_for},
    envelope::{TrueAt, eip55},
    error::{ApiError, Code},
    input::{self, invalid},
    time,
};
use crate::{
    ledger::{Change, EventId, Limits, Side},
    store::{EventKind, PageRequest, Scope, Store, Wallet, WalletEvent},
};
use alloy::primitives::{Address, B256};
use axum::extract::{Query, State, rejection::QueryRejection};
use luxxon_bindings::MicroUsdc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Events in a page when the caller does not say.
const DEFAULT_LIMIT: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletQuery {
    workspace_id: Option<String>,
    wait_for_block: Option<String>,
}

impl WalletQuery {
    pub(super) fn workspace_id(&self) -> Option<&str> {
        self.workspace_id.as_deref()
    }
}

impl EventDto {
    pub(super) fn id(&self) -> Uuid {
        self.id
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventsQuery {
    workspace_id: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
    kind: Option<String>,
    from_block: Option<String>,
    to_block: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletDto {
    workspace_id: Uuid,
    #[serde(serialize_with = "eip55")]
    wallet_address: Address,
    tracked_balance: MicroUsdc,
    last_sync_block: String,
    updated_at: String,
    /// The hash of that block.
    block_hash: B256,
    /// What is held for the wallet because it could not be paid, µUSDC.
    claimable: MicroUsdc,
    /// What settlements may take from the pool, as the wallet set it; 0 is no limit.
    limits: LimitsDto,
    /// The same at the last block that is safe, and at the last that is final.
    safe: LevelDto,
    finalized: LevelDto,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct LimitsDto {
    max_rate_per_second: MicroUsdc,
    max_per_session: MicroUsdc,
    max_per_day: MicroUsdc,
}

impl From<Limits> for LimitsDto {
    fn from(limits: Limits) -> Self {
        let Limits { max_rate_per_second, max_per_session, max_per_day } = limits;
        Self { max_rate_per_second, max_per_session, max_per_day }
    }
}

/// What a wallet is owed at a level.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelDto {
    balance: MicroUsdc,
    claimable: MicroUsdc,
    block_number: String,
    block_hash: B256,
}

impl From<Wallet> for LevelDto {
    fn from(Wallet { balance, claimable, at, .. }: Wallet) -> Self {
        Self { balance, claimable, block_number: at.number.to_string(), block_hash: at.hash }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventDto {
    id: Uuid,
    workspace_id: Uuid,
    kind: &'static str,
    tx_hash: B256,
    block_number: String,
    confirmed_at: String,
    amount_usdc: String,
    related_session: Option<Uuid>,
    /// The settled session's on-chain form, where its UUID is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    related_session_hash: Option<B256>,
}

pub(super) async fn wallet<S: Store>(
    State(api): State<Api<S>>,
    caller: Caller,
    query: Result<Query<WalletQuery>, QueryRejection>,
) -> Result<TrueAt<WalletDto>, ApiError> {
    caller.needs(Scope::WalletRead)?;
    let Query(query) = query.map_err(|_| invalid("query:malformed"))?;
    check_workspace(&caller, query.workspace_id.as_deref())?;
    let awaited = query.wait_for_block.as_deref();
    let awaited = awaited.map(|text| input::block(text, "waitForBlock:malformed")).transpose()?;
    if let Some(number) = awaited {
        wait_for(&api, number).await?;
    }
    let levels = api.store.wallet_levels(caller.wallet()).await?;
    if awaited.is_some_and(|number| levels[0].at.number < number) {
        // A reorg came in between.
        return Err(behind(levels[0].at.number));
    }
    Ok(TrueAt(levels[0].at, WalletDto::of(&caller, &levels)?))
}

impl WalletDto {
    /// A wallet at every level, the least sure first.
    pub(super) fn of(caller: &Caller, levels: &[Wallet; 3]) -> Result<Self, ApiError> {
        let [wallet, safe, finalized] = *levels;
        Ok(Self {
            workspace_id: caller.workspace(),
            wallet_address: caller.wallet(),
            tracked_balance: wallet.balance,
            last_sync_block: wallet.at.number.to_string(),
            updated_at: time::of_unix(wallet.at.timestamp)?,
            block_hash: wallet.at.hash,
            claimable: wallet.claimable,
            limits: wallet.limits.into(),
            safe: safe.into(),
            finalized: finalized.into(),
        })
    }
}

pub(super) async fn events<S: Store>(
    State(api): State<Api<S>>,
    caller: Caller,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<TrueAt<Vec<EventDto>>, ApiError> {
    caller.needs(Scope::WalletRead)?;
    let Query(query) = query.map_err(|_| invalid("query:malformed"))?;
    check_workspace(&caller, query.workspace_id.as_deref())?;
    let limit = query.limit.as_deref().map_or(Ok(DEFAULT_LIMIT), input::limit)?;
    let mut request = PageRequest::newest(limit);
    request.before = query.cursor.as_deref().map(input::cursor).transpose()?;
    if let Some(kinds) = &query.kind {
        request.kinds = kinds.split(',').map(input::kind).collect::<Result<_, _>>()?;
    }
    if let Some(from) = &query.from_block {
        request.from_block = input::block(from, "fromBlock:malformed")?;
    }
    if let Some(to) = &query.to_block {
        request.to_block = input::block(to, "toBlock:malformed")?;
    }
    let page = api.store.wallet_events(caller.wallet(), request).await?;
    let events = page.events.iter().map(|event| event_dto(caller.workspace(), event));
    Ok(TrueAt(page.at, events.collect::<Result<_, _>>()?))
}

pub(super) fn event_dto(workspace_id: Uuid, entry: &WalletEvent) -> Result<EventDto, ApiError> {
    let WalletEvent { event, side, block, session } = entry;
    let id = EventId::new(event.position, *side, block.hash)
        .ok_or_else(|| ApiError::new(Code::InternalServerError).detail("id:outOfRange"))?;
    let (kind, amount, hash) = match &event.change {
        Change::Deposit { amount, .. } => (EventKind::Deposit, amount.to_string(), None),
        Change::Withdrawal { amount, .. } => (EventKind::Withdrawal, amount.to_string(), None),
        Change::Approval { allowance, .. } => (EventKind::Approval, allowance.to_string(), None),
        Change::Settle(settlement) => {
            let amount = match side {
                Side::Account => settlement.gross,
                Side::Payee => settlement.to_amount,
            };
            (EventKind::Settle, amount.to_string(), Some(settlement.session.0))
        }
        // The published history has no such kinds, and the store leaves them out of it.
        Change::PayoutHeld { .. }
        | Change::Claimed { .. }
        | Change::LimitsSet { .. }
        | Change::EntrySkipped { .. } => {
            return Err(ApiError::new(Code::InternalServerError).detail("kind:unpublished"));
        }
    };
    Ok(EventDto {
        id: id.to_uuid(),
        workspace_id,
        kind: kind.as_str(),
        tx_hash: event.tx_hash,
        block_number: event.position.block.to_string(),
        confirmed_at: time::of_unix(block.timestamp)?,
        amount_usdc: amount,
        related_session: *session,
        related_session_hash: hash.filter(|_| session.is_none()),
    })
}

/// A key belongs to one workspace; naming another one is a mistake, not a way to reach it.
pub(super) fn check_workspace(caller: &Caller, named: Option<&str>) -> Result<(), ApiError> {
    let Some(named) = named else { return Ok(()) };
    match input::uuid(named) {
        Some(named) if named == caller.workspace() => Ok(()),
        Some(_) => Err(invalid("workspaceId:workspaceMismatch")),
        None => Err(invalid("workspaceId:malformed")),
    }
}
