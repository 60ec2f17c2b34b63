use super::{Ledger, ends, refuses};
use eyre::Result;
use luxxon_tests::{Calls, Daemon, ExchangeFault, FaultProxy, Rule, tables};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[tokio::test]
async fn sync_ends_with_the_block_it_was_told_whether_that_is_final_or_not() -> Result<()> {
    let ledger = Ledger::start().await?;
    let head = ledger.world.head().await?;
    // Final, then not yet, then the last: the rows of a clean run.
    for until in [head - 20, head - 2, head] {
        let done = ends(ledger.over_chain(&["sync", "--until", &until.to_string()])).await?;
        done.says(0, &["everything is in"])?;
        assert_eq!(done.stdout, "", "it serves nothing");
        assert_eq!(tables::cursor(&ledger.options.db).await?.0, until);
    }
    ledger.assert_clean().await?;
    // What is in already is nothing to do.
    let before = ledger.rows().await?;
    ends(ledger.over_chain(&["sync", "--until", "1"])).await?.says(0, &[])?;
    tables::assert_same(&ledger.rows().await?, &before);
    Ok(())
}

#[tokio::test]
async fn sync_waits_for_a_block_that_the_chain_does_not_have_yet() -> Result<()> {
    let mut ledger = Ledger::synced().await?;
    let until = ledger.world.head().await? + 3;
    let command = ledger.over_chain(&["sync", "--until", &until.to_string()]);
    let mut sync = Daemon::spawn(command)?;
    ledger.history.play(&ledger.world, 2).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sync.has_ended()?, "{}", sync.said());
    ledger.history.play(&ledger.world, 1).await?;
    sync.end().await?.says(0, &[])?;
    ledger.assert_clean().await
}

#[tokio::test]
async fn a_reorg_below_the_block_that_sync_was_told_is_followed() -> Result<()> {
    let ledger = Ledger::synced().await?;
    ledger.world.reorg(2).await?;
    ledger.sync_to_head().await?;
    ledger.assert_clean().await
}

#[tokio::test]
async fn sync_is_refused_while_a_daemon_runs() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let daemon = Daemon::start(&ledger.options).await?;
    let done = ends(ledger.over_chain(&["sync", "--until", "1"])).await?;
    refuses(&done, 1, &[&format!("process {}", daemon.pid()?), "one database has one writer"])?;
    daemon.stop().await?.says(0, &[])?;
    ledger.assert_clean().await
}

#[tokio::test]
async fn a_signal_ends_sync_and_the_next_one_goes_on() -> Result<()> {
    let ledger = Ledger::start().await?;
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let until = ledger.world.head().await?.to_string();
    for signal in [Signal::TERM, Signal::INT] {
        let hold = Rule::new(Calls::RangeLogs, ExchangeFault::Hold).after(6).times(2);
        let hold = proxy.inject(hold);
        let args = ["sync", "--until", &until, "--max-block-range", "5"];
        let sync = Daemon::spawn(ledger.through(&proxy, &args))?;
        hold.until_fired(1).await?;
        // What came before is written within a second, whatever the next answer takes.
        let (began, db) = (Instant::now(), &ledger.options.db);
        while tables::cursor(db).await?.0 <= ledger.world.contracts.deploy_block {
            assert!(began.elapsed() < Duration::from_mins(1), "nothing was taken in");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let done = sync.stop_by(signal).await?;
        // Who told it to take in a block must not take it for done.
        done.says(1, &[&format!("stopped before block {until} was in"), "what is in stays"])?;
        hold.remove();
    }
    ledger.sync_to_head().await?;
    ledger.assert_clean().await?;
    proxy.ensure_all_met()
}

/// A node that takes its time must not make a person wait for it.
#[tokio::test]
async fn a_signal_ends_sync_and_repair_while_the_node_does_not_answer() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let hang = proxy.inject(Rule::new(Calls::All, ExchangeFault::Hang));
    for (calls, args) in [(1, ["sync", "--until", "1"]), (2, ["repair", "--from", "9"])] {
        let mut command = ledger.through(&proxy, &args);
        command.env("LUXXON_TIMEOUT_MS", "60000");
        let command = Daemon::spawn(command)?;
        hang.until_fired(calls).await?;
        let asked = Instant::now();
        command.stop().await?.says(1, &["stopped"])?;
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    ledger.assert_clean().await
}
