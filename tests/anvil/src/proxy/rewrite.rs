//! Faults that spoil one answer, as functions of the call and the right answer.

use super::{
    call::{Call, height, quantity},
    fault::AnswerFault,
    wording::too_large,
};
use alloy::primitives::B256;
use serde_json::{Value, json};

/// What `fault` makes of `answer`, the answer to `call`. Faults that need a node to be asked again
/// leave it as it is.
pub(super) fn rewrite(fault: &AnswerFault, call: &Call, mut answer: Value) -> Value {
    match fault {
        AnswerFault::Null => answer = with("result", &Value::Null, call),
        AnswerFault::Error { code, message } => {
            answer = with("error", &json!({ "code": code, "message": message }), call);
        }
        AnswerFault::NoLogsBeyond(most) if too_large(call, *most).is_none() => {}
        AnswerFault::NoLogs | AnswerFault::NoLogsBeyond(_) => edit_logs(&mut answer, Vec::clear),
        AnswerFault::DropFirstLog => edit_logs(&mut answer, |logs| {
            logs.drain(..logs.len().min(1));
        }),
        AnswerFault::Capped(most) => edit_logs(&mut answer, |logs| logs.truncate(*most)),
        AnswerFault::RangeTooLarge { most, wording, suggests } => {
            if let Some(range) = too_large(call, *most) {
                answer = with("error", &wording.refuse(range, *most, *suggests), call);
            }
        }
        AnswerFault::PendingLog => one_more_log(&mut answer, |log| {
            for field in ["blockHash", "blockNumber", "logIndex"] {
                log[field] = Value::Null;
            }
        }),
        AnswerFault::ZeroHashLog => one_more_log(&mut answer, |log| {
            log["blockHash"] = json!(B256::ZERO);
        }),
        AnswerFault::RemovedLog => one_more_log(&mut answer, |log| log["removed"] = json!(true)),
        AnswerFault::DuplicatedLogs => edit_logs(&mut answer, |logs| {
            *logs = logs.iter().flat_map(|log| [log.clone(), log.clone()]).collect();
        }),
        AnswerFault::ReversedLogs => edit_logs(&mut answer, |logs| logs.reverse()),
        AnswerFault::ChainId(id) if call.method == "eth_chainId" => {
            answer = with("result", &quantity(*id), call);
        }
        AnswerFault::OtherCode if call.method == "eth_getCode" => {
            answer = with("result", &json!("0x00"), call);
        }
        AnswerFault::ChainId(_)
        | AnswerFault::OtherCode
        | AnswerFault::Behind(_)
        | AnswerFault::BehindAndSaysSo(_)
        | AnswerFault::SyncingAt(_)
        | AnswerFault::SecondNode => {}
    }
    answer
}

fn with(field: &str, value: &Value, call: &Call) -> Value {
    json!({ "jsonrpc": "2.0", "id": call.id, field: value })
}

fn edit_logs(answer: &mut Value, edit: impl FnOnce(&mut Vec<Value>)) {
    if let Some(logs) = answer.get_mut("result").and_then(Value::as_array_mut) {
        edit(logs);
    }
}

/// Adds a log that follows the last one and says the same, changed by `edit`.
fn one_more_log(answer: &mut Value, edit: impl FnOnce(&mut Value)) {
    edit_logs(answer, |logs| {
        if let Some(mut log) = logs.last().cloned() {
            let index = height(&log["logIndex"]).unwrap_or_default();
            log["logIndex"] = quantity(index + 1);
            edit(&mut log);
            logs.push(log);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{RANGE_WORDINGS, Suggestion};

    fn call(method: &str, from: u64, to: u64) -> Call {
        let params = json!([{ "fromBlock": quantity(from), "toBlock": quantity(to) }]);
        Call { id: json!(7), method: method.to_owned(), params }
    }

    fn log(index: u64) -> Value {
        json!({
            "blockHash": B256::repeat_byte(1), "blockNumber": "0x5", "logIndex": quantity(index),
            "removed": false
        })
    }

    /// What is left of three logs in blocks 1 to 10.
    fn left(fault: &AnswerFault) -> Value {
        let call = call("eth_getLogs", 1, 10);
        let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": [log(0), log(1), log(2)] });
        rewrite(fault, &call, answer)
    }

    #[test]
    fn logs_are_dropped_capped_doubled_and_reversed() {
        let logs = |fault| left(&fault)["result"].clone();
        assert_eq!(logs(AnswerFault::NoLogs), json!([]));
        assert_eq!(logs(AnswerFault::DropFirstLog), json!([log(1), log(2)]));
        assert_eq!(logs(AnswerFault::Capped(2)), json!([log(0), log(1)]));
        assert_eq!(logs(AnswerFault::ReversedLogs), json!([log(2), log(1), log(0)]));
        let doubled = logs(AnswerFault::DuplicatedLogs);
        assert_eq!(doubled, json!([log(0), log(0), log(1), log(1), log(2), log(2)]));
    }

    #[test]
    fn logs_are_added_that_should_not_be_there() {
        let added = |fault| left(&fault)["result"][3].clone();
        let pending = added(AnswerFault::PendingLog);
        assert!(pending["blockHash"].is_null() && pending["blockNumber"].is_null());
        assert_eq!(added(AnswerFault::ZeroHashLog)["blockHash"], json!(B256::ZERO));
        let removed = added(AnswerFault::RemovedLog);
        assert_eq!((&removed["removed"], &removed["logIndex"]), (&json!(true), &json!("0x3")));
    }

    #[test]
    fn a_limit_leaves_smaller_ranges_alone() {
        let too_large = |most| AnswerFault::RangeTooLarge {
            most,
            wording: &RANGE_WORDINGS[0],
            suggests: Suggestion::Smaller,
        };
        assert_eq!(left(&too_large(9))["error"]["code"], RANGE_WORDINGS[0].code);
        assert_eq!(left(&AnswerFault::NoLogsBeyond(9))["result"], json!([]));
        for fault in [too_large(10), AnswerFault::NoLogsBeyond(10)] {
            assert_eq!(left(&fault)["result"].as_array().map(Vec::len), Some(3));
        }
    }

    #[test]
    fn errors_and_null_replace_the_answer_and_keep_its_id() {
        let error = left(&AnswerFault::Error { code: -32005, message: "limit exceeded" });
        assert_eq!(error["error"]["code"], -32005);
        assert_eq!((error["id"].clone(), error.get("result")), (json!(7), None));
        assert!(left(&AnswerFault::Null)["result"].is_null());
    }

    #[test]
    fn a_chains_id_and_a_contracts_code_are_replaced_where_they_are_asked_for() {
        let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": "0x7a69" });
        let id = rewrite(&AnswerFault::ChainId(1), &call("eth_chainId", 0, 0), answer.clone());
        assert_eq!(id["result"], "0x1");
        let code = rewrite(&AnswerFault::OtherCode, &call("eth_getCode", 0, 0), answer.clone());
        assert_eq!(code["result"], "0x00");
        let other = rewrite(&AnswerFault::OtherCode, &call("eth_chainId", 0, 0), answer.clone());
        assert_eq!(other, answer);
    }
}
