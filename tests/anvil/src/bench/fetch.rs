//! The daemon's questions, whose answers nobody reads.

use super::BenchChain;
use alloy::{
    primitives::Bytes,
    sol_types::{SolCall, SolEvent},
    transports::http::reqwest,
};
use eyre::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use luxxon_bindings::{settlement::LuxxonSettlement::totalOwedCall, usdc::UsdcStandIn::Approval};
use serde_json::{Value, json};

/// Ranges under way at once, as in the daemon.
const AT_ONCE: usize = 2;

/// Asks for each of `ranges` what the daemon asks, and throws the answers away. Returns how many
/// bytes they were.
pub(super) async fn fetch(chain: &BenchChain, ranges: &[(u64, u64)]) -> Result<usize> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let ask = |&(from, to)| {
        let request = client
            .post(chain.rpc_url().clone())
            .header("content-type", "application/json")
            .body(question(chain, from, to).to_string());
        async move {
            let mut response = request.send().await?.error_for_status()?;
            let mut bytes = 0;
            while let Some(chunk) = response.chunk().await? {
                bytes += chunk.len();
            }
            Ok::<_, reqwest::Error>(bytes)
        }
    };
    let answers: Vec<usize> =
        stream::iter(ranges.iter().map(ask)).buffered(AT_ONCE).try_collect().await?;
    ensure!(answers.iter().all(|bytes| *bytes > 0), "an empty answer");
    Ok(answers.iter().sum())
}

/// One batch: both filters, the headers of the first and the last block, and what is owed.
fn question(chain: &BenchChain, from: u64, to: u64) -> Value {
    let (settlement, usdc) =
        (chain.contracts().settlement.address(), chain.contracts().usdc.address());
    let [first, last] = [from, to].map(|number| format!("{number:#x}"));
    let topics = json!([Approval::SIGNATURE_HASH, null, settlement.into_word()]);
    let owed = json!({ "to": settlement, "input": Bytes::from(totalOwedCall {}.abi_encode()) });
    let calls = [
        ("eth_getLogs", json!([{ "address": settlement, "fromBlock": first, "toBlock": last }])),
        (
            "eth_getLogs",
            json!([{ "address": usdc, "topics": topics, "fromBlock": first, "toBlock": last }]),
        ),
        ("eth_getBlockByNumber", json!([first, false])),
        ("eth_getBlockByNumber", json!([last, false])),
        ("eth_call", json!([owed, last])),
    ];
    (1..)
        .zip(calls)
        .map(|(id, (method, params))| {
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        })
        .collect()
}
