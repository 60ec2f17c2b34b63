//! The calls that a node is asked.

use super::{node::Wanted, rpc::Call};
use crate::ledger::Deployment;
use alloy::{
    primitives::{Address, B256, Bytes},
    sol_types::{SolCall, SolEvent},
};
use luxxon_bindings::{
    settlement::LuxxonSettlement::totalOwedCall,
    usdc::UsdcStandIn::{Approval, Transfer, balanceOfCall},
};
use serde_json::{Value, json};

/// The logs that are `wanted`, in the blocks that `blocks` names.
pub(super) fn log_calls(deployment: &Deployment, wanted: Wanted, blocks: &Value) -> Vec<Call> {
    let call = |mut filter: Value| {
        if let (Some(filter), Some(blocks)) = (filter.as_object_mut(), blocks.as_object()) {
            filter.extend(blocks.clone());
        }
        Call::new("eth_getLogs", json!([filter]))
    };
    let settlement = deployment.settlement.into_word();
    let usdc = |topics: Value| json!({ "address": deployment.usdc, "topics": topics });
    let mut filters = vec![
        json!({ "address": deployment.settlement }),
        usdc(json!([Approval::SIGNATURE_HASH, null, settlement])),
    ];
    if wanted == Wanted::LedgerAndTransfers {
        filters.push(usdc(json!([Transfer::SIGNATURE_HASH, null, settlement])));
        filters.push(usdc(json!([Transfer::SIGNATURE_HASH, settlement])));
    }
    filters.into_iter().map(call).collect()
}

/// What the contract owes in the state that `at` names.
pub(super) fn owed_call(deployment: &Deployment, at: &Value) -> Call {
    let input = Bytes::from(totalOwedCall {}.abi_encode());
    Call::new("eth_call", json!([{ "to": deployment.settlement, "input": input }, at]))
}

/// The USDC the contract holds in the state that `at` names.
pub(super) fn held_call(deployment: &Deployment, at: &Value) -> Call {
    let input = Bytes::from(balanceOfCall::new((deployment.settlement,)).abi_encode());
    Call::new("eth_call", json!([{ "to": deployment.usdc, "input": input }, at]))
}

/// A call in the state after the block with that hash.
pub(super) fn call_at(block: B256, to: Address, input: &Bytes) -> Call {
    let call = json!({ "to": to, "input": input });
    Call::new("eth_call", json!([call, { "blockHash": block }]))
}

pub(super) fn header_call(at: &Value) -> Call {
    Call::new("eth_getBlockByNumber", json!([at, false]))
}

/// A number as a quantity.
pub(super) fn hex(number: u64) -> String {
    format!("{number:#x}")
}
