use super::Usage;
use alloy::primitives::{Address, address};
use clap::Args;
use eyre::{Result, WrapErr, eyre};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// A chain that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What `--network` calls it.
    pub name: &'static str,
    /// Its id.
    pub chain_id: u64,
    /// The node that is asked unless another is named.
    pub rpc_url: &'static str,
    /// Circle's USDC there; `None` on a chain that Circle does not serve.
    pub usdc: Option<Address>,
    /// Whether money is real there.
    pub is_production: bool,
}

/// The chains that are known by name. Circle lists its addresses on
/// <https://developers.circle.com/stablecoins/usdc-contract-addresses>.
pub const KNOWN: [Known; 3] = [
    Known {
        name: "base",
        chain_id: 8453,
        rpc_url: "https://mainnet.base.org",
        usdc: Some(address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")),
        is_production: true,
    },
    Known {
        name: "base-sepolia",
        chain_id: 84532,
        rpc_url: "https://sepolia.base.org",
        usdc: Some(address!("0x036CbD53842c5426634e7929541eC2318f3dCF7e")),
        is_production: false,
    },
    Known {
        name: "devnet",
        chain_id: 31337,
        rpc_url: "http://127.0.0.1:8545",
        usdc: None,
        is_production: false,
    },
];

/// The known chain with this id.
#[must_use]
pub fn known(chain_id: u64) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.chain_id == chain_id)
}

/// What `--network` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A chain known by name.
    Known(&'static Known),
    /// Whatever chain this node serves.
    At(RpcUrl),
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(known) = KNOWN.iter().find(|known| known.name == text) {
            return Ok(Self::Known(known));
        }
        if text.contains("://") {
            return Ok(Self::At(RpcUrl(text.to_owned())));
        }
        let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        Err(format!("expected {} or the URL of a node", names.join(", ")))
    }
}

/// A node's URL as it was given. It may hold a provider's key: it is never shown, and is taken as
/// text at first, because the parser of flags repeats what it refuses.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcUrl(pub(super) String);

impl RpcUrl {
    /// The URL; http or https only.
    pub fn parse(&self) -> Result<Url> {
        let url: Url = self.0.parse().wrap_err("the node's URL is malformed (--rpc-url)")?;
        if ["http", "https"].contains(&url.scheme()) && url.has_host() {
            return Ok(url);
        }
        Err(eyre!("the node's URL is {}:…, expected http:// or https:// (--rpc-url)", url.scheme()))
    }
}

impl FromStr for RpcUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RpcUrl(…)")
    }
}

/// Which chain, by which node, and where its files are.
#[derive(Clone, Debug, Args)]
pub struct NetworkArgs {
    /// base, base-sepolia, devnet, or the URL of a node
    #[arg(long, value_name = "NAME|URL")]
    pub network: Network,

    /// The node to use, in place of the network's public one. May hold a provider's key: prefer the
    /// environment. Not looked at where --network is a URL
    #[arg(long, value_name = "URL", env = "LUXXON_RPC_URL", hide_env_values = true)]
    pub rpc_url: Option<RpcUrl>,

    /// Where configs and records are; by default `deployments` in the checkout around the current
    /// folder
    #[arg(long, value_name = "DIR")]
    pub deployments: Option<PathBuf>,
}

impl NetworkArgs {
    /// The node to ask, and the chain id it has to have where the network is known by name.
    pub fn target(&self) -> Result<(Url, Option<u64>)> {
        match (&self.network, &self.rpc_url) {
            (Network::At(url), _) => Ok((url.parse()?, None)),
            (Network::Known(known), Some(url)) => Ok((url.parse()?, Some(known.chain_id))),
            (Network::Known(known), None) => Ok((known.rpc_url.parse()?, Some(known.chain_id))),
        }
    }

    /// The folder of configs and records.
    pub fn folder(&self) -> Result<PathBuf> {
        match &self.deployments {
            Some(folder) => Ok(folder.clone()),
            None => Ok(crate::project::root()
                .map_err(|error| Usage(format!("{error:#}: go there, or say --deployments")))?
                .join("deployments")),
        }
    }
}

/// Where the records of a chain are.
#[must_use]
pub(crate) fn records_folder(deployments: &Path, chain_id: u64) -> PathBuf {
    deployments.join(chain_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(network: &str, rpc_url: Option<&str>) -> NetworkArgs {
        NetworkArgs {
            network: network.parse().unwrap(),
            rpc_url: rpc_url.map(|url| RpcUrl(url.to_owned())),
            deployments: None,
        }
    }

    #[test]
    fn a_name_fixes_the_chain_whatever_the_node_and_a_url_does_not() {
        let (url, chain) = args("base", None).target().unwrap();
        assert_eq!((url.as_str(), chain), ("https://mainnet.base.org/", Some(8453)));
        let (url, chain) = args("base-sepolia", Some("http://127.0.0.1:1")).target().unwrap();
        assert_eq!((url.as_str(), chain), ("http://127.0.0.1:1/", Some(84532)));
        let (url, chain) = args("http://127.0.0.1:2", Some("http://127.0.0.1:1")).target().unwrap();
        assert_eq!((url.as_str(), chain), ("http://127.0.0.1:2/", None));
    }

    #[test]
    fn a_name_that_is_not_known_is_refused_with_those_that_are() {
        let error = "mainnet".parse::<Network>().unwrap_err();
        assert_eq!(error, "expected base, base-sepolia, devnet or the URL of a node");
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_url() {
        for bad in ["ws://node.example/v2/SECRET", "http//SECRET", "https://SECRET:x:y"] {
            let args = args("base", Some(bad));
            assert!(!format!("{args:?}").contains("SECRET"));
            let error = args.target().unwrap_err();
            assert!(!format!("{error:#} {error:?}").contains("SECRET"), "{error:#}");
        }
    }
}
