//! The status page, as somebody with a browser sees it.

use crate::operations::add_to_pools;
use alloy::primitives::U256;
use eyre::{Result, ensure};
use luxxon_bindings::SessionId;
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{Calls, Daemon, ExchangeFault, FaultProxy, Rule, Visitor, World};
use std::time::Duration;
use uuid::Uuid;

/// A desk's window, and a small phone's.
const DESK: (u32, u32) = (1_200, 900);
const PHONE: (u32, u32) = (360, 740);

/// Where the page is.
fn page(daemon: &Daemon) -> String {
    daemon.api_url().replace("/api/v1", "/")
}

/// Opens the page, and waits until it shows that all is well.
async fn open(visitor: &mut Visitor, daemon: &Daemon, (width, height): (u32, u32)) -> Result<()> {
    visitor.open(&page(daemon), width, height).await?;
    visitor.until("h1", "^Up to date$").await?;
    visitor.until(".live", "^Live$").await?;
    Ok(())
}

/// The consumer adds to its pool, in µUSDC.
async fn deposit(world: &World, amount: u64) -> Result<()> {
    let deposit = world.contracts.settlement.deposit(U256::from(amount));
    world.execute(world.cast.consumer, deposit.into_transaction_request()).await?;
    Ok(())
}

/// The relayer settles a session of five seconds: 4,250 µUSDC to the operator, 750 to the platform.
async fn settle(world: &World, session: Uuid) -> Result<()> {
    let [rate, seconds, to_operator, fee] = [1_000, 5, 4_250, 750].map(U256::from);
    let (consumer, operator) = (world.cast.consumer, world.cast.operator);
    let hash = SessionId::of(session).0;
    let settlement = &world.contracts.settlement;
    let call = settlement.settleFromPool(hash, consumer, operator, rate, seconds, to_operator, fee);
    world.execute(world.cast.relayer, call.into_transaction_request()).await?;
    Ok(())
}

#[tokio::test]
async fn the_page_shows_what_happens_while_it_happens_and_asks_nobody_else() -> Result<()> {
    let Some(mut visitor) = Visitor::start().await? else { return Ok(()) };
    let world = World::start().await?;
    let daemon = Daemon::start(&world.daemon_options(&world.path("ledger.db")).await?).await?;
    open(&mut visitor, &daemon, DESK).await?;

    visitor.until("#indexed", &format!("^{}$", world.head().await?)).await?;
    world.mine(1).await?;
    visitor.until("#indexed", &format!("^{}$", world.head().await?)).await?;

    // 2^53 + 1, which no floating-point number holds.
    let (spender, allowance) = (*world.contracts.settlement.address(), (1_u64 << 53) + 1);
    let approve = world.contracts.usdc.approve(spender, U256::from(allowance));
    world.execute(world.cast.consumer, approve.into_transaction_request()).await?;
    visitor.until("#rows tr", r"^Approval[^]*\b9,007,199,254\.740993\b").await?;
    deposit(&world, 987_654_321).await?;
    let row = visitor.until("#rows tr", "^Deposit").await?;
    ensure!(row.contains("987.654321"), "{row}");
    let session = Uuid::new_v4();
    settle(&world, session).await?;
    let row = visitor.until("#rows tr", "^Settlement").await?;
    for part in ["0.005000", "5 s at 0.001000/s, fee 0.000750", "latest"] {
        ensure!(row.contains(part), "{part} is not in {row}");
    }
    visitor.until("#total", "^987.649321$").await?;

    visitor.fill("#session", &session.to_string()).await?;
    let found = visitor.until("#found", "^Settled: 0.005000 USDC").await?;
    for part in ["0.004250", "0.000750", "5 s at 0.001000/s", "latest"] {
        ensure!(found.contains(part), "{part} is not in {found}");
    }
    visitor.fill("#session", &SessionId::of(Uuid::new_v4()).to_string()).await?;
    visitor.until("#found", "^The chain has not settled this session").await?;
    visitor.fill("#session", "seven").await?;
    visitor.until("#found", "^This is neither a UUID nor a hash").await?;
    visitor.fill("#session", &SessionId::of(session).to_string()).await?;
    visitor.until("#found", "^Settled: 0.005000 USDC").await?;

    let seen = visitor.observe().await?;
    let elsewhere = |url: &&String| !url.starts_with(&page(&daemon)) && !url.starts_with("data:");
    let elsewhere: Vec<_> = seen.requests.iter().filter(elsewhere).collect();
    ensure!(elsewhere.is_empty(), "{elsewhere:?}");
    // The page, its stream and four questions: a change is pushed, not asked for.
    let asked = seen.requests.iter().filter(|url| !url.starts_with("data:")).count();
    ensure!(asked == 6, "{:?}", seen.requests);
    // The browser says so of each answer that is an error; no more was wrong than the two that are.
    let refused = |(text, url): &(String, String)| {
        text.contains("status of 40") && url.contains("/status/settlements/")
    };
    ensure!(seen.errors.len() == 2 && seen.errors.iter().all(refused), "{:?}", seen.errors);
    visitor.leave().await?;
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn on_a_small_phone_nothing_is_wider_than_the_window() -> Result<()> {
    let Some(mut visitor) = Visitor::start().await? else { return Ok(()) };
    let world = World::start().await?;
    let daemon = Daemon::start(&world.daemon_options(&world.path("ledger.db")).await?).await?;
    let session = Uuid::new_v4();
    deposit(&world, 987_654_321).await?;
    settle(&world, session).await?;
    open(&mut visitor, &daemon, PHONE).await?;
    visitor.until("#rows tr", "^Settlement").await?;
    visitor.fill("#session", &SessionId::of(session).to_string()).await?;
    visitor.until("#found", "^Settled: 0.005000 USDC").await?;
    let seen = visitor.observe().await?;
    ensure!(seen.room == u64::from(PHONE.0) && seen.wide <= seen.room, "{seen:?}");
    ensure!(seen.errors.is_empty(), "{seen:?}");
    visitor.leave().await?;
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn a_page_that_lost_its_daemon_says_so_and_goes_on_when_it_is_back() -> Result<()> {
    let Some(mut visitor) = Visitor::start().await? else { return Ok(()) };
    let world = World::start().await?;
    let options = world.daemon_options(&world.path("ledger.db")).await?;
    let daemon = Daemon::start(&options).await?;
    open(&mut visitor, &daemon, DESK).await?;
    let listen = page(&daemon).replace("http://", "").replace('/', "");
    daemon.stop().await?.says(0, &[])?;
    visitor.until("h1", "^Connection to this page lost$").await?;
    visitor.until(".live", "^Not connected$").await?;
    visitor.fill("#session", &Uuid::new_v4().to_string()).await?;
    visitor.until("#found", "^The daemon does not answer").await?;

    deposit(&world, 1_000_000).await?;
    let daemon = Daemon::start(&IndexerOptions { listen, ..options }).await?;
    visitor.until("h1", "^Up to date$").await?;
    visitor.until(".live", "^Live$").await?;
    visitor.until("#rows tr", "^Deposit[^]*1.000000").await?;
    visitor.leave().await?;
    daemon.stop().await?.says(0, &[])
}

#[tokio::test]
async fn what_is_wrong_is_the_headline_until_it_is_right_again() -> Result<()> {
    let Some(mut visitor) = Visitor::start().await? else { return Ok(()) };
    let world = World::start().await?;
    deposit(&world, 1_000_000).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let db = world.path("ledger.db");
    let options = world.daemon_options(&db).await?;
    let options = IndexerOptions { rpc_url: proxy.url().clone(), ..options };
    let daemon = Daemon::start_with(&options, &["--audit-seconds", "1"]).await?;
    open(&mut visitor, &daemon, DESK).await?;

    let slow = ExchangeFault::Delay(Duration::from_millis(250));
    let slow = proxy.inject(Rule::new(Calls::BlockLogs, slow));
    world.mine(12).await?;
    visitor.until("h1", r"^Behind by \d+ blocks$").await?;
    slow.remove();
    visitor.until("h1", "^Up to date$").await?;

    let silent = proxy.inject(Rule::new(Calls::All, ExchangeFault::Reset));
    visitor.until("h1", "^Node not reached$").await?;
    silent.remove();
    visitor.until("h1", "^Up to date$").await?;

    visitor.until("#audit-result", "^No difference$").await?;
    add_to_pools(&db, 1).await?;
    visitor.until("h1", "^Differences found$").await?;
    visitor.until("#audit-result", r"^\d+ differences?$").await?;
    visitor.until("#complaints", "in the tables").await?;
    add_to_pools(&db, -1).await?;
    visitor.until("h1", "^Up to date$").await?;
    visitor.until("#audit-result", "^No difference$").await?;
    visitor.leave().await?;
    daemon.stop().await?.says(0, &[])
}
