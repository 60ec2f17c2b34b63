use super::{Ledger, ends, refuses};
use eyre::{Result, eyre};
use luxxon_indexer::store::SqliteStore;
use luxxon_tests::{Calls, Daemon, ExchangeFault, FaultProxy, Rule, command, tables};

/// Everything that operators entered.
async fn registry(ledger: &Ledger) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for query in [
        "SELECT hex(id) || slug || name || hex(wallet) || created_at FROM workspaces ORDER BY id",
        "SELECT hex(id) || hex(workspace_id) || hex(key_hash) || prefix || scopes FROM api_keys
         ORDER BY id",
        "SELECT hex(session_id) || hex(uuid) || rate_per_second FROM sessions ORDER BY session_id",
    ] {
        let some = tables::read(&ledger.options.db, query).await?;
        assert!(!some.is_empty(), "nothing was entered: {query}");
        rows.extend(some);
    }
    Ok(rows)
}

/// Deletes a settlement that is final as if it had never been: the balances add up without it.
/// Returns its block.
async fn lose_a_settlement(ledger: &Ledger) -> Result<u64> {
    let last_final = ledger.number("SELECT final_block FROM cursor").await?;
    let found = ledger
        .value(&format!(
            "SELECT block_number || ' ' || log_index || ' ' || hex(account) || ' ' || amount
             FROM events WHERE kind = 3 AND amount > 0 AND block_number < {last_final}
             ORDER BY block_number LIMIT 1 OFFSET 3"
        ))
        .await?;
    let [block, log, account, amount] = found.split(' ').collect::<Vec<_>>()[..] else {
        return Err(eyre!("{found}"));
    };
    ledger
        .tamper(&[
            &format!("DELETE FROM events WHERE block_number = {block} AND log_index = {log}"),
            &format!(
                "DELETE FROM wallet_events WHERE block_number = {block} AND log_index = {log}"
            ),
            &format!("DELETE FROM settlements WHERE block_number = {block} AND log_index = {log}"),
            &format!(
                "INSERT INTO pools (account, balance) VALUES (x'{account}', {amount})
                 ON CONFLICT (account) DO UPDATE SET balance = balance + excluded.balance"
            ),
            &format!("UPDATE cursor SET owed = owed + {amount}"),
        ])
        .await?;
    ends(ledger.over_database(&["rebuild"])).await?.says(0, &["what they were"])?;
    assert_ne!(ledger.rows().await?, ledger.world.clean_run().await?);
    Ok(block.parse()?)
}

#[tokio::test]
async fn a_ledger_that_lost_a_final_settlement_is_read_again() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let store = SqliteStore::open_existing(&ledger.options.db).await?;
    enter(&ledger, &store).await?;
    store.close().await;
    let entered = registry(&ledger).await?;
    let lost = lose_a_settlement(&ledger).await?;
    let from = lost.to_string();
    ends(ledger.over_chain(&["repair", "--from", &from])).await?.says(0, &[])?;
    ledger.assert_clean().await?;
    assert_eq!(registry(&ledger).await?, entered);
    ends(ledger.over_chain(&["audit"])).await?.says(0, &["no difference"])
}

/// Two workspaces with keys, and a session between them.
async fn enter(ledger: &Ledger, store: &SqliteStore) -> Result<()> {
    use luxxon_indexer::store::{NewSession, Store};
    let mut ids = Vec::new();
    for wallet in [ledger.world.cast.consumer, ledger.world.cast.operator] {
        let key = ledger.world.register(store, wallet).await?;
        let known = store.api_key(key.hash()).await?.ok_or_else(|| eyre!("the key is unknown"))?;
        ids.push(known.workspace.id);
    }
    let session = NewSession {
        id: uuid::Uuid::from_u128(7),
        consumer_workspace: ids[0],
        operator_workspace: ids[1],
        rate_per_second: luxxon_bindings::MicroUsdc::new(1_000),
        platform_fee_bps: 100,
        max_duration_seconds: 5,
        reading: None,
    };
    Ok(store.register_session(session).await?)
}

#[tokio::test]
async fn repair_can_begin_with_any_block_of_the_ledger() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let (cursor, last_final) = tables::cursor(&ledger.options.db).await?;
    let first = ledger.number("SELECT min(number) FROM blocks").await?;
    for from in [first + 1, last_final, last_final + 1, cursor] {
        let from = from.to_string();
        ends(ledger.over_chain(&["repair", "--from", &from])).await?.says(0, &[])?;
        ledger.assert_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn repair_is_refused_beyond_the_ledger_and_below_it_and_changes_nothing() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let (cursor, _) = tables::cursor(&ledger.options.db).await?;
    let before = ledger.rows().await?;
    let beyond = (cursor + 1).to_string();
    let done = ends(ledger.over_chain(&["repair", "--from", &beyond])).await?;
    refuses(&done, 1, &[&format!("--from is {beyond}"), &format!("stands at block {cursor}")])?;
    let done = ends(ledger.over_chain(&["repair", "--from", "0"])).await?;
    refuses(&done, 1, &["block 0"])?;
    tables::assert_same(&ledger.rows().await?, &before);
    Ok(())
}

/// A name that was mistyped must not become a ledger.
#[tokio::test]
async fn repair_makes_no_ledger_where_there_is_none() -> Result<()> {
    let ledger = Ledger::start().await?;
    let done = ends(ledger.over_chain(&["repair", "--from", "9"])).await?;
    refuses(&done, 1, &["ledger.db", "no such file"])?;
    assert_eq!(ledger.files()?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn repair_is_refused_while_a_daemon_runs() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let daemon = Daemon::start(&ledger.options).await?;
    let before = ledger.rows().await?;
    let done = ends(ledger.over_chain(&["repair", "--from", "20"])).await?;
    let process = format!("process {}", daemon.pid()?);
    refuses(&done, 1, &["ledger.db", &process, "one database has one writer"])?;
    tables::assert_same(&ledger.rows().await?, &before);
    daemon.stop().await?.says(0, &[])?;
    ledger.assert_clean().await
}

#[tokio::test]
async fn repair_that_was_killed_is_ended_by_sync_or_by_a_daemon() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let store = SqliteStore::open_existing(&ledger.options.db).await?;
    let key = ledger.world.register(&store, ledger.world.cast.consumer).await?;
    store.close().await;
    let clean = ledger.world.clean_run().await?;
    let from = lose_a_settlement(&ledger).await?;
    for next in ["sync", "run"] {
        let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
        let hold = Rule::new(Calls::RangeLogs, ExchangeFault::Hold).after(6);
        let hold = proxy.inject(hold);
        let args = ["repair", "--from", &from.to_string(), "--max-block-range", "5"];
        let repair = Daemon::spawn(ledger.through(&proxy, &args))?;
        hold.until_fired(1).await?;
        repair.kill().await?;
        let (cursor, _) = tables::cursor(&ledger.options.db).await?;
        assert!(cursor < ledger.world.head().await?, "it was not in the middle");
        if next == "sync" {
            ledger.sync_to_head().await?;
        } else {
            let daemon = Daemon::serving(command::on_chain(&ledger.options, &["run"])).await?;
            let api = luxxon_tests::ApiClient::new(daemon.api_url())?;
            api.wallet_at(&key, ledger.world.head().await?).await?;
            daemon.stop().await?.says(0, &[])?;
            ledger.sync_to_head().await?;
        }
        tables::assert_same(&ledger.rows().await?, &clean);
        proxy.ensure_all_met()?;
    }
    Ok(())
}
