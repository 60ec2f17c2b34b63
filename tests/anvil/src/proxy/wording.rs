//! How public nodes say that a range of blocks is too large.
//!
//! After error reports and the patterns that other indexers look for, not all of them word for word.
//! Providers change their words and codes at will, which is the point: none of them is a contract.

use super::{
    call::{Call, quantity},
    fault::Suggestion,
};
use serde_json::{Value, json};

/// What one provider says.
#[derive(Debug, PartialEq, Eq)]
pub struct RangeWording {
    /// Who says it.
    pub provider: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
    /// JSON-RPC's code.
    pub code: i64,
    /// The message. `{from}` and `{to}` stand for the range that is suggested, `{most}` for the
    /// number of blocks that is allowed.
    pub message: &'static str,
}

const fn says(
    provider: &'static str,
    status: u16,
    code: i64,
    message: &'static str,
) -> RangeWording {
    RangeWording { provider, status, code, message }
}

/// What is said, by many providers.
pub const RANGE_WORDINGS: &[RangeWording] = &[
    says(
        "Alchemy",
        200,
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a {most} block \
         range and no limit on the response size, or you can request any block range with a cap of \
         10K logs in the response. Based on your parameters and the response size limit, this \
         block range should work: [{from}, {to}]",
    ),
    says(
        "Alchemy, free",
        400,
        -32600,
        "Under the Free tier plan, you can make eth_getLogs requests with up to a {most} block \
         range. Based on your parameters, this block range should work: [{from}, {to}]. Upgrade to \
         PAYG for expanded block range.",
    ),
    says(
        "Alchemy, slow",
        400,
        -32000,
        "Query timeout exceeded. Consider reducing your block range. Based on your parameters and \
         the response size limit, this block range should work: [{from}, {to}]",
    ),
    says(
        "Infura",
        200,
        -32005,
        "query returned more than 10000 results. Try with this block range [{from}, {to}].",
    ),
    says("QuickNode", 413, -32614, "eth_getLogs is limited to a {most} range"),
    says("Ankr", 200, -32600, "block range is too wide"),
    says("Ankr, results", 200, -32000, "query exceeds max results 20000, retry with the range"),
    says(
        "Chainstack",
        200,
        -32602,
        "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits",
    ),
    says("dRPC", 400, 35, "ranges over {most} blocks are not supported on freetier"),
    says("publicnode", 200, -32701, "exceed maximum block range: {most}"),
    says("BlockPI", 200, -32602, "eth_getLogs is limited to {most} block range"),
    says(
        "Cloudflare",
        200,
        -32047,
        "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: {most}",
    ),
    says("Base", 200, -32614, "eth_getLogs is limited to a {most} range"),
    says("Base, earlier", 413, -32000, "block range too large"),
    says("Coinbase", 200, -32602, "please limit the query to at most {most} blocks"),
    says("proxyd", 400, -32602, "block range greater than {most} max"),
    says("proxyd, size", 500, -32020, "backend response too large"),
    says("thirdweb", 200, -32602, "Maximum allowed number of requested blocks is {most}"),
    says("1RPC", 200, -32000, "response size should not greater than 10000000 bytes"),
    says("Merkle", 200, -32602, "eth_getLogs range is too large, max is {most} blocks"),
    says("geth", 200, -32602, "exceed maximum block range: {most}"),
    says("geth, slow", 200, -32002, "request timed out"),
    says("Arbitrum", 200, -32000, "logs matched by query exceeds limit of 10000"),
    says("reth", 200, -32602, "query exceeds max block range {most}"),
    says("reth, results", 200, -32602, "query exceeds max results 20000"),
    says("Erigon", 200, -32000, "query block range exceeds server limit"),
    says("Nethermind", 200, -32005, "Requested range exceeds the maximum of {most} blocks"),
    says("Besu", 200, -32000, "Requested range exceeds maximum range limit"),
    says(
        "Avalanche",
        200,
        -32000,
        "requested too many blocks from {from} to {to}, maximum is set to {most}",
    ),
    says("Moonbeam", 200, -32603, "block range is too wide (maximum {most})"),
    says(
        "LlamaRPC",
        200,
        -32005,
        "query exceeds limit of the range allowed for your plan (> {most})",
    ),
];

impl RangeWording {
    /// The error that answers `call`, which asks for a range of more than `most` blocks.
    pub(super) fn refuse(&self, (from, to): (u64, u64), most: u64, suggests: Suggestion) -> Value {
        let (from, to) = match suggests {
            Suggestion::Smaller => (from, from + most.saturating_sub(1)),
            Suggestion::Same => (from, to),
            Suggestion::Larger => (from, to + most),
            Suggestion::Inverted => (to, from),
        };
        let hex = |number| quantity(number).as_str().unwrap_or_default().to_owned();
        let message = self
            .message
            .replace("{from}", &hex(from))
            .replace("{to}", &hex(to))
            .replace("{most}", &most.to_string());
        json!({ "code": self.code, "message": message })
    }
}

/// The blocks of `call`'s range, where it is one of more than `most` blocks.
pub(super) fn too_large(call: &Call, most: u64) -> Option<(u64, u64)> {
    call.range().filter(|&(from, to)| to.saturating_sub(from) >= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(from: &str, to: &str) -> Call {
        let params = json!([{ "fromBlock": from, "toBlock": to }]);
        Call { id: json!(1), method: "eth_getLogs".to_owned(), params }
    }

    #[test]
    fn a_range_is_too_large_from_one_block_more_than_the_most_on() {
        assert_eq!(too_large(&logs("0x1", "0xa"), 10), None);
        assert_eq!(too_large(&logs("0x1", "0xb"), 10), Some((1, 11)));
    }

    #[test]
    fn every_wording_is_filled_in() {
        for wording in RANGE_WORDINGS {
            let error = wording.refuse((1, 100), 10, Suggestion::Smaller).to_string();
            assert!(!error.contains('{') || error.starts_with('{'), "{error}");
            for hole in ["{from}", "{to}", "{most}"] {
                assert!(!error.contains(hole), "{}: {error}", wording.provider);
            }
        }
    }

    #[test]
    fn a_suggestion_can_be_of_no_use() {
        let suggests = |suggestion| {
            let error = RANGE_WORDINGS[0].refuse((16, 32), 4, suggestion);
            error["message"].as_str().and_then(|text| text.rsplit_once('[')).unwrap().1.to_owned()
        };
        assert_eq!(suggests(Suggestion::Smaller), "0x10, 0x13]");
        assert_eq!(suggests(Suggestion::Same), "0x10, 0x20]");
        assert_eq!(suggests(Suggestion::Larger), "0x10, 0x24]");
        assert_eq!(suggests(Suggestion::Inverted), "0x20, 0x10]");
    }
}
