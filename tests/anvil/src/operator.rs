use crate::programs;
use alloy::{
    primitives::{Address, B256, hex},
    providers::{Provider, RootProvider},
};
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_bindings::usdc::UsdcStandIn;
use luxxon_script::{
    devnet::{Anvil, AnvilOptions, Cast, mined},
    project,
};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// A command takes a second, `verify` a few.
const LONGEST: Duration = Duration::from_mins(2);

/// A chain with a stand-in for USDC where the devnet has it, and an operator with a folder of
/// deployments: what `luxxon deploy`, `verify` and `roles` work on.
#[derive(Debug)]
pub struct Operator {
    anvil: Anvil,
    /// Talks to the chain as any of anvil's accounts.
    pub provider: RootProvider,
    /// Who is who in the committed config.
    pub cast: Cast,
    /// The chain, as `--network` names it.
    pub network: String,
    folder: TempDir,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its exit code; `None` where it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Done {
    /// The one line of JSON on standard output, of a command that succeeded.
    pub fn json(&self) -> Result<Value> {
        ensure!(self.code == Some(0), "it ended with {:?}: {}", self.code, self.stderr);
        ensure!(self.stdout.lines().count() == 1, "more than a line: {}", self.stdout);
        Ok(serde_json::from_str(&self.stdout)?)
    }

    /// Fails unless it ended with `code`, and all `words` are in what it said.
    pub fn says(&self, code: i32, words: &[&str]) -> Result<()> {
        let said = format!("{}{}", self.stderr, self.stdout);
        ensure!(self.code == Some(code), "ended with {:?}, expected {code}: {said}", self.code);
        for word in words {
            ensure!(said.contains(word), "{word:?} is not in: {said}");
        }
        Ok(())
    }
}

impl Operator {
    /// A chain that makes a block for each transaction.
    pub async fn start() -> Result<Self> {
        Self::with_flags(&[]).await
    }

    /// The same, with more of anvil's flags.
    pub async fn with_flags(flags: &[&str]) -> Result<Self> {
        programs()?;
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let anvil = Anvil::start(&AnvilOptions { flags, ..AnvilOptions::default() }).await?;
        let provider = anvil.provider()?;
        let cast = Cast::of(&anvil)?;
        let usdc = UsdcStandIn::deploy_builder(&provider, cast.owner).from(cast.owner);
        mined(&provider, *usdc.send().await?.tx_hash()).await?;
        let folder = tempfile::tempdir()?;
        let committed = project::root()?.join("deployments/devnet.toml");
        fs::copy(committed, folder.path().join("devnet.toml"))?;
        Ok(Self { anvil, provider, cast, network: "devnet".to_owned(), folder })
    }

    /// The node's URL.
    #[must_use]
    pub fn rpc_url(&self) -> &str {
        self.anvil.url().as_str()
    }

    /// The key of one of the cast.
    pub fn key_of(&self, account: Address) -> Result<B256> {
        let mut accounts = self.anvil.accounts().iter();
        let found = accounts.find(|known| known.address == account);
        found.map(|known| known.key).ok_or_else(|| eyre!("anvil has no account {account}"))
    }

    /// Where its configs and records are.
    #[must_use]
    pub fn deployments(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the config of the devnet.
    pub fn edit_config(&self, from: &str, to: &str) -> Result<()> {
        let path = self.folder.path().join("devnet.toml");
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "{from} is not in the config");
        Ok(fs::write(path, text.replacen(from, to, 1))?)
    }

    /// The files of the chain's folder.
    pub fn records(&self) -> Result<Vec<PathBuf>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("31337")) else {
            return Ok(Vec::new());
        };
        let mut files: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        Ok(files)
    }

    /// `luxxon <args>` for this chain and this folder, with `key` in the environment and nothing
    /// else of the kind.
    pub fn luxxon(&self, key: Option<&str>, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs()?.join("luxxon"));
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"LUXXON_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .args(["--network", &self.network, "--deployments"])
            .arg(self.folder.path())
            .env("LUXXON_RPC_URL", self.rpc_url())
            // Whatever the libraries below have to say.
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(key) = key {
            command.env("LUXXON_PRIVATE_KEY", key);
        }
        Ok(command)
    }

    /// Runs `luxxon <args>` with the key of `account`. What it says never shows the key.
    pub async fn run(&self, account: Address, args: &[&str]) -> Result<Done> {
        self.run_with(Some(&hex::encode(self.key_of(account)?)), args).await
    }

    /// Runs `luxxon <args>` with `key` in the environment. What it says never shows the key.
    pub async fn run_with(&self, key: Option<&str>, args: &[&str]) -> Result<Done> {
        let command = self.luxxon(key, args)?;
        finish(command, key).await
    }

    /// How many transactions `account` has sent.
    pub async fn nonce(&self, account: Address) -> Result<u64> {
        Ok(self.provider.get_transaction_count(account).await?)
    }

    /// Any other request to the node.
    pub async fn rpc(&self, method: &'static str, params: Value) -> Result<Value> {
        Ok(self.provider.raw_request(method.into(), params).await?)
    }

    /// Puts code where there was other code, or none.
    pub async fn set_code(&self, address: Address, code: &[u8]) -> Result<()> {
        let params = serde_json::json!([address, hex::encode_prefixed(code)]);
        self.rpc("anvil_setCode", params).await?;
        Ok(())
    }
}

/// Runs a command to its end. What it says must not show `secret`.
pub async fn finish(mut command: Command, secret: Option<&str>) -> Result<Done> {
    let output = timeout(LONGEST, command.output()).await.wrap_err("it does not end")??;
    let done = Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    let said = format!("{}{}", done.stdout, done.stderr).to_lowercase();
    if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
        let secret = secret.to_lowercase();
        ensure!(!said.contains(secret.trim_start_matches("0x")), "it shows a secret");
    }
    Ok(done)
}

/// A command that is still running.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Starts a command made by [`Operator::luxxon`].
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| eyre!("no standard error"))?;
        Ok(Self { child, stderr: BufReader::new(stderr) })
    }

    /// Waits until it says a line that begins with `words`.
    pub async fn until(&mut self, words: &str) -> Result<()> {
        let mut said = String::new();
        let found = async {
            loop {
                let before = said.len();
                if self.stderr.read_line(&mut said).await? == 0 {
                    return Err(eyre!("it ended: {said}"));
                }
                if said[before..].starts_with(words) {
                    return Ok(());
                }
            }
        };
        timeout(LONGEST, found).await.wrap_err("it does not say so")?
    }

    /// Its process, to send it a signal.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.child.id().and_then(|id| i32::try_from(id).ok())
    }

    /// Kills it at once, as `kill -9` does.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for its end.
    pub async fn end(mut self) -> Result<Done> {
        let mut stderr = String::new();
        let ended = async {
            self.stderr.read_to_string(&mut stderr).await?;
            Ok::<_, eyre::Report>(self.child.wait_with_output().await?)
        };
        let output = timeout(LONGEST, ended).await.wrap_err("it does not end")??;
        let stdout = String::from_utf8(output.stdout)?;
        Ok(Done { code: output.status.code(), stdout, stderr })
    }
}
