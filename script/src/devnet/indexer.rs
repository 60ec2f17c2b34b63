use super::Contracts;
use crate::process::{spawn_tied, stop};
use eyre::{Result, WrapErr, bail, ensure, eyre};
use rustix::process::Signal;
use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use url::Url;

/// What the daemon is told.
#[derive(Clone, Debug)]
pub struct IndexerOptions {
    /// The daemon's executable.
    pub program: PathBuf,
    /// The node to read from.
    pub rpc_url: Url,
    /// The chain's id.
    pub chain_id: u64,
    /// What to follow.
    pub settlement: String,
    /// Where that begins.
    pub deploy_block: u64,
    /// The database.
    pub db: PathBuf,
    /// Where to serve: host and port.
    pub listen: String,
}

impl IndexerOptions {
    /// Follows `contracts` and serves on a free port of this machine.
    pub fn new(rpc_url: &Url, chain_id: u64, contracts: &Contracts, db: &Path) -> Result<Self> {
        Ok(Self {
            program: program()?,
            rpc_url: rpc_url.clone(),
            chain_id,
            settlement: contracts.settlement.address().to_string(),
            deploy_block: contracts.deploy_block,
            db: db.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
        })
    }

    /// The daemon's command line.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command_of("run")
    }

    /// The command line of one of the daemon's commands that take the same flags. The node's URL is
    /// in the environment, where it belongs; settings that happen to be there for another daemon are
    /// not passed on.
    #[must_use]
    pub fn command_of(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"LUXXON_") && name != "LUXXON_LOG" {
                command.env_remove(name);
            }
        }
        command
            .arg(name)
            .args(["--chain-id", &self.chain_id.to_string()])
            .args(["--settlement", &self.settlement])
            .args(["--deploy-block", &self.deploy_block.to_string()])
            .arg("--db")
            .arg(&self.db)
            .args(["--listen", &self.listen])
            .env("LUXXON_RPC_URL", self.rpc_url.as_str());
        command
    }
}

/// The daemon stands beside `luxxon`, or beside the folder of a test.
fn program() -> Result<PathBuf> {
    let here = env::current_exe()?;
    let name = format!("luxxon-indexer{}", env::consts::EXE_SUFFIX);
    let folders = here.ancestors().skip(1).take(2);
    folders
        .map(|folder| folder.join(&name))
        .find(|program| program.is_file())
        .ok_or_else(|| eyre!("{name} is not built: run `cargo build --workspace`"))
}

/// A running `luxxon-indexer`. It ends when this is dropped, or when this process ends.
#[derive(Debug)]
pub struct Indexer {
    child: Child,
    api_url: String,
}

impl Indexer {
    /// Starts the daemon and waits until it serves. Its warnings and errors go to standard error.
    pub async fn start(options: &IndexerOptions) -> Result<Self> {
        let mut command = options.command();
        command.args(["--poll-ms", "100"]).stdin(Stdio::null()).stdout(Stdio::piped());
        if env::var_os("LUXXON_LOG").is_none() {
            command.env("LUXXON_LOG", "warn");
        }
        let mut child = spawn_tied(&mut command, Signal::TERM)?;
        let stdout = child.stdout.take().ok_or_else(|| eyre!("the indexer has no output"))?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let serving = tokio::time::timeout(LONGEST_START, stdout.read_line(&mut line));
        serving.await.wrap_err("the indexer does not serve")??;
        if line.is_empty() {
            bail!("the indexer did not start ({})", child.wait().await?);
        }
        let api_url = line.trim().to_owned();
        ensure!(
            api_url.starts_with("http://"),
            "the indexer said {api_url:?}, not where it serves"
        );
        Ok(Self { child, api_url })
    }

    /// Where it serves: ends in `/api/v1`.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Kills it at once, as `kill -9` does, and returns when it is gone.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Resolves when the daemon has ended by itself.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Stops it, and returns when it is gone.
    pub async fn stop(mut self) {
        stop(&mut self.child).await;
    }
}

/// It serves as soon as it has checked the node and opened its database.
const LONGEST_START: Duration = Duration::from_secs(30);
