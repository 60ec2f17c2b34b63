//! What the people who run the daemon are told, `/ready` and `/metrics`, and that it ends well.

use alloy::{
    primitives::{Address, B256, U256},
    transports::http::reqwest,
};
use eyre::{Result, ensure};
use luxxon_bindings::settlement::ILuxxonSettlement::BatchEntry;
use luxxon_indexer::store::SqliteStore;
use luxxon_tests::{Calls, Daemon, ExchangeFault, FaultProxy, History, Rule, World, command};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LONGEST: Duration = Duration::from_mins(1);

/// `GET path` beside the API: status and body.
async fn get(daemon: &Daemon, path: &str) -> Result<(u16, String)> {
    let url = daemon.api_url().replace("/api/v1", path);
    let client = reqwest::Client::builder().no_proxy().timeout(LONGEST).build()?;
    let response = client.get(url).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// Waits until `/ready` answers with `status`, and returns what it says.
async fn until_ready_says(daemon: &Daemon, status: u16) -> Result<String> {
    let began = Instant::now();
    loop {
        let (found, body) = get(daemon, "/ready").await?;
        if found == status {
            return Ok(body);
        }
        ensure!(began.elapsed() < LONGEST, "{found} {body}: {}", daemon.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until every block is in, and returns what `/metrics` says then.
async fn until_at_head(daemon: &Daemon, world: &World) -> Result<String> {
    let (head, began) = (world.head().await?, Instant::now());
    loop {
        let (status, text) = get(daemon, "/metrics").await?;
        ensure!(status == 200, "{text}");
        let lines = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        if lines(&format!("luxxon_indexer_cursor {head}")) == 1
            && lines("luxxon_indexer_lag_blocks 0") == 1
        {
            return Ok(text);
        }
        ensure!(began.elapsed() < LONGEST, "{text}{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes every pool of the tables another than the contract's.
pub(crate) async fn add_to_pools(db: &Path, amount: i64) -> Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(db).connect().await?;
    sqlx::query("UPDATE pools SET balance = balance + ?")
        .bind(amount)
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_daemon_that_serves_keeps_its_database_in_memory() -> Result<()> {
    let world = World::start().await?;
    let db = world.path("ledger.db");
    let daemon = Daemon::start(&world.daemon_options(&db).await?).await?;
    let began = Instant::now();
    for file in [&db, &world.path("ledger.db-wal")] {
        while daemon.mapped(file)? < file.metadata()?.len() {
            ensure!(
                began.elapsed() < LONGEST,
                "{} is not in memory: {}",
                file.display(),
                daemon.said()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn a_balance_that_is_not_the_contracts_turns_ready_red_until_it_is_right_again() -> Result<()>
{
    let world = World::start().await?;
    History::seeded(40).play(&world, 20).await?;
    let db = world.path("ledger.db");
    let options = world.daemon_options(&db).await?;
    let daemon = Daemon::start_with(&options, &["--audit-seconds", "1"]).await?;
    assert_eq!(until_ready_says(&daemon, 200).await?, r#"{"ready":true,"complaints":[]}"#);

    until_at_head(&daemon, &world).await?;

    add_to_pools(&db, 1).await?;
    let body = until_ready_says(&daemon, 503).await?;
    ensure!(body.contains("deposits(0x") && body.contains("in the tables"), "{body}");
    let (_, metrics) = get(&daemon, "/metrics").await?;
    ensure!(metrics.contains(r#"audits_total{result="differs"}"#), "{metrics}");

    add_to_pools(&db, -1).await?;
    until_ready_says(&daemon, 200).await?;
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn metrics_say_where_ledger_and_node_stand_and_how_the_node_answers() -> Result<()> {
    let world = World::with_finality(2).await?;
    let mut history = History::seeded(41);
    history.play(&world, 20).await?;
    let db = world.path("ledger.db");
    let daemon = Daemon::start(&world.daemon_options(&db).await?).await?;
    until_at_head(&daemon, &world).await?;
    world.reorg(2).await?;
    history.play(&world, 2).await?;
    // No history has an entry without a payee.
    let entry = BatchEntry {
        sessionId: B256::ZERO,
        from: world.cast.consumer,
        to: Address::ZERO,
        ratePerSecond: U256::ONE,
        chargeableSeconds: U256::ONE,
        toAmount: U256::ONE,
        feeAmount: U256::ZERO,
    };
    let batch = world.contracts.settlement.settleBatch(vec![entry.clone(), entry]);
    world.execute(world.cast.relayer, batch.into_transaction_request()).await?;
    let text = until_at_head(&daemon, &world).await?;
    let node = world.rpc_url().trim_end_matches('/');
    for line in [
        "luxxon_indexer_reorg_depth_count 1\n".to_owned(),
        "luxxon_indexer_entries_skipped_total{reason=\"InvalidPayee\"} 2\n".to_owned(),
        format!(
            r#"luxxon_indexer_rpc_calls_total{{method="eth_getLogs",provider="{node}",outcome="ok"}}"#
        ),
    ] {
        ensure!(text.contains(&line), "{line} is not in\n{text}");
    }
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn a_long_backfill_that_moves_is_ready() -> Result<()> {
    let world = World::with_finality(2).await?;
    world.mine(40).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let slow = ExchangeFault::Delay(Duration::from_millis(400));
    let slow = proxy.inject(Rule::new(Calls::RangeLogs, slow));
    let options = world.daemon_options(&world.path("ledger.db")).await?;
    let mut run = command::on_chain(&options, &["run", "--max-block-range", "1"]);
    run.env("LUXXON_RPC_URL", proxy.url().as_str());
    let daemon = Daemon::serving(run).await?;
    until_ready_says(&daemon, 200).await?;
    let (cursor, _) = luxxon_tests::tables::cursor(&options.db).await?;
    assert!(cursor < 36, "it was ready only at the end: {cursor}");
    slow.remove();
    daemon.stop().await?.says(0, &[])?;
    Ok(())
}

/// Each waits for a block that does not come, on a connection of its own: on every thread that serves.
#[tokio::test]
async fn what_is_being_answered_when_the_daemon_is_stopped_is_answered() -> Result<()> {
    const CONNECTIONS: usize = 16;
    let world = World::start().await?;
    let options = world.daemon_options(&world.path("ledger.db")).await?;
    let daemon = Daemon::start(&options).await?;
    until_at_head(&daemon, &world).await?;
    let store = SqliteStore::open_existing(&options.db).await?;
    let key = world.register(&store, world.cast.consumer).await?;
    store.close().await;

    let url: url::Url = daemon.api_url().parse()?;
    let target = format!("GET /api/v1/wallet?waitForBlock={}", world.head().await? + 1);
    let key = key.reveal();
    let request = format!("{target} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {key}\r\n\r\n");
    let mut waiting = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = TcpStream::connect(&*url.socket_addrs(|| None)?).await?;
        connection.write_all(request.as_bytes()).await?;
        waiting.push(connection);
    }
    // Connections are taken in turn, and so are requests: once these are answered, those are asked.
    for _ in 0..CONNECTIONS {
        get(&daemon, "/api/v1/health").await?;
    }
    let stopped = daemon.stop();
    let answered = async {
        for mut connection in waiting {
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            ensure!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
            ensure!(answer.contains("consistency:behind:"), "{answer:?}");
        }
        Ok(())
    };
    let (stopped, answered) = tokio::join!(stopped, answered);
    answered?;
    stopped?.says(0, &[])
}
