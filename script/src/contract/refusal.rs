//! What the contract says when it refuses, in words.

use alloy::{
    dyn_abi::{DynSolValue, ErrorExt},
    hex,
    json_abi::JsonAbi,
    sol_types::{Panic, Revert, SolError},
};
use eyre::{Report, eyre};
use luxxon_bindings::settlement::LuxxonSettlement;
use std::sync::LazyLock;

/// A call that reverted, as an error: what was tried, the contract's error with its values, and
/// what can be done.
pub fn reverted(what: &str, data: &[u8]) -> Report {
    eyre!("{what} would revert: {}", refusal(data))
}

/// Revert data in words: `NotPauser(caller: 0x…): …`.
#[must_use]
pub fn refusal(data: &[u8]) -> String {
    if data.is_empty() {
        return "without saying why".to_owned();
    }
    if let Ok(Revert { reason }) = Revert::abi_decode(data) {
        return format!("{reason:?}");
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return panic.to_string();
    }
    decoded(data).unwrap_or_else(|| {
        format!("an error that is none of its own, {}", hex::encode_prefixed(data))
    })
}

fn decoded(data: &[u8]) -> Option<String> {
    static ABI: LazyLock<JsonAbi> = LazyLock::new(LuxxonSettlement::abi::contract);
    let error = ABI.errors().find(|error| data.starts_with(error.selector().as_slice()))?;
    let values = error.decode_error(data).ok()?.body;
    let values: Vec<String> = error
        .inputs
        .iter()
        .zip(&values)
        .map(|(input, value)| format!("{}: {}", input.name, shown(value)))
        .collect();
    let said = format!("{}({})", error.name, values.join(", "));
    Some(match advice(&error.name) {
        Some(advice) => format!("{said}: {advice}"),
        None => said,
    })
}

fn shown(value: &DynSolValue) -> String {
    match value {
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::FixedBytes(word, size) => hex::encode_prefixed(&word[..*size]),
        DynSolValue::Bool(yes) => yes.to_string(),
        other => format!("{other:?}"),
    }
}

/// What whoever meets the error can do about it.
fn advice(error: &str) -> Option<&'static str> {
    Some(match error {
        "OwnableUnauthorizedAccount" => {
            "only the owner may do this, or, to accept, the owner it was offered to; `luxxon roles` \
             shows both"
        }
        "OwnableInvalidOwner" => "the owner may not be zero",
        "NotPauser" => "only the pauser or the owner may do this; `luxxon roles` shows both",
        "NotRelayer" => "only the relayer may do this",
        "NotRelayerCandidate" => {
            "only the proposed relayer can accept; `luxxon roles` shows which account that is"
        }
        "RelayerDelayRunning" => {
            "the proposal is too young; `luxxon roles` shows when it can be accepted"
        }
        "NoRelayerProposal" => "there is no proposal to cancel",
        "NoRelayer" => "the relayer is revoked already",
        "ZeroRelayer" => "to take the role away, revoke the relayer",
        "ContractPaused" => "the contract is paused",
        "ContractNotPaused" => "the contract is not paused",
        "InvalidPlatformWallet" => "the platform wallet may not be zero, the contract or USDC",
        "OwnershipCannotBeRenounced" => "the contract always has an owner: offer it to another",
        "NotAContract" => "usdc has to be a contract on this chain",
        "WrongDecimals" => "the token has to count as USDC does",
        "RelayerDelayTooLong" => "relayer_delay is at most 30 days",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, U256};

    #[test]
    fn an_error_of_the_contract_is_named_with_its_values_and_what_to_do() {
        let error = LuxxonSettlement::NotPauser { caller: Address::repeat_byte(7) };
        let said = refusal(&error.abi_encode());
        assert!(
            said.starts_with("NotPauser(caller: 0x0707070707070707070707070707070707070707): ")
        );
        let (timestamp, at) = (U256::from(5), U256::from(9));
        let error = LuxxonSettlement::RelayerDelayRunning { timestamp, acceptableAt: at };
        let said = refusal(&error.abi_encode());
        assert!(said.starts_with("RelayerDelayRunning(timestamp: 5, acceptableAt: 9): "), "{said}");
    }

    #[test]
    fn what_is_no_error_of_the_contract_is_said_as_well_as_it_can_be() {
        assert_eq!(refusal(&[]), "without saying why");
        assert_eq!(refusal(&Revert::from("no").abi_encode()), "\"no\"");
        assert!(refusal(&Panic::from(0x11).abi_encode()).contains("overflow"));
        assert!(refusal(&[1, 2, 3, 4]).contains("0x01020304"));
        // A selector of its own with too few values behind it.
        let cut = &LuxxonSettlement::NotPauser { caller: Address::ZERO }.abi_encode()[..20];
        assert!(refusal(cut).contains("none of its own"));
    }

    #[test]
    fn every_error_that_has_advice_is_one_of_the_contract() {
        let abi = LuxxonSettlement::abi::contract();
        let advised = abi.errors().filter(|error| advice(&error.name).is_some()).count();
        assert_eq!(advised, 16);
    }
}
