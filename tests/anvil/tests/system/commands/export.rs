use super::{Ledger, ends, refuses};
use alloy::primitives::Address;
use eyre::{Result, ensure, eyre};
use luxxon_tests::tables;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fs, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// The rows of a CSV, each as the object that JSON lines would have.
fn of_csv(text: &str) -> Result<Vec<Map<String, Value>>> {
    let mut lines = text.lines();
    let names: Vec<&str> =
        lines.next().ok_or_else(|| eyre!("no line of names"))?.split(',').collect();
    let mut rows = Vec::new();
    for line in lines {
        let values: Vec<&str> = line.split(',').collect();
        ensure!(values.len() == names.len(), "{} values: {line}", values.len());
        let value = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        rows.push(
            names.iter().zip(values).map(|(&name, text)| (name.to_owned(), value(text))).collect(),
        );
    }
    Ok(rows)
}

fn of_jsonl(text: &str) -> Result<Vec<Map<String, Value>>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// What the rows make of every pool and every claimable: those that are not empty.
fn balances(rows: &[Map<String, Value>]) -> Result<[BTreeMap<Address, i64>; 2]> {
    let [mut pools, mut claimables] = [BTreeMap::new(), BTreeMap::new()];
    for row in rows {
        let text = |key: &str| row[key].as_str().ok_or_else(|| eyre!("no {key} in {row:?}"));
        let account: Address = text("account")?.parse()?;
        let amount = || -> Result<i64> { Ok(text("amount")?.parse()?) };
        let (table, change) = match text("kind")? {
            "DEPOSIT" => (&mut pools, amount()?),
            "WITHDRAWAL" => (&mut pools, -amount()?),
            "SETTLE" => {
                let shares: i64 =
                    text("toAmount")?.parse::<i64>()? + text("feeAmount")?.parse::<i64>()?;
                ensure!(shares == amount()?, "{row:?}");
                (&mut pools, -shares)
            }
            "PAYOUT_HELD" => (&mut claimables, amount()?),
            "CLAIMED" => (&mut claimables, -amount()?),
            "APPROVAL" | "LIMITS_SET" | "ENTRY_SKIPPED" => continue,
            other => return Err(eyre!("{other} is no kind")),
        };
        *table.entry(account).or_default() += change;
    }
    Ok([pools, claimables].map(|mut table: BTreeMap<Address, i64>| {
        table.retain(|_, balance| *balance != 0);
        table
    }))
}

async fn table(ledger: &Ledger, name: &str) -> Result<BTreeMap<Address, i64>> {
    let query = format!("SELECT hex(account) || ' ' || balance FROM {name}");
    let rows = tables::read(&ledger.options.db, &query).await?;
    let of = |row: &String| {
        let (account, balance) = row.split_once(' ').ok_or_else(|| eyre!("{row}"))?;
        Ok((account.parse()?, balance.parse()?))
    };
    rows.iter().map(of).collect()
}

#[tokio::test]
async fn both_forms_to_a_file_or_a_pipe_are_all_events_and_add_up_to_the_balances() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let events = ledger.number("SELECT count(*) FROM events").await?;
    let mut forms = Vec::new();
    for format in ["csv", "jsonl"] {
        let args = ["export", "--format", format];
        let piped = ends(ledger.over_database(&args)).await?;
        piped.says(0, &[])?;
        assert_eq!(piped.stderr, "");
        let file = ledger.path(&format!("events.{format}"));
        let to = file.to_string_lossy().into_owned();
        let done = ends(ledger.over_database(&[&args[..], &["--out", &to]].concat())).await?;
        done.says(0, &[])?;
        assert_eq!(done.stdout, "");
        assert_eq!(fs::read_to_string(&file)?, piped.stdout, "{format}");
        // Once more over the same file: it is replaced.
        ends(ledger.over_database(&[&args[..], &["--out", &to]].concat())).await?.says(0, &[])?;
        assert_eq!(fs::read_to_string(&file)?, piped.stdout, "{format}");
        forms.push(piped.stdout);
    }
    assert!(!ledger.files()?.iter().any(|name| name.contains(".part")), "{:?}", ledger.files()?);
    let unsaid = ends(ledger.over_database(&["export"])).await?;
    assert_eq!(unsaid.stdout, forms[0], "CSV is the default");

    let (csv, jsonl) = (of_csv(&forms[0])?, of_jsonl(&forms[1])?);
    assert_eq!(csv.len() as u64, events);
    assert_eq!(csv, jsonl);
    let names = forms[0].lines().next().unwrap_or_default().split(',');
    let first = forms[1].lines().next().unwrap_or_default();
    let places: Vec<_> = names.map(|name| first.find(&format!("\"{name}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {first}");

    let [pools, claimables] = balances(&csv)?;
    assert!(!claimables.is_empty(), "the history holds no payout");
    assert_eq!(pools, table(&ledger, "pools").await?);
    assert_eq!(claimables, table(&ledger, "claimables").await?);
    Ok(())
}

/// What the rows of `kind` have in `columns`, and that they have nothing in any other but those that
/// all events have.
fn only(rows: &[Map<String, Value>], kind: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let all = ["blockNumber", "logIndex", "blockHash", "blockTime", "txHash", "kind", "account"];
    let of_kind = rows.iter().filter(|row| row["kind"] == kind);
    let texts = of_kind.map(|row| {
        let known = |name: &str| all.contains(&name) || columns.contains(&name);
        assert!(row.iter().all(|(name, value)| known(name) != value.is_null()), "{row:?}");
        columns.iter().map(|&column| row[column].as_str().unwrap_or_default().to_owned()).collect()
    });
    texts.collect()
}

#[tokio::test]
async fn limits_and_skipped_entries_have_columns_of_their_own() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let rows = of_csv(&ends(ledger.over_database(&["export"])).await?.stdout)?;
    let limits = ["maxRatePerSecond", "maxPerSession", "maxPerDay"];
    let skips = ["sessionHash", "entryIndex", "reason"];
    let limits_in_tables = "SELECT max_rate_per_second || ' ' || max_per_session || ' ' ||
        max_per_day FROM events WHERE kind = 7 ORDER BY block_number, log_index";
    let skips_in_tables = "SELECT '0x' || lower(hex(session_id)) || ' ' || entry_index || ' 0x' ||
        lower(hex(reason)) FROM events WHERE kind = 8 ORDER BY block_number, log_index";
    for (kind, columns, query) in
        [("LIMITS_SET", limits, limits_in_tables), ("ENTRY_SKIPPED", skips, skips_in_tables)]
    {
        let found: Vec<_> = only(&rows, kind, &columns).iter().map(|row| row.join(" ")).collect();
        assert_eq!(found, tables::read(&ledger.options.db, query).await?, "{kind}");
        assert!(!found.is_empty(), "the history has no {kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_failure() -> Result<()> {
    let ledger = Ledger::synced().await?;
    // More than a pipe holds.
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO events (position, tx_hash, kind, account, amount)
        SELECT (number << 23) + 5000 + i, zeroblob(32), 2, zeroblob(20), 0
        FROM n, (SELECT min(number) AS number FROM blocks)";
    ledger.tamper(&[many]).await?;
    for format in ["csv", "jsonl"] {
        let mut child = ledger.over_database(&["export", "--format", format]).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| eyre!("no standard output"))?;
        let mut line = String::new();
        BufReader::with_capacity(16, stdout).read_line(&mut line).await?;
        assert!(line.len() > 16, "{line}");
        let output = child.wait_with_output().await?;
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8(output.stderr)?, "", "{format}");
    }
    // As a shell does it.
    let line = r#""$0" export --db "$1" | head -1; echo ${PIPESTATUS[0]}"#;
    let mut shell = Command::new("bash");
    shell.args(["-c", line]).arg(&ledger.options.program).arg(&ledger.options.db);
    let output = shell.stdin(Stdio::null()).output().await?;
    let said = String::from_utf8(output.stdout)?;
    assert!(said.starts_with("blockNumber,") && said.ends_with("\n0\n"), "{said}");
    assert_eq!(String::from_utf8(output.stderr)?, "");
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_and_nothing_is_left() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let before = ledger.files()?;
    let nowhere = ledger.path("no-folder/events.csv").to_string_lossy().into_owned();
    let done = ends(ledger.over_database(&["export", "--out", &nowhere])).await?;
    refuses(&done, 1, &["no-folder/events.csv", "--out"])?;
    // A folder has the name: all but the last step goes well.
    let folder = ledger.path("folder");
    fs::create_dir(&folder)?;
    let done = ends(ledger.over_database(&["export", "--out", &folder.to_string_lossy()])).await?;
    refuses(&done, 1, &["folder", "--out"])?;
    fs::remove_dir(&folder)?;
    assert_eq!(ledger.files()?, before);
    Ok(())
}
