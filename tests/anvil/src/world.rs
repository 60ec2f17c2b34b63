use alloy::{
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, RootProvider},
    rpc::types::{Filter, TransactionRequest},
};
use eyre::{Result, ensure, eyre};
use luxxon_bindings::{MicroUsdc, settlement::LuxxonSettlement, usdc::UsdcStandIn};
use luxxon_indexer::{
    chain::{Providers, identify},
    key::{Environment, PlainKey},
    ledger::Limits,
    store::{NewApiKey, NewWorkspace, Scope, SqliteStore, Store},
    sync::{Progress, SyncError, Syncer},
};
use luxxon_script::devnet::{
    Anvil, AnvilOptions, Cast, Contracts, Indexer, IndexerOptions, deploy, mined,
};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use tempfile::TempDir;

/// What each wallet of a world is given: a thousand USDC.
const MINTED: MicroUsdc = MicroUsdc::new(1_000_000_000);

/// More than any call of the contracts takes, so that nothing has to be estimated: an estimate
/// would fail for the calls that are meant to revert.
const GAS: u64 = 500_000;

/// A chain of its own, which makes blocks only when told to, with both contracts on it.
#[derive(Debug)]
pub struct World {
    anvil: Anvil,
    /// Talks to the chain as any of anvil's accounts.
    pub provider: RootProvider,
    /// Who is who.
    pub cast: Cast,
    /// The contracts.
    pub contracts: Contracts,
    /// Wallets with money and an unlimited allowance to the contract.
    pub consumers: Vec<Address>,
    /// Wallets that are paid.
    pub operators: Vec<Address>,
    folder: TempDir,
    clean_runs: AtomicU32,
}

impl World {
    /// A chain whose blocks become final 64 blocks later.
    pub async fn start() -> Result<Self> {
        Self::with_flags(&[]).await
    }

    /// A chain whose blocks become final `2 * slots` blocks later.
    pub async fn with_finality(slots: u32) -> Result<Self> {
        Self::with_flags(&["--slots-in-an-epoch".to_owned(), slots.to_string()]).await
    }

    /// A chain of the same make with another genesis block: the time of that is all that tells two
    /// new chains apart.
    pub async fn elsewhere() -> Result<Self> {
        Self::with_flags(&["--timestamp".to_owned(), "1700000000".to_owned()]).await
    }

    /// A second node with the same chain up to here, from where each goes its own way.
    ///
    /// It is given the chain's state instead of the node's URL: with that, it would look up there
    /// the blocks that it should not know.
    pub async fn fork(&self) -> Result<Self> {
        let state: Bytes = self.provider.raw_request("anvil_dumpState".into(), (true,)).await?;
        let anvil = anvil(&[]).await?;
        let provider = anvil.provider()?;
        let loaded: bool = provider.raw_request("anvil_loadState".into(), (state,)).await?;
        ensure!(loaded, "the second node does not take the first one's state");
        let (settlement, usdc) = (&self.contracts.settlement, &self.contracts.usdc);
        let contracts = Contracts {
            settlement: LuxxonSettlement::new(*settlement.address(), provider.clone()),
            usdc: UsdcStandIn::new(*usdc.address(), provider.clone()),
            deploy_block: self.contracts.deploy_block,
        };
        Self::of(anvil, provider, contracts)
    }

    async fn with_flags(flags: &[String]) -> Result<Self> {
        crate::programs()?;
        let anvil = anvil(flags).await?;
        let provider = anvil.provider()?;
        let contracts = deploy(&provider, &Cast::of(&anvil)?).await?;
        let world = Self::of(anvil, provider, contracts)?;
        world.fund().await?;
        Ok(world)
    }

    fn of(anvil: Anvil, provider: RootProvider, contracts: Contracts) -> Result<Self> {
        let cast = Cast::of(&anvil)?;
        let others: Vec<Address> =
            anvil.accounts().iter().skip(6).map(|account| account.address).collect();
        let mut consumers = vec![cast.consumer];
        let mut operators = vec![cast.operator];
        consumers.extend(&others[..5]);
        operators.extend(&others[5..8]);
        Ok(Self {
            anvil,
            provider,
            cast,
            contracts,
            consumers,
            operators,
            folder: tempfile::tempdir()?,
            clean_runs: AtomicU32::new(0),
        })
    }

    async fn fund(&self) -> Result<()> {
        let mut sent = Vec::new();
        for &wallet in self.consumers.iter().chain(&self.operators) {
            let mint = self.contracts.usdc.mint(wallet, MINTED.into());
            sent.push(self.send(self.cast.owner, mint.into_transaction_request()).await?);
            let spender = *self.contracts.settlement.address();
            let approve = self.contracts.usdc.approve(spender, U256::MAX);
            sent.push(self.send(wallet, approve.into_transaction_request()).await?);
        }
        self.mine(1).await?;
        for hash in sent {
            let receipt = self.provider.get_transaction_receipt(hash).await?;
            ensure!(receipt.is_some_and(|receipt| receipt.status()), "funding failed: {hash}");
        }
        Ok(())
    }

    /// Hands a transaction to the node. It is mined with the next block, and may revert there.
    pub async fn send(&self, from: Address, call: TransactionRequest) -> Result<B256> {
        let call = call.from(from).gas_limit(GAS);
        Ok(*self.provider.send_transaction(call).await?.tx_hash())
    }

    /// Sends a transaction and makes the block it is in. It must not revert.
    pub async fn execute(&self, from: Address, call: TransactionRequest) -> Result<B256> {
        let hash = self.send(from, call).await?;
        mined(&self.provider, hash).await?;
        Ok(hash)
    }

    /// Makes `blocks` blocks; the first takes in what was sent.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        for _ in 0..blocks {
            self.rpc("evm_mine", serde_json::json!([])).await?;
        }
        Ok(())
    }

    /// Replaces the last `depth` blocks by as many empty ones.
    pub async fn reorg(&self, depth: u64) -> Result<()> {
        self.rpc("anvil_reorg", serde_json::json!([depth, []])).await
    }

    /// Takes the last `depth` blocks away.
    pub async fn shorten(&self, depth: u64) -> Result<()> {
        self.rpc("anvil_rollback", serde_json::json!([depth])).await
    }

    /// Any other request to the node.
    pub async fn rpc(&self, method: &'static str, params: serde_json::Value) -> Result<()> {
        self.provider.raw_request::<_, serde_json::Value>(method.into(), params).await?;
        Ok(())
    }

    /// The chain's height.
    pub async fn head(&self) -> Result<u64> {
        Ok(self.provider.get_block_number().await?)
    }

    /// The pool of `account` at `block`, by the contract itself.
    pub async fn pool_at(&self, account: Address, block: u64) -> Result<MicroUsdc> {
        let pool = self.contracts.settlement.deposits(account).block(block.into()).call().await?;
        Ok(MicroUsdc::try_from(pool)?)
    }

    /// The limits of `account` at `block`, by the contract itself.
    pub async fn limits_at(&self, account: Address, block: u64) -> Result<Limits> {
        let limits = self.contracts.settlement.limitsOf(account).block(block.into()).call().await?;
        Ok(Limits {
            max_rate_per_second: MicroUsdc::new(limits.maxRatePerSecond.into()),
            max_per_session: MicroUsdc::new(limits.maxPerSession.to()),
            max_per_day: MicroUsdc::new(limits.maxPerDay.to()),
        })
    }

    /// How many logs of the event with this signature the contract wrote.
    pub async fn logs_of(&self, event: &str) -> Result<usize> {
        let contract = *self.contracts.settlement.address();
        let filter = Filter::new().address(contract).event(event).from_block(0);
        Ok(self.provider.get_logs(&filter).await?.len())
    }

    /// A file in this world's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The node's URL.
    #[must_use]
    pub fn rpc_url(&self) -> &str {
        self.anvil.url().as_str()
    }

    /// A syncer that writes to `db`, to be driven step by step, and its store.
    pub async fn syncer(&self, db: &Path) -> Result<(Syncer<SqliteStore>, SqliteStore)> {
        let node = Providers::at(self.anvil.url().clone())?;
        let settlement = *self.contracts.settlement.address();
        let chain_id = self.provider.get_chain_id().await?;
        let identity = identify(&node, chain_id, settlement, self.contracts.deploy_block).await?;
        let store = SqliteStore::open(db, &identity.pins, identity.first).await?;
        Ok((Syncer::new(node, store.clone(), identity.pins.deployment), store))
    }

    /// Follows the chain from its deployment with a new database: what a clean run leaves in its
    /// tables.
    pub async fn clean_run(&self) -> Result<String> {
        let run = self.clean_runs.fetch_add(1, Ordering::Relaxed);
        let db = self.path(&format!("clean-{run}.db"));
        let (mut syncer, store) = self.syncer(&db).await?;
        to_head(&mut syncer).await?;
        let tables = crate::tables::dump(&db).await?;
        store.close().await;
        Ok(tables)
    }

    /// The daemon, over `db`.
    pub async fn daemon(&self, db: &Path) -> Result<Indexer> {
        Indexer::start(&self.daemon_options(db).await?).await
    }

    /// What the daemon is told to follow this world.
    pub async fn daemon_options(&self, db: &Path) -> Result<IndexerOptions> {
        let chain_id = self.provider.get_chain_id().await?;
        IndexerOptions::new(self.anvil.url(), chain_id, &self.contracts, db)
    }

    /// Enters a workspace for `wallet` into the daemon's database; returns its key.
    pub async fn register(&self, store: &SqliteStore, wallet: Address) -> Result<PlainKey> {
        let name = wallet.to_string();
        let new = NewWorkspace { slug: name.clone(), name, wallet };
        let workspace = store.add_workspace(new).await?;
        let key = PlainKey::generate(Environment::Test, workspace.id)
            .map_err(|error| eyre!("no randomness: {error}"))?;
        let new = NewApiKey {
            workspace: workspace.id,
            key_hash: key.hash(),
            prefix: key.prefix(),
            label: "tests".to_owned(),
            scopes: vec![Scope::WalletRead, Scope::SessionsRead],
        };
        store.add_api_key(new).await?;
        Ok(key)
    }
}

/// A node that makes blocks only when told to.
async fn anvil(flags: &[String]) -> Result<Anvil> {
    let mut all = vec!["--no-mining".to_owned(), "--accounts".to_owned(), "16".to_owned()];
    all.extend_from_slice(flags);
    Anvil::start(&AnvilOptions { flags: all, ..AnvilOptions::default() }).await
}

/// Takes steps until everything the node has is in.
pub async fn to_head(syncer: &mut Syncer<SqliteStore>) -> Result<(), SyncError> {
    /// Each step takes in at least a block, and no test's chain is that long.
    const MOST_STEPS: u32 = 10_000;
    for _ in 0..MOST_STEPS {
        if syncer.step().await? == Progress::AtHead {
            return Ok(());
        }
    }
    panic!("the syncer did not reach the head in {MOST_STEPS} steps");
}
