//! `make bench-backfill`: how fast the daemon takes in a chain, beside the least that would have to
//! be done for the same rows.
//!
//! Arguments are numbers of events. For each there is a chain of its own, and on it one run that is
//! not measured, then floor and daemon in turn, [`TURNS`] times; what is said is their medians. The
//! database of every run is compared with the chain. The last line is a JSON object: the first
//! size's figures, and those of the others under `others`.

use eyre::{Result, ensure};
use luxxon_tests::bench::{
    Backfill, BenchChain, Floor,
    figures::{load, median, milliseconds, numbers, rate, rounded},
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{fs, path::Path, time::Duration};

/// Events unless the command line says other numbers.
const USUAL: [u64; 2] = [100_000, 1_000_000];
/// Blocks, whatever the number of events.
const BLOCKS: u64 = 3_000;
/// Blocks are final at once, as good as: the daemon's backfill reads no others.
const SLOTS: u64 = 1;
/// How often floor and daemon are measured in turn.
const TURNS: u32 = 3;
const MIB: f64 = (1 << 20) as f64;

#[tokio::main]
async fn main() -> Result<()> {
    let mut figures = Vec::new();
    for events in numbers(&USUAL)? {
        figures.push(measure(events).await?);
    }
    let mut all = figures.remove(0);
    all["others"] = Value::Array(figures);
    println!("{all}");
    Ok(())
}

async fn measure(events: u64) -> Result<Value> {
    eprintln!("a chain of {events} events in {BLOCKS} blocks");
    let chain = BenchChain::start(SLOTS).await?;
    let until = chain.fill(events, BLOCKS).await?;

    let (first, db) = (chain.path("first.db"), chain.path("run.db"));
    let warm_up = daemon(&chain, &first, until, events).await?;
    let floor = Floor::of(&first, &warm_up.ranges).await?;
    eprintln!("the floor's parts alone");
    let (fetch, bytes) = floor.run_fetch(&chain).await?;
    let insert = floor.run_insert(&chain, &db).await?;
    remove(&db)?;

    let (mut floors, mut daemons) = (Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        let took = floor.run(&chain, &db).await?;
        remove(&db)?;
        let run = daemon(&chain, &db, until, events).await?;
        remove(&db)?;
        let [floor, daemon] = [took, run.time].map(milliseconds);
        eprintln!("turn {turn} of {TURNS}: floor {floor:.0} ms, daemon {daemon:.0} ms");
        floors.push(took);
        daemons.push(run);
    }
    let times: Vec<Duration> = daemons.iter().map(|run| run.time).collect();
    let (floor, time) = (median(&floors), median(&times));
    let ratio = time.as_secs_f64() / floor.as_secs_f64();
    let peak = daemons.iter().map(|run| run.peak_memory).max().unwrap_or_default();
    let (speed, floor_speed) = (rate(events, time), rate(events, floor));
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
    let (peak, answers, database) =
        (peak as f64 / MIB, bytes as f64 / MIB, warm_up.database as f64 / events as f64);

    let [fetch, insert, floor, time] = [fetch, insert, floor, time].map(milliseconds);
    println!("{events} events, {answers:.0} MiB of JSON in {} ranges", warm_up.ranges.len());
    println!("  fetch alone     {fetch:>8.0} ms");
    println!("  insert alone    {insert:>8.0} ms");
    println!("  floor: both     {floor:>8.0} ms  {floor_speed:>8.0} events/s");
    println!("  daemon          {time:>8.0} ms  {speed:>8.0} events/s  {ratio:.2} × the floor");
    println!("  peak memory     {peak:>8.1} MiB");
    println!("  database        {database:>8.0} bytes an event");
    println!("  medians of {TURNS} runs in turn; load {}", load());
    Ok(json!({
        "events": events,
        "eventsPerSecond": rounded(speed, 0),
        "floorEventsPerSecond": rounded(floor_speed, 0),
        "ratioToFloor": rounded(ratio, 2),
        "peakRssMiB": rounded(peak, 1),
        "dbBytesPerEvent": rounded(database, 0),
    }))
}

/// The daemon's run into `db`, which is right: a fast run to a wrong ledger is none.
async fn daemon(chain: &BenchChain, db: &Path, until: u64, events: u64) -> Result<Backfill> {
    let run = Backfill::run(chain, db, until).await?;
    let owed = chain.owed_at(until).await?.get();
    let mut connection = SqliteConnectOptions::new().filename(db).connect().await?;
    let (found, pools, cursor): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events), (SELECT sum(balance) FROM pools),
            (SELECT block_number FROM cursor)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    let found = (u64::try_from(found)?, u64::try_from(pools)?, u64::try_from(cursor)?);
    let expected = (events, owed, until);
    ensure!(found == expected, "events, pools and block are {found:?}, not {expected:?}");
    Ok(run)
}

fn remove(db: &Path) -> Result<()> {
    Ok(fs::remove_file(db)?)
}
