//! What every history begins with: made once, and copied.

use super::{
    cast::Players,
    chain::{Block, Chain},
    node::{Asked, Rpc, address, hash, number, quantity},
    sessions::{REGISTERED, uuid_of},
    transaction::CHAIN_ID,
};
use crate::model::{Act, Call, Model, Token};
use alloy::primitives::{Address, Bytes, U256};
use eyre::{Result, ensure, eyre};
use luxxon_bindings::{MicroUsdc, settlement::LuxxonSettlement, usdc::UsdcStandIn};
use luxxon_indexer::{
    chain::{Identity, Providers, identify},
    key::PlainKey,
    ledger::meter::Reading,
    store::{NewApiKey, NewSession, NewWorkspace, Scope, SqliteStore, Store},
    sync::Syncer,
};
use luxxon_script::devnet::{Anvil, AnvilOptions};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};
use tempfile::TempDir;
use uuid::Uuid;

/// What each wallet has: a thousand USDC.
const MINTED: u128 = 1_000_000_000;
/// Seconds from a relayer's proposal to its acceptance.
const RELAYER_DELAY: u64 = 1_800;
/// When the chain begins. It has its own clock: what a history does must not depend on today's.
const GENESIS: u64 = 1_900_000_000;

/// A chain with the contracts and a database that follows it.
#[derive(Debug)]
pub struct Base {
    state: Value,
    pub(super) folder: TempDir,
    pub(super) identity: Identity,
    blocks: Vec<Arc<Block>>,
    /// The workspaces of the wallets, in their order.
    pub(super) workspaces: Vec<Uuid>,
}

/// The database that is copied.
const TEMPLATE: &str = "template.db";

async fn start() -> Result<Anvil> {
    let flags = [
        "--no-mining",
        "--accounts",
        "16",
        "--slots-in-an-epoch",
        "12",
        "--order",
        "fifo",
        "--timestamp",
    ];
    let mut flags: Vec<String> = flags.map(str::to_owned).to_vec();
    flags.push(GENESIS.to_string());
    Anvil::start(&AnvilOptions { flags, ..AnvilOptions::default() }).await
}

/// In memory where the system has such a folder: no history outlives its run.
fn folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? })
}

/// The key of the `generation`-th that a wallet got.
pub(super) fn key_of(wallet: usize, generation: usize) -> PlainKey {
    PlainKey::presented(&format!("lxxn_test_abc123_{wallet}of{generation}"))
}

/// Enters a key of a workspace; returns the key's id.
pub(super) async fn enter_key(
    store: &SqliteStore,
    workspace: Uuid,
    key: &PlainKey,
) -> Result<Uuid> {
    let new = NewApiKey {
        workspace,
        key_hash: key.hash(),
        prefix: key.prefix(),
        label: "histories".to_owned(),
        scopes: vec![Scope::WalletRead, Scope::SessionsRead],
    };
    Ok(store.add_api_key(new).await?.id)
}

impl Base {
    /// Deploys the contracts, funds the wallets, and lets an indexer follow.
    pub async fn make() -> Result<Self> {
        let folder = folder()?;
        let anvil = start().await?;
        let players = Players::of(anvil.accounts())?;
        let rpc = Rpc::new(anvil.url())?;
        let mut chain = Chain { anvil, rpc, players, blocks: Vec::new(), sessions: Vec::new() };
        let deploy_block = deploy(&mut chain).await?;
        let everybody = chain.players.wallets();
        let approve = |&from: &Address| Call { from, act: Act::Approve { allowance: U256::MAX } };
        let time = chain.head().timestamp + 2;
        chain.mine(everybody.iter().map(approve).collect(), time).await?;
        // Half a day into a day.
        let state = chain.rpc.ask(&[("anvil_dumpState", json!([true]))]).await?.remove(0);

        let url = chain.anvil.url().clone();
        let node = Providers::at(url)?;
        let settlement = chain.head().model.settlement;
        let identity = identify(&node, CHAIN_ID, settlement, deploy_block).await?;
        let path = folder.path().join(TEMPLATE);
        let store = SqliteStore::open(&path, &identity.pins, identity.first).await?;
        let workspaces = register(&store, &chain.players).await?;
        let mut syncer = Syncer::new(node, store.clone(), identity.pins.deployment);
        crate::to_head(&mut syncer).await?;
        store.close().await;
        Ok(Self { state, folder, identity, blocks: chain.blocks, workspaces })
    }

    /// A chain of its own that has come so far.
    pub(super) async fn chain(&self) -> Result<Chain> {
        let anvil = start().await?;
        let (rpc, players) = (Rpc::new(anvil.url())?, Players::of(anvil.accounts())?);
        let loaded = rpc.ask(&[("anvil_loadState", json!([self.state]))]).await?;
        ensure!(loaded[0] == json!(true), "anvil does not take the state");
        Ok(Chain { anvil, rpc, players, blocks: self.blocks.clone(), sessions: Vec::new() })
    }

    /// A database that has come so far, at `to`.
    pub(super) fn database(&self, to: &Path) -> Result<()> {
        std::fs::copy(self.folder.path().join(TEMPLATE), to)?;
        Ok(())
    }

    /// How many blocks there are, which no history takes back.
    pub(super) fn height(&self) -> usize {
        self.blocks.len()
    }
}

/// Sends a deployment; returns the request.
fn creation(from: Address, code: &Bytes) -> Asked {
    ("eth_sendTransaction", json!([{ "from": from, "data": code, "gas": quantity(8_000_000) }]))
}

/// Sends `transactions`, makes the block they are in, and returns their receipts.
async fn made(chain: &Chain, mut transactions: Vec<Asked>) -> Result<Vec<Value>> {
    let count = transactions.len();
    let block = chain.rpc.ask(&[("eth_blockNumber", json!([]))]).await?.remove(0);
    let height = number(&json!({ "at": block }), "at")?;
    transactions.push(("evm_setNextBlockTimestamp", json!([GENESIS + 2 * (height + 1)])));
    transactions.push(("evm_mine", json!([])));
    let sent = chain.rpc.ask(&transactions).await?;
    let receipt = |hash: &Value| ("eth_getTransactionReceipt", json!([hash]));
    let receipts = chain.rpc.ask(&sent[..count].iter().map(receipt).collect::<Vec<_>>()).await?;
    for receipt in &receipts {
        ensure!(number(receipt, "status")? == 1, "{receipt}");
    }
    Ok(receipts)
}

/// Deploys both contracts and mints, and fills in what came before; returns the block of the
/// settlement contract.
async fn deploy(chain: &mut Chain) -> Result<u64> {
    let provider = chain.anvil.provider()?;
    let (players, owner) = (chain.players.clone(), chain.players.owner);
    let code = UsdcStandIn::deploy_builder(&provider, owner).calldata().clone();
    let usdc = address(&made(chain, vec![creation(owner, &code)]).await?[0]["contractAddress"])?;
    let token = UsdcStandIn::new(usdc, provider.clone());
    let mint = |&wallet: &Address| {
        let data = token.mint(wallet, U256::from(MINTED)).calldata().clone();
        let request = json!({ "from": owner, "to": usdc, "data": data, "gas": quantity(200_000) });
        ("eth_sendTransaction", json!([request]))
    };
    made(chain, players.wallets().iter().map(mint).collect()).await?;
    let code = LuxxonSettlement::deploy_builder(
        &provider,
        usdc,
        owner,
        players.relayers[0],
        players.pausers[0],
        players.platforms[0],
        U256::from(RELAYER_DELAY),
    )
    .calldata()
    .clone();
    let receipt = made(chain, vec![creation(owner, &code)]).await?.remove(0);
    let model = Arc::new(first_model(&players, address(&receipt["contractAddress"])?, usdc));
    let deploy_block = number(&receipt, "blockNumber")?;
    for height in 0..=deploy_block {
        let asked = ("eth_getBlockByNumber", json!([quantity(height), false]));
        let header = chain.rpc.ask(&[asked]).await?.remove(0);
        let block = Block {
            number: height,
            hash: hash(&header["hash"])?,
            timestamp: number(&header, "timestamp")?,
            mined: Vec::new(),
            model: Arc::clone(&model),
        };
        chain.blocks.push(Arc::new(block));
    }
    Ok(deploy_block)
}

fn first_model(players: &Players, settlement: Address, usdc: Address) -> Model {
    let token = Token {
        address: usdc,
        paused: false,
        balances: players.wallets().into_iter().map(|wallet| (wallet, MINTED)).collect(),
        allowances: BTreeMap::new(),
        // USDC refuses to hold itself.
        blacklisted: BTreeSet::from([usdc]),
        used: BTreeSet::new(),
    };
    Model {
        settlement,
        accounts: BTreeMap::new(),
        claimable: BTreeMap::new(),
        settled: BTreeSet::new(),
        paused: false,
        owner: players.owner,
        relayer: players.relayers[0],
        pauser: players.pausers[0],
        platform: players.platforms[0],
        proposal: None,
        relayer_delay: RELAYER_DELAY,
        token,
    }
}

/// Enters a workspace with a key for each wallet, and the registered sessions.
async fn register(store: &SqliteStore, players: &Players) -> Result<Vec<Uuid>> {
    let mut workspaces = Vec::new();
    for (index, wallet) in players.wallets().into_iter().enumerate() {
        let (slug, name) = (format!("wallet-{index}"), players.name(wallet));
        let workspace = store.add_workspace(NewWorkspace { slug, name, wallet }).await?.id;
        enter_key(store, workspace, &key_of(index, 0)).await?;
        workspaces.push(workspace);
    }
    for (number, terms) in (0..).zip(REGISTERED) {
        let reading = terms.seconds.map(|seconds| Reading {
            started_at: 0,
            ended_at: u64::try_from(seconds * 1_000).unwrap_or(u64::MAX),
            disconnects: Vec::new(),
        });
        let rate = u64::try_from(terms.rate).map_err(|_| eyre!("a rate of {}", terms.rate))?;
        let session = NewSession {
            id: uuid_of(number),
            consumer_workspace: workspaces[terms.consumer],
            operator_workspace: workspaces[players.consumers.len() + terms.operator],
            rate_per_second: MicroUsdc::new(rate),
            platform_fee_bps: terms.bps,
            max_duration_seconds: 3_600,
            reading,
        };
        store.register_session(session).await?;
    }
    Ok(workspaces)
}
