//! Where a contract comes from that somebody else deployed.

use crate::chain::{Node, Receipt, receipt};
use alloy::{
    primitives::{Address, B256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use eyre::Result;
use luxxon_bindings::settlement::LuxxonSettlement::OwnershipTransferred;

/// The block, transaction and sender of a deployment, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The block's height.
    pub block: Option<u64>,
    /// The block's hash.
    pub block_hash: Option<B256>,
    /// The transaction.
    pub tx_hash: Option<B256>,
    /// Who sent the transaction.
    pub deployer: Option<Address>,
}

impl From<Receipt> for Origin {
    fn from(receipt: Receipt) -> Self {
        Self {
            block: Some(receipt.block),
            block_hash: Some(receipt.block_hash),
            tx_hash: Some(receipt.hash),
            deployer: Some(receipt.sender),
        }
    }
}

/// Looks for the deployment of `address`: by the log its constructor leaves, in the whole chain at
/// once where the node searches that far; else by the first block with its code, where the node
/// still has the state of old blocks. What is not found is `None`; only a node that does not answer
/// at all is an error.
pub async fn find(node: &Node, address: Address) -> Result<Origin> {
    let head = node.provider().get_block_number().await;
    let head = head.map_err(|error| node.explain("eth_blockNumber", &error))?;
    let log = match constructor_log(node, address, 0, head).await {
        Some(log) => Some(log),
        None => match first_with_code(node, address, head).await {
            Some(block) => match constructor_log(node, address, block, block).await {
                Some(log) => Some(log),
                None => return Ok(Origin { block: Some(block), ..Origin::default() }),
            },
            None => None,
        },
    };
    let Some(tx_hash) = log.and_then(|log| log.transaction_hash) else {
        return Ok(Origin::default());
    };
    Ok(receipt(node, tx_hash).await?.map(Origin::from).unwrap_or_default())
}

/// The log by which the constructor names the first owner: the only one with zero before.
async fn constructor_log(node: &Node, address: Address, from: u64, to: u64) -> Option<Log> {
    let filter = Filter::new()
        .address(address)
        .event_signature(OwnershipTransferred::SIGNATURE_HASH)
        .topic1(B256::ZERO)
        .from_block(from)
        .to_block(to);
    node.provider().get_logs(&filter).await.ok()?.into_iter().next()
}

/// The first block after which `address` has code. Code, once there, stays.
async fn first_with_code(node: &Node, address: Address, head: u64) -> Option<u64> {
    let (mut without, mut with) = (0, head);
    while without < with {
        let middle = without + (with - without) / 2;
        if node.code(address, Some(middle)).await.ok()?.is_empty() {
            without = middle + 1;
        } else {
            with = middle;
        }
    }
    Some(with)
}
