//! Nodes that are stale, forgetful or contradict themselves: a small server that answers each call
//! of a batch as the test says.

use super::{ChainError, DEFAULT_TIMEOUT, Node, Wanted};
use crate::ledger::Deployment;
use alloy::{
    primitives::{U256, address},
    sol_types::SolEvent,
};
use axum::{Json, Router, extract::State, routing::post};
use luxxon_bindings::usdc::UsdcStandIn::Transfer;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;

const DEPLOYMENT: Deployment = Deployment {
    settlement: address!("0x5e771e0000000000000000000000000000000001"),
    usdc: address!("0x05dc000000000000000000000000000000000001"),
    deploy_block: 1,
};

/// What a call is answered with.
#[derive(Clone)]
enum Answer {
    Result(Value),
    Refusal(i64, &'static str),
    /// It is left out of the batch.
    Silence,
}
use Answer::{Refusal, Result, Silence};

/// What is answered to a method with its parameters.
type Answers = Arc<dyn Fn(&str, &Value) -> Answer + Send + Sync>;

async fn node(answers: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Node {
    async fn serve(State(answers): State<Answers>, Json(body): Json<Value>) -> Json<Value> {
        let answer = |call: &Value| {
            let method = call["method"].as_str().unwrap_or_default();
            let mut answer = match answers(method, &call["params"]) {
                Result(result) => json!({ "result": result }),
                Refusal(code, message) => json!({ "error": { "code": code, "message": message } }),
                Silence => return None,
            };
            answer["id"] = call["id"].clone();
            answer["jsonrpc"] = "2.0".into();
            Some(answer)
        };
        Json(match &body {
            Value::Array(calls) => calls.iter().filter_map(answer).collect(),
            call => answer(call).unwrap_or_default(),
        })
    }
    let answers: Answers = Arc::new(answers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().route("/", post(serve)).with_state(answers);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Node::new(url, DEFAULT_TIMEOUT).unwrap()
}

fn hash(number: u64) -> String {
    format!("{number:#066x}")
}

fn header(number: u64) -> Value {
    let parent = hash(number.saturating_sub(1));
    let number_hex = format!("{number:#x}");
    json!({ "number": number_hex, "hash": hash(number), "parentHash": parent, "timestamp": "0x5" })
}

fn asked_for(params: &Value) -> u64 {
    let text = params[0].as_str().unwrap_or_default();
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(100)
}

/// A node that knows every block and has no logs.
fn honest(method: &str, params: &Value) -> Answer {
    match method {
        "eth_getLogs" => Result(json!([])),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => Result(header(asked_for(params))),
        "eth_call" => Result(json!(hash(0))),
        _ => Silence,
    }
}

#[tokio::test]
async fn an_honest_node_that_has_no_logs_is_believed() {
    let node = node(honest).await;
    let range = node.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap();
    assert_eq!((range.logs.len(), range.blocks.len()), (0, 1));
    assert_eq!(range.blocks[0].number, 9);
    let header = node.header(7).await.unwrap().unwrap();
    assert_eq!(node.block_logs(&DEPLOYMENT, &header).await.unwrap().logs, []);
}

/// A log of USDC's in block 7, `index` being its place there.
fn usdc_log(index: u64) -> Value {
    json!({
        "address": DEPLOYMENT.usdc,
        "topics": [],
        "data": "0x",
        "blockHash": hash(7),
        "blockNumber": "0x7",
        "blockTimestamp": "0x5",
        "transactionHash": hash(99),
        "logIndex": format!("{index:#x}"),
    })
}

#[tokio::test]
async fn transfers_to_the_contract_and_from_it_come_with_what_it_holds_where_they_are_wanted() {
    let node = node(|method, params| {
        let word = DEPLOYMENT.settlement.into_word().to_string();
        let topics = &params[0]["topics"];
        let is_transfer = topics[0] == Transfer::SIGNATURE_HASH.to_string();
        match method {
            "eth_getLogs" if is_transfer && topics[2] == word => Result(json!([usdc_log(1)])),
            "eth_getLogs" if is_transfer && topics[1] == word => {
                Result(json!([usdc_log(0), usdc_log(1)]))
            }
            "eth_call" if params[0]["to"] == json!(DEPLOYMENT.usdc) => Result(json!(hash(42))),
            "eth_call" if params[1] != "0x9" => Refusal(-32000, "another block"),
            _ => honest(method, params),
        }
    })
    .await;
    let range = node.range_logs(&DEPLOYMENT, Wanted::LedgerAndTransfers, 5, 9).await.unwrap();
    let places: Vec<u32> = range.logs.iter().map(|log| log.position.log_index).collect();
    assert_eq!(places, [0, 1], "one of both filters is one log");
    assert_eq!((range.owed, range.held), (Some(U256::ZERO), Some(U256::from(42))));
    let range = node.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap();
    assert_eq!((range.logs.len(), range.held), (0, None));
}

#[tokio::test]
async fn no_logs_from_a_node_without_the_last_block_are_not_taken_for_none() {
    let node = node(|method, params| match method {
        "eth_getBlockByNumber" if asked_for(params) > 7 => Result(Value::Null),
        _ => honest(method, params),
    });
    let error = node.await.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap_err();
    assert!(matches!(error, ChainError::UnknownBlock(9)), "{error}");
}

#[tokio::test]
async fn no_logs_from_a_node_that_lost_the_block_are_not_taken_for_none() {
    let node = node(|method, params| match method {
        "eth_getBlockByHash" => Result(Value::Null),
        _ => honest(method, params),
    })
    .await;
    let header = node.header(7).await.unwrap().unwrap();
    let error = node.block_logs(&DEPLOYMENT, &header).await.unwrap_err();
    assert!(matches!(error, ChainError::UnknownBlock(7)), "{error}");
}

#[tokio::test]
async fn headers_of_other_heights_than_asked_for_are_refused() {
    let node = node(|method, params| match method {
        "eth_getBlockByNumber" => Result(header(asked_for(params) + 1)),
        _ => honest(method, params),
    })
    .await;
    for error in [
        node.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap_err(),
        node.header(5).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("asked for block 5, answered 6"), "{error}");
    }
}

#[tokio::test]
async fn a_node_that_has_nothing_final_yet_may_say_so_by_null_or_by_an_error() {
    for answer in [Result(Value::Null), Refusal(-39001, "finalized block not found")] {
        let node =
            node(
                move |method, params| {
                    if params[0] == "finalized" { answer.clone() } else { honest(method, params) }
                },
            );
        let heads = node.await.heads().await.unwrap();
        assert_eq!((heads.latest.number, heads.finalized.number), (100, 0));
    }
}

#[tokio::test]
async fn a_final_block_above_the_last_is_refused() {
    let node =
        node(
            |method, params| {
                if params[0] == "finalized" { Result(header(101)) } else { honest(method, params) }
            },
        );
    let error = node.await.heads().await.unwrap_err();
    assert!(matches!(error, ChainError::Inconsistent(_)) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_call_left_out_of_a_batch_is_said_to_be() {
    let node = node(|method, params| match method {
        "eth_getLogs" => Silence,
        _ => honest(method, params),
    });
    let error = node.await.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap_err();
    assert!(error.to_string().contains("left a call of a batch unanswered"), "{error}");
}

#[tokio::test]
async fn a_range_that_is_too_large_asks_for_less() {
    let node = node(|method, params| match method {
        "eth_getLogs" => Refusal(-32005, "query returned more than 10000 results"),
        _ => honest(method, params),
    });
    let error = node.await.range_logs(&DEPLOYMENT, Wanted::Ledger, 5, 9).await.unwrap_err();
    assert!(error.asks_for_less().is_some(), "{error}");
    assert!(error.to_string().contains("more than 10000 results"), "{error}");
}

/// The HTTP client takes the user out of the URL and shows the rest: the text is a real one here.
#[tokio::test]
async fn a_node_that_is_down_is_named_without_its_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://user:password@{address}/v2/SECRET?key=SECRET").parse().unwrap();
    let error = Node::new(url, DEFAULT_TIMEOUT).unwrap().chain_id().await.unwrap_err().to_string();
    assert!(error.contains(&format!("http://{address}")), "{error}");
    assert!(!error.contains("SECRET") && !error.contains("password"), "{error}");
}
