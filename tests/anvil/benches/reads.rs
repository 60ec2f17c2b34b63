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
/// Reads of each kind.
const READS: usize = 2_000;
/// Reads that come before and are not counted.
const WARM_UP: usize = 500;
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
    let mut databases = Vec::new();
    for events in &sizes {
        eprintln!("a database of {events} events");
        let began = Instant::now();
        let synthetic =
            Synthetic::make(&folder.path().join(format!("{events}.db")), *events).await?;
        eprintln!("made in {} s", began.elapsed().as_secs());
        databases.push(Database::open(synthetic).await?);
    }

    println!("medians of {READS} reads, {sizes:?} events; load {}", load());
    let mut figures = Map::new();
    let mut slow = Vec::new();
    for (read, name) in ALL {
        let mut times = [Vec::new(), Vec::new()];
        for turn in 0..WARM_UP + READS {
            for (database, times) in databases.iter().zip(&mut times) {
                let took = database.time(read, turn).await?;
                if turn >= WARM_UP {
                    times.push(took);
                }
            }
        }
        let [small, large] = times.map(|times| median(&times).as_secs_f64() * 1e6);
        let ratio = large / small;
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

struct Database {
    synthetic: Synthetic,
    store: SqliteStore,
    sessions: Vec<SessionId>,
}

impl Database {
    async fn open(synthetic: Synthetic) -> Result<Self> {
        std::io::copy(&mut File::open(synthetic.path())?, &mut std::io::sink())?;
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
