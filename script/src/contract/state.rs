use crate::chain::{Node, json};
use alloy::{
    contract::{CallBuilder, CallDecoder, Error},
    eips::BlockId,
    primitives::{Address, U256},
    providers::RootProvider,
};
use eyre::{Report, Result, bail, ensure, eyre};
use luxxon_bindings::settlement::LuxxonSettlement;
use serde::Serialize;

/// What a deployed contract says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The token.
    #[serde(serialize_with = "json::address")]
    pub usdc: Address,
    /// The owner.
    #[serde(serialize_with = "json::address")]
    pub owner: Address,
    /// Whom the ownership is offered to; zero for nobody.
    #[serde(serialize_with = "json::address")]
    pub pending_owner: Address,
    /// The only account that settles; zero for none.
    #[serde(serialize_with = "json::address")]
    pub relayer: Address,
    /// The proposed relayer, if there is one.
    pub pending_relayer: Option<PendingRelayer>,
    /// May pause and revoke; zero for none.
    #[serde(serialize_with = "json::address")]
    pub pauser: Address,
    /// Receives the fees.
    #[serde(serialize_with = "json::address")]
    pub platform_wallet: Address,
    /// Seconds from a relayer's proposal to its earliest acceptance.
    pub relayer_delay: u64,
    /// Whether deposits and settlement are stopped.
    pub paused: bool,
    /// The most a fee may be, in basis points.
    pub max_fee_bps: u64,
    /// The most entries a batch may have.
    pub max_batch_size: u64,
    /// What the contract owes, µUSDC, as decimal digits.
    #[serde(serialize_with = "json::decimal")]
    pub total_owed: U256,
}

/// A proposed relayer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRelayer {
    /// The account.
    #[serde(serialize_with = "json::address")]
    pub candidate: Address,
    /// From when it can accept, unix seconds.
    pub acceptable_at: u64,
}

impl State {
    /// Asks every getter, all at the block `at` or at the head. What has no code, or does not
    /// answer as `LuxxonSettlement` does, is refused.
    pub async fn read(node: &Node, address: Address, at: Option<u64>) -> Result<Self> {
        ensure!(
            !node.code(address, at).await?.is_empty(),
            "{address} has no code on chain {} (--address)",
            node.chain_id()
        );
        // One block for all, so that they belong together.
        let block = match at {
            Some(block) => block,
            None => alloy::providers::Provider::get_block_number(node.provider())
                .await
                .map_err(|error| node.explain("eth_blockNumber", &error))?,
        };
        let asking = Asking { node, address, block: block.into() };
        let contract = LuxxonSettlement::new(address, node.provider().clone());
        let ask = &asking;
        let (usdc, owner, pending_owner, relayer) = tokio::try_join!(
            ask.whether("USDC", contract.USDC()),
            ask.whether("owner", contract.owner()),
            ask.whether("pendingOwner", contract.pendingOwner()),
            ask.whether("relayer", contract.relayer()),
        )?;
        let (proposal, pauser, platform_wallet, is_paused) = tokio::try_join!(
            ask.whether("pendingRelayer", contract.pendingRelayer()),
            ask.whether("pauser", contract.pauser()),
            ask.whether("platformWallet", contract.platformWallet()),
            ask.whether("paused", contract.paused()),
        )?;
        let (delay, max_fee_bps, max_batch_size, total_owed) = tokio::try_join!(
            ask.whether("RELAYER_DELAY", contract.RELAYER_DELAY()),
            ask.whether("MAX_FEE_BPS", contract.MAX_FEE_BPS()),
            ask.whether("MAX_BATCH_SIZE", contract.MAX_BATCH_SIZE()),
            ask.whether("totalOwed", contract.totalOwed()),
        )?;
        let pending_relayer = (!proposal.candidate.is_zero()).then_some(PendingRelayer {
            candidate: proposal.candidate,
            acceptable_at: proposal.acceptableAt,
        });
        Ok(Self {
            usdc,
            owner,
            pending_owner,
            relayer,
            pending_relayer,
            pauser,
            platform_wallet,
            relayer_delay: small("RELAYER_DELAY", delay)?,
            paused: is_paused,
            max_fee_bps: small("MAX_FEE_BPS", max_fee_bps)?,
            max_batch_size: small("MAX_BATCH_SIZE", max_batch_size)?,
            total_owed,
        })
    }
}

struct Asking<'n> {
    node: &'n Node,
    address: Address,
    block: BlockId,
}

impl Asking<'_> {
    async fn whether<D: CallDecoder>(
        &self,
        getter: &str,
        call: CallBuilder<&RootProvider, D>,
    ) -> Result<D::CallOutput> {
        call.block(self.block).call().await.map_err(|error| self.explain(getter, error))
    }

    fn explain(&self, getter: &str, error: Error) -> Report {
        match error {
            Error::TransportError(error)
                if !error.as_error_resp().is_some_and(|error| error.message.contains("revert")) =>
            {
                self.node.explain("eth_call", &error)
            }
            _ => eyre!(
                "{} has code, but does not answer {getter}() as LuxxonSettlement does (--address)",
                self.address
            ),
        }
    }
}

fn small(getter: &str, value: U256) -> Result<u64> {
    match u64::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bail!("{getter}() is {value}, which LuxxonSettlement never says"),
    }
}
