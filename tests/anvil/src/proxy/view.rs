//! The chain as a node sees it whose head is lower than the chain's.

use super::call::{Call, height, quantity};
use serde_json::{Value, json};

/// The heights that a node gives names to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heights {
    pub(super) latest: u64,
    pub(super) safe: u64,
    pub(super) finalized: u64,
}

impl Heights {
    /// Those of a node that is `blocks` behind.
    pub(super) fn behind(self, blocks: u64) -> Self {
        let lower = |height: u64| height.saturating_sub(blocks);
        Self {
            latest: lower(self.latest),
            safe: lower(self.safe),
            finalized: lower(self.finalized),
        }
    }

    /// Those of a node that has come no further than `head`.
    pub(super) fn no_higher(self, head: u64) -> Self {
        self.behind(self.latest.saturating_sub(head))
    }

    fn named(self, tag: &Value) -> Option<u64> {
        match tag.as_str()? {
            "latest" | "pending" => Some(self.latest),
            "safe" => Some(self.safe),
            "finalized" => Some(self.finalized),
            _ => None,
        }
    }
}

/// `call`, with the names of heights replaced by what they are for a node with these heights.
pub(super) fn ask(call: &Call, heights: Heights) -> Call {
    let resolve = |value: &mut Value| {
        if let Some(number) = heights.named(value) {
            *value = quantity(number);
        }
    };
    let mut call = call.clone();
    for param in call.params.as_array_mut().into_iter().flatten() {
        resolve(param);
        for end in ["fromBlock", "toBlock"] {
            if let Some(end) = param.get_mut(end) {
                resolve(end);
                // The healthy node may refuse what it lacks. This one answers: see `answer`.
                if let Some(number) = height(end) {
                    *end = quantity(number.min(heights.latest));
                }
            }
        }
    }
    call
}

/// What a node with these heights makes of the healthy node's answer to [`ask`].
///
/// `says_so` is whether it refuses a range that reaches past its head, or has no logs there.
pub(super) fn answer(call: &Call, mut healthy: Value, heights: Heights, says_so: bool) -> Value {
    let head = heights.latest;
    let id = call.id.clone();
    let error = |code: i64, message: &str| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    match call.method.as_str() {
        "eth_blockNumber" => healthy["result"] = quantity(head),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            let number = healthy.pointer("/result/number").and_then(height);
            if number.is_some_and(|number| number > head) {
                healthy["result"] = Value::Null;
            }
        }
        "eth_getLogs" => {
            if says_so && call.range().is_some_and(|(_, to)| to > head) {
                return error(-32602, "block range extends beyond current head block");
            }
            let past = call.range().is_some_and(|(from, _)| from > head);
            let mut logs = healthy["result"].as_array().cloned().unwrap_or_default();
            logs.retain(|log| !past && height(&log["blockNumber"]).is_some_and(|at| at <= head));
            if past || healthy.get("result").is_some() {
                return json!({ "jsonrpc": "2.0", "id": id, "result": logs });
            }
        }
        _ => {
            let at = call.params.get(1).and_then(height);
            if at.is_some_and(|at| at > head) {
                return error(-32000, "header not found");
            }
        }
    }
    healthy
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHTS: Heights = Heights { latest: 10, safe: 8, finalized: 4 };

    fn call(method: &str, params: Value) -> Call {
        Call { id: json!(1), method: method.to_owned(), params }
    }

    fn result(result: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": 1, "result": result })
    }

    #[test]
    fn a_node_behind_names_lower_heights() {
        let high = Heights { latest: 100, safe: 98, finalized: 2 };
        assert_eq!(high.behind(5), Heights { latest: 95, safe: 93, finalized: 0 });
        assert_eq!(high.no_higher(95), high.behind(5));
        assert_eq!(high.no_higher(200), high);
    }

    #[test]
    fn names_of_heights_are_resolved_wherever_they_stand() {
        let asked = |method, params| ask(&call(method, params), HEIGHTS).params;
        assert_eq!(asked("eth_getBlockByNumber", json!(["latest", false])), json!(["0xa", false]));
        assert_eq!(asked("eth_call", json!([{}, "finalized"])), json!([{}, "0x4"]));
        let range = json!([{ "fromBlock": "0x1", "toBlock": "0x14" }]);
        let clipped = json!([{ "fromBlock": "0x1", "toBlock": "0xa" }]);
        assert_eq!(asked("eth_getLogs", range), clipped);
    }

    #[test]
    fn blocks_that_it_lacks_do_not_exist() {
        let head =
            answer(&call("eth_blockNumber", json!([])), result(&json!("0x14")), HEIGHTS, false);
        assert_eq!(head["result"], "0xa");
        for (number, known) in [("0xa", true), ("0xb", false)] {
            let block = result(&json!({ "number": number }));
            let block = answer(&call("eth_getBlockByHash", json!(["0x"])), block, HEIGHTS, false);
            assert_eq!(!block["result"].is_null(), known);
        }
        let state =
            answer(&call("eth_call", json!([{}, "0xb"])), result(&json!("0x")), HEIGHTS, false);
        assert_eq!(state["error"]["message"], "header not found");
    }

    #[test]
    fn of_blocks_that_it_lacks_it_has_no_logs_or_says_so() {
        let log = |number: &str| json!({ "blockNumber": number });
        let logs = |from, to, says_so| {
            let call = call("eth_getLogs", json!([{ "fromBlock": from, "toBlock": to }]));
            let healthy = result(&json!([log("0x9"), log("0xa"), log("0xb")]));
            answer(&call, healthy, HEIGHTS, says_so)
        };
        assert_eq!(logs("0x1", "0x14", false)["result"], json!([log("0x9"), log("0xa")]));
        assert_eq!(logs("0xb", "0x14", false)["result"], json!([]));
        assert_eq!(logs("0x1", "0x14", true)["error"]["code"], -32602);
        let by_hash = call("eth_getLogs", json!([{ "blockHash": "0x" }]));
        let healthy = result(&json!([log("0xb")]));
        assert_eq!(answer(&by_hash, healthy, HEIGHTS, false)["result"], json!([]));
    }
}
