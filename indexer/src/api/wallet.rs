use super::{
    Api,
    auth::Caller,
    consistency::{behind, wait_for},
    envelope::{Eip55, TrueAt},
    error::{ApiError, Code},
    input::{self, invalid},
    openapi::formats,
    time,
};
use crate::{
    ledger::{EventId, Limits},
    store::{PageRequest, Scope, Store, Wallet, WalletChange, WalletEvent},
};
use alloy::primitives::B256;
use axum::extract::{Query, State, rejection::QueryRejection};
use luxxon_bindings::MicroUsdc;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Events in a page when the caller does not say.
const DEFAULT_LIMIT: u32 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct WalletQuery {
    /// The key's own workspace: another one is refused.
    #[param(value_type = formats::AnyUuid, required = false)]
    workspace_id: Option<String>,
    /// Wait until this block is in, two seconds at most.
    #[param(value_type = formats::Height, required = false)]
    wait_for_block: Option<String>,
}

impl EventDto {
    pub(super) fn id(&self) -> Uuid {
        self.id
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// The key's own workspace: another one is refused.
    #[param(value_type = formats::AnyUuid, required = false)]
    workspace_id: Option<String>,
    /// The last `id` of the page before: this one goes on with what is older.
    #[param(value_type = formats::Cursor, required = false)]
    cursor: Option<String>,
    /// The most events in the page.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// Only events of these kinds, commas between them.
    #[param(
        value_type = Vec<formats::EventKind>,
        required = false,
        style = Form,
        explode = false,
        min_items = 1
    )]
    kind: Option<String>,
    /// Only events of this block, and above.
    #[param(value_type = formats::Height, required = false)]
    from_block: Option<String>,
    /// Only events of this block, and below.
    #[param(value_type = formats::Height, required = false)]
    to_block: Option<String>,
}

/// A wallet: its pool in the contract and what bounds it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxWalletStateDto)]
pub(super) struct WalletDto {
    workspace_id: Uuid,
    /// The workspace's wallet.
    #[schema(value_type = formats::Address)]
    wallet_address: Eip55,
    /// The wallet's pool, as the contract's `deposits(wallet)` says at block `lastSyncBlock`. An
    /// operator is paid to its wallet, not to a pool.
    #[schema(value_type = formats::MicroUsdc)]
    tracked_balance: MicroUsdc,
    /// The block that all this is true at.
    #[schema(value_type = formats::BlockNumber)]
    last_sync_block: String,
    /// The time of that block.
    #[schema(value_type = formats::Timestamp)]
    updated_at: String,
    /// The hash of that block.
    #[schema(value_type = formats::Bytes32)]
    block_hash: B256,
    /// What is held for the wallet because it could not be paid.
    #[schema(value_type = formats::MicroUsdc)]
    claimable: MicroUsdc,
    limits: LimitsDto,
    /// The same at the last block that is safe.
    safe: LevelDto,
    /// The same at the last block that is final.
    finalized: LevelDto,
}

/// What settlements may take from the pool, as the wallet set it; 0 is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxWalletLimitsDto)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct LimitsDto {
    #[schema(value_type = formats::MicroUsdc)]
    max_rate_per_second: MicroUsdc,
    #[schema(value_type = formats::MicroUsdc)]
    max_per_session: MicroUsdc,
    /// In a day of UTC.
    #[schema(value_type = formats::MicroUsdc)]
    max_per_day: MicroUsdc,
}

impl From<Limits> for LimitsDto {
    fn from(limits: Limits) -> Self {
        let Limits { max_rate_per_second, max_per_session, max_per_day } = limits;
        Self { max_rate_per_second, max_per_session, max_per_day }
    }
}

/// What a wallet is owed at a level.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxWalletLevelDto)]
struct LevelDto {
    #[schema(value_type = formats::MicroUsdc)]
    balance: MicroUsdc,
    #[schema(value_type = formats::MicroUsdc)]
    claimable: MicroUsdc,
    #[schema(value_type = formats::BlockNumber)]
    block_number: String,
    #[schema(value_type = formats::Bytes32)]
    block_hash: B256,
}

impl From<Wallet> for LevelDto {
    fn from(Wallet { balance, claimable, at, .. }: Wallet) -> Self {
        Self { balance, claimable, block_number: at.number.to_string(), block_hash: at.hash }
    }
}

/// Something that happened to a wallet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxOnChainEventDto)]
pub(super) struct EventDto {
    #[schema(value_type = formats::EventId)]
    id: Uuid,
    workspace_id: Uuid,
    #[schema(value_type = formats::EventKind)]
    kind: &'static str,
    /// The transaction.
    #[schema(value_type = formats::Bytes32)]
    tx_hash: B256,
    /// Its block.
    #[schema(value_type = formats::BlockNumber)]
    block_number: String,
    /// The time of that block.
    #[schema(value_type = formats::Timestamp)]
    confirmed_at: String,
    /// What moved, in µUSDC: of a `SETTLE` the whole price for the consumer, and the operator's part
    /// for the operator. Of an `APPROVAL` the new allowance.
    #[schema(value_type = formats::Allowance)]
    amount_usdc: String,
    /// The session that was settled, where it is registered.
    #[schema(required = true)]
    related_session: Option<Uuid>,
    /// The settled session's on-chain form, where its UUID is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = formats::Bytes32)]
    related_session_hash: Option<B256>,
}

/// A wallet's balance
///
/// At every level of the chain, with its limits. All of it is true at one block, `lastSyncBlock`.
#[utoipa::path(
    get,
    path = "/wallet",
    operation_id = "LxWalletController_getState",
    params(WalletQuery),
    responses((status = 200, description = "The key's wallet", body = WalletDto))
)]
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
            wallet_address: caller.written_wallet(),
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

/// A wallet's history
///
/// Deposits, withdrawals, settlements and allowances, newest first. The next page is asked for with
/// the last `id` of this one as `cursor`; it has no gap and no repetition, whatever comes in meanwhile.
#[utoipa::path(
    get,
    path = "/wallet/events",
    operation_id = "LxWalletController_listEvents",
    params(EventsQuery),
    responses((status = 200, description = "A page of events", body = Vec<EventDto>))
)]
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
    let WalletEvent { position, side, block, tx_hash, change } = entry;
    let id = EventId::new(*position, *side, block.hash)
        .ok_or_else(|| ApiError::new(Code::InternalServerError).detail("id:outOfRange"))?;
    let (amount, session, uuid) = match change {
        WalletChange::Deposit { amount } | WalletChange::Withdrawal { amount } => {
            (amount.to_string(), None, None)
        }
        WalletChange::Approval { allowance } => (allowance.to_string(), None, None),
        WalletChange::Settle { amount, session, uuid } => {
            (amount.to_string(), Some(session.0), *uuid)
        }
    };
    Ok(EventDto {
        id: id.to_uuid(),
        workspace_id,
        kind: change.kind().as_str(),
        tx_hash: *tx_hash,
        block_number: position.block.to_string(),
        confirmed_at: time::of_unix(block.timestamp)?,
        amount_usdc: amount,
        related_session: uuid,
        related_session_hash: session.filter(|_| uuid.is_none()),
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
