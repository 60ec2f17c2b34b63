use super::{Ledger, ends, refuses};
use eyre::Result;
use luxxon_tests::{Daemon, tables};

#[tokio::test]
async fn rebuild_puts_right_what_was_changed_and_says_so() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let damages: [&[&str]; 12] = [
        &["UPDATE pools SET balance = balance + 7"],
        &["DELETE FROM claimables"],
        &["INSERT INTO pools (account, balance) VALUES (zeroblob(20), 5)"],
        &["UPDATE cursor SET owed = owed + 1"],
        &["DELETE FROM wallet_events"],
        &["UPDATE OR REPLACE wallet_events SET side = 1 - side"],
        &["DELETE FROM settlements"],
        &["UPDATE settlements SET log_index = log_index + 1"],
        &["DELETE FROM skips"],
        &["UPDATE skips SET session_id = zeroblob(32)"],
        &["DELETE FROM limits_set"],
        &["UPDATE limits_set SET log_index = log_index + 1"],
    ];
    for damage in damages {
        ledger.tamper(damage).await?;
        let done = ends(ledger.over_database(&["rebuild"])).await?;
        done.says(0, &["they were different before"])?;
        assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
        ledger.assert_clean().await?;
    }
    let events = ledger.number("SELECT count(*) FROM events").await?;
    let balances = "SELECT (SELECT count(*) FROM pools) + (SELECT count(*) FROM claimables)";
    let balances = ledger.number(balances).await?;
    let said = format!("{balances} balances from {events} events: they are what they were");
    ends(ledger.over_database(&["rebuild"])).await?.says(0, &[&said])?;
    ledger.assert_clean().await
}

#[tokio::test]
async fn rebuild_is_refused_while_a_daemon_runs_and_where_there_is_no_ledger() -> Result<()> {
    let ledger = Ledger::start().await?;
    let done = ends(ledger.over_database(&["rebuild"])).await?;
    refuses(&done, 1, &["ledger.db", "no such file"])?;
    assert_eq!(ledger.files()?, Vec::<String>::new());
    let daemon = Daemon::start(&ledger.options).await?;
    let done = ends(ledger.over_database(&["rebuild"])).await?;
    refuses(&done, 1, &[&format!("process {}", daemon.pid()?), "one database has one writer"])?;
    daemon.stop().await?.says(0, &[])?;
    ledger.sync_to_head().await?;
    tables::assert_same(&ledger.rows().await?, &ledger.world.clean_run().await?);
    Ok(())
}
