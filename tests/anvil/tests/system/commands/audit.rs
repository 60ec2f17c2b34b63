use super::{Ledger, ends};
use alloy::{
    primitives::{Address, U256, Uint},
    sol_types::SolEvent,
};
use eyre::Result;
use luxxon_bindings::settlement::LuxxonSettlement::{Claimed, PayoutHeld};
use luxxon_indexer::{
    audit::{Auditor, Outcome},
    chain::Providers,
    store::SqliteStore,
};
use luxxon_tests::{AnswerFault, Calls, Daemon, Done, ExchangeFault, FaultProxy, Rule, tables};
use serde_json::Value;
use std::time::Duration;

/// `audit --json`, which ends with `code`: the one object that it prints.
async fn json(ledger: &Ledger, code: i32) -> Result<Value> {
    let done = ends(ledger.over_chain(&["audit", "--json"])).await?;
    done.says(code, &[])?;
    Done { code: Some(0), ..done }.json()
}

/// The differences, each as subject, what `by` says and what the tables say.
fn differences<'a>(object: &'a Value, by: &str) -> Vec<[&'a str; 3]> {
    let all = object["differences"].as_array().into_iter().flatten();
    let text = |one: &'a Value, key: &str| one[key].as_str().unwrap_or_default();
    all.map(|one| ["subject", by, "tables"].map(|key| text(one, key))).collect()
}

/// Both forms name `subject`: lines for a person, and an object for a program.
async fn names(ledger: &Ledger, subject: &str, by: &str, right: u64, tables: u64) -> Result<()> {
    let who = if by == "chain" { "on chain" } else { "by its events" };
    let line = format!("{subject} is {right} {who}, and {tables} in the tables");
    ends(ledger.over_chain(&["audit"])).await?.says(1, &[&line])?;
    let object = json(ledger, 1).await?;
    assert_eq!(object["result"], "differs");
    let (right, tables) = (right.to_string(), tables.to_string());
    assert!(differences(&object, by).contains(&[subject, &right, &tables]), "{object}");
    Ok(())
}

#[tokio::test]
async fn a_ledger_with_held_and_claimed_payouts_and_a_reorg_has_no_difference() -> Result<()> {
    let mut ledger = Ledger::synced().await?;
    ledger.world.reorg(3).await?;
    ledger.history.play(&ledger.world, 60).await?;
    ledger.sync_to_head().await?;
    for event in [PayoutHeld::SIGNATURE, Claimed::SIGNATURE] {
        assert!(ledger.world.logs_of(event).await? > 0, "the history has no {event}");
    }
    let done = ends(ledger.over_chain(&["audit"])).await?;
    done.says(0, &["no difference"])?;
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);

    let object = json(&ledger, 0).await?;
    assert_eq!(
        (&object["result"], &object["differences"]),
        (&"clean".into(), &Vec::<Value>::new().into())
    );
    let block = object["block"].as_u64().unwrap_or_default();
    let sessions =
        format!("SELECT count(*) FROM events WHERE kind = 3 AND block_number <= {block}");
    assert_eq!(object["sessions"], ledger.number(&sessions).await?);
    let accounts = "SELECT count(DISTINCT account) FROM wallet_events";
    assert_eq!(object["accounts"], ledger.number(accounts).await?);
    let hash = format!("SELECT hex(hash) FROM blocks WHERE number = {block}");
    let hash = format!("0x{}", ledger.value(&hash).await?.to_lowercase());
    assert_eq!(object["blockHash"], hash);
    Ok(())
}

#[tokio::test]
async fn a_balance_that_was_changed_is_named_with_what_the_contract_has() -> Result<()> {
    let ledger = Ledger::synced().await?;
    for (table, getter) in [("pools", "deposits"), ("claimables", "claimable")] {
        let whose = format!("SELECT account FROM {table} ORDER BY balance DESC LIMIT 1");
        let account = ledger.account(&whose).await?;
        // In the state of the safe block, which is what is compared.
        let right = right_balance(&ledger, getter, account).await?;
        let subject = format!("{getter}({account})");
        let change = |by: &str| {
            format!("UPDATE {table} SET balance = balance {by} WHERE account = ({whose})")
        };
        ledger.tamper(&[&change("+ 7")]).await?;
        names(&ledger, &subject, "chain", right, right + 7).await?;
        let kept = ledger.number(&format!("SELECT max(balance) FROM {table}")).await?;
        names(&ledger, &subject, "events", kept - 7, kept).await?;
        ledger.tamper(&[&change("- 7")]).await?;
        json(&ledger, 0).await?;
    }
    Ok(())
}

async fn right_balance(ledger: &Ledger, getter: &str, account: Address) -> Result<u64> {
    let object = json(ledger, 0).await?;
    let block = object["block"].as_u64().unwrap_or_default();
    let settlement = &ledger.world.contracts.settlement;
    let balance = if getter == "deposits" {
        settlement.deposits(account).block(block.into()).call().await?
    } else {
        settlement.claimable(account).block(block.into()).call().await?
    };
    Ok(balance.to())
}

/// Less than what came in above the safe block: undone, it would be less than nothing.
#[tokio::test]
async fn a_balance_that_cannot_be_is_named_all_the_same() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let consumer = ledger.world.cast.consumer;
    let deposit = ledger.world.contracts.settlement.deposit(U256::from(5_000));
    ledger.world.execute(consumer, deposit.into_transaction_request()).await?;
    ledger.sync_to_head().await?;
    let whose = format!("hex(account) = '{}'", hex(consumer));
    let right = ledger.number(&format!("SELECT balance FROM pools WHERE {whose}")).await?;
    ledger.tamper(&[&format!("UPDATE pools SET balance = 1 WHERE {whose}")]).await?;
    names(&ledger, &format!("deposits({consumer})"), "events", right, 1).await
}

/// As SQLite shows it.
fn hex(account: Address) -> String {
    alloy::primitives::hex::encode_upper(account)
}

/// A balance of somebody to whom nothing ever happened.
#[tokio::test]
async fn a_balance_without_events_is_named() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let nobody = Address::repeat_byte(0xab);
    for (table, getter) in [("pools", "deposits"), ("claimables", "claimable")] {
        let insert = format!("INSERT INTO {table} VALUES (x'{}', 5)", hex(nobody));
        ledger.tamper(&[&insert]).await?;
        names(&ledger, &format!("{getter}({nobody})"), "events", 0, 5).await?;
    }
    Ok(())
}

/// `get_settlement` would not find the one, and find the other where nothing was settled; a page of
/// the wallet's events would lack one, and its operator see it twice.
#[tokio::test]
async fn what_events_are_found_by_is_named_where_it_is_not_what_they_say() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let first = "SELECT session_id FROM settlements LIMIT 1";
    let session = ledger.value(&format!("SELECT hex(session_id) FROM ({first})")).await?;
    let session = session.to_lowercase();
    let nobodys = "42".repeat(32);
    ledger
        .tamper(&[
            &format!("DELETE FROM settlements WHERE session_id = ({first})"),
            &format!("INSERT INTO settlements VALUES (x'{nobodys}', 1, 0)"),
        ])
        .await?;
    names(&ledger, &format!("settled(0x{session})"), "events", 1, 0).await?;
    names(&ledger, &format!("settled(0x{nobodys})"), "events", 0, 1).await?;

    let seen = "FROM wallet_events WHERE side = 1 ORDER BY block_number, log_index LIMIT 1";
    let operator = ledger.account(&format!("SELECT account {seen}")).await?;
    let place = format!("SELECT 'event ' || log_index || ' of block ' || block_number {seen}");
    let subject = format!("{}, as {operator} sees it,", ledger.value(&place).await?);
    let key = "account, block_number, log_index, side";
    let change =
        format!("UPDATE wallet_events SET side = 0 WHERE ({key}) IN (SELECT {key} {seen})");
    ledger.tamper(&[&change]).await?;
    names(&ledger, &subject, "events", 1, 0).await?;
    names(&ledger, &subject, "events", 0, 1).await
}

/// A session would be told another reason than its last, and an account other limits than it set.
#[tokio::test]
async fn a_skip_and_limits_that_are_not_found_are_named() -> Result<()> {
    let ledger = Ledger::synced().await?;
    for (table, key, what) in
        [("skips", "session_id", "skips"), ("limits_set", "account", "limits")]
    {
        let first = format!("FROM {table} ORDER BY block_number, log_index LIMIT 1");
        let place = format!("SELECT 'event ' || log_index || ' of block ' || block_number {first}");
        let place = ledger.value(&place).await?;
        let whose = ledger.value(&format!("SELECT hex({key}) {first}")).await?;
        let named = |whose: &str| match key {
            "account" => Ok(whose.parse::<Address>()?.to_string()),
            _ => eyre::Ok(format!("0x{}", whose.to_lowercase())),
        };
        let nobodys = "42".repeat(whose.len() / 2);
        let change =
            format!("UPDATE {table} SET {key} = x'{nobodys}' WHERE hex({key}) = '{whose}'");
        ledger.tamper(&[&change]).await?;
        let subject =
            |whose: &str| eyre::Ok(format!("{place}, as one that {what} {},", named(whose)?));
        names(&ledger, &subject(&whose)?, "events", 1, 0).await?;
        names(&ledger, &subject(&nobodys)?, "events", 0, 1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn limits_that_were_changed_are_named_one_by_one_with_what_the_contract_has() -> Result<()> {
    let ledger = Ledger::synced().await?;
    // One that sets none in a history.
    let account = ledger.world.cast.operator;
    let set = ledger.world.contracts.settlement.setLimits(11, Uint::from(22), Uint::from(33));
    ledger.world.execute(account, set.into_transaction_request()).await?;
    // In the state of the safe block, which is what is compared.
    ledger.world.mine(6).await?;
    ledger.sync_to_head().await?;
    json(&ledger, 0).await?;
    let event = format!("kind = 7 AND hex(account) = '{}'", hex(account));
    let limits = [
        ("max_rate_per_second", "maxRatePerSecond", 11),
        ("max_per_session", "maxPerSession", 22),
        ("max_per_day", "maxPerDay", 33),
    ];
    for (column, limit, right) in limits {
        let change = |by: &str| format!("UPDATE events SET {column} = {column} {by} WHERE {event}");
        ledger.tamper(&[&change("+ 7")]).await?;
        let subject = format!("limitsOf({account}).{limit}");
        names(&ledger, &subject, "chain", right, right + 7).await?;
        assert_eq!(differences(&json(&ledger, 1).await?, "chain").len(), 1);
        ledger.tamper(&[&change("- 7")]).await?;
        json(&ledger, 0).await?;
    }

    // Lost without a trace: the account, which was paid before, has none.
    let place = format!("SELECT block_number * 1000000 + log_index FROM events WHERE {event}");
    for table in ["wallet_events", "limits_set", "events"] {
        let delete =
            format!("DELETE FROM {table} WHERE block_number * 1000000 + log_index = ({place})");
        ledger.tamper(&[&delete]).await?;
    }
    for (_, limit, right) in limits {
        names(&ledger, &format!("limitsOf({account}).{limit}"), "chain", right, 0).await?;
    }
    Ok(())
}

/// The balances are right, but not what the events add up to.
#[tokio::test]
async fn a_settlement_that_was_deleted_is_missed() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let safe = ledger.number("SELECT safe_block FROM cursor").await?;
    let settle = format!(
        "FROM events WHERE kind = 3 AND block_number < {safe} AND amount > 0
         ORDER BY block_number DESC, log_index DESC LIMIT 1"
    );
    let payer = ledger.account(&format!("SELECT account {settle}")).await?;
    let amount = ledger.number(&format!("SELECT amount {settle}")).await?;
    let place = format!("SELECT block_number * 1000000 + log_index {settle}");
    // The event itself last: it says which.
    for table in ["wallet_events", "settlements", "events"] {
        let delete =
            format!("DELETE FROM {table} WHERE block_number * 1000000 + log_index = ({place})");
        ledger.tamper(&[&delete]).await?;
    }
    let pool = format!("SELECT balance FROM pools WHERE hex(account) = '{}'", hex(payer));
    let pool = ledger.number(&pool).await?;
    names(&ledger, &format!("deposits({payer})"), "events", pool + amount, pool).await?;
    // The sum is not what the events add up to, either; the contract has the same as the tables.
    let owed = ledger.number("SELECT owed FROM cursor").await?;
    names(&ledger, "totalOwed()", "events", owed + amount, owed).await?;
    let object = json(&ledger, 1).await?;
    assert_eq!(differences(&object, "events").len(), 2, "{object}");
    Ok(())
}

#[tokio::test]
async fn a_settlement_that_the_contract_does_not_know_is_named() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let session = "42".repeat(32);
    let forge = format!(
        "INSERT INTO events (position, tx_hash, kind, account, counterparty, amount,
            session_id, to_amount, fee_amount, rate_per_second, chargeable_seconds)
         SELECT position + 1000, tx_hash, kind, account, counterparty, 0,
            x'{session}', 0, 0, rate_per_second, chargeable_seconds
         FROM events WHERE kind = 3 ORDER BY block_number LIMIT 1"
    );
    ledger.tamper(&[&forge]).await?;
    names(&ledger, &format!("settled(0x{session})"), "chain", 0, 1).await
}

#[tokio::test]
async fn audit_works_while_a_daemon_follows_traffic() -> Result<()> {
    let mut ledger = Ledger::synced().await?;
    let daemon = Daemon::start(&ledger.options).await?;
    for _ in 0..3 {
        let played = ledger.history.play(&ledger.world, 5);
        let command = luxxon_tests::command::on_chain(&ledger.options, &["audit"]);
        let (played, done) = tokio::join!(played, ends(command));
        played?;
        done?.says(0, &["no difference"])?;
    }
    daemon.stop().await?.says(0, &[])?;
    Ok(())
}

/// The daemon forgets blocks without events once they are final: also the one that is compared.
#[tokio::test]
async fn an_audit_that_outlasts_the_finality_of_its_block_ends_all_the_same() -> Result<()> {
    let ledger = Ledger::start().await?;
    ledger.world.mine(6).await?;
    ledger.sync_to_head().await?;
    let safe = ledger.number("SELECT safe_block FROM cursor").await?;
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let hold = Rule::new(Calls::Of("eth_call"), ExchangeFault::Hold).after(1).times(1);
    let hold = proxy.inject(hold);
    let audit = Daemon::spawn(ledger.through(&proxy, &["audit"]))?;
    hold.until_fired(1).await?;
    let kept = format!("SELECT count(*) FROM blocks WHERE number = {safe}");
    assert_eq!(ledger.number(&kept).await?, 1);
    let mut daemon = Daemon::start(&ledger.options).await?;
    ledger.world.mine(10).await?;
    while ledger.number(&kept).await? > 0 {
        assert!(!daemon.has_ended()?, "{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    hold.remove();
    audit.end().await?.says(0, &[&format!("block {safe} "), "no difference"])?;
    daemon.stop().await?.says(0, &[])?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_lost_the_state_is_no_difference_and_no_success() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let before = ledger.rows().await?;
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let lost = AnswerFault::Error { code: -32000, message: "missing trie node 01 (path )" };
    for args in [&["audit"][..], &["audit", "--json"]] {
        // `USDC()` is asked at the head.
        let lost = Rule::new(Calls::Of("eth_call"), lost.clone()).after(1);
        let lost = proxy.inject(lost);
        let done = ends(ledger.through(&proxy, args)).await?;
        lost.remove();
        done.says(1, &["missing trie node", "ask an archive node"])?;
        if args.len() == 1 {
            done.says(1, &["state unavailable"])?;
            assert!(!done.stdout.contains("differ"), "{}", done.stdout);
        } else {
            let object = Done { code: Some(0), ..done }.json()?;
            assert_eq!(object["result"], "stateUnavailable");
            assert_eq!(differences(&object, "chain").len(), 0, "{object}");
        }
    }
    tables::assert_same(&ledger.rows().await?, &before);
    proxy.ensure_all_met()
}

/// It compares five hundred sessions at a time. Six hundred are forged, and the node answers but for the
/// last question.
#[tokio::test]
async fn what_was_found_before_the_node_lost_the_state_is_said() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let forge = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
         INSERT INTO events (position, tx_hash, kind, account, counterparty, amount,
            session_id, to_amount, fee_amount, rate_per_second, chargeable_seconds)
         SELECT position + 1000 + i, tx_hash, kind, account, counterparty, 0,
            unhex(printf('%064x', i)), 0, 0, rate_per_second, chargeable_seconds
         FROM (SELECT * FROM events WHERE kind = 3 ORDER BY position LIMIT 1), n";
    ledger.tamper(&[forge]).await?;
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let found = |done: Done| -> Result<usize> {
        done.says(1, &[])?;
        let object = Done { code: Some(0), ..done }.json()?;
        assert_eq!(object["result"], "differs");
        // Those of the contract; the tables differ from the events, too.
        let compared = differences(&object, "chain");
        Ok(compared.into_iter().filter(|[_, chain, _]| !chain.is_empty()).count())
    };
    let args = ["audit", "--json"];
    assert_eq!(found(ends(ledger.through(&proxy, &args)).await?)?, 600);
    let lost = AnswerFault::Error { code: -32000, message: "missing trie node 01 (path )" };
    let all = proxy.count(Calls::Of("eth_call"));
    let lost = proxy.inject(Rule::new(Calls::Of("eth_call"), lost).after(all as u64 - 1));
    let until_then = found(ends(ledger.through(&proxy, &args)).await?)?;
    lost.remove();
    assert!((400..=500).contains(&until_then), "{until_then}");
    proxy.ensure_all_met()
}

/// Two pools are wrong, and their sum is right. Each is found in its turn, and then shown until it is
/// right again, not only once in every round.
#[tokio::test]
async fn what_differed_is_looked_at_again_until_it_is_the_same() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let change = |order: &str, by: &str| {
        format!(
            "UPDATE pools SET balance = balance {by} WHERE account =
                (SELECT account FROM pools ORDER BY account {order} LIMIT 1)"
        )
    };
    ledger.tamper(&[&change("ASC", "+ 1"), &change("DESC", "- 1")]).await?;
    let store = SqliteStore::open_existing(&ledger.options.db).await?;
    let deployment = store.pins().await?.deployment;
    let providers = Providers::at(ledger.options.rpc_url.clone())?;
    let mut auditor = Auditor::new(providers, store.clone(), deployment);
    let (mut most, mut looks) = (0, 0);
    while most < 2 {
        let found = match auditor.look(1).await? {
            Outcome::Differs(_, differences) => differences.len(),
            _ => 0,
        };
        assert!(found >= most, "{found} of {most} are shown in look {looks}");
        (most, looks) = (found, looks + 1);
        assert!(looks < 50, "{most} were found");
    }
    for _ in 0..5 {
        let outcome = auditor.look(1).await?;
        let Outcome::Differs(_, differences) = outcome else { panic!("forgotten: {outcome:?}") };
        assert_eq!(differences.len(), 2, "{differences:?}");
    }
    ledger.tamper(&[&change("ASC", "- 1"), &change("DESC", "+ 1")]).await?;
    assert!(matches!(auditor.look(1).await?, Outcome::Clean(_)));
    store.close().await;
    Ok(())
}
