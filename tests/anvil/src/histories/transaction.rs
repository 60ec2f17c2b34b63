//! The model's calls as transactions of the contracts.

use super::{
    cast::Players,
    node::{Asked, quantity},
};
use crate::model::{Act, Authorization, Call, Entry, Model};
use alloy::{
    hex,
    primitives::{Address, B256, Bytes, U256, Uint, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolValue},
};
use eyre::Result;
use luxxon_bindings::{
    settlement::{
        ILuxxonSettlement::BatchEntry,
        LuxxonSettlement::{
            acceptRelayerCall, cancelRelayerProposalCall, claimCall, depositCall, depositForCall,
            depositWithAuthorizationCall, pauseCall, proposeRelayerCall, rescueCall,
            revokeRelayerCall, setLimitsCall, setPauserCall, setPlatformWalletCall,
            settleBatchCall, settleFromPoolCall, unpauseCall, withdrawCall,
        },
    },
    usdc::UsdcStandIn,
};
use serde_json::json;

/// More than any of them takes, and little enough for a block of them: an estimate would fail for
/// those that are meant to revert.
const GAS: u64 = 2_000_000;
/// The same for all, so that a transaction that is mined again keeps its hash. More than the base
/// fee, which starts at half of it and falls.
const GAS_PRICE: u64 = 2_000_000_000;

/// The chain's id.
pub(super) const CHAIN_ID: u64 = 31_337;

/// The request that sends `call`.
pub(super) fn send(call: &Call, model: &Model, players: &Players) -> Result<Asked> {
    let (to, data) = input(&call.act, model, players)?;
    let request = json!({
        "from": call.from,
        "to": to,
        "gas": quantity(GAS),
        "gasPrice": quantity(GAS_PRICE),
        "data": hex::encode_prefixed(data),
    });
    Ok(("eth_sendTransaction", json!([request])))
}

/// The sessions that a call is to settle.
pub(super) fn sessions(call: &Call) -> Vec<B256> {
    match &call.act {
        Act::SettleFromPool(entry) => vec![entry.session],
        Act::SettleBatch(entries) => entries.iter().map(|entry| entry.session).collect(),
        _ => Vec::new(),
    }
}

fn input(act: &Act, model: &Model, players: &Players) -> Result<(Address, Vec<u8>)> {
    let data = match act {
        Act::Deposit { amount } => depositCall { amount: U256::from(*amount) }.abi_encode(),
        Act::DepositFor { account, amount } => {
            depositForCall { account: *account, amount: U256::from(*amount) }.abi_encode()
        }
        Act::DepositWithAuthorization(signed) => deposit_signed(signed, model, players)?,
        Act::Withdraw { amount } => withdrawCall { amount: U256::from(*amount) }.abi_encode(),
        Act::Claim { account } => claimCall { account: *account }.abi_encode(),
        Act::SetLimits { max_rate, max_session, max_day } => setLimitsCall {
            maxRatePerSecond: *max_rate,
            maxPerSession: Uint::from(*max_session),
            maxPerDay: Uint::from(*max_day),
        }
        .abi_encode(),
        Act::SettleFromPool(entry) => settle(entry),
        Act::SettleBatch(entries) => {
            settleBatchCall { entries: entries.iter().map(batch_entry).collect() }.abi_encode()
        }
        Act::Pause => pauseCall {}.abi_encode(),
        Act::Unpause => unpauseCall {}.abi_encode(),
        Act::ProposeRelayer { candidate } => {
            proposeRelayerCall { candidate: *candidate }.abi_encode()
        }
        Act::CancelRelayerProposal => cancelRelayerProposalCall {}.abi_encode(),
        Act::AcceptRelayer => acceptRelayerCall {}.abi_encode(),
        Act::RevokeRelayer => revokeRelayerCall {}.abi_encode(),
        Act::SetPauser { to } => setPauserCall { newPauser: *to }.abi_encode(),
        Act::SetPlatformWallet { to } => setPlatformWalletCall { newWallet: *to }.abi_encode(),
        Act::Rescue { to, amount } => {
            rescueCall { to: *to, amount: U256::from(*amount) }.abi_encode()
        }
        of_token => return Ok((model.token.address, token_input(of_token, model.settlement))),
    };
    Ok((model.settlement, data))
}

fn token_input(act: &Act, settlement: Address) -> Vec<u8> {
    match act {
        Act::Approve { allowance } => {
            UsdcStandIn::approveCall { spender: settlement, value: *allowance }.abi_encode()
        }
        Act::Transfer { to, amount } => {
            UsdcStandIn::transferCall { to: *to, value: U256::from(*amount) }.abi_encode()
        }
        Act::Blacklist { account } => UsdcStandIn::blacklistCall { account: *account }.abi_encode(),
        Act::UnBlacklist { account } => {
            UsdcStandIn::unBlacklistCall { account: *account }.abi_encode()
        }
        Act::PauseToken => UsdcStandIn::pauseCall {}.abi_encode(),
        _ => UsdcStandIn::unpauseCall {}.abi_encode(),
    }
}

fn batch_entry(entry: &Entry) -> BatchEntry {
    BatchEntry {
        sessionId: entry.session,
        from: entry.from,
        to: entry.to,
        ratePerSecond: U256::from(entry.rate),
        chargeableSeconds: U256::from(entry.seconds),
        toAmount: U256::from(entry.to_amount),
        feeAmount: U256::from(entry.fee_amount),
    }
}

fn settle(entry: &Entry) -> Vec<u8> {
    let BatchEntry { sessionId, from, to, ratePerSecond, chargeableSeconds, toAmount, feeAmount } =
        batch_entry(entry);
    settleFromPoolCall {
        sessionId,
        from,
        to,
        ratePerSecond,
        chargeableSeconds,
        toAmount,
        feeAmount,
    }
    .abi_encode()
}

fn deposit_signed(signed: &Authorization, model: &Model, players: &Players) -> Result<Vec<u8>> {
    let signature = signature(signed, model, players)?;
    Ok(depositWithAuthorizationCall {
        from: signed.from,
        amount: U256::from(signed.amount),
        validAfter: U256::from(signed.valid_after),
        validBefore: U256::from(signed.valid_before),
        nonce: signed.nonce,
        signature,
    }
    .abi_encode())
}

/// ERC-3009's `ReceiveWithAuthorization`, signed by the key of whoever is said to sign it.
fn signature(signed: &Authorization, model: &Model, players: &Players) -> Result<Bytes> {
    let domain = keccak256(
        (
            keccak256(
                "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
            ),
            keccak256("USD Coin"),
            keccak256("2"),
            U256::from(CHAIN_ID),
            model.token.address,
        )
            .abi_encode(),
    );
    let message = keccak256(
        (
            keccak256(
                "ReceiveWithAuthorization(address from,address to,uint256 value,\
                 uint256 validAfter,uint256 validBefore,bytes32 nonce)",
            ),
            signed.from,
            model.settlement,
            U256::from(signed.amount),
            U256::from(signed.valid_after),
            U256::from(signed.valid_before),
            signed.nonce,
        )
            .abi_encode(),
    );
    let digest = keccak256([&[0x19, 0x01], domain.as_slice(), message.as_slice()].concat());
    let key = PrivateKeySigner::from_bytes(&players.key_of(signed.signer)?)?;
    Ok(key.sign_hash_sync(&digest)?.as_bytes().to_vec().into())
}
