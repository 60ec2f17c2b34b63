//! `luxxon audit`: the invariants of a live deployment, from its logs.
//!
//! The logs are read once, in their order, and kept nowhere. What follows from each is a function of
//! values ([`History`]); in the end the contract's state after the last block is compared with it.

mod args;
mod check;
mod fact;
mod history;
mod judge;
mod limits;
mod money;
mod progress;
mod read;
mod report;
mod roles;
mod violation;

#[cfg(test)]
mod tests;

pub use args::{AuditArgs, LastBlock};
pub use check::{Check, Counts};
pub use history::History;
pub use report::{Report, State};
pub use roles::{Change, Roles};
pub use violation::{At, Place, Violation};

use crate::{
    chain::{NetworkArgs, Node, Usage, block_on, known, print},
    contract,
    deploy::{Record, find as find_origin},
};
use alloy::primitives::{Address, U256};
use eyre::{Result, ensure, eyre};
use luxxon_bindings::build::runtime_code;
use luxxon_indexer::{
    chain::{Header, Providers},
    ledger::Deployment,
};
use progress::Progress;
use serde_json::json;
use std::fmt;

/// An audit that found a violation. The program ends with code 3.
#[derive(Debug)]
pub struct Violated(pub Violation);

impl fmt::Display for Violated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { check, found, .. } = &self.0;
        write!(f, "{} does not hold: {found}", check.numbers())?;
        match self.0.tx_hash() {
            Some(tx_hash) => write!(f, " (transaction {tx_hash})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Violated {}

/// Audits, and prints a report or the first violation.
pub fn run(args: &AuditArgs) -> Result<()> {
    block_on(audit(args))
}

async fn audit(args: &AuditArgs) -> Result<()> {
    let network = args.network()?;
    let (url, expected) = network.target()?;
    let node = Node::connect(url.clone(), expected).await?;
    let chain_id = node.chain_id();
    let address = match args.address {
        Some(address) => address,
        None => Record::only(&network.folder()?, chain_id)?,
    };
    let report = examine(args, &network, &node, &Providers::at(url)?, address).await;
    match &report {
        Ok(report) if args.json => print(report.json())?,
        Ok(report) => print(report)?,
        Err(error) => {
            if let Some(Violated(violation)) = error.downcast_ref() {
                if args.json {
                    let violation = violation.json();
                    let address = address.to_string();
                    print(json!({
                        "result": "violation",
                        "chainId": chain_id,
                        "address": address,
                        "violation": violation,
                    }))?;
                } else {
                    print(violation)?;
                }
            }
        }
    }
    match report?.state {
        State::Compared { .. } => Ok(()),
        State::Unavailable(_) => Err(eyre!(
            "the node does not have the state after the last block: ask an archive node, or say \
             --block latest"
        )),
    }
}

async fn examine(
    args: &AuditArgs,
    network: &NetworkArgs,
    node: &Node,
    providers: &Providers,
    address: Address,
) -> Result<Report> {
    let mut progress = Progress::new();
    let getters = contract::State::read(node, address, None).await?;
    check_usdc(node.chain_id(), getters.usdc)?;
    let deploy_block = deploy_block(args, network, node, address).await?;
    let last = last_block(providers, args.block).await?.block();
    ensure!(
        last.number >= deploy_block,
        "the contract was deployed in block {deploy_block}, but the last block to read is {}: \
         say --block latest",
        last.number
    );
    let deployment = Deployment { settlement: address, usdc: getters.usdc, deploy_block };
    let mut history = History::new(deployment, getters.relayer_delay);
    read::logs(providers, &mut history, last, &mut progress).await?;
    let state = read::state(node, providers, &history, last, &mut progress).await?;
    let mut report = Report::of(history, node.chain_id(), last, state);
    let code = runtime_code(getters.usdc, U256::from(getters.relayer_delay));
    report.code_is_ours = node.code(address, None).await? == code;
    Ok(report)
}

/// Refuses another token than Circle's where that is known: whoever made it decides what it is worth.
fn check_usdc(chain_id: u64, usdc: Address) -> Result<()> {
    match known(chain_id).and_then(|known| known.usdc) {
        Some(real) if real != usdc => Err(eyre!(
            "the contract's USDC is {usdc}, and Circle's on chain {chain_id} is {real}: the contract \
             may keep every invariant, of a token that is worth nothing"
        )),
        _ => Ok(()),
    }
}

/// The block that was said, that the node finds, or that is recorded.
async fn deploy_block(
    args: &AuditArgs,
    network: &NetworkArgs,
    node: &Node,
    address: Address,
) -> Result<u64> {
    if let Some(block) = args.deploy_block {
        return Ok(block);
    }
    if let Some(block) = find_origin(node, address).await?.block {
        return Ok(block);
    }
    let folder = network.folder().ok();
    let record = folder.map(|folder| Record::read(&folder, node.chain_id(), address));
    let block = record.transpose()?.flatten().and_then(|record| record.block);
    block.ok_or_else(|| {
        let what = "the node does not tell where the contract was deployed: say --deploy-block";
        Usage(what.to_owned()).into()
    })
}

async fn last_block(providers: &Providers, last: LastBlock) -> Result<Header> {
    Ok(match last {
        LastBlock::Finalized => providers.heads().await?.finalized,
        LastBlock::Safe => providers.heads().await?.safe,
        LastBlock::Latest => providers.heads().await?.latest,
        LastBlock::Number(number) => providers
            .header(number)
            .await?
            .ok_or_else(|| eyre!("the node does not have block {number} (--block)"))?,
    })
}
