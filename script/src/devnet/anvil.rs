use crate::{
    process::{spawn_tied, stop},
    project,
};
use alloy::{
    primitives::{Address, B256},
    providers::{Provider, ProviderBuilder, RootProvider},
    transports::http::reqwest,
};
use eyre::{Result, WrapErr, bail, ensure, eyre};
use rustix::process::Signal;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::OnceCell,
};
use url::Url;

/// How anvil is started.
#[derive(Clone, Debug, Default)]
pub struct AnvilOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Seconds from block to block; `None` makes a block for each transaction.
    pub block_time: Option<f64>,
    /// More flags, as anvil takes them.
    pub flags: Vec<String>,
}

/// An account that anvil made and funded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevAccount {
    /// Its address.
    pub address: Address,
    /// Its key: printed by every anvil, worth nothing.
    pub key: B256,
}

/// A running anvil. It ends when this is dropped, or when this process ends.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    url: Url,
    accounts: Vec<DevAccount>,
}

impl Anvil {
    /// Starts anvil on 127.0.0.1 and waits until it listens.
    pub async fn start(options: &AnvilOptions) -> Result<Self> {
        let mut command = Command::new(executable().await?);
        command.args(["--host", "127.0.0.1", "--port", &options.port.to_string()]);
        if let Some(seconds) = options.block_time {
            command.args(["--block-time", &seconds.to_string()]);
        }
        command.args(&options.flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn_tied(&mut command, Signal::KILL)?;
        let stdout = child.stdout.take().ok_or_else(|| eyre!("anvil has no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let banner = tokio::time::timeout(LONGEST_START, read_banner(&mut lines));
        let Ok(banner) = banner.await else {
            bail!("anvil did not listen within {LONGEST_START:?}");
        };
        let Some(Banner { url, accounts }) = banner? else {
            let output = child.wait_with_output().await?;
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("anvil did not start: {}", reason.trim());
        };
        // A pipe that is not read blocks anvil once it is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        if let Some(stderr) = child.stderr.take() {
            let mut lines = BufReader::new(stderr).lines();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        }
        Ok(Self { child, url, accounts })
    }

    /// Where it answers JSON-RPC.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The accounts it made, ten or as many as asked for.
    #[must_use]
    pub fn accounts(&self) -> &[DevAccount] {
        &self.accounts
    }

    /// A provider that leaves nonces, gas and signing to anvil, which holds its accounts' keys. So
    /// any number of senders can use one account at once.
    pub fn provider(&self) -> Result<RootProvider> {
        let http = reqwest::Client::builder().timeout(LONGEST_REQUEST).no_proxy().build()?;
        let provider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect_reqwest(http, self.url.clone());
        provider.client().set_poll_interval(POLL_INTERVAL);
        Ok(provider)
    }

    /// Resolves when anvil has ended by itself.
    pub(super) async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Stops it, and returns when it is gone.
    pub async fn stop(mut self) {
        stop(&mut self.child).await;
    }
}

/// A release build of anvil listens after some 50 ms.
const LONGEST_START: Duration = Duration::from_secs(30);

/// How long anvil may take to answer anything.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// How often to ask a chain on this machine for a receipt.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The anvil of the version that the project pins: the one on PATH where it is that version, else
/// the one `npm ci` brought. Looked for once.
async fn executable() -> Result<PathBuf> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    Ok(FOUND.get_or_try_init(find).await?.clone())
}

async fn find() -> Result<PathBuf> {
    let mut command = Command::new("node");
    command.arg(project::root()?.join("script/tool.js")).arg("anvil");
    // A child like the others: a Ctrl-C at the terminal is not its business.
    command.kill_on_drop(true).process_group(0);
    let output = command.output().await.wrap_err("node does not run: it finds anvil")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

struct Banner {
    url: Url,
    accounts: Vec<DevAccount>,
}

/// Reads what anvil prints until it listens; `None` where it ends before.
async fn read_banner(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Option<Banner>> {
    let (mut addresses, mut keys) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next_line().await? {
        if let Some(at) = line.strip_prefix("Listening on ") {
            ensure!(addresses.len() == keys.len(), "anvil printed as many keys as accounts");
            let accounts =
                addresses.into_iter().zip(keys).map(|(address, key)| DevAccount { address, key });
            let url = format!("http://{at}").parse().wrap_err("where anvil listens")?;
            return Ok(Some(Banner { url, accounts: accounts.collect() }));
        }
        // "(0) 0x<address> (10000.0 ETH)" or "(0) 0x<key>"
        let Some((_, entry)) = line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else {
            continue;
        };
        match entry.split_once(' ') {
            Some((address, _balance)) => addresses.push(address.parse().wrap_err("an address")?),
            None => keys.push(entry.parse().wrap_err("a key")?),
        }
    }
    Ok(None)
}
