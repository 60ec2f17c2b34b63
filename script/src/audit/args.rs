use crate::chain::{Network, NetworkArgs, RpcUrl, Usage, checksummed};
use alloy::primitives::Address;
use clap::Args;
use eyre::Result;
use std::{path::PathBuf, str::FromStr};

/// Which deployment, and up to which block.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// base, base-sepolia, devnet, or the URL of a node; not needed with --rpc-url
    #[arg(long, value_name = "NAME|URL", required_unless_present = "rpc_url")]
    pub network: Option<Network>,

    /// The node to read from: best one with the state of old blocks. May hold a provider's key: prefer
    /// the environment
    #[arg(
        long,
        visible_alias = "rpc",
        value_name = "URL",
        env = "LUXXON_RPC_URL",
        hide_env_values = true
    )]
    pub rpc_url: Option<RpcUrl>,

    /// Where records are; by default `deployments` in the checkout around the current folder
    #[arg(long, value_name = "DIR")]
    pub deployments: Option<PathBuf>,

    /// The contract; by default the only one that is recorded for the chain
    #[arg(long, value_name = "ADDRESS", value_parser = checksummed)]
    pub address: Option<Address>,

    /// The block it was deployed in; by default it is looked for
    #[arg(long, value_name = "BLOCK")]
    pub deploy_block: Option<u64>,

    /// The last block: finalized, safe, latest or a number
    #[arg(long, value_name = "BLOCK", default_value = "finalized")]
    pub block: LastBlock,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Up to where is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastBlock {
    /// What the node calls final.
    Finalized,
    /// What the node calls safe.
    Safe,
    /// The head.
    Latest,
    /// This one.
    Number(u64),
}

impl FromStr for LastBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "finalized" => Ok(Self::Finalized),
            "safe" => Ok(Self::Safe),
            "latest" => Ok(Self::Latest),
            number => number
                .parse()
                .map(Self::Number)
                .map_err(|_| "expected finalized, safe, latest or a number".to_owned()),
        }
    }
}

impl AuditArgs {
    /// The network that is named, or else the node.
    pub(super) fn network(&self) -> Result<NetworkArgs> {
        let network = match (&self.network, &self.rpc_url) {
            (Some(network), _) => network.clone(),
            (None, Some(url)) => Network::At(url.clone()),
            (None, None) => return Err(Usage("say --rpc-url or --network".to_owned()).into()),
        };
        let (rpc_url, deployments) = (self.rpc_url.clone(), self.deployments.clone());
        Ok(NetworkArgs { network, rpc_url, deployments })
    }
}
