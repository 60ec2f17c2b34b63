//! What nodes say when a range of logs is too large for them.
//!
//! There is no common code or wording. What is known is listed here with the provider it was seen
//! at; what is not known is treated as "ask for less" all the same (see `error.rs`), so the list
//! only decides what is learned from a refusal.

/// What a range was too large in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLargeIn {
    /// It spans more blocks than the node allows, wherever it lies.
    Blocks,
    /// It holds more logs, or would take longer, than the node allows: another range of the same
    /// length may be fine.
    Answer,
}
use TooLargeIn::{Answer, Blocks};

/// Parts of refusals, in lower case. The first that occurs decides.
const KNOWN: &[(&str, TooLargeIn)] = &[
    // Answers that would be too long.
    ("query returned more than", Answer), // Infura, Erigon, zkSync
    ("log response size exceeded", Answer), // Alchemy
    ("response size exceeded", Answer),   // Alchemy, drpc
    ("response size should not", Answer), // Chainstack
    ("response is too big", Answer),      // Arbitrum
    ("backend response too large", Answer), // Optimism's proxyd
    ("response too large", Answer),       // OnFinality, BlockPI
    ("query exceeds max results", Answer), // LlamaNodes
    ("logs matched by query exceeds limit", Answer), // Fantom
    ("query timeout exceeded", Answer),   // geth, Ankr
    ("query timed out", Answer),          // Nethermind, Gnosis
    ("timed out", Answer),
    ("too many logs", Answer),                 // Erigon
    ("exceeds the max limit of logs", Answer), // Besu
    ("results in too many", Answer),
    // Spans that are too wide.
    ("block range", Blocks), // publicnode, Ankr, 1RPC, Blast, QuickNode, Base
    ("range of blocks", Blocks),
    ("blocks range", Blocks),      // NodeReal
    ("exceeds the range", Blocks), // BNB chain
    ("range exceeds", Blocks),     // Besu
    ("range is too", Blocks),
    ("range too", Blocks),         // Cloudflare
    ("limited to a", Blocks),      // QuickNode: "eth_getLogs is limited to a 10,000 range"
    ("limited to 0 -", Blocks),    // Cronos
    ("too many blocks", Blocks),   // Harmony, Chainstack
    ("maximum is set to", Blocks), // Polygon's bor
    ("ranges over", Blocks),       // drpc: "ranges over 10000 blocks are not supported"
    ("max range", Blocks),
    ("maximum range", Blocks),
    ("exceed maximum", Blocks),
];

/// What `message` says was too large, where it is known to say so.
pub(super) fn known(message: &str) -> Option<TooLargeIn> {
    let message = message.to_lowercase();
    KNOWN.iter().find(|(part, _)| message.contains(part)).map(|(_, kind)| *kind)
}

/// The number of blocks of the range that `message` suggests (`[0x10, 0x1f]` is 16), as Alchemy's
/// and Infura's do. An inverted one is none.
pub(super) fn suggested(message: &str) -> Option<u64> {
    let (_, range) = message.rsplit_once("[0x")?;
    let (from, rest) = range.split_once(',')?;
    let (to, _) = rest.trim().strip_prefix("0x")?.split_once(']')?;
    let number = |digits: &str| u64::from_str_radix(digits.trim(), 16).ok();
    number(to)?.checked_sub(number(from)?)?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_seen_at_providers_are_told_apart() {
        let seen = [
            ("query returned more than 10000 results", Some(Answer)),
            (
                "query returned more than 10000 results. Try with this block range [0x1, 0x2].",
                Some(Answer),
            ),
            (
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
                Some(Answer),
            ),
            ("backend response too large", Some(Answer)),
            ("query timeout exceeded", Some(Answer)),
            ("query exceeds max results 20000, retry with the range 1-2", Some(Answer)),
            ("eth_getLogs is limited to a 10,000 range", Some(Blocks)),
            ("block range is too wide", Some(Blocks)),
            ("Block range limit exceeded. See more details", Some(Blocks)),
            ("exceed maximum block range: 50000", Some(Blocks)),
            ("requested too many blocks from 1 to 20000, maximum is set to 10000", Some(Blocks)),
            ("ranges over 10000 blocks are not supported on freetier", Some(Blocks)),
            ("eth_getLogs block range too large, range: 20000, max: 10000", Some(Blocks)),
            ("Requested range exceeds maximum RPC range limit", Some(Blocks)),
            ("execution aborted", None),
        ];
        for (message, kind) in seen {
            assert_eq!(known(message), kind, "{message}");
        }
    }

    #[test]
    fn a_suggested_range_counts_unless_it_is_inverted_or_no_range() {
        assert_eq!(suggested("this block range should work: [0x10, 0x1f]"), Some(16));
        assert_eq!(suggested("Try with this block range [0x5,0x5]."), Some(1));
        assert_eq!(suggested("this block range should work: [0x1f, 0x10]"), None);
        assert_eq!(suggested("this block range should work: [0x1f"), None);
        assert_eq!(suggested("[0x0, 0xffffffffffffffff]"), None);
        assert_eq!(suggested("no range"), None);
    }
}
