//! `make bench-api`: how many reads the API answers, beside a bare axum handler that answers a fixed
//! string of the same length.
//!
//! The daemon follows a chain of a million events, to which a block is added every two seconds.
//! Clients ask over connections that they keep, with a thousand keys in turn, and all of it is on one
//! machine. Bare handler and API take turns, and at the end of each round wallets are asked for at half
//! of the median of the rounds until then: there the time of an answer counts from the moment when its
//! request was due. What is said of full load is the median of the rounds; of half load (times, what was
//! late, and what is named `Half`), what all rounds took together. The last line on standard output is a
//! JSON object. Fails where the API answers less of what the bare handler does than it has to, or later.
//!
//! At half load cores are idle in between. Those of some virtual machines are halted then, which its host
//! may make dear, and the daemon keeps them awake where it may (`--awake-from`): through the turns of the bare
//! handler too, but for the first, as they come within ten seconds. How often they were halted is said beside
//! each figure of ours. Then as many wallets are asked for of a daemon that leaves cores alone, as one does
//! that may not keep them awake (`walletHalted…`). Both have to be in time.
//!
//! A machine that shares its cores may be stopped by its host for some milliseconds even so, and a page of
//! the database that is not in memory, where the daemon keeps it (`--resident-mib`), takes as long as the disk
//! does: each round's slowest answers are said beside what the host took, and what the threads that answer
//! read from the disk.

use axum::{Router, routing::get};
use eyre::{Result, ensure, eyre};
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::{
    key::{Environment, PlainKey},
    ledger::meter::Reading,
    store::{NewApiKey, NewSession, NewWorkspace, Scope, SqliteStore, Store},
};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{
    Daemon,
    bench::{
        BenchChain,
        chain::{ACCOUNTS, OPERATORS, consumer, known_session, operator},
        figures::{Cores, Progress, load, milliseconds, numbers, part, percentile, rate, rounded},
        load::{self as clients, Connection, Requests, pace, saturate},
    },
    command,
};
use serde_json::{Map, Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    ops::Add,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{runtime, time::interval};

/// Events before the first request, unless the command line says another number.
const USUAL: [u64; 1] = [1_000_000];
/// Events in each block of those.
const IN_A_BLOCK: u64 = 1_000;
/// Keys, each of a workspace and a wallet of its own.
const KEYS: u64 = 1_000;
/// Settled sessions of each key that are registered.
const SESSIONS_OF_A_KEY: u64 = 4;
/// Blocks are final at once, as good as.
const SLOTS: u64 = 1;
/// As on Base.
const BLOCK_TIME: Duration = Duration::from_secs(2);
/// Events in each block that comes meanwhile.
const EVENTS: u64 = 20;
/// Connections at once.
const CONNECTIONS: u32 = 32;
/// Rounds, and how long each part of one takes, but the last.
const ROUNDS: u32 = 9;
const TIME: Duration = Duration::from_secs(2);
/// How long wallets are asked for in each round at half of what was reached. What holds up the slowest comes
/// in bad seconds, of which there may be a few in a minute: in less time in all, they would decide by chance.
const PACED: Duration = Duration::from_secs(10);
/// What the slowest wallet in a hundred may take at half of what was reached, in milliseconds.
const SLOWEST: f64 = 5.0;
/// What a daemon is told that is to leave idle cores alone.
const HALTED: [&str; 2] = ["--awake-from", "0"];

#[tokio::main]
async fn main() -> Result<()> {
    let events = numbers(&USUAL)?[0];
    ensure!(events >= ACCOUNTS, "at least {ACCOUNTS} events, so that each account has a pool");
    eprintln!("a chain of {events} events");
    let chain = BenchChain::start(SLOTS).await?;
    chain.fill(events, events.div_ceil(IN_A_BLOCK)).await?;
    for _ in 0..SESSIONS_OF_A_KEY {
        chain.send_sessions(ACCOUNTS).await?;
        chain.mine().await?;
    }
    let db = chain.path("api.db");
    eprintln!("{KEYS} keys and {} sessions", KEYS * SESSIONS_OF_A_KEY);
    chain.empty_database(&db).await?;
    let keys = register(&db).await?;

    let (options, head) = (chain.daemon_options(&db).await?, chain.head().await?);
    let (daemon, server) = start(&options, &[], &keys[0], head).await?;
    let kinds = kinds(&keys);
    let blocks = tokio::spawn(async move {
        let mut due = interval(BLOCK_TIME);
        loop {
            due.tick().await;
            chain.send(EVENTS).await?;
            chain.mine().await?;
        }
        #[expect(unreachable_code, reason = "says what the task returns")]
        Ok::<(), eyre::Report>(())
    });

    let mut measured = Vec::new();
    for (name, least, requests) in kinds {
        let mut connection = Connection::open(server).await?;
        let body = connection.ask(&requests[0]).await?;
        measured.push(Kind { name, least, bare: bare(body.len())?, requests, rounds: Vec::new() });
    }
    let mut paced = Paced::new("wallet", "");
    let mut progress = Progress::new("rounds");
    for round in 1..=ROUNDS {
        for kind in &mut measured {
            let bare = saturate(kind.bare, CONNECTIONS, &kind.requests, TIME).await?;
            let (cores, busy) = (Cores::now()?, daemon.busy()?);
            let ours = saturate(server, CONNECTIONS, &kind.requests, TIME).await?;
            let busy = daemon.busy()?.saturating_sub(busy);
            let busy = busy.as_secs_f64() / (ours * TIME.as_secs_f64());
            let halts = Cores::now()?.since(cores).halts(TIME);
            kind.rounds.push(Round { bare, ours, busy, halts });
        }
        let half = measured[0].middle(|round| round.ours) / 2.0;
        paced.round(&daemon, server, &measured[0].requests, half).await?;
        progress.at(round.into(), ROUNDS.into());
    }
    daemon.stop().await?;

    let half = measured[0].middle(|round| round.ours) / 2.0;
    let (daemon, server) = start(&options, &HALTED, &keys[0], head).await?;
    // As warm as the other one was.
    saturate(server, CONNECTIONS, &measured[0].requests, TIME).await?;
    let mut halted = Paced::new("walletHalted", ", --awake-from 0");
    let mut progress = Progress::new("rounds with --awake-from 0");
    for round in 1..=ROUNDS {
        halted.round(&daemon, server, &measured[0].requests, half).await?;
        progress.at(round.into(), ROUNDS.into());
    }
    ensure!(!blocks.is_finished(), "no more blocks came: {:?}", blocks.await);
    blocks.abort();
    daemon.stop().await?;

    println!("{events} events, {KEYS} keys, {CONNECTIONS} connections; load {}", load());
    let mut figures = Map::new();
    for kind in &measured {
        kind.say(&mut figures);
    }
    paced.say(&mut figures);
    halted.say(&mut figures);
    figures.insert("events".to_owned(), json!(events));
    println!("{}", Value::Object(figures));
    for kind in &measured {
        let ratio = kind.middle(|round| round.ours / round.bare);
        let (name, least) = (kind.name, kind.least);
        ensure!(ratio >= least, "{name}: {ratio:.3} of the bare handler's, expected {least}");
    }
    for paced in [&paced, &halted] {
        let (how, p99, halts) = (paced.how, paced.together(99), paced.halts());
        ensure!(
            p99 <= SLOWEST,
            "wallet{how}: p99 is {p99:.2} ms, expected {SLOWEST} at most; cores were halted {halts:.0} times a second"
        );
    }
    Ok(())
}

/// One kind of read, and what was measured of it.
struct Kind {
    name: &'static str,
    /// The part of the bare handler's answers that ours have to be.
    least: f64,
    /// Where a string of the same length is served.
    bare: SocketAddr,
    requests: Requests,
    rounds: Vec<Round>,
}

struct Round {
    /// Answers a second: of the bare handler, and of the API.
    bare: f64,
    ours: f64,
    /// How long the daemon kept a core busy for each, in seconds.
    busy: f64,
    /// How often a core was halted in a second of ours.
    halts: f64,
}

impl Kind {
    fn middle(&self, of: fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// Says what was measured, and enters it.
    fn say(&self, figures: &mut Map<String, Value>) {
        let name = self.name;
        let (bare, ours) = (self.middle(|round| round.bare), self.middle(|round| round.ours));
        let ratio = self.middle(|round| round.ours / round.bare);
        let (percent, busy) = (ratio * 1e2, self.middle(|round| round.busy) * 1e6);
        let halts = self.middle(|round| round.halts);
        print!("{name:>12}: {ours:>7.0}/s, bare {bare:>7.0}/s, {percent:.1} %, ");
        println!("{busy:.1} µs of a core, {halts:.0} halts a second");
        for (figure, value, digits) in [
            ("Ratio", ratio, 3),
            ("PerSecond", ours, 0),
            ("BarePerSecond", bare, 0),
            ("CoreMicros", busy, 1),
            ("HaltsPerSecond", halts, 0),
        ] {
            figures.insert(format!("{name}{figure}"), rounded(value, digits));
        }
    }
}

/// How long wallets took in each round, and how the cores spent its time.
struct Paced {
    /// What its figures begin with.
    name: &'static str,
    /// How the daemon was started, if not as usual.
    how: &'static str,
    rounds: Vec<PacedRound>,
    /// How long the daemon kept a core busy in all of them.
    busy: Duration,
}

struct PacedRound {
    times: Vec<Duration>,
    cores: Cores,
    /// What the threads that answer had to read from a disk, in bytes.
    read: u64,
}

impl Paced {
    const fn new(name: &'static str, how: &'static str) -> Self {
        Self { name, how, rounds: Vec::new(), busy: Duration::ZERO }
    }

    /// Asks for wallets `rate` times a second.
    async fn round(
        &mut self,
        daemon: &Daemon,
        server: SocketAddr,
        wallets: &Requests,
        rate: f64,
    ) -> Result<()> {
        let (cores, busy, read) = (Cores::now()?, daemon.busy()?, daemon.read_from_disk()?);
        let times = pace(server, CONNECTIONS, wallets, rate, PACED).await?;
        let (cores, read) =
            (Cores::now()?.since(cores), daemon.read_from_disk()?.saturating_sub(read));
        self.busy += daemon.busy()?.saturating_sub(busy);
        self.rounds.push(PacedRound { times, cores, read });
        Ok(())
    }

    /// The `percent`th percentile of all rounds together, in milliseconds.
    fn together(&self, percent: usize) -> f64 {
        let times: Vec<Duration> =
            self.rounds.iter().flat_map(|round| &round.times).copied().collect();
        milliseconds(percentile(&times, percent))
    }

    fn answers(&self) -> u64 {
        self.rounds.iter().map(|round| round.times.len() as u64).sum()
    }

    /// The part of the answers that came later than the slowest in a hundred may.
    fn late(&self) -> f64 {
        let times = self.rounds.iter().flat_map(|round| &round.times);
        let late = times.filter(|time| milliseconds(**time) > SLOWEST).count() as u64;
        part(late, self.answers())
    }

    /// How often wallets were asked for.
    fn per_second(&self) -> f64 {
        rate(self.answers(), PACED * ROUNDS)
    }

    /// How long the daemon kept a core busy for each answer, in microseconds.
    fn micros(&self) -> f64 {
        1e6 / rate(self.answers(), self.busy)
    }

    /// How the cores spent the time of all rounds.
    fn sum(&self) -> Cores {
        self.rounds.iter().map(|round| round.cores).reduce(Add::add).unwrap_or_default()
    }

    /// How often a core was halted in a second.
    fn halts(&self) -> f64 {
        self.sum().halts(PACED * ROUNDS)
    }

    /// Says what was measured, and enters it.
    fn say(&self, figures: &mut Map<String, Value>) {
        let (p50, p99, asked) = (self.together(50), self.together(99), self.per_second());
        let (busy, stolen) = (self.micros(), self.sum().stolen());
        let (halts, percent) = (self.halts(), stolen * 1e2);
        println!("      wallet: asked for {asked:.0} times a second{}:", self.how);
        print!("              p50 {p50:.2} ms, p99 {p99:.2} ms, {busy:.1} µs of a core, ");
        println!("{halts:.0} halts a second, {percent:.1} % taken by the host");
        let late = self.late();
        println!("              later than {SLOWEST} ms: {:.2} %", late * 1e2);
        println!("              p99 of each round, what the host took, and KiB from the disk:");
        println!("              {}", self.each());
        for (figure, value, digits) in [
            ("P50Ms", p50, 2),
            ("P99Ms", p99, 2),
            ("LateRatio", late, 5),
            ("HalfPerSecond", asked, 0),
            ("HalfCoreMicros", busy, 1),
            ("HalfHaltsPerSecond", halts, 0),
            ("HalfStolenRatio", stolen, 4),
            ("HalfReadKiB", self.rounds.iter().map(PacedRound::kibibytes).sum(), 0),
        ] {
            figures.insert(format!("{}{figure}", self.name), rounded(value, digits));
        }
    }

    fn each(&self) -> String {
        let rounds = self.rounds.iter().map(|round| {
            let p99 = milliseconds(percentile(&round.times, 99));
            let stolen = round.cores.stolen() * 1e2;
            format!("{p99:.1} ({stolen:.1} %, {:.0})", round.kibibytes())
        });
        rounds.collect::<Vec<_>>().join(", ")
    }
}

impl PacedRound {
    fn kibibytes(&self) -> f64 {
        part(self.read, 1 << 10)
    }
}

/// The requests of each kind, the keys in turn.
fn kinds(keys: &[String]) -> [(&'static str, f64, Requests); 3] {
    let each = |target: &dyn Fn(u64) -> String| -> Requests {
        (0..).zip(keys).map(|(number, key)| clients::get(&target(number), key)).collect()
    };
    [
        ("wallet", 0.35, each(&|_| "/api/v1/wallet".to_owned())),
        ("events", 0.12, each(&|_| "/api/v1/wallet/events?limit=50".to_owned())),
        (
            "settlement",
            0.30,
            each(&|number| format!("/api/v1/settlements/{}", known_session(number))),
        ),
    ]
}

/// Enters keys and their sessions. Returns the keys.
async fn register(db: &Path) -> Result<Vec<String>> {
    let store = SqliteStore::open_existing(db).await?;
    let (mut keys, mut progress) = (Vec::new(), Progress::new("keys entered"));
    let workspace = async |slug: String, wallet| {
        store.add_workspace(NewWorkspace { name: slug.clone(), slug, wallet }).await
    };
    let mut paid = Vec::new();
    for number in 0..OPERATORS {
        paid.push(workspace(format!("operator-{number}"), operator(number)).await?.id);
    }
    for (number, operator_workspace) in (0..KEYS).zip(paid.into_iter().cycle()) {
        let own = workspace(format!("consumer-{number}"), consumer(number)).await?;
        let key = PlainKey::generate(Environment::Test, own.id)?;
        let scopes = vec![Scope::WalletRead, Scope::SessionsRead];
        let (workspace, key_hash, label) = (own.id, key.hash(), "bench".to_owned());
        let prefix = key.prefix();
        store.add_api_key(NewApiKey { workspace, key_hash, prefix, label, scopes }).await?;
        for turn in 0..SESSIONS_OF_A_KEY {
            let session = NewSession {
                id: known_session(number + turn * ACCOUNTS),
                consumer_workspace: own.id,
                operator_workspace,
                rate_per_second: MicroUsdc::new(1_000),
                platform_fee_bps: 1_500,
                max_duration_seconds: 3_600,
                reading: Some(Reading {
                    started_at: 1_700_000_000_000,
                    ended_at: 1_700_000_060_000,
                    disconnects: Vec::new(),
                }),
            };
            store.register_session(session).await?;
        }
        keys.push(key.reveal().to_owned());
        progress.at(number + 1, KEYS);
    }
    store.close().await;
    Ok(keys)
}

/// A daemon on the chain, which has block `head`, and where it serves. It may be told more.
async fn start(
    options: &IndexerOptions,
    more: &[&str],
    key: &str,
    head: u64,
) -> Result<(Daemon, SocketAddr)> {
    let flags = ["run", "--key-requests-per-second", "0", "--audit-seconds", "0"];
    let mut command = command::on_chain(options, &[&flags, more].concat());
    command.env("LUXXON_LOG", "warn").env("LUXXON_POLL_MS", "1000");
    let daemon = Daemon::serving(command).await?;
    let url: url::Url = daemon.api_url().parse()?;
    let server = url.socket_addrs(|| None)?.pop().ok_or_else(|| eyre!("no address in {url}"))?;
    caught_up(server, key, head).await?;
    Ok((daemon, server))
}

/// Waits until block `head` is in.
async fn caught_up(server: SocketAddr, key: &str, head: u64) -> Result<()> {
    let (mut progress, mut look) = (Progress::new("blocks taken in"), interval(TIME));
    let request = clients::get("/api/v1/wallet", key);
    loop {
        look.tick().await;
        let mut connection = Connection::open(server).await?;
        let wallet: Value = serde_json::from_slice(connection.ask(&request).await?)?;
        let block = wallet["data"]["lastSyncBlock"].as_str().unwrap_or_default();
        let block: u64 = block.parse()?;
        if block >= head {
            return Ok(());
        }
        progress.at(block, head);
    }
}

/// Serves a fixed string of `length` bytes, on threads of its own.
fn bare(length: usize) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let text: Arc<str> = "x".repeat(length).into();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    thread::spawn(move || {
        let text = axum::body::Bytes::from(text.to_string());
        let answer = get(async move || text.clone());
        let router = Router::new().fallback(answer);
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        })
    });
    Ok(address)
}
