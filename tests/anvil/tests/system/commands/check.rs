use super::{Ledger, ends, refuses};
use eyre::Result;
use luxxon_tests::{Daemon, Done, FaultProxy, command, finish};
use std::fs;

#[tokio::test]
async fn check_says_what_run_would_do_and_writes_nothing() -> Result<()> {
    let ledger = Ledger::start().await?;
    let done = ends(ledger.over_chain(&["check"])).await?;
    let head = ledger.world.head().await?;
    let settlement = ledger.options.settlement.clone();
    let usdc = ledger.world.contracts.usdc.address().to_string();
    let url = ledger.world.rpc_url().trim_end_matches('/');
    let (head, listen) = (format!("head        {head} "), ledger.options.listen.clone());
    done.says(0, &["31337", url, &head, &settlement, &usdc, "ledger.db: made new", &listen])?;
    assert_eq!(ledger.files()?, Vec::<String>::new());

    ledger.sync_to_head().await?;
    let (files, ledger_file) = (ledger.files()?, fs::read(&ledger.options.db)?);
    ends(ledger.over_chain(&["check"])).await?.says(0, &["ledger.db: goes on where it stands"])?;
    assert_eq!(ledger.files()?, files);
    assert!(fs::read(&ledger.options.db)? == ledger_file, "the database was touched");
    // A daemon that runs is not in its way, and is named.
    let daemon = Daemon::start(&ledger.options).await?;
    let in_use = format!("ledger.db: in use by process {}", daemon.pid()?);
    ends(ledger.over_chain(&["check"])).await?.says(0, &[&in_use])?;
    daemon.stop().await?.says(0, &[])?;
    Ok(())
}

#[tokio::test]
async fn what_run_would_refuse_check_refuses() -> Result<()> {
    let ledger = Ledger::start().await?;
    let mut options = ledger.options.clone();
    options.chain_id = 8453;
    let done = ends(command::on_chain(&options, &["check"])).await?;
    refuses(&done, 1, &["serves chain 31337, not 8453"])?;
    fs::write(&ledger.options.db, "this is a letter")?;
    let done = ends(ledger.over_chain(&["check"])).await?;
    refuses(&done, 1, &["ledger.db", "is not a database of luxxon-indexer"])?;
    assert_eq!(fs::read_to_string(&ledger.options.db)?, "this is a letter");
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_missing_is_named_as_flag_variable_and_in_the_file() -> Result<()> {
    let ledger = Ledger::start().await?;
    let options = &ledger.options;
    let (chain, block) = (options.chain_id.to_string(), options.deploy_block.to_string());
    let db = options.db.to_string_lossy().into_owned();
    let all = [
        ["rpc_url", "--rpc-url", options.rpc_url.as_str(), "LUXXON_RPC_URL"],
        ["chain_id", "--chain-id", &chain, "LUXXON_CHAIN_ID"],
        ["settlement", "--settlement", &options.settlement, "LUXXON_SETTLEMENT"],
        ["deploy_block", "--deploy-block", &block, "LUXXON_DEPLOY_BLOCK"],
        ["db", "--db", &db, "LUXXON_DB"],
    ];
    for left_out in all {
        let said = all.iter().filter(|setting| setting[0] != left_out[0]);
        let flags: Vec<&str> = said.flat_map(|&[_, flag, value, _]| [flag, value]).collect();
        for name in [&["check"][..], &["run"], &["sync", "--until", "1"], &["audit"]] {
            let args = [name, &flags].concat();
            let done = ends(command::bare(options, &args)).await?;
            let [key, flag, _, variable] = left_out;
            refuses(&done, 2, &[&format!("{key} is not set"), flag, variable, "--config"])?;
        }
    }
    for name in ["rebuild", "export"] {
        let done = ends(command::bare(options, &[name])).await?;
        refuses(&done, 2, &["db is not set", "--db", "LUXXON_DB", "--config"])?;
    }
    assert_eq!(ledger.files()?, Vec::<String>::new());
    Ok(())
}

/// Runs a command over a file of settings whose second provider has a key in its URL.
async fn with_file(ledger: &Ledger, args: &[&str], more: &str) -> Result<Done> {
    let proxy = FaultProxy::start(ledger.world.rpc_url()).await?;
    let options = &ledger.options;
    let file = ledger.path("settings.toml");
    let text = format!(
        "chain_id = {}\nsettlement = \"{}\"\ndeploy_block = {}\ndb = \"{}\"\n{more}\n\
         [[provider]]\nurl = \"{}\"\n[[provider]]\nurl_env = \"SECOND_NODE\"\n",
        options.chain_id,
        options.settlement,
        options.deploy_block,
        options.db.display(),
        options.rpc_url,
    );
    fs::write(&file, text)?;
    let file = file.to_string_lossy().into_owned();
    let mut command = command::bare(options, &[args, &["--config", &file]].concat());
    let second = proxy.url().as_str().replace("http://", "http://me:TOPSECRET@");
    command.env("SECOND_NODE", format!("{second}v2/TOPSECRET?key=TOPSECRET"));
    command.env("LUXXON_LOG", "trace");
    let done = finish(command, Some("TOPSECRET")).await?;
    fs::remove_file(file)?;
    Ok(done)
}

#[tokio::test]
async fn a_file_with_two_providers_does_and_no_key_of_theirs_is_shown() -> Result<()> {
    let ledger = Ledger::start().await?;
    let until = ledger.world.head().await?.to_string();
    let one = ledger.world.rpc_url().trim_end_matches('/').to_owned();
    for quorum in [1, 2] {
        let more = format!("quorum = {quorum}");
        let done = with_file(&ledger, &["check"], &more).await?;
        done.says(
            0,
            &[&format!("quorum      {quorum}"), &format!("nodes       {one}, http://127")],
        )?;
    }
    assert_eq!(ledger.files()?, Vec::<String>::new());
    with_file(&ledger, &["sync", "--until", &until], "quorum = 2").await?.says(0, &[])?;
    with_file(&ledger, &["audit"], "quorum = 2").await?.says(0, &["no difference"])?;
    with_file(&ledger, &["repair", "--from", "20"], "").await?.says(0, &[])?;
    ledger.assert_clean().await?;
    // Refusals that are about the node, and about the file.
    with_file(&ledger, &["check", "--chain-id", "1"], "").await?.says(1, &["31337, not 1"])?;
    with_file(&ledger, &["check"], "quorums = 2").await?.says(2, &["settings.toml", "quorums"])?;
    with_file(&ledger, &["check"], "poll_ms = 1").await?.says(2, &["poll_ms is 1"])?;
    with_file(&ledger, &["export"], "").await?.says(0, &["blockNumber,"])
}

#[tokio::test]
async fn a_quorum_of_two_needs_two_providers() -> Result<()> {
    let ledger = Ledger::start().await?;
    for args in [&["check"][..], &["run"], &["sync", "--until", "1"]] {
        let done = ends(ledger.over_chain(&[args, &["--quorum", "2"]].concat())).await?;
        refuses(&done, 2, &["quorum is 2, but there is one provider"])?;
    }
    let done = ends(ledger.over_chain(&["check", "--quorum", "3"])).await?;
    done.says(2, &["--quorum"])?;
    assert_eq!(ledger.files()?, Vec::<String>::new());
    Ok(())
}
