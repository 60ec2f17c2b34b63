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
use luxxon_bindings::usdc::UsdcStandIn::{
    RECEIVE_WITH_AUTHORIZATION_TYPEHASHCall, decimalsCall, isBlacklistedCall, symbolCall,
};

/// The units the contract counts in: 1 USDC is 10^6 of them.
const DECIMALS: u8 = 6;

/// What ERC-3009 signs, <https://eips.ethereum.org/EIPS/eip-3009>; USDC has a getter of its hash.
const RECEIVE_WITH_AUTHORIZATION: &str = "ReceiveWithAuthorization(address from,address to,\
    uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

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

/// The token has to be a contract that counts and calls itself as USDC does, has what the contract
/// needs of USDC beyond ERC-20, and accepts the wallet that fees are to go to.
pub(super) async fn usdc(node: &Node, usdc: Address, platform_wallet: Address) -> Result<()> {
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

    let name = "RECEIVE_WITH_AUTHORIZATION_TYPEHASH";
    let hash = ask(node, usdc, name, RECEIVE_WITH_AUTHORIZATION_TYPEHASHCall {}).await?;
    ensure!(
        hash[..] == keccak256(RECEIVE_WITH_AUTHORIZATION)[..],
        "usdc {usdc} answers {name}() otherwise than ERC-3009: deposits by signature would fail"
    );
    let call = isBlacklistedCall { account: platform_wallet };
    let blacklisted =
        isBlacklistedCall::abi_decode_returns(&ask(node, usdc, "isBlacklisted", call).await?)
            .map_err(|_| eyre!("usdc {usdc} does not answer isBlacklisted() as USDC does"))?;
    ensure!(
        !blacklisted,
        "usdc {usdc} has blacklisted the platform wallet {platform_wallet}: no fee could be paid \
         to it"
    );
    Ok(())
}

async fn ask(node: &Node, usdc: Address, name: &str, call: impl SolCall) -> Result<Bytes> {
    node.view(usdc, call.abi_encode().into()).await.map_err(|error| match error {
        CallError::Reverted(_) => eyre!("usdc {usdc} does not answer {name}() as a token does"),
        CallError::Failed(error) => error,
    })
}
