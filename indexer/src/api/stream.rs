//! `GET /wallet/stream`: what happens to a wallet, while it happens, as server-sent events.

use super::{
    Api,
    auth::Caller,
    error::{ApiError, Code},
    input::{self, invalid},
    openapi::formats,
    server::CONNECTIONS,
    settlements,
    wallet::{WalletDto, check_workspace, event_dto},
};
use crate::{
    ledger::{EventId, Limits, Position, Side},
    store::{Cursor, Scope, Store, Wallet, WalletChange, WalletEvent},
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName},
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use luxxon_bindings::{MicroUsdc, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use utoipa::IntoParams;
use uuid::Uuid;

/// The id of the last event that a client received before its connection broke.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events that are read at once.
const PAGE: u32 = 200;

/// How often the key is looked at again.
const STILL_KNOWN: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 10_000 });

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// The key's own workspace: another one is refused.
    #[param(value_type = formats::AnyUuid, required = false)]
    workspace_id: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes what is read from the headers")]
struct StreamHeaders {
    /// The id of the last `event` that the client has: what it missed is sent first.
    #[param(rename = "Last-Event-ID", value_type = formats::Cursor, required = false)]
    last_event_id: Option<String>,
}

/// What happens to a wallet, while it happens
///
/// Server-sent events: `balance` (what `/wallet` answers) at once and whenever an amount or a limit in
/// it changes, `event` (an entry of `/wallet/events`) for each new one, `settlement` (what
/// `/settlements` answers) for each session of this workspace that was paid, where the key may read
/// those, and `reorg` with the block from which events are sent again.
///
/// A key may have 16 streams at once.
#[utoipa::path(
    get,
    path = "/wallet/stream",
    operation_id = "LxWalletController_stream",
    params(StreamQuery, StreamHeaders),
    responses((
        status = 200,
        description = "Events without an end",
        body = String,
        content_type = "text/event-stream"
    ))
)]
pub(super) async fn stream<S: Store>(
    State(api): State<Api<S>>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    caller.needs(Scope::WalletRead)?;
    let Query(query) = query.map_err(|_| invalid("query:malformed"))?;
    check_workspace(&caller, query.workspace_id.as_deref())?;
    let last = headers.get(LAST_EVENT_ID).map(|id| {
        let id = id.to_str().ok().and_then(input::uuid).and_then(EventId::from_uuid);
        id.ok_or_else(|| invalid("lastEventId:malformed"))
    });
    let feed = Feed::new(api, caller, last.transpose()?).await?;
    Ok(Sse::new(stream::unfold(feed, Feed::next)).keep_alive(KeepAlive::default()))
}

/// No reorg is deeper: on Base, blocks are final after some six hundred.
const DEEPEST_REORG: u64 = 1_000;

/// Behind all events of block `number`.
fn end_of(number: u64) -> (Position, Side) {
    (Position { block: number, log_index: u32::MAX }, Side::Payee)
}

/// Streams of one key at once. Each holds a connection.
const STREAMS_OF_A_KEY: usize = 16;

/// All streams at once: the other half of the server's connections is for everything else.
const STREAMS: usize = CONNECTIONS / 2;

/// How many streams each key has open.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<Uuid, usize>>>);

impl Streams {
    /// One more of `key`, until the place is dropped; refused where there are too many.
    fn take(&self, key: Uuid) -> Result<Place, ApiError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) =
            (open.values().sum::<usize>(), open.get(&key).copied().unwrap_or_default());
        if all >= STREAMS || own >= STREAMS_OF_A_KEY {
            return Err(ApiError::new(Code::RateLimited).detail("stream:tooMany").retry_after(10));
        }
        open.insert(key, own + 1);
        drop(open);
        Ok(Place(self.clone(), key))
    }
}

/// The right to one stream.
struct Place(Streams, Uuid);

impl Drop for Place {
    fn drop(&mut self) {
        let Self(Streams(open), key) = self;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(key) {
            *own -= 1;
            if *own == 0 {
                open.remove(key);
            }
        }
    }
}

/// One client's stream.
struct Feed<S> {
    api: Api<S>,
    caller: Caller,
    moved: watch::Receiver<()>,
    /// What was sent last, or is as good as sent.
    after: (Position, Side),
    /// Where the ledger stood then.
    seen: Cursor,
    amounts: Option<[Amounts; 3]>,
    /// What is to be sent.
    queue: VecDeque<Event>,
    /// Whether there may be more without the ledger having moved.
    more: bool,
    /// When the key is looked at again.
    key_due: Instant,
    _place: Place,
}

/// What of a wallet a `balance` is sent for.
type Amounts = (MicroUsdc, MicroUsdc, Limits);

impl<S: Store> Feed<S> {
    async fn new(api: Api<S>, caller: Caller, last: Option<EventId>) -> Result<Self, ApiError> {
        let moved = api.store.moved();
        let seen = api.store.cursor().await?;
        let (amounts, queue) = (None, VecDeque::new());
        let after = end_of(seen.block.number);
        let place = api.streams.take(caller.key().id)?;
        let key_due = Instant::now() + STILL_KNOWN;
        let more = true;
        let mut feed =
            Self { api, caller, moved, after, seen, amounts, queue, more, key_due, _place: place };
        if let Some(last) = last {
            let (position, side) = (last.position(), last.side());
            feed.after = (position, side);
            let block = feed.api.store.block(position.block).await?;
            if block.and_then(|block| EventId::new(position, side, block.hash)) != Some(last) {
                // Its block was replaced, and perhaps some before it.
                let sure = position.block.saturating_sub(DEEPEST_REORG);
                feed.again(seen.final_block.min(sure))?;
            }
        }
        Ok(feed)
    }

    /// The next thing to send; `None` ends the stream.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            if !self.more && !self.wait().await {
                return None;
            }
            if self.look().await.is_err() {
                // The client comes again, and says what it had.
                return None;
            }
        }
    }

    /// Waits until the ledger has moved; false when the stream is to end.
    async fn wait(&mut self) -> bool {
        let mut stop = self.api.stop.clone();
        let stopped = async {
            match &mut stop {
                Some(stop) => drop(stop.changed().await),
                None => pending().await,
            }
        };
        tokio::select! {
            moved = self.moved.changed() => moved.is_ok(),
            () = stopped => false,
            () = sleep_until(self.key_due) => true,
        }
    }

    /// Looks what is new, and queues it.
    async fn look(&mut self) -> Result<(), ApiError> {
        let (store, wallet) = (self.api.store.clone(), self.caller.wallet());
        if Instant::now() >= self.key_due {
            if !self.caller.may_go_on(&store).await? {
                return Err(ApiError::new(Code::RevokedApiKey));
            }
            self.key_due = Instant::now() + STILL_KNOWN;
        }
        // Read before the events: what is final now is no less so then.
        let cursor = store.cursor().await?;
        let was_final = self.seen.block.number <= self.seen.final_block;
        let seen = (!was_final).then_some(self.seen.block);
        let mut page = store.wallet_news(wallet, seen, self.after, PAGE).await?;
        if page.is_none() {
            self.again(self.seen.final_block)?;
            page = store.wallet_news(wallet, None, self.after, PAGE).await?;
        }
        let Some(page) = page else { return Ok(()) };
        self.seen = Cursor { block: page.at, ..cursor };
        for entry in &page.events {
            // Who is on both sides hears of a settlement once.
            let again = self.after == (entry.position, Side::Account);
            self.after = (entry.position, entry.side);
            // The event last: its id says that the client has both.
            if let WalletChange::Settle { session, uuid: Some(uuid), .. } = entry.change
                && !again
            {
                self.queue_settlement(session, uuid).await?;
            }
            self.queue_event(entry)?;
        }
        self.more = page.events.len() == PAGE as usize;
        let levels = store.wallet_levels(wallet).await?;
        let amounts =
            levels.map(|Wallet { balance, claimable, limits, .. }| (balance, claimable, limits));
        if self.amounts != Some(amounts) {
            self.amounts = Some(amounts);
            let balance = WalletDto::of(&self.caller, &levels)?;
            self.queue.push_back(named("balance", &balance)?);
        }
        Ok(())
    }

    /// Blocks above `block`, which was final, were replaced: what is there is sent again.
    fn again(&mut self, block: u64) -> Result<(), ApiError> {
        self.after = self.after.min(end_of(block));
        let from = self.after.0.block.saturating_add(1).to_string();
        self.queue.push_back(named("reorg", &json!({ "fromBlock": from }))?);
        Ok(())
    }

    fn queue_event(&mut self, entry: &WalletEvent) -> Result<(), ApiError> {
        let dto = event_dto(self.caller.workspace(), entry)?;
        let id = dto.id().to_string();
        self.queue.push_back(named("event", &dto)?.id(id));
        Ok(())
    }

    async fn queue_settlement(&mut self, session: SessionId, uuid: Uuid) -> Result<(), ApiError> {
        if !self.caller.has(Scope::SessionsRead) {
            return Ok(());
        }
        let record = self.api.store.session(session).await?;
        // A wallet may be shared: a session is its workspaces'.
        let ours = record.registered.as_ref().is_some_and(|session| {
            [session.terms.consumer_workspace, session.terms.operator_workspace]
                .contains(&self.caller.workspace())
        });
        if ours {
            self.queue.push_back(named("settlement", &settlements::view(uuid, &record)?)?);
        }
        Ok(())
    }
}

fn named(name: &str, data: &impl Serialize) -> Result<Event, ApiError> {
    Event::default().event(name).json_data(data).map_err(|error| {
        tracing::error!(%error, name, "an event cannot be written");
        ApiError::new(Code::InternalServerError)
    })
}
