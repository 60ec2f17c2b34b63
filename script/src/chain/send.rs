//! One transaction: prepared and priced, signed, handed to the node, and waited for.

use super::{CallError, Cost, Key, Node, fees, say};
use alloy::{
    consensus::TypedTransaction,
    eips::eip2718::Encodable2718,
    network::{Ethereum, NetworkTransactionBuilder, NetworkWallet, TransactionBuilder},
    primitives::{Address, B256, Bytes},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use eyre::{Result, WrapErr, bail, eyre};
use std::time::{Duration, Instant};

/// A transaction that only lacks its signature.
#[derive(Clone, Debug)]
pub struct Prepared {
    unsigned: TypedTransaction,
    /// Who sends it.
    pub sender: Address,
    /// The sender's nonce.
    pub nonce: u64,
    /// What it costs.
    pub cost: Cost,
}

/// A signed transaction. It is no secret: whoever has it can only send it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its hash, by which it can be found from now on.
    pub hash: B256,
    raw: Vec<u8>,
}

/// What is left of a transaction that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub hash: B256,
    /// The block's height.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// Who sent it.
    pub sender: Address,
    /// Whether it did anything; a transaction that reverted only cost its sender gas.
    pub succeeded: bool,
}

/// How long to wait for a transaction.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Waiting {
    /// Seconds to wait for the transaction to be in a block before giving up; it is not lost then
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
}

/// Estimates, prices and completes a call of `to` by `sender`.
pub async fn prepare(
    node: &Node,
    sender: Address,
    to: Address,
    input: Bytes,
) -> Result<Prepared, CallError> {
    let request = TransactionRequest::default().with_from(sender).with_to(to).with_input(input);
    let gas = node.estimate(request.clone()).await?;
    complete(node, sender, request, gas).await.map_err(CallError::Failed)
}

async fn complete(
    node: &Node,
    sender: Address,
    request: TransactionRequest,
    gas: u64,
) -> Result<Prepared> {
    let (price, max_price, tip) = fees::prices(node).await?;
    let nonce = node.provider().get_transaction_count(sender).pending().await;
    let nonce = nonce.map_err(|error| node.explain("eth_getTransactionCount", &error))?;
    let gas_limit = fees::limit_for(gas);
    let request = request
        .with_chain_id(node.chain_id())
        .with_nonce(nonce)
        .with_gas_limit(gas_limit)
        .with_max_fee_per_gas(max_price)
        .with_max_priority_fee_per_gas(tip);
    let unsigned = request.build_unsigned().map_err(|error| eyre!("{}", error.error))?;
    let l1_fee = fees::l1_fee(node, &unsigned).await?;
    let cost = Cost { gas, gas_limit, price, max_price, tip, l1_fee };
    Ok(Prepared { unsigned, sender, nonce, cost })
}

impl Prepared {
    /// Signs it. Nothing is sent yet.
    pub async fn sign(self, key: &Key) -> Result<Signed> {
        let signed = NetworkWallet::<Ethereum>::sign_transaction_from(
            key.wallet(),
            self.sender,
            self.unsigned,
        );
        let signed = signed.await.wrap_err("the key did not sign")?;
        Ok(Signed { hash: *signed.tx_hash(), raw: signed.encoded_2718() })
    }
}

/// Hands it to the node. Success means that the node has it; it is in no block yet.
pub async fn broadcast(node: &Node, signed: &Signed) -> Result<()> {
    match node.provider().send_raw_transaction(&signed.raw).await {
        Ok(_) => Ok(()),
        Err(error) => {
            // The answer may be lost where the transaction is not.
            if node.knows_transaction(signed.hash).await.unwrap_or(false) {
                return Ok(());
            }
            Err(node.explain("eth_sendRawTransaction", &error))
        }
    }
}

/// The transaction's receipt, where it is in a block.
pub(crate) async fn receipt(node: &Node, hash: B256) -> Result<Option<Receipt>> {
    let receipt = node.provider().get_transaction_receipt(hash).await;
    let receipt = receipt.map_err(|error| node.explain("eth_getTransactionReceipt", &error))?;
    Ok(receipt.and_then(|receipt| {
        Some(Receipt {
            hash,
            block: receipt.block_number?,
            block_hash: receipt.block_hash?,
            sender: receipt.from,
            succeeded: receipt.status(),
        })
    }))
}

/// Waits until the transaction is in a block, and says on standard error that it does.
pub async fn await_receipt(node: &Node, hash: B256, waiting: Waiting) -> Result<Receipt> {
    /// Seconds between two lines of progress.
    const EVERY: u64 = 10;
    say(format!("waiting for {hash}"));
    let (began, mut said) = (Instant::now(), 0);
    loop {
        let failure = match receipt(node, hash).await {
            Ok(Some(receipt)) => return Ok(receipt),
            Ok(None) => None,
            // The node may come back; the transaction is out in any case.
            Err(error) => Some(error),
        };
        let waited = began.elapsed().as_secs();
        if began.elapsed() >= Duration::from_secs(waiting.timeout) {
            let found = failure.map_or_else(String::new, |error| format!(" ({error:#})"));
            bail!(
                "{hash} is in no block after {waited} s{found} (--timeout). It may still come \
                 into one"
            );
        }
        if waited / EVERY > said {
            said = waited / EVERY;
            let found = failure.map_or_else(String::new, |error| format!(": {error:#}"));
            say(format!("still waiting, {waited} s{found}"));
        }
        tokio::time::sleep(node.poll_interval()).await;
    }
}
