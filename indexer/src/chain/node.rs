use super::{
    ChainError,
    calls::{call_at, header_call, held_call, hex, log_calls, owed_call},
    error::node_name,
    limits::{Gate, Limits},
    logs::{Collected, collect},
    rpc::{Call, Http, Replies, Ws, encode},
    wire::{RpcHeader, RpcLog},
};
use crate::{
    ledger::{Block, Deployment, RawLog},
    metrics::Metrics,
};
use alloy::{
    primitives::{Address, B256, Bytes, U64, U256},
    sol_types::SolValue,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use url::{Host, Url};

/// How long one request may take, body included, unless it is set otherwise. A range of logs that
/// takes longer is too large.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// Headers asked for at once. Public nodes commonly take batches of 100.
const HEADERS_AT_ONCE: usize = 100;

/// A block's header, as far as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of the block before it.
    pub parent_hash: B256,
    /// Unix time in seconds.
    pub timestamp: u64,
}

impl Header {
    /// The block, without its link.
    #[must_use]
    pub fn block(&self) -> Block {
        Block { number: self.number, hash: self.hash, timestamp: self.timestamp }
    }
}

/// Where the node says the chain stands: `finalized` ≤ `safe` ≤ `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The last block.
    pub latest: Header,
    /// The last block whose data is on the layer below: only a reorg there replaces it.
    pub safe: Header,
    /// The last block that the node expects no reorg to replace.
    pub finalized: Header,
}

/// A block's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLogs {
    /// In the order of the block.
    pub logs: Vec<RawLog>,
    /// What the contract owes after the block, in µUSDC, by its `totalOwed`; `None` where it is not
    /// deployed yet, or the node does not answer calls by block hash.
    pub owed: Option<U256>,
}

/// Which logs of a range are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the ledger is made of: all that the contract logs, and the allowances it is given.
    Ledger,
    /// The same, every transfer of USDC to the contract and from it, and what it holds afterwards.
    LedgerAndTransfers,
}

/// The logs of a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeLogs {
    /// The range's first block.
    pub first: Header,
    /// The blocks to keep, ascending: those with logs, and the range's last.
    pub blocks: Vec<Block>,
    /// In the order of the chain.
    pub logs: Vec<RawLog>,
    /// What the contract owes after the last block, in µUSDC, by its `totalOwed`; `None` where it is
    /// not deployed yet, or the node does not have that state any more.
    pub owed: Option<U256>,
    /// The USDC that the contract holds after the last block, in µUSDC; `None` where that was not
    /// asked for, there is no USDC yet, or the node does not have that state any more.
    pub held: Option<U256>,
    /// How long the node's answer was, in bytes of JSON.
    pub answer_bytes: usize,
}

/// A node, over JSON-RPC on HTTP or a websocket.
#[derive(Debug)]
pub struct Node {
    line: Line,
    url: Url,
    gate: Gate,
    metrics: Arc<Metrics>,
    next_id: AtomicU64,
}

#[derive(Debug)]
enum Line {
    Http(Http),
    Ws(Ws),
}

impl Node {
    /// The node at `url` (http, https, ws or wss), which may take `timeout` for each request.
    /// Nothing is sent yet.
    pub fn new(url: Url, timeout: Duration) -> Result<Self, ChainError> {
        let line = match url.scheme() {
            "ws" | "wss" => Line::Ws(Ws::new(url.clone(), timeout)),
            _ => Line::Http(
                Http::new(url.clone(), timeout)
                    .map_err(|reason| ChainError::Unreachable { node: node_name(&url), reason })?,
            ),
        };
        let gate = Gate::new(Limits::default());
        let (metrics, next_id) = (Arc::default(), AtomicU64::new(1));
        Ok(Self { line, url, gate, metrics, next_id })
    }

    /// The same node, asked no more than `limits` allow.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { gate: Gate::new(limits), ..self }
    }

    /// The same node, whose calls `metrics` counts.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Scheme, host and port: what may be shown of the node.
    #[must_use]
    pub fn name(&self) -> String {
        node_name(&self.url)
    }

    /// A number that changes whenever the node may have a new head; `None` of a node that has to
    /// be asked.
    #[must_use]
    pub fn news(&self) -> Option<watch::Receiver<u64>> {
        match &self.line {
            Line::Http(_) => None,
            Line::Ws(ws) => Some(ws.news()),
        }
    }

    /// Whether the node tells of new heads now: it took the subscription, and the connection stands.
    #[must_use]
    pub fn tells_of_heads(&self) -> bool {
        match &self.line {
            Line::Http(_) => false,
            Line::Ws(ws) => ws.tells_of_heads(),
        }
    }

    /// The chain's id.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        self.get::<U64>("eth_chainId", json!([])).await.map(|id| id.to())
    }

    /// The code at `address`, at a height or, without one, at the head.
    pub async fn code(&self, address: Address, at: Option<u64>) -> Result<Bytes, ChainError> {
        let at = at.map_or_else(|| "latest".to_owned(), hex);
        self.get("eth_getCode", json!([address, at])).await
    }

    /// What a call of `to` with `input` returns at the head.
    pub async fn eth_call(&self, to: Address, input: Bytes) -> Result<Bytes, ChainError> {
        self.get("eth_call", json!([{ "to": to, "input": input }, "latest"])).await
    }

    /// What calls return in the state after the block with that hash, in their order.
    pub async fn calls_at(
        &self,
        block: B256,
        calls: &[(Address, Bytes)],
    ) -> Result<Vec<Bytes>, ChainError> {
        let calls: Vec<Call> = calls.iter().map(|(to, input)| call_at(block, *to, input)).collect();
        let replies = self.ask(&calls).await?;
        (0..calls.len()).map(|place| self.read(&replies, place, "eth_call")).collect()
    }

    /// Where the chain stands. Of a node that knows nothing safe or final yet, and says so by null
    /// or by an error, it is block 0 that is.
    pub async fn heads(&self) -> Result<Heads, ChainError> {
        let calls = ["latest", "safe", "finalized"].map(|tag| header_call(&json!(tag)));
        let replies = self.ask(&calls).await?;
        let latest = self.header_at(&replies, 0)?.ok_or(ChainError::UnknownBlock(0))?;
        let known = |place| match self.header_at(&replies, place) {
            Err(ChainError::Refused { .. } | ChainError::Inconsistent(_)) => Ok(None),
            other => other,
        };
        let (safe, finalized) = (known(1)?, known(2)?);
        let genesis = match (safe, finalized) {
            (Some(_), Some(_)) => None,
            _ => self.header(0).await?,
        };
        let known = |header: Option<Header>| header.or(genesis).ok_or(ChainError::UnknownBlock(0));
        let heads = Heads { latest, safe: known(safe)?, finalized: known(finalized)? };
        let numbers = [heads.finalized.number, heads.safe.number, heads.latest.number];
        if !numbers.is_sorted() {
            let what = format!("blocks {numbers:?} are the final, the safe and the last");
            return Err(ChainError::Inconsistent(what));
        }
        Ok(heads)
    }

    /// The header at a height, if the node has one there.
    pub async fn header(&self, number: u64) -> Result<Option<Header>, ChainError> {
        let header: Option<RpcHeader> =
            self.get("eth_getBlockByNumber", json!([hex(number), false])).await?;
        at_height(number, header.map(Header::from))
    }

    /// The logs of one block, by its hash; the same batch makes the node show that it knows the
    /// block, and asks what the contract owes after it.
    pub async fn block_logs(
        &self,
        deployment: &Deployment,
        header: &Header,
    ) -> Result<BlockLogs, ChainError> {
        let at = json!({ "blockHash": header.hash });
        let mut calls = log_calls(deployment, Wanted::Ledger, &at);
        let filters = calls.len();
        calls.push(Call::new("eth_getBlockByHash", json!([header.hash, false])));
        calls.push(owed_call(deployment, &at));
        let replies = self.ask(&calls).await?;
        if self.header_at(&replies, filters)? != Some(*header) {
            return Err(ChainError::UnknownBlock(header.number));
        }
        let logs = collect(self.logs_of(&replies, filters)?, header, header)?.logs;
        Ok(BlockLogs { logs, owed: self.amount_of(&replies, filters + 1, "totalOwed")? })
    }

    /// The logs of the blocks `from` to `to`, both included, that are `wanted`; the same batch makes
    /// the node show the first and the last of them, and asks what the contract owes after them.
    pub async fn range_logs(
        &self,
        deployment: &Deployment,
        wanted: Wanted,
        from: u64,
        to: u64,
    ) -> Result<RangeLogs, ChainError> {
        let range = json!({ "fromBlock": hex(from), "toBlock": hex(to) });
        let mut calls = log_calls(deployment, wanted, &range);
        let filters = calls.len();
        calls.extend([from, to].map(|number| header_call(&json!(hex(number)))));
        calls.push(owed_call(deployment, &json!(hex(to))));
        if wanted == Wanted::LedgerAndTransfers {
            calls.push(held_call(deployment, &json!(hex(to))));
        }
        let replies = self.ask(&calls).await?;
        let first = at_height(from, self.header_at(&replies, filters)?)?;
        let last = at_height(to, self.header_at(&replies, filters + 1)?)?;
        let first = first.ok_or(ChainError::UnknownBlock(from))?;
        let last = last.ok_or(ChainError::UnknownBlock(to))?;
        let collected = collect(self.logs_of(&replies, filters)?, &first, &last)?;
        let owed = self.amount_of(&replies, filters + 2, "totalOwed")?;
        let held = match wanted {
            Wanted::Ledger => None,
            Wanted::LedgerAndTransfers => self.amount_of(&replies, filters + 3, "balanceOf")?,
        };
        let answer_bytes = replies.len();
        drop(replies);
        let blocks = self.blocks_of(&collected, &last).await?;
        Ok(RangeLogs { first, blocks, logs: collected.logs, owed, held, answer_bytes })
    }

    /// The blocks that hold logs, and `last`. Times that the logs do not give come from headers.
    async fn blocks_of(
        &self,
        collected: &Collected,
        last: &Header,
    ) -> Result<Vec<Block>, ChainError> {
        let mut blocks = BTreeMap::from([(last.number, last.block())]);
        let mut without_time = Vec::new();
        for (&number, block) in &collected.blocks {
            match block.timestamp {
                _ if number == last.number => {}
                Some(timestamp) => {
                    blocks.insert(number, Block { number, hash: block.hash, timestamp });
                }
                None => without_time.push((number, block.hash)),
            }
        }
        for some in without_time.chunks(HEADERS_AT_ONCE) {
            let calls: Vec<Call> =
                some.iter().map(|(number, _)| header_call(&json!(hex(*number)))).collect();
            let replies = self.ask(&calls).await?;
            for (place, &(number, hash)) in some.iter().enumerate() {
                let header = at_height(number, self.header_at(&replies, place)?)?;
                let header = header.ok_or(ChainError::UnknownBlock(number))?;
                if header.hash != hash {
                    let what = format!("block {number} changed its hash between two calls");
                    return Err(ChainError::Inconsistent(what));
                }
                blocks.insert(number, header.block());
            }
        }
        Ok(blocks.into_values().collect())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, ChainError> {
        let replies = self.ask(&[Call::new(method, params)]).await?;
        self.read(&replies, 0, method)
    }

    /// Puts `calls`, of which there is at least one, as one question.
    async fn ask(&self, calls: &[Call]) -> Result<Replies, ChainError> {
        let first_id = self.next_id.fetch_add(calls.len() as u64, Ordering::Relaxed);
        let question = encode(calls, first_id);
        let _turn = self.gate.enter().await;
        let text = match &self.line {
            Line::Http(http) => http.exchange(question).await,
            Line::Ws(ws) => ws.exchange(question, first_id).await,
        };
        let replies = text
            .and_then(|text| Replies::parse(text, calls.len(), first_id))
            .map_err(|failure| ChainError::of_failure(failure, calls[0].method, &self.url));
        let name = self.name();
        for (place, Call { method, .. }) in calls.iter().enumerate() {
            let outcome = match replies.as_ref().map(|replies| replies.result(place)) {
                Ok(Ok(_)) => "ok",
                Ok(Err(refusal)) => ChainError::of_refusal(refusal, method, &self.url).outcome(),
                Err(error) => error.outcome(),
            };
            self.metrics.rpc_call(method, &name, outcome);
        }
        replies
    }

    fn read<T: DeserializeOwned>(
        &self,
        replies: &Replies,
        place: usize,
        method: &'static str,
    ) -> Result<T, ChainError> {
        let result = replies
            .result(place)
            .map_err(|refusal| ChainError::of_refusal(refusal, method, &self.url))?;
        serde_json::from_slice(result).map_err(|error| ChainError::unreadable(method, &error))
    }

    fn header_at(&self, replies: &Replies, place: usize) -> Result<Option<Header>, ChainError> {
        let header: Option<RpcHeader> = self.read(replies, place, "eth_getBlockBy…")?;
        Ok(header.map(Header::from))
    }

    /// The answer to a call of `getter`, which returns an amount; `None` where the node does not have
    /// that state, does not answer such calls, or the contract was not there yet.
    fn amount_of(
        &self,
        replies: &Replies,
        place: usize,
        getter: &str,
    ) -> Result<Option<U256>, ChainError> {
        let output: Bytes = match self.read(replies, place, "eth_call") {
            Ok(output) => output,
            Err(ChainError::StateUnavailable { .. } | ChainError::Refused { .. }) => {
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        if output.is_empty() {
            return Ok(None);
        }
        let amount = U256::abi_decode(&output);
        amount
            .map(Some)
            .map_err(|_| ChainError::Inconsistent(format!("{getter}() answered something else")))
    }

    /// The answers to all `filters` of [`log_calls`], which stand first.
    fn logs_of(&self, replies: &Replies, filters: usize) -> Result<Vec<RpcLog>, ChainError> {
        let mut logs: Vec<RpcLog> = self.read(replies, 0, "eth_getLogs")?;
        for place in 1..filters {
            logs.extend(self.read::<Vec<RpcLog>>(replies, place, "eth_getLogs")?);
        }
        Ok(logs)
    }
}

/// What the node answered when it was asked for the header at `number`.
fn at_height(number: u64, header: Option<Header>) -> Result<Option<Header>, ChainError> {
    match header {
        Some(header) if header.number != number => Err(ChainError::Inconsistent(format!(
            "asked for block {number}, answered {}",
            header.number
        ))),
        header => Ok(header),
    }
}

/// Whether the URL's host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
