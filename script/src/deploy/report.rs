//! What is said before and after.

use super::Record;
use crate::{
    chain::{Ether, Node, Prepared, known, seconds_as_text},
    contract::Deployment,
};
use alloy::primitives::U256;
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A transaction of this run, or of one before it that was resumed, deployed the contract.
    Deployed,
    /// Somebody else had deployed it; now there is a record.
    Found,
    /// The contract and its record were there, and nothing was changed.
    Unchanged,
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Where the record is.
    pub record_path: PathBuf,
    /// The record.
    pub record: Record,
    /// What was warned about.
    pub warnings: Vec<String>,
    /// In which ways the contract is not any more as it was configured.
    pub notes: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { address, block, tx_hash, .. } = &self.record;
        let block = block.map_or("an unknown block".to_owned(), |block| format!("block {block}"));
        match self.outcome {
            Outcome::Deployed => write!(f, "deployed: LuxxonSettlement at {address}, in {block}")?,
            Outcome::Found => write!(
                f,
                "found: somebody else has deployed LuxxonSettlement at {address}, in {block}"
            )?,
            Outcome::Unchanged => write!(
                f,
                "nothing to do: LuxxonSettlement stands at {address} since {block}, and the record \
                 says so"
            )?,
        }
        match tx_hash {
            Some(hash) => write!(f, "\n  transaction  {hash}")?,
            None => {
                write!(f, "\n  transaction  not found: the node does not search that far back")?;
            }
        }
        write!(f, "\n  code         as in bindings/artifacts, byte for byte")?;
        write!(f, "\n  record       {}", self.record_path.display())?;
        for note in &self.notes {
            write!(f, "\n  note         {note}; see `luxxon roles`")?;
        }
        Ok(())
    }
}

/// What is going to be done, and what it costs.
pub(super) fn plan(
    node: &Node,
    deployment: &Deployment,
    prepared: &Prepared,
    balance: U256,
) -> String {
    let chain_id = node.chain_id();
    let name = known(chain_id).map_or("an unknown chain", |known| known.name);
    let args = &deployment.args;
    let mut lines = vec![
        format!(
            "LuxxonSettlement on {name}, chain {chain_id}, through the node at {}",
            node.name()
        ),
        format!("address    {}", deployment.address),
        format!("USDC       {}", args.usdc),
        format!("owner      {}", args.owner),
        format!("relayer    {}", args.relayer),
        format!("pauser     {}", args.pauser),
        format!("platform   {}", args.platform_wallet),
        format!("delay      {}", seconds_as_text(args.relayer_delay)),
        format!("sender     {}, has {}", prepared.sender, Ether(balance)),
    ];
    lines.extend(prepared.cost.lines());
    lines.join("\n  ")
}
