//! `make bench-head`: how long a new block takes to be seen in the database.
//!
//! From the return of `evm_mine` to the first SELECT, on another connection, that sees the block's
//! events; by websocket and by polling. The last line is a JSON object.

use eyre::{Result, ensure};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{
    Daemon,
    bench::{
        BenchChain,
        figures::{Progress, load, milliseconds, numbers, percentile, rounded},
    },
    command,
};
use serde_json::json;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Blocks that are waited for, unless the command line says another number.
const USUAL: [u64; 1] = [1_000];
/// Blocks that are there before, with so many events.
const BEFORE: (u64, u64) = (50, 5_000);
/// Events in each block that is waited for.
const EVENTS: u64 = 10;
/// As anvil has it by default: 64 blocks are not final.
const SLOTS: u64 = 32;
/// Milliseconds between two looks, where the daemon polls.
const POLL: u64 = 100;
/// The longest pause before a block, so that blocks come at any moment between two looks.
const PAUSE: Duration = Duration::from_millis(POLL);
/// How often the table is looked at.
const LOOK: Duration = Duration::from_micros(100);
/// A block that is not seen for so long never will be.
const LONGEST: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let blocks = numbers(&USUAL)?[0];
    let ws = measure("ws", blocks).await?;
    let poll = measure("http", blocks).await?;
    let say = |how: &str, times: &[Duration]| {
        let [p50, p99, most] = [50, 99, 100].map(|p| milliseconds(percentile(times, p)));
        println!("{how:>18}: p50 {p50:>6.1} ms, p99 {p99:>6.1} ms, at most {most:>6.1} ms");
        (rounded(p50, 1), rounded(p99, 1), rounded(most, 1))
    };
    println!("from evm_mine to the row, {blocks} blocks each; load {}", load());
    let (ws_p50, ws_p99, ws_most) = say("by websocket", &ws);
    let (poll_p50, poll_p99, poll_most) = say(&format!("every {POLL} ms"), &poll);
    let all = json!({
        "blocks": blocks,
        "wsP50Ms": ws_p50, "wsP99Ms": ws_p99, "wsMaxMs": ws_most,
        "pollP50Ms": poll_p50, "pollP99Ms": poll_p99, "pollMaxMs": poll_most,
    });
    println!("{all}");
    Ok(())
}

/// How long each of `blocks` blocks took to be seen by a daemon that reads by `scheme`.
async fn measure(scheme: &'static str, blocks: u64) -> Result<Vec<Duration>> {
    let chain = BenchChain::start(SLOTS).await?;
    let (before, events) = BEFORE;
    chain.fill(events, before).await?;
    chain.send(EVENTS).await?;
    chain.mine().await?;
    let mut block = chain.head().await?;

    let db = chain.path("head.db");
    let daemon = daemon(scheme, chain.daemon_options(&db).await?).await?;
    let options = SqliteConnectOptions::new().filename(&db).read_only(true);
    let mut reader = options.connect().await?;
    seen(&mut reader, block).await?;

    let (mut times, mut progress) = (Vec::new(), Progress::new(scheme));
    for count in 1..=blocks {
        tokio::time::sleep(PAUSE.mul_f64(fastrand::f64())).await;
        chain.send(EVENTS).await?;
        block += 1;
        chain.mine().await?;
        times.push(seen(&mut reader, block).await?);
        progress.at(count, blocks);
    }
    reader.close().await?;
    daemon.stop().await?;
    Ok(times)
}

async fn daemon(scheme: &str, mut options: IndexerOptions) -> Result<Daemon> {
    let url = options.rpc_url.as_str().replacen("http", scheme, 1);
    options.rpc_url = url.parse()?;
    let poll = POLL.to_string();
    let mut command = command::on_chain(&options, &["run", "--poll-ms", &poll]);
    command.args(["--audit-seconds", "0"]).env("LUXXON_LOG", "warn");
    Daemon::serving(command).await
}

/// Waits until the events of `block` are in the table.
async fn seen(reader: &mut SqliteConnection, block: u64) -> Result<Duration> {
    let began = Instant::now();
    let block = i64::try_from(block)?;
    loop {
        let row: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM events WHERE position >= ?1 << 23 AND position < ?1 + 1 << 23",
        )
        .bind(block)
        .fetch_optional(&mut *reader)
        .await?;
        if row.is_some() {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < LONGEST, "block {block} is not seen");
        // tokio's own sleep is a millisecond at least.
        thread::sleep(LOOK);
    }
}
