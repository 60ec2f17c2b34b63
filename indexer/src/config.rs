//! The daemon's command line and environment.

use crate::{api::PublicConfig, chain::is_loopback};
use alloy::primitives::Address;
use clap::{Args, Parser, Subcommand};
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};
use url::Url;

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped by SIGINT or SIGTERM
  1  could not start or go on; standard error says why in one line
  2  a flag is missing or malformed

The log goes to standard error; LUXXON_LOG sets its level (error, warn, info, debug).";

/// Follows `LuxxonSettlement` on one chain and serves balances and settlements.
#[derive(Debug, Parser)]
#[command(name = "luxxon-indexer", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the daemon can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the chain and serve the API until stopped. When the API serves, its URL is printed on
    /// standard output, alone on a line
    Run(RunArgs),
}

/// Where to read, what to follow, where to keep and serve it.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The node to read from: http, https, ws or wss. May hold a provider's key: prefer the environment
    #[arg(long, env = "LUXXON_RPC_URL", hide_env_values = true)]
    pub rpc_url: NodeUrl,

    /// The chain's id: 8453 is Base, 84532 Base Sepolia. A node of another chain is refused
    #[arg(long, env = "LUXXON_CHAIN_ID")]
    pub chain_id: u64,

    /// The address of LuxxonSettlement
    #[arg(long, env = "LUXXON_SETTLEMENT", value_parser = address)]
    pub settlement: Address,

    /// The block LuxxonSettlement was deployed in
    #[arg(long, env = "LUXXON_DEPLOY_BLOCK")]
    pub deploy_block: u64,

    /// The SQLite file; made where there is none
    #[arg(long, env = "LUXXON_DB")]
    pub db: PathBuf,

    /// Where to serve the API. Port 0 takes a free one
    #[arg(long, env = "LUXXON_LISTEN", default_value = "127.0.0.1:3010")]
    pub listen: SocketAddr,

    /// Milliseconds between two looks at the chain's head, 10 to 60000
    #[arg(long, env = "LUXXON_POLL_MS", default_value_t = 500,
          value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub poll_ms: u64,

    /// The node that /config tells wallets to use. On Base and Base Sepolia the public one is the
    /// default; elsewhere --rpc-url is, where it is on the loopback interface
    #[arg(long, env = "LUXXON_PUBLIC_RPC_URL")]
    pub public_rpc_url: Option<Url>,

    /// The block explorer that /config names; known for Base and Base Sepolia
    #[arg(long, env = "LUXXON_EXPLORER_URL")]
    pub explorer_url: Option<Url>,
}

/// A chain whose public data is well known.
struct KnownChain {
    name: &'static str,
    rpc_url: &'static str,
    explorer_url: &'static str,
}

fn known_chain(chain_id: u64) -> Option<KnownChain> {
    match chain_id {
        8453 => Some(KnownChain {
            name: "Base",
            rpc_url: "https://mainnet.base.org",
            explorer_url: "https://basescan.org",
        }),
        84532 => Some(KnownChain {
            name: "Base Sepolia",
            rpc_url: "https://sepolia.base.org",
            explorer_url: "https://sepolia.basescan.org",
        }),
        _ => None,
    }
}

impl RunArgs {
    /// The time between two looks at the chain's head.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    /// What `/config` will say. The node read from is only named there when it is on this machine.
    ///
    /// # Errors
    ///
    /// Where the chain is not a known one and no node that wallets may use was given.
    pub fn public_config(&self, usdc: Address) -> Result<PublicConfig, String> {
        let known = known_chain(self.chain_id);
        let rpc_url = match (&self.public_rpc_url, &known) {
            (Some(url), _) => plain(url),
            (None, Some(chain)) => chain.rpc_url.to_owned(),
            (None, None) => {
                let read_from = self.rpc_url.parse()?;
                if !is_loopback(&read_from) || !is_bare(&read_from) {
                    return Err(format!(
                        "chain {} has no well-known public node: say with --public-rpc-url which \
                         one wallets are to use",
                        self.chain_id
                    ));
                }
                plain(&read_from)
            }
        };
        let explorer_url = match (&self.explorer_url, &known) {
            (Some(url), _) => plain(url),
            (None, Some(chain)) => chain.explorer_url.to_owned(),
            (None, None) => String::new(),
        };
        let chain_name =
            known.map_or_else(|| format!("Chain {}", self.chain_id), |known| known.name.to_owned());
        Ok(PublicConfig {
            chain_id: self.chain_id,
            chain_name,
            rpc_url,
            explorer_url,
            usdc,
            settlement: self.settlement,
        })
    }
}

/// A node's URL as it was given. It may hold a provider's key, so it is never shown, and is taken
/// as text at first: the parser of flags repeats what it refuses.
#[derive(Clone)]
pub struct NodeUrl(String);

impl NodeUrl {
    /// The URL, where it is one of http, https, ws or wss.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that do not repeat it.
    pub fn parse(&self) -> Result<Url, String> {
        let url = Url::parse(&self.0).map_err(|error| format!("--rpc-url is no URL: {error}"))?;
        match url.scheme() {
            "http" | "https" | "ws" | "wss" => Ok(url),
            other => {
                Err(format!("--rpc-url has the scheme {other}, expected http, https, ws or wss"))
            }
        }
    }
}

impl From<&str> for NodeUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeUrl(…)")
    }
}

/// Whether the URL is a scheme, a host and a port, with no place for a key.
fn is_bare(url: &Url) -> bool {
    plain(url) == url.origin().ascii_serialization()
}

/// An address. One in both cases has a checksum (EIP-55), which must be right.
fn address(text: &str) -> Result<Address, String> {
    let digits = text.trim_start_matches("0x");
    let mixed = digits.bytes().any(|byte| byte.is_ascii_uppercase())
        && digits.bytes().any(|byte| byte.is_ascii_lowercase());
    let address: Address = text.parse().map_err(|_| "expected 0x and 40 digits".to_owned())?;
    if mixed && address.to_checksum(None) != text {
        return Err(format!("the checksum is wrong: {address} would be right"));
    }
    Ok(address)
}

/// The URL without the slash that stands for an empty path: clients append paths to it.
fn plain(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(chain_id: &str, rpc_url: &str) -> RunArgs {
        let settlement = Address::ZERO.to_string();
        let flags = ["luxxon-indexer", "run", "--rpc-url", rpc_url, "--chain-id", chain_id];
        let rest = ["--settlement", &settlement, "--deploy-block", "1", "--db", "ledger.db"];
        let Command::Run(args) =
            Cli::try_parse_from(flags.into_iter().chain(rest)).unwrap().command;
        args
    }

    #[test]
    fn the_node_read_from_is_never_published() {
        let secret = args("84532", "https://base.example/v2/SECRET");
        let config = secret.public_config(Address::ZERO).unwrap();
        assert_eq!(config.rpc_url, "https://sepolia.base.org");
        assert_eq!(config.chain_name, "Base Sepolia");
        assert_eq!(config.explorer_url, "https://sepolia.basescan.org");

        let unpublishable = [
            "https://base.example/v2/SECRET",
            "http://127.0.0.1:8545/SECRET",
            "http://127.0.0.1:8545/?key=SECRET",
            "http://SECRET@127.0.0.1:8545",
        ];
        for url in unpublishable {
            let error = args("31337", url).public_config(Address::ZERO).unwrap_err();
            assert!(error.contains("--public-rpc-url") && !error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_node_on_this_machine_may_be_published() {
        for url in ["http://127.0.0.1:8545", "http://localhost:8545", "http://[::1]:8545"] {
            let config = args("31337", url).public_config(Address::ZERO).unwrap();
            assert_eq!(config.rpc_url, url);
            assert_eq!(config.chain_name, "Chain 31337");
            assert_eq!(config.explorer_url, "");
        }
    }

    #[test]
    fn an_address_with_a_wrong_checksum_is_refused() {
        let right = "0xa748C178df47c2DA2227C247293943713eB65a26";
        assert_eq!(address(right).unwrap().to_string(), right);
        assert_eq!(address(&right.to_lowercase()), address(right));
        let error = address(&right.replace("a7", "A7")).unwrap_err();
        assert!(error.contains(right), "{error}");
        assert!(address("0xa748").is_err());
    }

    #[test]
    fn a_bad_node_url_is_refused_without_being_repeated() {
        let error = NodeUrl::from("ftp://host/SECRET").parse().unwrap_err();
        assert_eq!(error, "--rpc-url has the scheme ftp, expected http, https, ws or wss");
        assert!(!NodeUrl::from("SECRET").parse().unwrap_err().contains("SECRET"));
        assert!(!format!("{:?}", args("1", "http://host/SECRET")).contains("SECRET"));
    }
}
