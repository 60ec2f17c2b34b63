use crate::{
    Done, command,
    process::{busy, mapped, memory, peak_memory, read_from_disk},
};
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_script::devnet::IndexerOptions;
use rustix::process::{Pid, Signal, kill_process};
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// It starts and stops within a second, unless the machine is busy.
const LONGEST: Duration = Duration::from_mins(1);

/// The indexer's process as a test sees it: from outside, with all it says. A daemon, or a command
/// that ends by itself.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    api_url: String,
    stdout: JoinHandle<String>,
    said: watch::Receiver<String>,
}

impl Daemon {
    /// Starts it and waits until it serves.
    pub async fn start(options: &IndexerOptions) -> Result<Self> {
        Self::start_with(options, &[]).await
    }

    /// The same, with more flags.
    pub async fn start_with(options: &IndexerOptions, flags: &[&str]) -> Result<Self> {
        Self::serving(command::on_chain(options, &[&["run"], flags].concat())).await
    }

    /// Starts a command that serves, and waits until it does.
    pub async fn serving(command: Command) -> Result<Self> {
        let mut daemon = Self::begin(command)?;
        let mut stdout = daemon.take_stdout()?;
        let mut line = String::new();
        timeout(LONGEST, stdout.read_line(&mut line)).await.wrap_err("it does not serve")??;
        daemon.stdout = read_on(stdout);
        ensure!(line.starts_with("http://"), "it did not start: {}", daemon.end().await?.stderr);
        daemon.api_url = line.trim().to_owned();
        Ok(daemon)
    }

    /// Starts a command, which may end by itself.
    pub fn spawn(command: Command) -> Result<Self> {
        let mut daemon = Self::begin(command)?;
        daemon.stdout = read_on(daemon.take_stdout()?);
        Ok(daemon)
    }

    /// Starts it and waits for its end, where it should refuse to start.
    pub async fn refusal(options: &IndexerOptions) -> Result<Done> {
        Self::spawn(command::on_chain(options, &["run"]))?.end().await
    }

    fn begin(mut command: Command) -> Result<Self> {
        let mut child = command.spawn().wrap_err("the indexer does not start")?;
        let stderr = child.stderr.take().ok_or_else(|| eyre!("no standard error"))?;
        let (sender, said) = watch::channel(String::new());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|said| {
                    said.push_str(&line);
                    said.push('\n');
                });
            }
        });
        let nothing_yet = tokio::spawn(async { String::new() });
        Ok(Self { child, api_url: String::new(), stdout: nothing_yet, said })
    }

    fn take_stdout(&mut self) -> Result<BufReader<ChildStdout>> {
        let stdout = self.child.stdout.take().ok_or_else(|| eyre!("no standard output"))?;
        Ok(BufReader::new(stdout))
    }

    /// The process, as it names itself to others.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| eyre!("it has ended"))
    }

    /// Where it serves: ends in `/api/v1`.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// What it has said on standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Waits until what it says contains `words`.
    pub async fn until_said(&mut self, words: &str) -> Result<()> {
        let said = self.said.wait_for(|said| said.contains(words));
        let waited = timeout(LONGEST, said).await.is_ok_and(|found| found.is_ok());
        ensure!(waited, "it does not say {words:?}: {}", self.said());
        Ok(())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The most memory that it ever had, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> Result<u64> {
        peak_memory(self.pid()?)
    }

    /// The memory that it has now, in bytes.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> Result<u64> {
        memory(self.pid()?)
    }

    /// How long it has kept a core busy.
    #[cfg(target_os = "linux")]
    pub fn busy(&self) -> Result<Duration> {
        busy(self.pid()?)
    }

    /// How much the threads that answer have had to read from a disk, in bytes.
    #[cfg(target_os = "linux")]
    pub fn read_from_disk(&self) -> Result<u64> {
        read_from_disk(self.pid()?, "api")
    }

    /// How many bytes of the file at `path` it has mapped and in memory.
    #[cfg(target_os = "linux")]
    pub fn mapped(&self, path: &Path) -> Result<u64> {
        mapped(self.pid()?, path)
    }

    /// Kills it at once, as `kill -9` does.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) -> Result<Done> {
        self.stop_by(Signal::TERM).await
    }

    /// Asks it to end by a signal, and waits until it has.
    pub async fn stop_by(self, signal: Signal) -> Result<Done> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            kill_process(pid, signal)?;
        }
        self.end().await
    }

    /// Waits until it has ended by itself.
    pub async fn end(mut self) -> Result<Done> {
        let ended = async {
            let status = self.child.wait().await?;
            let stdout = (&mut self.stdout).await?;
            // Its end closes the pipe, and that the sender.
            while self.said.changed().await.is_ok() {}
            let stderr = self.said.borrow().clone();
            Ok::<_, eyre::Report>(Done { code: status.code(), stdout, stderr })
        };
        timeout(LONGEST, ended).await.map_err(|_| eyre!("it does not end: {}", self.said()))?
    }
}

fn read_on(mut stdout: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut text = String::new();
        // What is not UTF-8 is not the daemon's.
        let _ = stdout.read_to_string(&mut text).await;
        text
    })
}
