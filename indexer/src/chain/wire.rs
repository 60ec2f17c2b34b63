//! What nodes send, field by field. Fields that nobody needs are passed over unread.

use super::Header;
use alloy::primitives::{Address, B256, Bytes, U64};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcHeader {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
}

impl From<RpcHeader> for Header {
    fn from(header: RpcHeader) -> Self {
        Self {
            number: header.number.to(),
            hash: header.hash,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp.to(),
        }
    }
}

/// A log. Those of pending blocks have no hash or number.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcLog {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
    pub(super) block_hash: Option<B256>,
    pub(super) block_number: Option<U64>,
    /// Some nodes give the block's time with each log.
    #[serde(default)]
    pub(super) block_timestamp: Option<U64>,
    pub(super) transaction_hash: Option<B256>,
    pub(super) log_index: Option<U64>,
    #[serde(default)]
    pub(super) removed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{address, bytes};

    #[test]
    fn a_log_is_read_whole_and_what_is_unknown_passed_over() {
        let text = r#"{
            "address": "0x5e771e0000000000000000000000000000000001",
            "topics": ["0x0000000000000000000000000000000000000000000000000000000000000007"],
            "data": "0x0102",
            "blockHash": "0x0000000000000000000000000000000000000000000000000000000000000009",
            "blockNumber": "0x10",
            "blockTimestamp": "0x65",
            "transactionHash": null,
            "transactionIndex": "0x1",
            "logIndex": "0x3",
            "removed": false,
            "l1BatchNumber": null
        }"#;
        let log: RpcLog = serde_json::from_str(text).unwrap();
        assert_eq!(log.address, address!("0x5e771e0000000000000000000000000000000001"));
        assert_eq!(log.topics, [B256::with_last_byte(7)]);
        assert_eq!(log.data, bytes!("0x0102"));
        assert_eq!(log.block_hash, Some(B256::with_last_byte(9)));
        let numbers = [log.block_number, log.block_timestamp, log.log_index];
        assert_eq!(
            numbers.map(|number| number.map(|number| number.to::<u64>())),
            [Some(16), Some(101), Some(3)]
        );
        assert_eq!(log.transaction_hash, None);
        assert!(!log.removed);
    }

    #[test]
    fn a_header_keeps_what_links_it() {
        let text = r#"{
            "number": "0x2", "timestamp": "0x5", "miner": "0x00", "transactions": [],
            "hash": "0x0000000000000000000000000000000000000000000000000000000000000002",
            "parentHash": "0x0000000000000000000000000000000000000000000000000000000000000001"
        }"#;
        let header: Header = serde_json::from_str::<RpcHeader>(text).unwrap().into();
        assert_eq!((header.number, header.timestamp), (2, 5));
        assert_eq!([header.hash, header.parent_hash], [2, 1].map(B256::with_last_byte));
    }
}
