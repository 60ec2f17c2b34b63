use super::BenchChain;
use crate::process::peak_memory;
use eyre::{Result, WrapErr, ensure, eyre};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, time::interval};

/// How often the daemon's memory is looked at: the system forgets its peak when it ends.
const LOOK: Duration = Duration::from_millis(5);

/// One run of `luxxon-indexer sync` from an empty database.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// From the start of the process to its end.
    pub time: Duration,
    /// The most memory it ever had, in bytes: its `VmHWM`.
    pub peak_memory: u64,
    /// The database's size, in bytes.
    pub database: u64,
    /// The ranges it read, first and last block of each.
    pub ranges: Vec<(u64, u64)>,
}

impl Backfill {
    /// Reads `chain` up to block `until` into `db`, which must not exist yet.
    pub async fn run(chain: &BenchChain, db: &Path, until: u64) -> Result<Self> {
        ensure!(!db.exists(), "{} is there already", db.display());
        let options = chain.daemon_options(db).await?;
        let mut command = options.command_of("sync");
        command
            .args(["--until", &until.to_string()])
            .args(["--log-format", "json"])
            .env("LUXXON_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().wrap_err("the indexer does not start")?;
        let pid = child.id().ok_or_else(|| eyre!("the indexer has no pid"))?;
        let mut stderr = child.stderr.take().ok_or_else(|| eyre!("no standard error"))?;
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.map(|_| log)
        });
        let (mut look, mut peak) = (interval(LOOK), 0);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                // At its very end it has no memory left to tell of.
                _ = look.tick() => peak = peak_memory(pid).unwrap_or_default().max(peak),
            }
        };
        let time = began.elapsed();
        let log = log.await??;
        ensure!(status.success(), "the indexer ended with {status}: {log}");
        let (database, ranges) = (fs::metadata(db)?.len(), ranges_of(&log)?);
        Ok(Self { time, peak_memory: peak, database, ranges })
    }
}

/// The ranges that the daemon's log tells of.
fn ranges_of(log: &str) -> Result<Vec<(u64, u64)>> {
    let mut ranges = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).wrap_err_with(|| line.to_owned())?;
        let fields = &entry["fields"];
        if fields["message"] != "backfilled" {
            continue;
        }
        let (to, blocks) = fields["to"]
            .as_u64()
            .zip(fields["blocks"].as_u64())
            .ok_or_else(|| eyre!("a range without its blocks: {line}"))?;
        ranges.push((to + 1 - blocks, to));
    }
    Ok(ranges)
}
