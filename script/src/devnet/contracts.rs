use super::Anvil;
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, RootProvider},
    rpc::types::{TransactionReceipt, TransactionRequest},
};
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_bindings::{
    settlement::LuxxonSettlement::{self, LuxxonSettlementInstance},
    usdc::UsdcStandIn::{self, UsdcStandInInstance},
};

/// Who plays which part: anvil's first accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Owns the settlement contract and mints the stand-in's money.
    pub owner: Address,
    /// Debits pools.
    pub relayer: Address,
    /// May pause.
    pub pauser: Address,
    /// Receives the fees.
    pub platform: Address,
    /// Pays for sessions.
    pub consumer: Address,
    /// Is paid for sessions.
    pub operator: Address,
}

impl Cast {
    /// Gives the parts to the accounts in their order.
    pub fn of(anvil: &Anvil) -> Result<Self> {
        let addresses: Vec<Address> =
            anvil.accounts().iter().map(|account| account.address).collect();
        let [owner, relayer, pauser, platform, consumer, operator, ..] = addresses[..] else {
            return Err(eyre!("anvil has {} accounts, six are needed", addresses.len()));
        };
        Ok(Self { owner, relayer, pauser, platform, consumer, operator })
    }
}

/// The contracts on a development chain, ready to be called.
#[derive(Clone, Debug)]
pub struct Contracts {
    /// The settlement contract.
    pub settlement: LuxxonSettlementInstance<RootProvider>,
    /// The stand-in for USDC.
    pub usdc: UsdcStandInInstance<RootProvider>,
    /// The block the settlement contract was deployed in.
    pub deploy_block: u64,
}

/// The relayer's hand-over takes no time on a development chain.
const RELAYER_DELAY: U256 = U256::ZERO;

/// Deploys both contracts from the owner's account. Makes the blocks it needs.
pub async fn deploy(provider: &RootProvider, cast: &Cast) -> Result<Contracts> {
    let usdc = UsdcStandIn::deploy_builder(provider, cast.owner).calldata().clone();
    let usdc = create(provider, cast.owner, usdc).await.wrap_err("deploying the USDC stand-in")?;
    let usdc = deployed_at(&usdc)?;
    let settlement = LuxxonSettlement::deploy_builder(
        provider,
        usdc,
        cast.owner,
        cast.relayer,
        cast.pauser,
        cast.platform,
        RELAYER_DELAY,
    );
    let receipt = create(provider, cast.owner, settlement.calldata().clone())
        .await
        .wrap_err("deploying LuxxonSettlement")?;
    let deploy_block =
        receipt.block_number.ok_or_else(|| eyre!("a receipt without a block number"))?;
    Ok(Contracts {
        settlement: LuxxonSettlement::new(deployed_at(&receipt)?, provider.clone()),
        usdc: UsdcStandIn::new(usdc, provider.clone()),
        deploy_block,
    })
}

async fn create(provider: &RootProvider, from: Address, code: Bytes) -> Result<TransactionReceipt> {
    let request = TransactionRequest::default().with_from(from).with_deploy_code(code);
    let hash = *provider.send_transaction(request).await?.tx_hash();
    mined(provider, hash).await
}

fn deployed_at(receipt: &TransactionReceipt) -> Result<Address> {
    receipt.contract_address.ok_or_else(|| eyre!("a deployment without an address"))
}

/// Makes a block, and returns the receipt of the transaction `hash`, which must be in it or before
/// it and must have succeeded.
pub async fn mined(provider: &RootProvider, hash: B256) -> Result<TransactionReceipt> {
    provider.raw_request::<_, serde_json::Value>("evm_mine".into(), ()).await?;
    let receipt = provider.get_transaction_receipt(hash).await?;
    let receipt = receipt.ok_or_else(|| eyre!("{hash} was not mined"))?;
    ensure!(receipt.status(), "{hash} from {} reverted", receipt.from);
    Ok(receipt)
}
