//! `luxxon devnet`: a chain, the contracts, the indexer and some traffic, and nothing of it left
//! behind.

mod anvil;
mod contracts;
mod indexer;
mod make;
mod report;
mod traffic;

pub use anvil::{Anvil, AnvilOptions, DevAccount};
pub use contracts::{Cast, Contracts, deploy, mined};
pub use indexer::{Indexer, IndexerOptions};

use alloy::{
    primitives::Address,
    providers::{Provider, RootProvider},
};
use clap::Args;
use eyre::{Result, WrapErr, bail, ensure, eyre};
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::{
    key::{Environment, PlainKey},
    store::{NewApiKey, NewWorkspace, Scope, SqliteStore, Store},
};
use make::ParentMake;
use report::{Ready, WorkspaceReady};
use rustix::process::Signal;
use std::{
    io::Write,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use traffic::Traffic;

/// How the devnet is to be.
#[derive(Clone, Debug, Args)]
pub struct DevnetArgs {
    /// The node's port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// The API's port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub api_port: u16,

    /// Leave the chain alone: no deposits, settlements or withdrawals
    #[arg(long)]
    pub no_traffic: bool,

    /// Seconds from block to block, 0.1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = block_time)]
    pub block_time: f64,

    /// Keep the indexer's database there, in a new file. By default it is a temporary one
    #[arg(long, value_name = "PATH")]
    pub db: Option<PathBuf>,

    /// Print one line of JSON when all is ready, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
}

fn block_time(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is not a number of seconds"))?;
    if (0.1..=3600.0).contains(&seconds) {
        return Ok(seconds);
    }
    Err(format!("{text} s, expected 0.1 to 3600"))
}

/// What each wallet is given: a million USDC.
const MINTED: MicroUsdc = MicroUsdc::new(1_000_000_000_000);

/// How long the indexer may take to see the blocks made while starting.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(30);

/// The pause before an indexer that was killed is started again.
const BEFORE_RESTART: Duration = Duration::from_millis(200);

/// Runs the devnet until SIGINT, SIGTERM or SIGHUP, to it or to the make that runs it, or until one
/// of its parts ends.
pub fn run(args: &DevnetArgs) -> Result<()> {
    // On the main thread, which lives as long as the process: the children are tied to it.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run_until_stopped(args))
}

async fn run_until_stopped(args: &DevnetArgs) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let mut devnet = tokio::select! {
        started = Devnet::start(args) => started?,
        () = stop.received() => return Ok(()),
    };
    devnet.announce(args)?;
    let outcome = tokio::select! {
        ended = devnet.supervise() => ended,
        () = stop.received() => Ok(()),
    };
    say("stopping");
    devnet.stop().await;
    outcome
}

/// What ends a devnet in good order: a signal to it, or to the make that runs it.
struct StopSignals {
    signals: [tokio::signal::unix::Signal; 3],
    make: Option<ParentMake>,
}

impl StopSignals {
    fn listen() -> Result<Self> {
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Self { signals, make: ParentMake::find() })
    }

    async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        let make = async {
            match &self.make {
                Some(make) => make.stopped().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = make => {}
        }
    }
}

/// A running devnet. Dropping it kills what it started.
struct Devnet {
    anvil: Anvil,
    indexer: Indexer,
    indexer_options: IndexerOptions,
    traffic: Option<tokio::task::JoinHandle<()>>,
    store: SqliteStore,
    ready: Ready,
    _folder: Option<TempDir>,
}

impl Devnet {
    async fn start(args: &DevnetArgs) -> Result<Self> {
        if let Some(path) = &args.db {
            let taken = path.metadata().is_ok_and(|metadata| metadata.len() > 0);
            ensure!(
                !taken,
                "{} exists: a devnet's chain is new each time, so its database must be (--db)",
                path.display()
            );
        }
        check_port("--port", args.port)?;
        check_port("--api-port", args.api_port)?;
        say("starting anvil");
        let options = AnvilOptions {
            port: args.port,
            block_time: Some(args.block_time),
            ..AnvilOptions::default()
        };
        let anvil = Anvil::start(&options).await?;
        let provider = anvil.provider()?;
        let cast = Cast::of(&anvil)?;
        let chain_id = provider.get_chain_id().await?;

        say("deploying the USDC stand-in and LuxxonSettlement");
        let contracts = deploy(&provider, &cast).await?;
        for wallet in [cast.consumer, cast.operator] {
            let call = contracts.usdc.mint(wallet, MINTED.into()).from(cast.owner);
            mined(&provider, *call.send().await?.tx_hash()).await?;
        }

        say("starting the indexer");
        let (folder, db) = if let Some(path) = &args.db {
            (None, path.clone())
        } else {
            let folder = tempfile::Builder::new().prefix("luxxon-devnet-").tempdir();
            let folder = folder.wrap_err("a folder for temporary files (TMPDIR)")?;
            let db = folder.path().join("ledger.db");
            (Some(folder), db)
        };
        let mut indexer_options = IndexerOptions::new(anvil.url(), chain_id, &contracts, &db)?;
        indexer_options.listen = format!("127.0.0.1:{}", args.api_port);
        let indexer = Indexer::start(&indexer_options).await?;
        indexer_options.listen = host_and_port(indexer.api_url())?;

        say("registering workspaces");
        let store = SqliteStore::open_existing(&db).await?;
        let consumer = register(&store, &anvil, chain_id, "consumer", cast.consumer).await?;
        let operator = register(&store, &anvil, chain_id, "operator", cast.operator).await?;
        let traffic = Traffic {
            contracts: contracts.clone(),
            cast,
            store: store.clone(),
            consumer_workspace: consumer.id,
            operator_workspace: operator.id,
        };
        let (traffic, session) = if args.no_traffic {
            (None, None)
        } else {
            say("settling a first session");
            let (session, next) = first_session(&traffic, &provider).await?;
            let block_time = Duration::from_secs_f64(args.block_time);
            (Some(tokio::spawn(traffic.flow(next, block_time))), Some(session))
        };
        catch_up(&store, provider.get_block_number().await?).await?;

        let ready = Ready {
            rpc_url: anvil.url().as_str().trim_end_matches('/').to_owned(),
            chain_id,
            api_url: indexer.api_url().to_owned(),
            status_url: format!("http://{}/", host_and_port(indexer.api_url())?),
            settlement_address: *contracts.settlement.address(),
            usdc_address: *contracts.usdc.address(),
            deploy_block: contracts.deploy_block,
            relayer_key: key_of(&anvil, cast.relayer)?,
            workspaces: vec![consumer, operator],
            session,
            block_time: args.block_time,
            kept: args.db.clone(),
        };
        Ok(Self { anvil, indexer, indexer_options, traffic, store, ready, _folder: folder })
    }

    /// Says what there is, on standard output.
    fn announce(&self, args: &DevnetArgs) -> Result<()> {
        let text = if args.json {
            serde_json::to_string(&self.ready)?
        } else {
            format!("\n{}", self.ready)
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).wrap_err("standard output")
    }

    /// Returns when a part has ended. An indexer that was killed (`kill -9`) is started again, as
    /// an operator's service manager would; one that was told to stop, or gave up, ends the
    /// devnet.
    async fn supervise(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                status = self.anvil.ended() => return ended("anvil", status?),
                status = self.indexer.ended() => {
                    let status = status?;
                    if status.signal() != Some(Signal::KILL.as_raw()) {
                        return ended("the indexer", status);
                    }
                    say("the indexer was killed: starting it again");
                    tokio::time::sleep(BEFORE_RESTART).await;
                    self.indexer = Indexer::start(&self.indexer_options).await?;
                }
            }
        }
    }

    /// Ends every part, each before what it needs.
    async fn stop(self) {
        if let Some(traffic) = self.traffic {
            traffic.abort();
            let _ = traffic.await;
        }
        self.store.close().await;
        self.indexer.stop().await;
        self.anvil.stop().await;
    }
}

/// A part's end that nobody asked this process for.
fn ended(part: &str, status: ExitStatus) -> Result<()> {
    if status.success() || was_told_to_stop(status) {
        say(&format!("{part} was stopped: stopping everything"));
        return Ok(());
    }
    bail!("{part} ended ({status})");
}

fn was_told_to_stop(status: ExitStatus) -> bool {
    let told = [Signal::INT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
    status.signal().is_some_and(|signal| told.contains(&signal))
}

/// Approves, tops up and settles once, making the blocks for it. Returns the session, and the
/// traffic's next step.
async fn first_session(traffic: &Traffic, provider: &RootProvider) -> Result<(uuid::Uuid, u64)> {
    mined(provider, traffic.approve().await?.tx_hash).await?;
    for step in 0.. {
        let sent = traffic.act(step).await?;
        mined(provider, sent.tx_hash).await?;
        if let Some(session) = sent.session {
            return Ok((session.id, step + 1));
        }
    }
    unreachable!("the traffic settles within its first steps");
}

/// Waits until the indexer has taken in `block`.
async fn catch_up(store: &SqliteStore, block: u64) -> Result<()> {
    let began = Instant::now();
    while store.cursor().await?.block.number < block {
        ensure!(
            began.elapsed() < LONGEST_CATCH_UP,
            "the indexer has not seen block {block} within {LONGEST_CATCH_UP:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn register(
    store: &SqliteStore,
    anvil: &Anvil,
    chain_id: u64,
    role: &'static str,
    wallet: Address,
) -> Result<WorkspaceReady> {
    let slug = format!("devnet-{role}");
    let name = format!("Devnet {role}");
    let workspace = store.add_workspace(NewWorkspace { slug, name, wallet }).await?;
    let key = PlainKey::generate(Environment::of_chain(chain_id), workspace.id)
        .map_err(|error| eyre!("no randomness for a key: {error}"))?;
    let scopes = vec![Scope::WalletRead, Scope::SessionsRead];
    let (key_hash, prefix, label) = (key.hash(), key.prefix(), "devnet".to_owned());
    let new = NewApiKey { workspace: workspace.id, key_hash, prefix, label, scopes };
    store.add_api_key(new).await?;
    Ok(WorkspaceReady {
        id: workspace.id,
        slug: workspace.slug,
        role,
        wallet_address: wallet,
        wallet_key: key_of(anvil, wallet)?,
        api_key: key.reveal().to_owned(),
    })
}

fn key_of(anvil: &Anvil, address: Address) -> Result<alloy::primitives::B256> {
    let account = anvil.accounts().iter().find(|account| account.address == address);
    account.map(|account| account.key).ok_or_else(|| eyre!("anvil has no account {address}"))
}

/// `host:port` of the API's URL, for an indexer that is started again.
fn host_and_port(api_url: &str) -> Result<String> {
    let url: url::Url = api_url.parse().wrap_err("where the API serves")?;
    Ok(url.authority().to_owned())
}

/// Whether a port that was asked for is free: better said now than when half of the devnet stands.
fn check_port(flag: &str, port: u16) -> Result<()> {
    std::net::TcpListener::bind(("127.0.0.1", port))
        .map(drop)
        .wrap_err_with(|| format!("cannot serve on port {port} ({flag})"))
}

/// Progress, for whoever waits.
fn say(what: &str) {
    eprintln!("devnet: {what}");
}
