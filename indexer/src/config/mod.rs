//! What the daemon is told: by flags, by the environment, and by a file, in this order.

mod cli;
mod file;
#[cfg(test)]
mod fuzz;
mod node_url;

pub use cli::{
    Cli, Command, Database, ExportFormat, Flags, KeyCommand, KeyFlags, LogFormat, Network,
    Registry, WorkspaceCommand,
};
pub use node_url::NodeUrl;

use crate::{
    api::{AdminToken, PublicConfig},
    chain::{ChainError, Limits, Node, Providers, Quorum, is_loopback},
    metrics::Metrics,
};
use alloy::primitives::Address;
use axum::http::HeaderValue;
use file::{File, ProviderEntry};
use std::{
    env, fmt, fs,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use url::Url;

/// What is wrong with what the daemon was told: the key, what was found, what is expected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// Everything the daemon has to know, checked as far as that goes without the node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The nodes to read from, the preferred one first.
    nodes: Vec<NodeConfig>,
    quorum: Quorum,
    /// The chain's id.
    pub chain_id: u64,
    /// The address of `LuxxonSettlement`.
    pub settlement: Address,
    /// The block it was deployed in.
    pub deploy_block: u64,
    /// The SQLite file.
    pub db: PathBuf,
    /// Where to serve.
    pub listen: SocketAddr,
    /// The time between two looks at the chain's head.
    pub poll: Duration,
    /// The most blocks to ask for at once.
    pub max_block_range: Option<u64>,
    /// The time between two comparisons with the contract; `None` for none.
    pub audit_every: Option<Duration>,
    /// What opens administration over HTTP; `None` for none.
    pub admin_token: Option<AdminToken>,
    /// Requests that one API key may make in a second; `None` for as many as it likes.
    pub key_requests_per_second: Option<NonZeroU32>,
    /// Requests a second, for each core that the daemon may use, from which idle cores are kept awake; `None`
    /// for never.
    pub awake_from: Option<NonZeroU32>,
    /// How much of the database is kept in memory at most, in bytes; `None` for nothing.
    pub resident: Option<NonZeroU64>,
    /// The web sites whose pages may ask the API.
    pub cors_origins: Vec<HeaderValue>,
    /// How the log is written.
    pub log_format: LogFormat,
    public_rpc_url: Option<Url>,
    explorer_url: Option<Url>,
}

#[derive(Clone)]
struct NodeConfig {
    url: Url,
    timeout: Duration,
    limits: Limits,
}

/// The URL may hold a provider's key.
impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3010);
const DEFAULT_AUDIT_SECONDS: u64 = 60;
const DEFAULT_AWAKE_FROM: u32 = 2_500;
const DEFAULT_KEY_REQUESTS: u32 = 100;
const DEFAULT_POLL_MS: u64 = 500;
const DEFAULT_RESIDENT_MIB: u32 = 1_024;
const DEFAULT_TIMEOUT_MS: u64 = 20_000;

/// A chain whose public data is well known.
struct KnownChain {
    network: Network,
    id: u64,
    name: &'static str,
    rpc_url: &'static str,
    explorer_url: &'static str,
}

const KNOWN_CHAINS: [KnownChain; 2] = [
    KnownChain {
        network: Network::Base,
        id: 8453,
        name: "Base",
        rpc_url: "https://mainnet.base.org",
        explorer_url: "https://basescan.org",
    },
    KnownChain {
        network: Network::BaseSepolia,
        id: 84532,
        name: "Base Sepolia",
        rpc_url: "https://sepolia.base.org",
        explorer_url: "https://sepolia.basescan.org",
    },
];

impl Config {
    /// The flags, with the environment already in them, over the file they may name.
    ///
    /// # Errors
    ///
    /// The first key that is missing or cannot be.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let providers = file.providers.clone();
        let flags = file.under(flags)?;
        let nodes = nodes(&flags, &providers)?;
        let quorum = match (flags.quorum, nodes.len()) {
            (Some(2), 0..2) => {
                return Err(ConfigError(
                    "quorum is 2, but there is one provider: expected two at least".to_owned(),
                ));
            }
            (Some(2), _) => Quorum::Two,
            _ => Quorum::One,
        };
        Ok(Self {
            nodes,
            quorum,
            chain_id: chain_id(&flags)?,
            settlement: flags.settlement.ok_or_else(|| missing("settlement"))?,
            deploy_block: flags.deploy_block.ok_or_else(|| missing("deploy_block"))?,
            db: flags.db.ok_or_else(|| missing("db"))?,
            listen: flags.listen.unwrap_or(DEFAULT_LISTEN),
            poll: Duration::from_millis(flags.poll_ms.unwrap_or(DEFAULT_POLL_MS)),
            max_block_range: flags.max_block_range,
            audit_every: match flags.audit_seconds.unwrap_or(DEFAULT_AUDIT_SECONDS) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            admin_token: admin_token(flags.admin_token_file.as_deref())?,
            key_requests_per_second: NonZeroU32::new(
                flags.key_requests_per_second.unwrap_or(DEFAULT_KEY_REQUESTS),
            ),
            awake_from: NonZeroU32::new(flags.awake_from.unwrap_or(DEFAULT_AWAKE_FROM)),
            resident: NonZeroU64::new(
                u64::from(flags.resident_mib.unwrap_or(DEFAULT_RESIDENT_MIB)) << 20,
            ),
            cors_origins: flags
                .cors_origins
                .iter()
                .map(|text| origin(text))
                .collect::<Result<_, _>>()?,
            log_format: flags.log_format.unwrap_or_default(),
            public_rpc_url: flags.public_rpc_url,
            explorer_url: flags.explorer_url,
        })
    }

    /// The nodes, whose calls `metrics` counts. None has been asked anything yet.
    ///
    /// # Errors
    ///
    /// Where no connection could be made to any node from here.
    pub fn providers(&self, metrics: &Arc<Metrics>) -> Result<Providers, ChainError> {
        let nodes = self.nodes.iter().map(|node| {
            let NodeConfig { url, timeout, limits } = node;
            let node = Node::new(url.clone(), *timeout)?;
            Ok(node.with_limits(*limits).counted_by(Arc::clone(metrics)))
        });
        Ok(Providers::new(nodes.collect::<Result<_, ChainError>>()?, self.quorum))
    }

    /// How many nodes must agree on the logs of final blocks.
    #[must_use]
    pub fn quorum(&self) -> u8 {
        match self.quorum {
            Quorum::One => 1,
            Quorum::Two => 2,
        }
    }

    /// What `/config` will say. The node read from is only named there when it is on this machine.
    ///
    /// # Errors
    ///
    /// Where the chain is not a known one and no node that wallets may use was given.
    pub fn public_config(&self, usdc: Address) -> Result<PublicConfig, ConfigError> {
        let known = KNOWN_CHAINS.iter().find(|known| known.id == self.chain_id);
        let rpc_url = match (&self.public_rpc_url, known) {
            (Some(url), _) => plain(url),
            (None, Some(chain)) => chain.rpc_url.to_owned(),
            (None, None) => {
                let mut own = self.nodes.iter().map(|node| &node.url);
                own.find(|url| is_loopback(url) && is_bare(url)).map(plain).ok_or_else(|| {
                    ConfigError(format!(
                        "public_rpc_url is not set, and chain {} has no well-known public node: say \
                         with --public-rpc-url which one wallets are to use",
                        self.chain_id
                    ))
                })?
            }
        };
        let explorer_url = match (&self.explorer_url, known) {
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

impl Database {
    /// The database's file.
    ///
    /// # Errors
    ///
    /// Where neither flag, environment nor file names one.
    pub fn path(self) -> Result<PathBuf, ConfigError> {
        let file = self.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        self.db.or(file.db).ok_or_else(|| missing("db"))
    }
}

/// URLs that were said by flag or environment take the place of the file's providers.
fn nodes(flags: &Flags, providers: &[ProviderEntry]) -> Result<Vec<NodeConfig>, ConfigError> {
    let usual = flags.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
    let node = |url: &NodeUrl, entry: &ProviderEntry| {
        let url = url.parse().map_err(ConfigError)?;
        let timeout = Duration::from_millis(entry.timeout_ms.unwrap_or(usual));
        let limits = Limits {
            requests_per_second: entry.requests_per_second,
            max_in_flight: entry.max_in_flight,
        };
        Ok(NodeConfig { url, timeout, limits })
    };
    let nodes: Vec<NodeConfig> = if flags.rpc_urls.is_empty() {
        let entry = |(number, entry): (usize, &ProviderEntry)| node(&entry.url(number)?, entry);
        (1..).zip(providers).map(entry).collect::<Result<_, _>>()?
    } else {
        let usual = ProviderEntry::default();
        flags.rpc_urls.iter().map(|url| node(url, &usual)).collect::<Result<_, _>>()?
    };
    if nodes.is_empty() {
        return Err(missing("rpc_url"));
    }
    Ok(nodes)
}

fn chain_id(flags: &Flags) -> Result<u64, ConfigError> {
    let known = flags
        .network
        .and_then(|network| KNOWN_CHAINS.iter().find(|known| known.network == network));
    match (flags.chain_id, known) {
        (Some(id), Some(known)) if id != known.id => Err(ConfigError(format!(
            "chain_id is {id}, but network is {}, whose id is {}",
            known.name, known.id
        ))),
        (Some(id), _) => Ok(id),
        (None, Some(known)) => Ok(known.id),
        (None, None) => Err(missing("chain_id")),
    }
}

/// The variable that holds the token itself. There is no flag for it: others can read a command line.
const ADMIN_TOKEN: &str = "LUXXON_ADMIN_TOKEN";

fn admin_token(path: Option<&Path>) -> Result<Option<AdminToken>, ConfigError> {
    let (source, text) = match (path, env::var_os(ADMIN_TOKEN)) {
        (Some(_), Some(_)) => {
            return Err(ConfigError(format!(
                "admin_token_file and {ADMIN_TOKEN} are both set: expected one of them"
            )));
        }
        (Some(path), None) => {
            let source = format!("admin_token_file ({})", path.display());
            let text = fs::read_to_string(path)
                .map_err(|error| ConfigError(format!("{source}: cannot be read: {error}")))?;
            (source, text)
        }
        (None, Some(text)) => (ADMIN_TOKEN.to_owned(), text.to_string_lossy().into_owned()),
        (None, None) => return Ok(None),
    };
    let token = AdminToken::new(&text);
    token.map(Some).map_err(|error| ConfigError(format!("{source}: {error}")))
}

/// A web site, as browsers name it: scheme, host and, where it is not the usual one, port.
fn origin(text: &str) -> Result<HeaderValue, ConfigError> {
    let wrong = || {
        ConfigError(format!(
            "cors_origins has {text:?}: expected a scheme, a host and perhaps a port, as \
             https://console.example"
        ))
    };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https");
    if !is_web || url.origin().ascii_serialization() != text {
        return Err(wrong());
    }
    HeaderValue::try_from(text).map_err(|_| wrong())
}

/// Each key has a flag and a variable of the same name.
fn missing(key: &str) -> ConfigError {
    let (flag, variable) = (key.replace('_', "-"), key.to_uppercase());
    ConfigError(format!(
        "{key} is not set: say it with --{flag}, LUXXON_{variable} or in the file of --config"
    ))
}

/// Whether the URL is a scheme, a host and a port, with no place for a key.
fn is_bare(url: &Url) -> bool {
    plain(url) == url.origin().ascii_serialization()
}

/// An address. One in both cases has a checksum (EIP-55), which must be right.
pub(crate) fn address(text: &str) -> Result<Address, String> {
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
    use crate::key::Environment;
    use clap::Parser;

    fn told(chain_id: &str, rpc_url: &str) -> Config {
        told_also(chain_id, rpc_url, &[])
    }

    fn told_also(chain_id: &str, rpc_url: &str, more: &[&str]) -> Config {
        let settlement = Address::ZERO.to_string();
        let flags = ["luxxon-indexer", "run", "--rpc-url", rpc_url, "--chain-id", chain_id];
        let rest = ["--settlement", &settlement, "--deploy-block", "1", "--db", "ledger.db"];
        let all = flags.iter().chain(&rest).chain(more);
        let parsed = Cli::try_parse_from(all).unwrap();
        let Command::Run(flags) = parsed.command else { unreachable!() };
        Config::load(flags).unwrap()
    }

    #[test]
    fn nobody_but_this_machine_is_served_unless_it_is_said() {
        let listen = told("31337", "http://127.0.0.1:8545").listen;
        assert!(listen.ip().is_loopback(), "{listen}");
    }

    #[test]
    fn cores_are_kept_awake_under_many_requests_unless_it_is_said() {
        let from = |more: &[&str]| told_also("31337", "http://127.0.0.1:8545", more).awake_from;
        assert_eq!(from(&[]).map(NonZeroU32::get), Some(2_500));
        assert_eq!(from(&["--awake-from", "0"]), None);
    }

    #[test]
    fn a_database_is_kept_in_memory_unless_it_is_larger_than_it_is_said() {
        let most = |more: &[&str]| told_also("31337", "http://127.0.0.1:8545", more).resident;
        assert_eq!(most(&[]).map(NonZeroU64::get), Some(1 << 30));
        assert_eq!(most(&["--resident-mib", "1048576"]).map(NonZeroU64::get), Some(1 << 40));
        assert_eq!(most(&["--resident-mib", "0"]), None);
    }

    #[test]
    fn a_key_is_live_on_base_and_a_test_key_on_every_other_chain() {
        for (chain_id, environment) in [
            ("8453", Environment::Live),
            ("84532", Environment::Test),
            ("31337", Environment::Test),
        ] {
            let config = told(chain_id, "http://127.0.0.1:8545");
            let public = config.public_config(Address::ZERO).unwrap();
            assert_eq!(public.environment(), environment, "{chain_id}");
        }
    }

    #[test]
    fn the_node_read_from_is_never_published() {
        let secret = told("84532", "https://base.example/v2/SECRET");
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
            let error = told("31337", url).public_config(Address::ZERO).unwrap_err().to_string();
            assert!(error.contains("--public-rpc-url") && !error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_node_on_this_machine_may_be_published() {
        for url in ["http://127.0.0.1:8545", "http://localhost:8545", "http://[::1]:8545"] {
            let config = told("31337", url).public_config(Address::ZERO).unwrap();
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
    fn a_web_site_is_named_as_browsers_do() {
        for right in ["https://console.example", "http://localhost:3020"] {
            assert_eq!(origin(right).unwrap(), right);
        }
        for wrong in ["*", "console.example", "https://console.example/", "ftp://host", "null"] {
            let error = origin(wrong).unwrap_err().to_string();
            assert!(error.contains("as https://console.example"), "{error}");
        }
    }

    #[test]
    fn a_bad_node_url_is_refused_without_being_repeated() {
        let error = NodeUrl::from("ftp://host/SECRET").parse().unwrap_err();
        assert_eq!(error, "rpc_url has another scheme, expected http, https, ws or wss");
        assert_eq!(NodeUrl::from("SECRET:password@host").parse().unwrap_err(), error);
        assert!(!NodeUrl::from("SECRET").parse().unwrap_err().contains("SECRET"));
        assert!(!format!("{:?}", told("1", "http://host/SECRET")).contains("SECRET"));
    }
}
