//! The indexer's daemon: wires node, sync, store and API together, and takes them down again.

use clap::Parser;
use eyre::{Report, Result, WrapErr, eyre};
use luxxon_indexer::{
    api,
    chain::{Identity, Providers, identify},
    config::{Cli, Command, RunArgs},
    store::SqliteStore,
    sync::{SyncError, Syncer},
};
use std::{
    convert::Infallible,
    env,
    future::IntoFuture,
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    prelude::*,
};

fn main() -> ExitCode {
    let Cli { command: Command::Run(args) } = Cli::parse();
    let outcome = start_log().and_then(|()| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(args))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("luxxon-indexer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The level is that of this program alone. What the libraries under it would say at such levels
/// includes the node's URL, and with it a key.
fn start_log() -> Result<()> {
    let level = match env::var("LUXXON_LOG") {
        Ok(level) => level.parse().map_err(|_| {
            eyre!("LUXXON_LOG is {level:?}, expected off, error, warn, info, debug or trace")
        })?,
        Err(_) => LevelFilter::INFO,
    };
    let filter =
        Targets::new().with_default(LevelFilter::ERROR).with_target("luxxon_indexer", level);
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(filter);
    tracing_subscriber::registry().with(log).init();
    Ok(())
}

/// Runs until a signal, or until the ledger cannot go on.
async fn run(args: RunArgs) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let mut daemon = tokio::select! {
        started = Daemon::start(args) => started?,
        () = stop.received() => return Ok(()),
    };
    let outcome = tokio::select! {
        failure = daemon.failure() => Err(failure),
        () = stop.received() => Ok(()),
    };
    tracing::info!("stopping");
    daemon.stop().await;
    outcome
}

/// The signals that end the daemon in good order.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The parts that run side by side.
struct Daemon {
    store: SqliteStore,
    sync: JoinHandle<Result<Infallible, SyncError>>,
    server: JoinHandle<std::io::Result<()>>,
    /// Dropped to let the server finish.
    serving: watch::Sender<()>,
}

impl Daemon {
    /// Everything that can be wrong with the configuration is found before the database is touched.
    async fn start(args: RunArgs) -> Result<Self> {
        let url = args.rpc_url.parse().map_err(|error| eyre!(error))?;
        let providers = Providers::at(url)?;
        let Identity { pins, first } =
            identify(&providers, args.chain_id, args.settlement, args.deploy_block).await?;
        let config = args.public_config(pins.deployment.usdc).map_err(|error| eyre!(error))?;
        SqliteStore::check(&args.db, &pins).await?;
        let listener = TcpListener::bind(args.listen)
            .await
            .wrap_err_with(|| format!("cannot serve on {} (--listen)", args.listen))?;
        let store = SqliteStore::open(&args.db, &pins, first).await?;

        let (settlement, db) = (args.settlement, args.db.display());
        tracing::info!(chain = args.chain_id, %settlement, %db, node = providers.names(), "following");
        let build_sha = env::var("GIT_SHA").unwrap_or_else(|_| "dev".to_owned());
        let router = api::router(store.clone(), config, &build_sha);
        let (serving, stopped) = watch::channel(());
        writeln!(std::io::stdout(), "http://{}/api/v1", listener.local_addr()?)?;
        let server = axum::serve(listener, router).with_graceful_shutdown(dropped(stopped));
        let syncer = Syncer::new(providers, store.clone(), pins.deployment);
        Ok(Self {
            store,
            sync: tokio::spawn(syncer.follow(args.poll())),
            server: tokio::spawn(server.into_future()),
            serving,
        })
    }

    /// Resolves when a part has ended, which none does by itself while all is well.
    async fn failure(&mut self) -> Report {
        tokio::select! {
            end = &mut self.sync => match end {
                Ok(Ok(never)) => match never {},
                Ok(Err(error)) => Report::from(error).wrap_err("the ledger cannot go on"),
                Err(panic) => Report::from(panic).wrap_err("the sync task died"),
            },
            end = &mut self.server => match end {
                Ok(Ok(())) => eyre!("the API stopped serving"),
                Ok(Err(error)) => Report::from(error).wrap_err("the API stopped serving"),
                Err(panic) => Report::from(panic).wrap_err("the API task died"),
            },
        }
    }

    /// Requests that are being answered may finish, but not for ever: a client that keeps its
    /// connection open must not keep the daemon.
    async fn stop(self) {
        const LONGEST_DRAIN: Duration = Duration::from_secs(5);
        let Self { store, sync, mut server, serving } = self;
        sync.abort();
        drop(serving);
        if !server.is_finished() && tokio::time::timeout(LONGEST_DRAIN, &mut server).await.is_err()
        {
            server.abort();
        }
        store.close().await;
    }
}

/// Resolves when the sender is dropped.
async fn dropped(mut receiver: watch::Receiver<()>) {
    while receiver.changed().await.is_ok() {}
}
