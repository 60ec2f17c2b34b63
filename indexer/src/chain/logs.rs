//! Checks on a node's answer to `eth_getLogs`, as functions of the answer.

use super::{ChainError, Header, wire::RpcLog};
use crate::ledger::{Position, RawLog};
use alloy::primitives::{B256, Log, LogData};
use std::collections::{BTreeMap, btree_map::Entry};

/// A block that holds logs, as the logs themselves name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogBlock {
    pub(super) hash: B256,
    /// Some nodes give the block's time with each log.
    pub(super) timestamp: Option<u64>,
}

/// Logs in the order of the chain, each once, and the blocks they stand in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Collected {
    pub(super) logs: Vec<RawLog>,
    pub(super) blocks: BTreeMap<u64, LogBlock>,
}

/// Orders what the node answered for the blocks `first` to `last` and drops exact repetitions.
///
/// Refused are logs of pending blocks, removed logs, logs outside the blocks asked for, two hashes
/// for one block, a hash or a time that is not the header's, and two different logs in one place.
pub(super) fn collect(
    answer: Vec<RpcLog>,
    first: &Header,
    last: &Header,
) -> Result<Collected, ChainError> {
    let mut collected = Collected::default();
    let mut logs: BTreeMap<Position, RawLog> = BTreeMap::new();
    for log in answer {
        let (raw, block) = mined(log)?;
        let position = raw.position;
        if !(first.number..=last.number).contains(&position.block) {
            return Err(inconsistent(position, "it is outside the blocks asked for"));
        }
        for header in [first, last] {
            if header.number != position.block {
                continue;
            }
            if header.hash != block.hash {
                return Err(inconsistent(position, "its block's hash is not the header's"));
            }
            if block.timestamp.is_some_and(|timestamp| timestamp != header.timestamp) {
                return Err(inconsistent(position, "its block's time is not the header's"));
            }
        }
        match collected.blocks.entry(position.block) {
            Entry::Occupied(known) if known.get().hash != block.hash => {
                return Err(inconsistent(position, "two logs give its block two hashes"));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(slot) => {
                slot.insert(block);
            }
        }
        match logs.entry(position) {
            Entry::Occupied(known) if *known.get() != raw => {
                return Err(inconsistent(position, "two different logs stand there"));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(slot) => {
                slot.insert(raw);
            }
        }
    }
    collected.logs = logs.into_values().collect();
    Ok(collected)
}

fn mined(log: RpcLog) -> Result<(RawLog, LogBlock), ChainError> {
    let (Some(block), Some(hash), Some(index), Some(tx_hash)) =
        (log.block_number, log.block_hash, log.log_index, log.transaction_hash)
    else {
        return Err(ChainError::Inconsistent("a log of a pending block".to_owned()));
    };
    let (block, index) = (block.to(), index.to::<u64>());
    let log_index = u32::try_from(index)
        .map_err(|_| ChainError::Inconsistent(format!("block {block}: log index {index}")))?;
    let position = Position { block, log_index };
    if log.removed {
        return Err(inconsistent(position, "it is marked as removed"));
    }
    if hash == B256::ZERO || tx_hash == B256::ZERO {
        return Err(inconsistent(position, "its hashes are zero"));
    }
    let data = LogData::new(log.topics, log.data)
        .ok_or_else(|| inconsistent(position, "it has more than four topics"))?;
    let raw = RawLog { position, tx_hash, log: Log { address: log.address, data } };
    Ok((raw, LogBlock { hash, timestamp: log.block_timestamp.map(|time| time.to()) }))
}

fn inconsistent(at: Position, what: &str) -> ChainError {
    ChainError::Inconsistent(format!("block {}, log {}: {what}", at.block, at.log_index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, Bytes, U64};

    fn header(number: u64) -> Header {
        let hash = |number: u64| B256::with_last_byte(u8::try_from(number).unwrap());
        Header { number, hash: hash(number), parent_hash: hash(number - 1), timestamp: number }
    }

    fn log(block: u64, index: u64) -> RpcLog {
        RpcLog {
            address: Address::ZERO,
            topics: Vec::new(),
            data: Bytes::new(),
            block_hash: Some(header(block).hash),
            block_number: Some(U64::from(block)),
            block_timestamp: None,
            transaction_hash: Some(B256::repeat_byte(1)),
            log_index: Some(U64::from(index)),
            removed: false,
        }
    }

    fn positions(answer: Vec<RpcLog>) -> Result<Vec<(u64, u32)>, String> {
        let collected = collect(answer, &header(5), &header(9)).map_err(|e| e.to_string())?;
        Ok(collected.logs.iter().map(|log| (log.position.block, log.position.log_index)).collect())
    }

    #[test]
    fn logs_come_out_in_the_order_of_the_chain_each_once() {
        let answer = vec![log(9, 0), log(5, 2), log(7, 1), log(5, 1), log(7, 1)];
        assert_eq!(positions(answer), Ok(vec![(5, 1), (5, 2), (7, 1), (9, 0)]));
    }

    #[test]
    fn an_empty_answer_is_an_answer() {
        assert_eq!(positions(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn what_was_not_asked_for_or_is_not_mined_is_refused() {
        let refused = |log: RpcLog, reason: &str| {
            let error = positions(vec![log]).unwrap_err();
            assert!(error.contains(reason), "{error}");
        };
        refused(log(4, 0), "outside the blocks");
        refused(log(10, 0), "outside the blocks");
        refused(RpcLog { removed: true, ..log(6, 0) }, "removed");
        refused(RpcLog { block_hash: None, ..log(6, 0) }, "pending");
        refused(RpcLog { block_hash: Some(B256::ZERO), ..log(6, 0) }, "zero");
        refused(RpcLog { block_hash: Some(B256::repeat_byte(7)), ..log(9, 0) }, "not the header's");
        refused(RpcLog { log_index: Some(U64::from(1u64 << 32)), ..log(6, 0) }, "log index");
        refused(
            RpcLog { block_timestamp: Some(U64::ZERO), ..log(9, 0) },
            "time is not the header's",
        );
    }

    #[test]
    fn two_hashes_for_one_block_or_two_logs_in_one_place_are_refused() {
        let other_hash = RpcLog { block_hash: Some(B256::repeat_byte(7)), ..log(6, 1) };
        let error = positions(vec![log(6, 0), other_hash]).unwrap_err();
        assert!(error.contains("two hashes"), "{error}");
        let other_log = RpcLog { transaction_hash: Some(B256::repeat_byte(2)), ..log(6, 0) };
        let error = positions(vec![log(6, 0), other_log]).unwrap_err();
        assert!(error.contains("two different logs"), "{error}");
    }
}
