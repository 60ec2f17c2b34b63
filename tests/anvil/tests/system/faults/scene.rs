use alloy::primitives::{Address, B256, U256};
use eyre::{Result, WrapErr, ensure};
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::store::{SqliteStore, Store};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{Daemon, FaultProxy, World, tables};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// How long anything may take. After failures in a row the daemon waits seconds before it goes on.
const LONGEST: Duration = Duration::from_mins(1);
/// How often the database is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A chain, a proxy in front of its node, and a database for a daemon that knows only the proxy.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) world: Arc<World>,
    pub(super) proxy: FaultProxy,
    pub(super) db: PathBuf,
}

impl Scene {
    /// A chain whose blocks become final 64 blocks later: a daemon reads them one by one.
    pub(super) async fn start() -> Result<Self> {
        Self::of(World::start().await?).await
    }

    /// A chain whose blocks become final four blocks later: a daemon reads them by ranges.
    pub(super) async fn soon_final() -> Result<Self> {
        Self::of(World::with_finality(2).await?).await
    }

    async fn of(world: World) -> Result<Self> {
        let proxy = FaultProxy::start(world.rpc_url()).await?;
        let db = world.path("ledger.db");
        Ok(Self { world: Arc::new(world), proxy, db })
    }

    /// The same chain and database, behind a proxy that can also ask `second`.
    pub(super) async fn with_second_node(self, second: &World) -> Result<Self> {
        let proxy = FaultProxy::between(self.world.rpc_url(), second.rpc_url()).await?;
        Ok(Self { proxy, ..self })
    }

    /// Another proxy of the same node, for another daemon with a database of its own.
    pub(super) async fn beside(&self, name: &str) -> Result<Self> {
        let proxy = FaultProxy::start(self.world.rpc_url()).await?;
        let db = self.world.path(&format!("{name}.db"));
        Ok(Self { world: self.world.clone(), proxy, db })
    }

    /// What a daemon is told to follow this chain through the proxy.
    pub(super) async fn options(&self) -> Result<IndexerOptions> {
        self.options_at(self.proxy.url().clone()).await
    }

    async fn options_at(&self, rpc_url: Url) -> Result<IndexerOptions> {
        let options = self.world.daemon_options(&self.db).await?;
        Ok(IndexerOptions { rpc_url, ..options })
    }

    /// A daemon that serves already.
    pub(super) async fn follow(&self) -> Result<Daemon> {
        Daemon::start(&self.options().await?).await
    }

    /// The same, with a websocket to the node.
    pub(super) async fn follow_by_websocket(&self) -> Result<Daemon> {
        Daemon::start(&self.options_at(self.proxy.ws_url()?).await?).await
    }

    /// A block with one event: a deposit of `consumer`.
    pub(super) async fn deposit_of(&self, consumer: Address, amount: u64) -> Result<B256> {
        let deposit = self.world.contracts.settlement.deposit(U256::from(amount));
        self.world.execute(consumer, deposit.into_transaction_request()).await
    }

    /// A block with one event.
    pub(super) async fn deposit(&self) -> Result<B256> {
        self.deposit_of(self.world.cast.consumer, 1_000_000).await
    }

    /// The height of the last block that is in.
    pub(super) async fn cursor(&self) -> Result<u64> {
        Ok(tables::cursor(&self.db).await?.0)
    }

    /// Every row.
    pub(super) async fn rows(&self) -> Result<String> {
        tables::dump(&self.db).await
    }

    /// Waits until every block is in, and what is safe and final among them is known.
    pub(super) async fn at_head(&self, daemon: &mut Daemon) -> Result<()> {
        let clean = self.world.clean_run().await?;
        wait(daemon, "the ledger is not at the head", async || Ok(self.rows().await? == clean))
            .await
    }

    /// Waits until the rows are those of a clean run, stops the daemon, and makes sure that every
    /// fault was met on the way.
    pub(super) async fn ends_right(&self, daemon: Daemon) -> Result<()> {
        self.ends_with(daemon, &self.world.clean_run().await?).await
    }

    /// The same, where the rows of a clean run are known.
    pub(super) async fn ends_with(&self, mut daemon: Daemon, clean: &str) -> Result<()> {
        let right = wait(&mut daemon, "the rows are not those of a clean run", async || {
            Ok(self.rows().await? == clean)
        });
        if let Err(error) = right.await {
            let rows = self.rows().await?;
            return Err(error.wrap_err(difference(&rows, clean)));
        }
        let done = daemon.stop().await?;
        done.says(0, &[])?;
        ensure!(self.rows().await? == clean, "stopping changed the rows");
        self.proxy.ensure_all_met()
    }

    /// As [`Self::ends_right`], but the daemon may also stop instead of going on, as long as it says
    /// so and what it holds is right.
    pub(super) async fn ends_right_or_stops(&self, mut daemon: Daemon) -> Result<()> {
        let clean = self.world.clean_run().await?;
        let mut ended = false;
        let began = Instant::now();
        while !ended && self.rows().await? != clean && began.elapsed() < LONGEST {
            tokio::time::sleep(LOOK).await;
            ended = daemon.has_ended()?;
        }
        if !ended {
            return self.ends_with(daemon, &clean).await;
        }
        daemon.end().await?.says(1, &["the ledger cannot go on"])?;
        self.balances_are_right().await?;
        self.proxy.ensure_all_met()
    }

    /// Fails unless every pool is what the contract says it was at the cursor. Only while no daemon
    /// runs.
    pub(super) async fn balances_are_right(&self) -> Result<()> {
        let store = SqliteStore::open_existing(&self.db).await?;
        for &account in self.world.consumers.iter().chain(&self.world.operators) {
            let wallet = store.wallet(account).await?;
            let block = wallet.at.number;
            let pool = if block < self.world.contracts.deploy_block {
                MicroUsdc::ZERO
            } else {
                self.world.pool_at(account, block).await?
            };
            ensure!(wallet.balance == pool, "{account} has {pool} in block {block}: {wallet:?}");
        }
        store.close().await;
        Ok(())
    }
}

/// Waits until `condition` is true, or `daemon` has ended.
pub(super) async fn wait(
    daemon: &mut Daemon,
    otherwise: &str,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let began = Instant::now();
    // A daemon that has just ended may have reached the condition before.
    while !condition().await.wrap_err("the database")? {
        ensure!(!daemon.has_ended()?, "{otherwise}, and the daemon ended: {}", daemon.said());
        ensure!(began.elapsed() < LONGEST, "{otherwise}: {}", daemon.said());
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The first rows that are in one only.
fn difference(rows: &str, clean: &str) -> String {
    let only = |these: &str, those: &str, sign: char| -> Vec<String> {
        let those: Vec<&str> = those.lines().collect();
        let missing = these.lines().filter(|line| !those.contains(line)).take(5);
        missing.map(|line| format!("{sign} {line}")).collect()
    };
    [only(rows, clean, '+'), only(clean, rows, '-')].concat().join("\n")
}
