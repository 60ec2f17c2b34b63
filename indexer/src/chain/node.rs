use super::{
    ChainError,
    error::node_name,
    logs::{Collected, collect},
};
use crate::ledger::{Block, Deployment, RawLog};
use alloy::{
    primitives::{Address, B256, Bytes, U64},
    rpc::{
        client::{BatchRequest, RpcClient, Waiter},
        json_rpc::{RpcRecv, RpcSend},
        types::{Filter, Log, TransactionRequest},
    },
    sol_types::SolEvent,
    transports::http::reqwest,
};
use luxxon_bindings::usdc::UsdcStandIn::Approval;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};
use url::{Host, Url};

/// How long one HTTP request may take, body included. A range of logs that takes longer is too
/// large.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Where the node says the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The last block.
    pub latest: Header,
    /// The last block that the node expects no reorg to replace.
    pub finalized: Header,
}

/// A block's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLogs {
    /// In the order of the block.
    pub logs: Vec<RawLog>,
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
}

/// A node, over JSON-RPC on HTTP.
#[derive(Clone, Debug)]
pub struct Node {
    client: RpcClient,
    url: Url,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RpcHeader {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
}

impl From<RpcHeader> for Header {
    fn from(header: RpcHeader) -> Self {
        Self {
            number: header.number.to(),
            hash: header.hash,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp.to(),
        }
    }
}

impl Node {
    /// The node at `url`. Nothing is sent yet.
    pub fn new(url: Url) -> Result<Self, ChainError> {
        let mut http =
            reqwest::Client::builder().timeout(REQUEST_TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&url) {
            // A proxy that the environment names would look for the node on its own machine.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| ChainError::Unreachable {
            node: node_name(&url),
            reason: error.without_url().to_string(),
        })?;
        Ok(Self { client: RpcClient::new_http_with_client(http, url.clone()), url })
    }

    /// Scheme, host and port: what may be shown of the node.
    #[must_use]
    pub fn name(&self) -> String {
        node_name(&self.url)
    }

    /// The chain's id.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        self.call::<_, U64>("eth_chainId", ()).await.map(|id| id.to())
    }

    /// The code at `address`, at a height or, without one, at the head.
    pub async fn code(&self, address: Address, at: Option<u64>) -> Result<Bytes, ChainError> {
        let at = at.map_or_else(|| "latest".to_owned(), hex);
        self.call("eth_getCode", (address, at)).await
    }

    /// What a call of `to` with `input` returns at the head.
    pub async fn eth_call(&self, to: Address, input: Bytes) -> Result<Bytes, ChainError> {
        let request = TransactionRequest::default().to(to).input(input.into());
        self.call("eth_call", (request, "latest")).await
    }

    /// Where the chain stands. Of a node that knows nothing final yet, and says so by null or by an
    /// error, it is block 0 that is final.
    pub async fn heads(&self) -> Result<Heads, ChainError> {
        let mut batch = self.client.new_batch();
        let latest = self.queue_header(&mut batch, "latest".to_owned())?;
        let finalized = self.queue_header(&mut batch, "finalized".to_owned())?;
        self.send(batch).await?;
        let latest = self.header_of(latest).await?.ok_or(ChainError::UnknownBlock(0))?;
        let finalized = match self.header_of(finalized).await {
            Ok(Some(finalized)) => finalized,
            Ok(None) | Err(ChainError::Refused { .. }) => {
                self.header(0).await?.ok_or(ChainError::UnknownBlock(0))?
            }
            Err(other) => return Err(other),
        };
        if finalized.number > latest.number {
            let what =
                format!("block {} is final, but {} the last", finalized.number, latest.number);
            return Err(ChainError::Inconsistent(what));
        }
        Ok(Heads { latest, finalized })
    }

    /// The header at a height, if the node has one there.
    pub async fn header(&self, number: u64) -> Result<Option<Header>, ChainError> {
        let header: Option<RpcHeader> =
            self.call("eth_getBlockByNumber", (hex(number), false)).await?;
        at_height(number, header.map(Header::from))
    }

    /// The logs of one block, by its hash; the same batch makes the node show that it knows the
    /// block.
    pub async fn block_logs(
        &self,
        deployment: &Deployment,
        header: &Header,
    ) -> Result<BlockLogs, ChainError> {
        let [settlement, approvals] =
            filters(deployment).map(|filter| filter.at_block_hash(header.hash));
        let mut batch = self.client.new_batch();
        let settlement = self.queue::<_, Vec<Log>>(&mut batch, "eth_getLogs", (settlement,))?;
        let approvals = self.queue::<_, Vec<Log>>(&mut batch, "eth_getLogs", (approvals,))?;
        let shown = self.queue::<_, Option<RpcHeader>>(
            &mut batch,
            "eth_getBlockByHash",
            (header.hash, false),
        )?;
        self.send(batch).await?;
        if self.header_of(shown).await? != Some(*header) {
            return Err(ChainError::UnknownBlock(header.number));
        }
        let mut answer = self.answer(settlement, "eth_getLogs").await?;
        answer.extend(self.answer(approvals, "eth_getLogs").await?);
        Ok(BlockLogs { logs: collect(answer, header, header)?.logs })
    }

    /// The logs of the blocks `from` to `to`, both included; the same batch makes the node show the
    /// first and the last of them.
    pub async fn range_logs(
        &self,
        deployment: &Deployment,
        from: u64,
        to: u64,
    ) -> Result<RangeLogs, ChainError> {
        let [settlement, approvals] =
            filters(deployment).map(|filter| filter.from_block(from).to_block(to));
        let mut batch = self.client.new_batch();
        let settlement = self.queue::<_, Vec<Log>>(&mut batch, "eth_getLogs", (settlement,))?;
        let approvals = self.queue::<_, Vec<Log>>(&mut batch, "eth_getLogs", (approvals,))?;
        let first = self.queue_header(&mut batch, hex(from))?;
        let last = self.queue_header(&mut batch, hex(to))?;
        self.send(batch).await?;
        let first = at_height(from, self.header_of(first).await?)?;
        let last = at_height(to, self.header_of(last).await?)?;
        let first = first.ok_or(ChainError::UnknownBlock(from))?;
        let last = last.ok_or(ChainError::UnknownBlock(to))?;
        let mut answer = self.answer(settlement, "eth_getLogs").await?;
        answer.extend(self.answer(approvals, "eth_getLogs").await?);
        let collected = collect(answer, &first, &last)?;
        let blocks = self.blocks_of(&collected, &last).await?;
        Ok(RangeLogs { first, blocks, logs: collected.logs })
    }

    /// The blocks that hold logs, and `last`. Times that the logs do not give come from headers.
    async fn blocks_of(
        &self,
        collected: &Collected,
        last: &Header,
    ) -> Result<Vec<Block>, ChainError> {
        let mut blocks = BTreeMap::from([(last.number, last.block())]);
        for (&number, block) in &collected.blocks {
            let timestamp = match block.timestamp {
                _ if number == last.number => continue,
                Some(timestamp) => timestamp,
                None => {
                    let header = self.header(number).await?;
                    let header = header.ok_or(ChainError::UnknownBlock(number))?;
                    if header.hash != block.hash {
                        let what = format!("block {number} changed its hash between two calls");
                        return Err(ChainError::Inconsistent(what));
                    }
                    header.timestamp
                }
            };
            blocks.insert(number, Block { number, hash: block.hash, timestamp });
        }
        Ok(blocks.into_values().collect())
    }

    async fn call<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, ChainError> {
        self.client
            .request(method, params)
            .await
            .map_err(|error| ChainError::of(error, method, &self.url))
    }

    fn queue<P: RpcSend, R: RpcRecv>(
        &self,
        batch: &mut BatchRequest<'_>,
        method: &'static str,
        params: P,
    ) -> Result<Waiter<R>, ChainError> {
        batch.add_call(method, &params).map_err(|error| ChainError::of(error, method, &self.url))
    }

    fn queue_header(
        &self,
        batch: &mut BatchRequest<'_>,
        at: String,
    ) -> Result<Waiter<Option<RpcHeader>>, ChainError> {
        self.queue(batch, "eth_getBlockByNumber", (at, false))
    }

    async fn send(&self, batch: BatchRequest<'_>) -> Result<(), ChainError> {
        batch.send().await.map_err(|error| ChainError::of(error, "a batch", &self.url))
    }

    async fn answer<R: RpcRecv>(
        &self,
        waiter: Waiter<R>,
        method: &'static str,
    ) -> Result<R, ChainError> {
        waiter.await.map_err(|error| ChainError::of(error, method, &self.url))
    }

    async fn header_of(
        &self,
        waiter: Waiter<Option<RpcHeader>>,
    ) -> Result<Option<Header>, ChainError> {
        Ok(self.answer(waiter, "eth_getBlockBy…").await?.map(Header::from))
    }
}

/// All that the contract logs, and the allowances it is given.
fn filters(deployment: &Deployment) -> [Filter; 2] {
    [
        Filter::new().address(deployment.settlement),
        Filter::new()
            .address(deployment.usdc)
            .event_signature(Approval::SIGNATURE_HASH)
            .topic2(deployment.settlement),
    ]
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

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
