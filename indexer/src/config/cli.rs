//! The daemon's command line and environment.

use super::{NodeUrl, address};
use crate::store::Scope;
use alloy::primitives::{Address, B256};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};
use url::Url;
use uuid::Uuid;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; `run` also: stopped by SIGINT or SIGTERM
  1  could not start, go on or finish; standard error says why in one line
  2  a flag, a variable or the file is wrong; standard error says which key

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
    Run(Flags),
    /// Take in the chain up to a block, and end. Serves nothing
    Sync {
        /// The last block to take in. One that the chain does not have yet is waited for
        #[arg(long, value_name = "BLOCK")]
        until: u64,
        /// Where to read, what to follow, where to keep it.
        #[command(flatten)]
        flags: Flags,
    },
    /// Compare every balance with its events, and every balance and every settled session with the
    /// contract. A daemon may run meanwhile. Ends with 1 where something differs
    Audit {
        /// Print one JSON object in place of lines
        #[arg(long)]
        json: bool,
        /// Where to read, what to compare.
        #[command(flatten)]
        flags: Flags,
    },
    /// Take blocks back, final or not, and read them from the chain again. No daemon may run
    Repair {
        /// The first block to read again
        #[arg(long, value_name = "BLOCK")]
        from: u64,
        /// Where to read, what to follow, where to keep it.
        #[command(flatten)]
        flags: Flags,
    },
    /// Make every balance again from the events in the database, and what events are found by. Asks no
    /// node
    Rebuild(Database),
    /// Copy the database to a new file, as it is at one moment. A daemon may run meanwhile
    Backup {
        /// The new file
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The database.
        #[command(flatten)]
        database: Database,
    },
    /// Write every event of the ledger, as it is at one moment. A daemon may run meanwhile
    Export {
        /// How: CSV with a line of names, or one JSON object a line
        #[arg(long, default_value = "csv")]
        format: ExportFormat,
        /// The file to write, in place of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The database.
        #[command(flatten)]
        database: Database,
    },
    /// Enter workspaces, and list them. A daemon may run meanwhile
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Make, bring in, list and revoke API keys. A daemon may run meanwhile
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check the configuration against the node, and print what `run` would do
    Check(Flags),
    /// Print the OpenAPI document of the API
    Openapi {
        /// That of /internal/v1, in place of /api/v1
        #[arg(long)]
        internal: bool,
    },
}

/// What can be done to workspaces.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Enter a workspace, and print it
    Add {
        /// Its short name: 3 to 40 of a-z, 0-9 and -
        #[arg(long)]
        slug: String,
        /// Its name for people, 1 to 80 characters
        #[arg(long)]
        name: String,
        /// The address of its wallet. Several workspaces may share one
        #[arg(long, value_parser = address)]
        wallet: Address,
        /// How it is printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
    /// List all workspaces, by their short names
    List {
        /// How they are printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
}

/// What can be done to API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, and print it. Only its SHA-256 is kept: it cannot be shown again
    Add {
        /// What it is for.
        #[command(flatten)]
        key: KeyFlags,
        /// How it is printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
    /// Enter a key that its holder has already, by its SHA-256
    Import {
        /// SHA-256 of the whole key, 64 hexadecimal digits
        #[arg(long, value_name = "HEX")]
        sha256: B256,
        /// What is shown of the key: its first 20 characters at most
        #[arg(long, default_value = "")]
        prefix: String,
        /// What it is for.
        #[command(flatten)]
        key: KeyFlags,
        /// How it is printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
    /// List the keys of a workspace, the oldest first, revoked ones included
    List {
        /// The short name of the workspace
        #[arg(long, value_name = "SLUG")]
        workspace: String,
        /// How they are printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
    /// Revoke a key: it works for 60 seconds more
    Revoke {
        /// The key's id, as `key list` shows it
        #[arg(long)]
        id: Uuid,
        /// How it is printed, and the database.
        #[command(flatten)]
        registry: Registry,
    },
}

/// What a key is for.
#[derive(Clone, Debug, Args)]
pub struct KeyFlags {
    /// The short name of the workspace that it speaks for
    #[arg(long, value_name = "SLUG")]
    pub workspace: String,
    /// What its holder calls it, 1 to 80 characters
    #[arg(long)]
    pub label: String,
    /// What it may be used for: wallet:read, sessions:read, sessions:create, sessions:operate,
    /// pricing:read; commas between them
    #[arg(long, value_delimiter = ',', required = true)]
    pub scopes: Vec<Scope>,
}

/// How what was entered is printed, and where it is.
#[derive(Clone, Debug, Args)]
pub struct Registry {
    /// Print one JSON object, or a list of them, in place of lines
    #[arg(long)]
    pub json: bool,
    /// The database.
    #[command(flatten)]
    pub database: Database,
}

/// Which database, and nothing else.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// A TOML file that names the database
    #[arg(long, env = "LUXXON_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The SQLite file
    #[arg(long, env = "LUXXON_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,
}

/// How the ledger is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values, the names in the first line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Where to read, what to follow, where to keep and serve it. What is not said here is looked for
/// in the file.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// A TOML file with any of these settings, and with several providers
    #[arg(long, env = "LUXXON_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A chain whose id, public node and explorer are known
    #[arg(long, env = "LUXXON_NETWORK")]
    pub network: Option<Network>,

    /// The node to read from: http, https, ws or wss. Once for each of several, the preferred one
    /// first; in the environment, commas between them. May hold a provider's key: prefer the
    /// environment
    #[arg(
        long = "rpc-url",
        env = "LUXXON_RPC_URL",
        hide_env_values = true,
        value_name = "RPC_URL",
        value_delimiter = ','
    )]
    pub rpc_urls: Vec<NodeUrl>,

    /// How many nodes must agree on the logs of final blocks: 1, or 2 where there are several
    #[arg(long, env = "LUXXON_QUORUM", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub quorum: Option<u8>,

    /// Milliseconds that a node may take to answer, 100 to 120000. 20000 unless said
    #[arg(long, env = "LUXXON_TIMEOUT_MS", value_parser = clap::value_parser!(u64).range(100..=120_000))]
    pub timeout_ms: Option<u64>,

    /// The most blocks to ask a node for at once, 1 to 10000. Found out unless said
    #[arg(long, env = "LUXXON_MAX_BLOCK_RANGE", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub max_block_range: Option<u64>,

    /// The chain's id: 8453 is Base, 84532 Base Sepolia. A node of another chain is refused
    #[arg(long, env = "LUXXON_CHAIN_ID")]
    pub chain_id: Option<u64>,

    /// The address of LuxxonSettlement
    #[arg(long, env = "LUXXON_SETTLEMENT", value_parser = address)]
    pub settlement: Option<Address>,

    /// The block LuxxonSettlement was deployed in
    #[arg(long, env = "LUXXON_DEPLOY_BLOCK")]
    pub deploy_block: Option<u64>,

    /// The SQLite file; made where there is none
    #[arg(long, env = "LUXXON_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// Where to serve the API. Port 0 takes a free one. 127.0.0.1:3010 unless said
    #[arg(long, env = "LUXXON_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// Milliseconds between two looks at the chain's head, 10 to 60000. 500 unless said
    #[arg(long, env = "LUXXON_POLL_MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub poll_ms: Option<u64>,

    /// The node that /config tells wallets to use. On Base and Base Sepolia the public one is the
    /// default; elsewhere --rpc-url is, where it is on the loopback interface
    #[arg(long, env = "LUXXON_PUBLIC_RPC_URL")]
    pub public_rpc_url: Option<Url>,

    /// The block explorer that /config names; known for Base and Base Sepolia
    #[arg(long, env = "LUXXON_EXPLORER_URL")]
    pub explorer_url: Option<Url>,

    /// Seconds between two comparisons of some balances and sessions with the contract, 0 to 86400;
    /// 0 is never. 60 unless said
    #[arg(long, env = "LUXXON_AUDIT_SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub audit_seconds: Option<u64>,

    /// A file with the token that opens /internal/v1, 32 characters at least; the variable `LUXXON_ADMIN_TOKEN`
    /// holds the token itself. Without one, there is no administration over HTTP
    #[arg(long, env = "LUXXON_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Requests that one API key may make in a second, 0 to 100000; 0 is as many as it likes. 100
    /// unless said
    #[arg(long, env = "LUXXON_KEY_REQUESTS_PER_SECOND", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub key_requests_per_second: Option<u32>,

    /// Requests a second, for each core that the daemon may use, from which it keeps the machine's idle
    /// cores awake, 0 to 100000; 0 is never. Only in a virtual machine whose idle driver is haltpoll, and
    /// where the daemon may write `/dev/cpu_dma_latency`; its host finds all cores busy then. 2500 unless said
    #[arg(long, env = "LUXXON_AWAKE_FROM", value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub awake_from: Option<u32>,

    /// The largest database, with its write-ahead log, that the daemon keeps in memory, in MiB, 0 to 1048576;
    /// 0 is none. Its pages count as the daemon's memory then, but are the system's to take back. Only on
    /// Linux, 5.14 or later. 1024 unless said
    #[arg(long, env = "LUXXON_RESIDENT_MIB", value_name = "MIB", value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    pub resident_mib: Option<u32>,

    /// A web site whose pages may ask the API, as `https://console.example`. Once for each of several;
    /// in the environment, commas between them. None unless said
    #[arg(
        long = "cors-origin",
        env = "LUXXON_CORS_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub cors_origins: Vec<String>,

    /// How the log is written: text unless said
    #[arg(long, env = "LUXXON_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// A chain that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Base, chain 8453.
    Base,
    /// Base Sepolia, chain 84532.
    BaseSepolia,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
