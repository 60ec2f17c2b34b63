//! `make bench-reads`: what the API reads costs the same however long the history is.
//!
//! Reads a wallet, its newest page of events, a page from the middle of its history and a settlement
//! from a database of ten thousand events and from one of ten million, in turn. Both are in the
//! system's memory: how long a disk takes is no matter of this program. Fails where the large one
//! takes more than [`MOST`] times as long. The last line is a JSON object.

use alloy::primitives::Address;
use eyre::{Result, ensure};
use luxxon_bindings::SessionId;
use luxxon_indexer::store::{PageRequest, SqliteStore, Store};
use luxxon_tests::bench::{
    Synthetic,
    figures::{load, median, numbers, rounded},
};
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    time::{Duration, Instant},
};

/// Events in the small and in the large database, unless the command line says others.
const USUAL: [u64; 2] = [10_000, 10_000_000];
/// How much longer a read of the large database may take.
const MOST: f64 = 2.0;
/// How often both databases are opened anew. Which of the machine's cores serves a connection is up
/// to chance, and stays as it is while that is open.
const ROUNDS: usize = 15;
/// Reads of each kind in a round.
const READS: usize = 200;
/// Reads that come before and are not counted.
const WARM_UP: usize = 50;
/// Events in a page, as the API has it.
const PAGE: u32 = 50;

/// What is read.
#[derive(Clone, Copy)]
enum Read {
    Wallet,
    FirstPage,
    DeepPage,
    Settlement,
}

const ALL: [(Read, &str); 4] = [
    (Read::Wallet, "wallet"),
    (Read::FirstPage, "firstPage"),
    (Read::DeepPage, "deepPage"),
    (Read::Settlement, "settlement"),
];

#[tokio::main]
async fn main() -> Result<()> {
    let sizes = numbers(&USUAL)?;
    ensure!(sizes.len() == 2, "two numbers of events, a small and a large one");
    let folder = tempfile::tempdir()?;
    let mut files = Vec::new();
    for events in &sizes {
        eprintln!("a database of {events} events");
        let began = Instant::now();
        let path = folder.path().join(format!("{events}.db"));
        let synthetic = Synthetic::make(&path, *events).await?;
        let mut file = File::open(synthetic.path())?;
        file.sync_all()?;
        std::io::copy(&mut file, &mut std::io::sink())?;
        eprintln!("made in {} s", began.elapsed().as_secs());
        files.push(synthetic);
    }

    // Of each kind of read: the medians of each round, of both databases.
    let mut medians: [[Vec<Duration>; 2]; ALL.len()] = Default::default();
    for round in 1..=ROUNDS {
        let (small, large) = (Database::open(&files[0]).await?, Database::open(&files[1]).await?);
        for ((read, _), medians) in ALL.into_iter().zip(&mut medians) {
            let mut times = [Vec::new(), Vec::new()];
            for turn in 0..WARM_UP + READS {
                for (database, times) in [&small, &large].into_iter().zip(&mut times) {
                    let took = database.time(read, turn).await?;
                    if turn >= WARM_UP {
                        times.push(took);
                    }
                }
            }
            for (medians, times) in medians.iter_mut().zip(times) {
                medians.push(median(&times));
            }
        }
        for database in [small, large] {
            database.store.close().await;
        }
        eprintln!("round {round} of {ROUNDS}");
    }

    println!("medians of {ROUNDS} rounds of {READS} reads, {sizes:?} events; load {}", load());
    let mut figures = Map::new();
    let mut slow = Vec::new();
    for ((_, name), [small, large]) in ALL.into_iter().zip(medians) {
        let ratio = ratio(&small, &large);
        let [small, large] = [small, large].map(|times| median(&times).as_secs_f64() * 1e6);
        println!("{name:>12}: {small:>6.0} µs and {large:>6.0} µs, {ratio:.2} times");
        figures.insert(
            name.to_owned(),
            json!({
                "smallMicros": rounded(small, 0),
                "largeMicros": rounded(large, 0),
                "ratio": rounded(ratio, 2),
            }),
        );
        if ratio > MOST {
            slow.push(name);
        }
    }
    figures.insert("events".to_owned(), json!(sizes));
    println!("{}", Value::Object(figures));
    ensure!(slow.is_empty(), "more than {MOST} times as long: {slow:?}");
    Ok(())
}

/// The median of the rounds' own ratios.
fn ratio(small: &[Duration], large: &[Duration]) -> f64 {
    let pairs = small.iter().zip(large);
    let mut ratios: Vec<f64> =
        pairs.map(|(small, large)| large.as_secs_f64() / small.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

struct Database<'a> {
    synthetic: &'a Synthetic,
    store: SqliteStore,
    sessions: Vec<SessionId>,
}

impl<'a> Database<'a> {
    async fn open(synthetic: &'a Synthetic) -> Result<Self> {
        let store = SqliteStore::open_existing(synthetic.path()).await?;
        let sessions = synthetic.sessions(WARM_UP + READS).await?;
        Ok(Self { synthetic, store, sessions })
    }

    async fn time(&self, read: Read, turn: usize) -> Result<Duration> {
        let wallet = self.synthetic.consumer();
        let began = Instant::now();
        match read {
            Read::Wallet => {
                let wallet = self.store.wallet(wallet).await?;
                ensure!(wallet.balance.get() > 0, "an empty pool");
            }
            Read::FirstPage => self.page(wallet, false).await?,
            Read::DeepPage => self.page(wallet, true).await?,
            Read::Settlement => {
                let session = self.store.session(self.sessions[turn]).await?;
                ensure!(session.settled.is_some(), "a session that is not settled");
            }
        }
        Ok(began.elapsed())
    }

    async fn page(&self, wallet: Address, deep: bool) -> Result<()> {
        let before = deep.then(|| self.synthetic.middle());
        let page = self
            .store
            .wallet_events(wallet, PageRequest { before, ..PageRequest::newest(PAGE) })
            .await?
            .events;
        ensure!(page.len() == PAGE as usize, "a page of {} events", page.len());
        Ok(())
    }
}
