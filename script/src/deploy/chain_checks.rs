//! What has to be on a chain before the contract is.

use crate::{
    chain::{CallError, Node},
    contract::{FACTORY, FACTORY_CODE_HASH, is_delegation},
};
use alloy::{
    primitives::{Address, Bytes, keccak256},
    sol_types::SolCall,
};
use eyre::{Result, ensure, eyre};
use luxxon_bindings::usdc::UsdcStandIn::{decimalsCall, symbolCall};

/// The units the contract counts in: 1 USDC is 10^6 of them.
const DECIMALS: u8 = 6;

/// The CREATE2 factory has to be there, and to be that factory.
pub(super) async fn factory(node: &Node) -> Result<()> {
    let code = node.code(FACTORY, None).await?;
    let chain = node.chain_id();
    ensure!(
        !code.is_empty(),
        "chain {chain} has no CREATE2 factory at {FACTORY}: deploy it first, see \
         https://github.com/Arachnid/deterministic-deployment-proxy"
    );
    let found = keccak256(&code);
    ensure!(
        found == FACTORY_CODE_HASH,
        "what stands at {FACTORY} on chain {chain} is not the CREATE2 factory: its code's hash is \
         {found}, expected {FACTORY_CODE_HASH}"
    );
    Ok(())
}

/// The token has to be a contract that counts and calls itself as USDC does.
pub(super) async fn usdc(node: &Node, usdc: Address) -> Result<()> {
    let code = node.code(usdc, None).await?;
    let chain = node.chain_id();
    ensure!(
        !code.is_empty(),
        "usdc {usdc} has no code on chain {chain}: is it the address on another chain?"
    );
    ensure!(
        !is_delegation(&code),
        "usdc {usdc} is no contract on chain {chain}, but an account that delegates to one \
         (EIP-7702)"
    );
    let decimals =
        decimalsCall::abi_decode_returns(&ask(node, usdc, "decimals", decimalsCall {}).await?)
            .map_err(|_| eyre!("usdc {usdc} does not answer decimals() as a token does"))?;
    ensure!(
        decimals == DECIMALS,
        "usdc {usdc} has {decimals} decimals, expected {DECIMALS}: it is not USDC"
    );
    let symbol = symbolCall::abi_decode_returns(&ask(node, usdc, "symbol", symbolCall {}).await?)
        .map_err(|_| eyre!("usdc {usdc} does not answer symbol() as a token does"))?;
    ensure!(symbol == "USDC", "usdc {usdc} calls itself {symbol:?}, expected \"USDC\"");
    Ok(())
}

async fn ask(node: &Node, usdc: Address, name: &str, call: impl SolCall) -> Result<Bytes> {
    node.view(usdc, call.abi_encode().into()).await.map_err(|error| match error {
        CallError::Reverted(_) => eyre!("usdc {usdc} does not answer {name}() as a token does"),
        CallError::Failed(error) => error,
    })
}
