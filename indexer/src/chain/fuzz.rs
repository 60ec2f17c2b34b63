//! Answers of any bytes: what is taken of them is what they say, and nothing is taken of the rest.

use super::{
    ChainError, Header,
    logs::collect,
    range_refusal,
    rpc::{Failure, Replies},
    wire::{RpcHeader, RpcLog},
};
use crate::{
    fuzzing::{fuzzed, spoiled, spoiled_text},
    ledger::Position,
};
use alloy::primitives::{Address, B256, Bytes, U64};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The id of the first call.
const FIRST_ID: u64 = 7;

/// What nodes answer a call with.
fn responses() -> impl Strategy<Value = Value> {
    let results = vec![
        json!(null),
        json!("0x7"),
        json!([{ "address": "0x00", "topics": [] }]),
        json!({ "number": "0x10", "id": 8, "result": [1, "]}"] }),
        json!(1.5),
        json!(""),
    ];
    let errors = vec![
        json!({ "code": -32005, "message": "query returned more than 10000 results", "data": null }),
        json!({ "code": 3, "message": "execution reverted", "data": "0x08c379a0" }),
        json!({ "code": -32000, "message": "no \"such\" \u{2028} block", "data": "too far" }),
        json!({ "code": -32600, "message": "batches are not allowed", "data": { "limit": 3 } }),
        json!({}),
    ];
    prop_oneof![
        3 => select(results).prop_map(|result| json!({ "jsonrpc": "2.0", "result": result })),
        1 => select(errors).prop_map(|error| json!({ "jsonrpc": "2.0", "error": error })),
    ]
}

/// Answers to so many calls, in any order, spoiled here and there.
fn answers() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let batch = vec(responses(), 1..5).prop_map(|mut batch| {
        for (id, response) in (FIRST_ID..).zip(&mut batch) {
            response["id"] = id.into();
        }
        batch
    });
    batch.prop_shuffle().prop_flat_map(|batch| {
        let calls = batch.len();
        let text = if calls == 1 { batch[0].to_string() } else { json!(batch).to_string() };
        (Just(calls), spoiled(Just(text.into_bytes())))
    })
}

/// The response to the call at `place`, looked up in the whole answer: serde's own tree of it. Bytes
/// that are no text may stand where nobody looks.
fn looked_up(text: &[u8], place: usize) -> Option<Value> {
    let whole: Value = serde_json::from_str(&String::from_utf8_lossy(text)).ok()?;
    let responses = match whole {
        Value::Array(responses) => responses,
        one => vec![one],
    };
    let id = FIRST_ID + u64::try_from(place).ok()?;
    let to_all = responses.iter().find(|it| it.get("id").is_none_or(Value::is_null)).cloned();
    to_all.or_else(|| responses.into_iter().find(|it| it.get("id") == Some(&id.into())))
}

/// Texts in which providers say that a range is too large, and what is nearly one.
fn wordings() -> impl Strategy<Value = String> {
    let range = (any::<u64>(), any::<u64>(), 0..4_u32).prop_map(|(from, more, size)| {
        let from = from >> (size * 16);
        format!("this block range should work: [{from:#x}, {:#x}]", from.saturating_add(more >> 40))
    });
    spoiled_text(range)
}

fn headers() -> impl Strategy<Value = Header> {
    (any::<u64>(), any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u64>()).prop_map(
        |(number, hash, parent_hash, timestamp)| {
            let (hash, parent_hash) = (hash.into(), parent_hash.into());
            Header { number, hash, parent_hash, timestamp }
        },
    )
}

fn header_json(header: &Header) -> Value {
    json!({
        "number": U64::from(header.number),
        "hash": header.hash,
        "parentHash": header.parent_hash,
        "timestamp": U64::from(header.timestamp),
        "miner": Address::ZERO,
    })
}

fn logs() -> impl Strategy<Value = RpcLog> {
    // Few places and few hashes, so that logs meet.
    let place = (4..11_u64, 0..3_u64);
    let content = (any::<[u8; 20]>(), vec(any::<[u8; 32]>(), 0..6), vec(any::<u8>(), 0..40));
    let rest = (0..12_u8, 0..6_u8);
    (place, content, rest).prop_map(|((block, index), (address, topics, data), (odd, time))| {
        RpcLog {
            address: address.into(),
            topics: topics.into_iter().map(B256::from).collect(),
            data: Bytes::from(data),
            block_hash: (odd != 1).then(|| hash_of(if odd == 2 { block + 1 } else { block })),
            block_number: (odd != 3).then(|| U64::from(block)),
            block_timestamp: (time < 3).then(|| U64::from(if time == 2 { 0 } else { block })),
            transaction_hash: (odd != 4).then(|| B256::repeat_byte(u8::from(odd != 5))),
            log_index: (odd != 6).then(|| U64::from(if odd == 7 { 1 << 32 } else { index })),
            removed: odd == 8,
        }
    })
}

fn hash_of(block: u64) -> B256 {
    B256::with_last_byte(u8::try_from(block).unwrap())
}

fn log_json(log: &RpcLog) -> Value {
    json!({
        "address": log.address,
        "topics": log.topics,
        "data": log.data,
        "blockHash": log.block_hash,
        "blockNumber": log.block_number,
        "blockTimestamp": log.block_timestamp,
        "transactionHash": log.transaction_hash,
        "transactionIndex": "0x0",
        "logIndex": log.log_index,
        "removed": log.removed,
    })
}

proptest! {
    #![proptest_config(fuzzed())]

    #[test]
    fn fuzz_each_call_gets_the_result_that_bears_its_id_or_the_answer_is_none(
        (calls, text) in answers(),
    ) {
        let replies = match Replies::parse(text.clone(), calls, FIRST_ID) {
            Ok(replies) => replies,
            Err(Failure::Unreachable(why)) => {
                prop_assert!(!why.is_empty());
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(replies.len(), text.len());
        if serde_json::from_str::<Value>(&String::from_utf8_lossy(&text)).is_err() {
            // A number past what serde's tree has room for, or half of a letter, in what nobody asks.
            return Ok(());
        }
        for place in 0..calls {
            let response = looked_up(&text, place).expect("each has a response");
            match replies.result(place) {
                Ok(result) => {
                    prop_assert!(response.get("error").is_none_or(Value::is_null));
                    let result: Value = serde_json::from_slice(result).unwrap();
                    prop_assert_eq!(&result, response.get("result").unwrap_or(&Value::Null));
                }
                Err(refusal) => {
                    let error = &response["error"];
                    prop_assert_eq!(refusal.code, error["code"].as_i64().unwrap_or_default());
                    let message = error["message"].as_str().unwrap_or_default();
                    prop_assert!(refusal.message.starts_with(message));
                }
            }
        }
    }

    #[test]
    fn fuzz_a_suggested_range_is_the_last_that_is_told(text in wordings()) {
        if let Some(blocks) = range_refusal::suggested(&text) {
            let (from, to) = text[text.rfind("[0x").unwrap() + 1..].split_once(',').unwrap();
            let to = to[..to.find(']').unwrap()].trim();
            let number = |text: &str| u64::from_str_radix(text.trim().trim_start_matches("0x").trim(), 16);
            let (from, to) = (number(from).unwrap(), number(to).unwrap());
            prop_assert_eq!(u128::from(blocks), u128::from(to) - u128::from(from) + 1);
        }
    }

    #[test]
    fn fuzz_a_header_is_read_as_it_is_written_or_not_at_all(
        header in headers(),
        text in headers().prop_flat_map(|header| spoiled_text(Just(header_json(&header).to_string()))),
    ) {
        let read = |text: &str| serde_json::from_str::<RpcHeader>(text).map(Header::from);
        prop_assert_eq!(read(&header_json(&header).to_string()).unwrap(), header);
        if let Ok(header) = read(&text) {
            prop_assert_eq!(read(&header_json(&header).to_string()).unwrap(), header);
        }
    }

    #[test]
    fn fuzz_a_log_is_read_as_it_is_written_or_not_at_all(
        text in logs().prop_flat_map(|log| spoiled_text(Just(log_json(&log).to_string()))),
    ) {
        if let Ok(log) = serde_json::from_str::<RpcLog>(&text) {
            let written = log_json(&log);
            let again: RpcLog = serde_json::from_value(written.clone()).unwrap();
            prop_assert_eq!(log_json(&again), written);
        }
    }

    #[test]
    fn fuzz_logs_that_are_taken_are_those_that_were_answered_each_once_and_in_order(
        answer in vec(logs(), 0..5),
        repeated in any::<bool>(),
    ) {
        let header = |number| {
            let (hash, parent_hash) = (hash_of(number), hash_of(number - 1));
            Header { number, hash, parent_hash, timestamp: number }
        };
        let mut answered = answer.clone();
        if repeated {
            answered.extend(answer.iter().rev().cloned());
        }
        match collect(answered, &header(5), &header(9)) {
            Ok(collected) => {
                let positions: Vec<Position> = collected.logs.iter().map(|it| it.position).collect();
                prop_assert!(positions.is_sorted_by(|one, next| one < next));
                let distinct: BTreeSet<String> = answer.iter().map(|log| {
                    format!("{:?} {:?} {:?}", log.block_number, log.log_index, log.data)
                }).collect();
                prop_assert_eq!(distinct.len(), collected.logs.len());
                for log in &answer {
                    let block: u64 = log.block_number.unwrap().to();
                    prop_assert!((5..=9).contains(&block) && !log.removed && log.topics.len() <= 4);
                    let kept = collected.logs.iter().find(|kept| {
                        kept.position.block == block
                            && u64::from(kept.position.log_index) == log.log_index.unwrap().to::<u64>()
                    });
                    let kept = kept.expect("nothing is left out");
                    prop_assert_eq!(kept.log.topics(), &log.topics[..]);
                    prop_assert_eq!((&kept.log.data.data, kept.log.address), (&log.data, log.address));
                    prop_assert_eq!(Some(kept.tx_hash), log.transaction_hash);
                    prop_assert_eq!(Some(collected.blocks[&block].hash), log.block_hash);
                }
            }
            Err(error) => prop_assert!(matches!(error, ChainError::Inconsistent(_)), "{error:?}"),
        }
    }
}
