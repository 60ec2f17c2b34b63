//! Two replicas, each with a database of its own, behind one client.

use alloy::{network::TransactionBuilder, primitives::U256};
use eyre::{Result, ensure, eyre};
use luxxon_indexer::{key::PlainKey, store::SqliteStore};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{ApiClient, Calls, Daemon, ExchangeFault, FaultProxy, Rule, World, command};
use serde_json::Value;
use std::time::Duration;

/// What the slow replica's node takes to answer.
const SLOW: Duration = Duration::from_millis(60);
/// Between two blocks. Longer than the slow replica needs for one.
const BLOCK_TIME: Duration = Duration::from_millis(400);

fn number(data: &Value, field: &str) -> Result<u64> {
    Ok(data[field].as_str().ok_or_else(|| eyre!("no {field} in {data}"))?.parse()?)
}

/// A daemon as it is run where keys may ask as often as they like.
async fn replica(options: &IndexerOptions) -> Result<Daemon> {
    let mut run = command::on_chain(options, &["run", "--audit-seconds", "0"]);
    run.args(["--key-requests-per-second", "0"]);
    Daemon::serving(run).await
}

/// A deposit of 1 µUSDC in every block, until it is dropped.
async fn deposits(world: &World) -> Result<()> {
    loop {
        let deposit = world.contracts.settlement.deposit(U256::ONE).into_transaction_request();
        world.execute(world.cast.consumer, deposit.with_from(world.cast.consumer)).await?;
        tokio::time::sleep(BLOCK_TIME).await;
    }
}

/// Two replicas of a chain that grows, one of which is slow.
struct Replicas {
    world: World,
    daemons: [Daemon; 2],
    clients: [(ApiClient, PlainKey); 2],
    _proxy: FaultProxy,
}

impl Replicas {
    async fn start() -> Result<Self> {
        let world = World::start().await?;
        let proxy = FaultProxy::start(world.rpc_url()).await?;
        let _ = proxy.inject(Rule::new(Calls::All, ExchangeFault::Delay(SLOW)));
        let fast = world.daemon_options(&world.path("fast.db")).await?;
        let slow = world.daemon_options(&world.path("slow.db")).await?;
        let slow = IndexerOptions { rpc_url: proxy.url().clone(), ..slow };
        let daemons = [replica(&fast).await?, replica(&slow).await?];
        let fast_client = client(&world, &fast, &daemons[0]).await?;
        let slow_client = client(&world, &slow, &daemons[1]).await?;
        Ok(Self { world, daemons, clients: [fast_client, slow_client], _proxy: proxy })
    }

    /// Reads by turns from one and the other while the chain grows, and passes the token back or
    /// not. Returns how many reads were of an older block than one before.
    async fn read(&self, reads: usize, with_token: bool) -> Result<usize> {
        let turns = async {
            let (mut token, mut last, mut moved, mut refused, mut older) = (None, (0, 0), 0, 0, 0);
            for read in 0..reads {
                let (api, key) = &self.clients[read % 2];
                let (status, body) = api.get_in_order("/wallet", key, &mut token).await?;
                if !with_token {
                    token = None;
                }
                if status == 503 {
                    refused += 1;
                    continue;
                }
                ensure!(status == 200, "{status} {body}");
                // The pool only grows.
                let data = &body["data"];
                let now = (number(data, "lastSyncBlock")?, number(data, "trackedBalance")?);
                older += usize::from(now.0 < last.0 || now.1 < last.1);
                moved += usize::from(now.0 > last.0);
                last = now;
            }
            ensure!(moved > 5, "the chain grew by {moved} blocks: too few to tell");
            ensure!(refused < reads / 10, "{refused} of {reads} reads were refused");
            Ok(older)
        };
        tokio::select! {
            older = turns => older,
            ended = deposits(&self.world) => Err(ended.err().unwrap_or_else(|| eyre!("no end"))),
        }
    }

    async fn stop(self) -> Result<()> {
        for daemon in self.daemons {
            daemon.stop().await?.says(0, &[])?;
        }
        Ok(())
    }
}

async fn client(
    world: &World,
    options: &IndexerOptions,
    daemon: &Daemon,
) -> Result<(ApiClient, PlainKey)> {
    let store = SqliteStore::open_existing(&options.db).await?;
    let key = world.register(&store, world.cast.consumer).await?;
    store.close().await;
    Ok((ApiClient::new(daemon.api_url())?, key))
}

#[tokio::test]
async fn a_client_that_passes_its_token_back_never_sees_an_older_block() -> Result<()> {
    let replicas = Replicas::start().await?;
    assert_eq!(replicas.read(10_000, true).await?, 0);
    // It is the token that does it.
    assert!(replicas.read(2_000, false).await? > 0, "no replica was ever behind");
    replicas.stop().await
}
