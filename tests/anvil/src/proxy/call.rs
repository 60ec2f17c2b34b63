//! JSON-RPC calls, and which of them a rule is about.

use serde_json::Value;

/// One JSON-RPC call, as a client made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Echoed in the answer.
    pub id: Value,
    /// `eth_getLogs` and the like.
    pub method: String,
    /// An array, or null where there was none.
    pub params: Value,
}

/// Which calls a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Every call.
    All,
    /// The calls of one method.
    Of(&'static str),
    /// Every `eth_getLogs`.
    Logs,
    /// `eth_getLogs` of a range of blocks.
    RangeLogs,
    /// `eth_getLogs` of a range that begins with this block.
    RangeLogsFrom(u64),
    /// `eth_getLogs` of one block, by its hash.
    BlockLogs,
    /// Headers of blocks that are named by their height, not `latest` or `finalized`.
    HeaderByHeight,
    /// What a subscription sends by itself.
    Notifications,
    /// Websockets that are opened: no calls, but recorded and spoiled as if they were.
    Handshakes,
}

impl Call {
    /// Stands for a websocket that is opened.
    pub(super) fn handshake() -> Self {
        Self { id: Value::Null, method: "websocket".to_owned(), params: Value::Null }
    }

    /// The call that `value` is, if it is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: value.get("id").cloned().unwrap_or_default(),
            method: value.get("method")?.as_str()?.to_owned(),
            params: value.get("params").cloned().unwrap_or_default(),
        })
    }

    /// The call as a node is asked it.
    pub(super) fn to_json(&self) -> Value {
        let Self { id, method, params } = self;
        serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    /// The filter of an `eth_getLogs`.
    #[must_use]
    pub fn filter(&self) -> Option<&Value> {
        self.params.get(0).filter(|_| self.method == "eth_getLogs")
    }

    /// The first and the last block of an `eth_getLogs` of a range that names both by their height.
    #[must_use]
    pub fn range(&self) -> Option<(u64, u64)> {
        let filter = self.filter()?;
        Some((height(filter.get("fromBlock")?)?, height(filter.get("toBlock")?)?))
    }
}

impl Calls {
    /// Whether `call` is one of them.
    #[must_use]
    pub fn include(self, call: &Call) -> bool {
        let by_hash = || call.filter().map(|filter| filter.get("blockHash").is_some());
        match self {
            Self::All => true,
            Self::Of(method) => call.method == method,
            Self::Logs => by_hash().is_some(),
            Self::RangeLogs => by_hash() == Some(false),
            Self::RangeLogsFrom(first) => call.range().is_some_and(|(from, _)| from == first),
            Self::BlockLogs => by_hash() == Some(true),
            Self::HeaderByHeight => {
                call.method == "eth_getBlockByNumber"
                    && call.params.get(0).and_then(height).is_some()
            }
            Self::Notifications => call.method == "eth_subscription",
            Self::Handshakes => *call == Call::handshake(),
        }
    }
}

/// The number that a quantity is: `0x` and digits.
pub(super) fn height(quantity: &Value) -> Option<u64> {
    u64::from_str_radix(quantity.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// A number as a quantity.
pub(super) fn quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(method: &str, params: &Value) -> Call {
        Call::of(&json!({ "id": 1, "method": method, "params": params })).unwrap()
    }

    #[test]
    fn a_call_survives_its_json() {
        let call = call("eth_call", &json!([{}, "latest"]));
        assert_eq!(Call::of(&call.to_json()), Some(call));
        assert_eq!(Call::of(&json!({ "id": 1 })), None);
    }

    #[test]
    fn calls_are_told_apart_by_method_and_by_how_they_name_blocks() {
        let range = call("eth_getLogs", &json!([{ "fromBlock": "0x5", "toBlock": "0x1f" }]));
        let block = call("eth_getLogs", &json!([{ "blockHash": "0x00" }]));
        let header = call("eth_getBlockByNumber", &json!(["0x5", false]));
        let head = call("eth_getBlockByNumber", &json!(["latest", false]));
        let kinds =
            [Calls::All, Calls::Logs, Calls::RangeLogs, Calls::BlockLogs, Calls::HeaderByHeight];
        let of = |call: &Call| kinds.map(|kind| u8::from(kind.include(call)));
        assert_eq!(of(&range), [1, 1, 1, 0, 0]);
        assert_eq!(of(&block), [1, 1, 0, 1, 0]);
        assert_eq!(of(&header), [1, 0, 0, 0, 1]);
        assert_eq!(of(&head), [1, 0, 0, 0, 0]);
        assert!(Calls::Of("eth_getLogs").include(&range) && !Calls::Of("eth").include(&range));
        assert_eq!(range.range(), Some((5, 31)));
        assert_eq!((block.range(), header.range()), (None, None));
    }
}
