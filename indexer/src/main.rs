//! The indexer's daemon: wires node, sync, store and API together, and takes them down again.

use clap::Parser;
use eyre::{Result, WrapErr, eyre};
use luxxon_indexer::{
    api,
    chain::{Identity, Node, identify},
    config::{Cli, Command, RunArgs},
    store::SqliteStore,
    sync::Syncer,
};
use std::{
    env,
    future::IntoFuture,
    io::{IsTerminal, Write},
    process::ExitCode,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

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

fn start_log() -> Result<()> {
    let filter = match env::var("LUXXON_LOG") {
        Ok(directives) => EnvFilter::try_new(directives).wrap_err("LUXXON_LOG")?,
        Err(_) => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// Runs until a signal, or until the ledger cannot go on. Everything that can be wrong with the
/// configuration is found before the database is touched.
async fn run(args: RunArgs) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let node = Node::new(args.rpc_url.parse().map_err(|error| eyre!(error))?)?;
    let Identity { pins, first } =
        identify(&node, args.chain_id, args.settlement, args.deploy_block).await?;
    let config = args.public_config(pins.deployment.usdc).map_err(|error| eyre!(error))?;
    SqliteStore::check(&args.db, &pins).await?;
    let listener = TcpListener::bind(args.listen)
        .await
        .wrap_err_with(|| format!("cannot serve on {} (--listen)", args.listen))?;
    let store = SqliteStore::open(&args.db, &pins, first).await?;

    let build_sha = env::var("GIT_SHA").unwrap_or_else(|_| "dev".to_owned());
    let router = api::router(store.clone(), config, &build_sha);
    let (stop, stopped) = watch::channel(());
    writeln!(std::io::stdout(), "http://{}/api/v1", listener.local_addr()?)?;
    let mut server = tokio::spawn(
        axum::serve(listener, router).with_graceful_shutdown(stopping(stopped)).into_future(),
    );
    let syncer = Syncer::new(node, store.clone(), pins.deployment);
    let mut sync = tokio::spawn(syncer.follow(args.poll()));

    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        end = &mut sync => match end {
            Ok(Ok(never)) => match never {},
            Ok(Err(error)) => Err(eyre!(error).wrap_err("the ledger cannot go on")),
            Err(panic) => Err(eyre!(panic).wrap_err("the sync task died")),
        },
        end = &mut server => Err(match end {
            Ok(Ok(())) => eyre!("the API stopped serving"),
            Ok(Err(error)) => eyre!(error).wrap_err("the API stopped serving"),
            Err(panic) => eyre!(panic).wrap_err("the API task died"),
        }),
    };
    tracing::info!("stopping");
    sync.abort();
    drop(stop);
    if !server.is_finished() {
        drain(server).await;
    }
    store.close().await;
    outcome
}

/// Resolves when the sender is dropped.
async fn stopping(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

/// Lets requests that are being answered finish, but not for ever: a client that keeps its connection
/// open must not keep the daemon.
async fn drain<T>(mut server: tokio::task::JoinHandle<T>) {
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(5);
    if tokio::time::timeout(LONGEST, &mut server).await.is_err() {
        server.abort();
    }
}
