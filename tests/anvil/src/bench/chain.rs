//! The chain that is measured on.

use super::figures::Progress;
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256, keccak256},
    providers::{Provider, RootProvider},
    rpc::types::TransactionRequest,
    sol,
    sol_types::{SolCall, SolValue},
};
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_bindings::{
    MicroUsdc,
    settlement::LuxxonSettlement::{self, USDCCall, totalOwedCall},
    usdc::UsdcStandIn,
};
use luxxon_indexer::{
    chain::{Identity, Providers, identify},
    store::SqliteStore,
};
use luxxon_script::{
    devnet::{Anvil, AnvilOptions, Contracts, IndexerOptions, mined},
    project,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use uuid::Uuid;

sol! {
    function write(uint256 count) external;
    function settle(uint256 count) external;
    function written() external view returns (uint128);
}

/// Where `BenchSettlement` is in the project.
const SOURCE: &str = "tests/bench/BenchSettlement.sol";
/// Where forge leaves it.
const ARTIFACT: &str = "out/BenchSettlement.sol/BenchSettlement.json";

/// Events in one transaction: as many as the largest batch of settlements has entries.
const EVENTS_PER_TRANSACTION: u64 = 100;
/// More than an event takes, more than a session whose UUID is known takes, and more than the
/// transaction around them.
const GAS_PER_EVENT: u64 = 7_500;
const GAS_PER_SESSION: u64 = 25_000;
const GAS_PER_TRANSACTION: u64 = 100_000;
/// Room for the fullest block: ten million events in three thousand blocks.
const BLOCK_GAS: u64 = 50_000_000;

/// How many accounts have a pool: the first events open one each.
pub const ACCOUNTS: u64 = 4_096;
/// How many are paid.
pub const OPERATORS: u64 = 256;

/// The account with the number `number`, as the contract has it.
#[must_use]
pub fn consumer(number: u64) -> Address {
    account("consumer", number % ACCOUNTS)
}

/// Whom the contract pays, likewise.
#[must_use]
pub fn operator(number: u64) -> Address {
    account("operator", number % OPERATORS)
}

fn account(who: &str, number: u64) -> Address {
    Address::from_word(keccak256((who, U256::from(number)).abi_encode_params()))
}

/// The UUID of the session that the contract's `settle` settled after `number` others: paid by
/// `consumer(number)` to `operator(number)`, 60 seconds at 1,000 µUSDC, with a fee of 1,500 bps.
#[must_use]
pub fn known_session(number: u64) -> Uuid {
    Uuid::from_u128(0x8000_8000_0000_0000_0000 | u128::from(number))
}

/// A chain of its own with `BenchSettlement` on it, which makes blocks only when told to.
#[derive(Debug)]
pub struct BenchChain {
    anvil: Anvil,
    provider: RootProvider,
    sender: Address,
    contracts: Contracts,
    /// How far anvil's final block is behind its head.
    final_behind: u64,
    folder: TempDir,
}

impl BenchChain {
    /// A chain that holds the contract and nothing else. Its blocks become final `2 * slots` blocks
    /// later.
    pub async fn start(slots: u64) -> Result<Self> {
        crate::programs()?;
        let code = bench_contract()?;
        let flags = ["--no-mining", "--accounts", "1", "--gas-limit", &BLOCK_GAS.to_string()]
            .into_iter()
            .chain(["--slots-in-an-epoch", &slots.to_string()])
            .map(str::to_owned)
            .collect();
        let anvil = Anvil::start(&AnvilOptions { flags, ..AnvilOptions::default() }).await?;
        let provider = anvil.provider()?;
        let sender = anvil.accounts()[0].address;
        let contracts = deploy(&provider, sender, code).await?;
        let folder = tempfile::tempdir()?;
        Ok(Self { anvil, provider, sender, contracts, final_behind: 2 * slots, folder })
    }

    /// Hands the node what writes the next `events` events. The next block holds them.
    pub async fn send(&self, events: u64) -> Result<()> {
        let write = |count: U256| writeCall { count }.abi_encode();
        self.send_parts(events, GAS_PER_EVENT, write).await
    }

    /// Hands the node what settles the next `sessions` sessions whose UUIDs are known
    /// ([`known_session`]). The next block holds them; the pools of all accounts must be open.
    pub async fn send_sessions(&self, sessions: u64) -> Result<()> {
        let settle = |count: U256| settleCall { count }.abi_encode();
        self.send_parts(sessions, GAS_PER_SESSION, settle).await
    }

    async fn send_parts(
        &self,
        events: u64,
        gas: u64,
        input: impl Fn(U256) -> Vec<u8>,
    ) -> Result<()> {
        let mut left = events;
        while left > 0 {
            let count = left.min(EVENTS_PER_TRANSACTION);
            let call = self
                .call(input(U256::from(count)))
                .with_from(self.sender)
                .with_gas_limit(GAS_PER_TRANSACTION + count * gas);
            let _ = self.provider.send_transaction(call).await?;
            left -= count;
        }
        Ok(())
    }

    /// Makes a block.
    pub async fn mine(&self) -> Result<()> {
        self.provider.raw_request::<_, serde_json::Value>("evm_mine".into(), ()).await?;
        Ok(())
    }

    /// Spreads the next `events` events over `blocks` blocks, and makes blocks until all of them
    /// are final. Returns the last block that holds an event.
    pub async fn fill(&self, events: u64, blocks: u64) -> Result<u64> {
        let before = self.written().await?;
        let mut progress = Progress::new("blocks made");
        for block in 0..blocks {
            let share = events * (block + 1) / blocks - events * block / blocks;
            self.send(share).await?;
            self.mine().await?;
            progress.at(block + 1, blocks);
        }
        let last = self.head().await?;
        for _ in 0..self.final_behind {
            self.mine().await?;
        }
        let written = self.written().await? - before;
        ensure!(written == events, "{written} events were written, not {events}");
        Ok(last)
    }

    /// The chain's height.
    pub async fn head(&self) -> Result<u64> {
        Ok(self.provider.get_block_number().await?)
    }

    /// How many events there are.
    pub async fn written(&self) -> Result<u64> {
        let output = self.provider.call(self.call(writtenCall {}.abi_encode())).await?;
        Ok(writtenCall::abi_decode_returns(&output)?.try_into()?)
    }

    /// What the contract owes after block `block`.
    pub async fn owed_at(&self, block: u64) -> Result<MicroUsdc> {
        let call = self.call(totalOwedCall {}.abi_encode());
        let output = self.provider.call(call).block(block.into()).await?;
        Ok(totalOwedCall::abi_decode_returns(&output)?.try_into()?)
    }

    fn call(&self, input: Vec<u8>) -> TransactionRequest {
        TransactionRequest::default()
            .with_to(*self.contracts.settlement.address())
            .with_input(Bytes::from(input))
    }

    /// The contracts.
    #[must_use]
    pub fn contracts(&self) -> &Contracts {
        &self.contracts
    }

    /// The node's URL.
    #[must_use]
    pub fn rpc_url(&self) -> &url::Url {
        self.anvil.url()
    }

    /// A file in this chain's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the daemon is told to follow this chain.
    pub async fn daemon_options(&self, db: &Path) -> Result<IndexerOptions> {
        let chain_id = self.provider.get_chain_id().await?;
        IndexerOptions::new(self.rpc_url(), chain_id, &self.contracts, db)
    }

    /// A database with the daemon's schema and nothing in it.
    pub async fn empty_database(&self, db: &Path) -> Result<()> {
        let node = Providers::at(self.rpc_url().clone())?;
        let chain_id = self.provider.get_chain_id().await?;
        let settlement = *self.contracts.settlement.address();
        let Identity { pins, first } =
            identify(&node, chain_id, settlement, self.contracts.deploy_block).await?;
        SqliteStore::open(db, &pins, first).await?.close().await;
        Ok(())
    }
}

/// The contract's code, compiled from its source as it is now.
fn bench_contract() -> Result<Bytes> {
    let root = project::root()?;
    let tool = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).current_dir(&root).output();
        let output = output.wrap_err_with(|| format!("{program} does not run"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {arguments:?}: {}", said.trim());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let forge = tool("node", &["script/tool.js", "forge"])?;
    tool(&forge, &["build", SOURCE])?;
    let artifact: serde_json::Value = serde_json::from_slice(&fs::read(root.join(ARTIFACT))?)?;
    let code = artifact["bytecode"]["object"].as_str();
    Ok(code.ok_or_else(|| eyre!("{ARTIFACT} holds no code"))?.parse()?)
}

async fn deploy(provider: &RootProvider, sender: Address, code: Bytes) -> Result<Contracts> {
    let request = TransactionRequest::default().with_from(sender).with_deploy_code(code);
    let hash = *provider.send_transaction(request).await?.tx_hash();
    let receipt = mined(provider, hash).await?;
    let settlement =
        receipt.contract_address.ok_or_else(|| eyre!("a deployment without an address"))?;
    let deploy_block = receipt.block_number.ok_or_else(|| eyre!("a receipt without a block"))?;
    let usdc = TransactionRequest::default()
        .with_to(settlement)
        .with_input(Bytes::from(USDCCall {}.abi_encode()));
    let usdc = USDCCall::abi_decode_returns(&provider.call(usdc).await?)?;
    Ok(Contracts {
        settlement: LuxxonSettlement::new(settlement, provider.clone()),
        usdc: UsdcStandIn::new(usdc, provider.clone()),
        deploy_block,
    })
}
