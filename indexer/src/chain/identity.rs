use super::{ChainError, Providers};
use crate::{
    ledger::{Block, Deployment},
    store::Pins,
};
use alloy::{
    primitives::{Address, Bytes, keccak256},
    sol_types::SolCall,
};
use luxxon_bindings::settlement::LuxxonSettlement::USDCCall;

/// What a deployment turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the database is pinned to.
    pub pins: Pins,
    /// Where its ledger begins: the block before the deployment, or the final one where that is
    /// lower. What is not final may be replaced, the deployment itself included.
    pub first: Block,
}

/// Checks that `node` serves the chain `chain_id`, with a `LuxxonSettlement` at `settlement` that
/// was deployed in `deploy_block`, and reads what identifies both.
///
/// A wrong answer is [`ChainError::WrongTarget`], in words for the person who set it up.
pub async fn identify(
    node: &Providers,
    chain_id: u64,
    settlement: Address,
    deploy_block: u64,
) -> Result<Identity, ChainError> {
    for (name, found) in node.chain_ids().await? {
        if found != chain_id {
            return wrong(format!(
                "the node at {name} serves chain {found}, not {chain_id}: check --rpc-url and \
                 --chain-id"
            ));
        }
    }
    let code = node.code(settlement, None).await?;
    if code.is_empty() {
        return wrong(format!("{settlement} has no code on chain {chain_id}: check --settlement"));
    }
    let usdc = usdc_of(node, settlement).await?;
    if node.code(usdc, None).await?.is_empty() {
        return wrong(format!("{usdc}, the USDC of {settlement}, has no code"));
    }
    check_deploy_block(node, settlement, deploy_block).await?;
    let genesis = node.header(0).await?.ok_or(ChainError::UnknownBlock(0))?;
    let first = deploy_block.saturating_sub(1).min(node.heads().await?.finalized.number);
    let first = node.header(first).await?.ok_or(ChainError::UnknownBlock(first))?;
    let pins = Pins {
        chain_id,
        genesis_hash: genesis.hash,
        deployment: Deployment { settlement, usdc, deploy_block },
        code_hash: keccak256(&code),
    };
    Ok(Identity { pins, first: first.block() })
}

/// The block must be the one: a later one would miss deposits, an earlier one would be another
/// contract's history. A node without the state of that time cannot say, and is not asked to.
async fn check_deploy_block(
    node: &Providers,
    settlement: Address,
    deploy_block: u64,
) -> Result<(), ChainError> {
    let head = node.heads().await?.latest.number;
    if deploy_block > head {
        return wrong(format!("--deploy-block is {deploy_block}, but the chain's head is {head}"));
    }
    let code_at = async |block| match node.code(settlement, Some(block)).await {
        Ok(code) => Ok(Some(code)),
        Err(ChainError::Refused { message, .. } | ChainError::StateUnavailable { message, .. }) => {
            tracing::debug!(block, message, "the node cannot tell what was deployed then");
            Ok(None)
        }
        Err(other) => Err(other),
    };
    if code_at(deploy_block).await?.is_some_and(|code| code.is_empty()) {
        return wrong(format!(
            "{settlement} has no code in block {deploy_block} yet: --deploy-block is too low"
        ));
    }
    let Some(before) = deploy_block.checked_sub(1) else { return Ok(()) };
    if code_at(before).await?.is_some_and(|code| !code.is_empty()) {
        return wrong(format!(
            "{settlement} has code in block {before} already: --deploy-block is too high"
        ));
    }
    Ok(())
}

async fn usdc_of(node: &Providers, settlement: Address) -> Result<Address, ChainError> {
    let input = Bytes::from(USDCCall {}.abi_encode());
    let not_ours = || {
        ChainError::WrongTarget(format!(
            "{settlement} has code, but does not answer USDC() as LuxxonSettlement does: check \
             --settlement"
        ))
    };
    match node.eth_call(settlement, input).await {
        Ok(output) => USDCCall::abi_decode_returns(&output).map_err(|_| not_ours()),
        Err(ChainError::Refused { .. }) => Err(not_ours()),
        Err(other) => Err(other),
    }
}

fn wrong<T>(what: String) -> Result<T, ChainError> {
    Err(ChainError::WrongTarget(what))
}
