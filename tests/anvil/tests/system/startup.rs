use eyre::{Result, eyre};
use luxxon_indexer::chain::{Providers, identify};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::World;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// A refusal takes milliseconds.
const LONGEST: Duration = Duration::from_mins(1);

/// Starts the daemon, which must refuse: exit code 1 and one line that says why. Returns the line.
async fn refusal(options: &IndexerOptions) -> Result<String> {
    let mut command = options.command();
    command.env_remove("LUXXON_LOG").kill_on_drop(true);
    let output = timeout(LONGEST, command.output()).await??;
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout)?, "", "it must not say that it serves");
    let mut lines = stderr.lines();
    let line = lines.next().ok_or_else(|| eyre!("nothing was said"))?.to_owned();
    assert_eq!(lines.next(), None, "one line is enough: {stderr}");
    assert!(line.starts_with("luxxon-indexer: "), "{line}");
    Ok(line)
}

fn nothing_written(db: &Path) {
    let folder = db.parent().expect("a folder");
    let files: Vec<_> = folder.read_dir().expect("readable").flatten().collect();
    assert!(files.is_empty(), "{files:?}");
}

#[tokio::test]
async fn a_wrong_target_is_refused_in_one_line_and_nothing_is_written() -> Result<()> {
    let world = World::start().await?;
    let db = world.path("ledger.db");
    let right = world.daemon_options(&db).await?;
    let head = world.head().await?;
    let empty = "0x00000000000000000000000000000000DeaDBeef";
    let usdc = world.contracts.usdc.address().to_string();
    let deployed = right.deploy_block;

    let refused = async |options: IndexerOptions, words: &[&str]| -> Result<()> {
        let line = refusal(&options).await?;
        for word in words {
            assert!(line.contains(word), "{word} is not in: {line}");
        }
        nothing_written(&db);
        Ok(())
    };
    refused(
        IndexerOptions { rpc_url: "http://127.0.0.1:9/v2/SECRET".parse()?, ..right.clone() },
        &["no answer from the node at http://127.0.0.1:9", "refused"],
    )
    .await?;
    let secret = "http://user:SECRET@127.0.0.1:9/v2/SECRET?key=SECRET".parse()?;
    let line = refusal(&IndexerOptions { rpc_url: secret, ..right.clone() }).await?;
    assert!(!line.contains("SECRET"), "{line}");
    refused(
        IndexerOptions { db: world.path("no-folder/ledger.db"), ..right.clone() },
        &["cannot open", "no-folder/ledger.db", "--db"],
    )
    .await?;
    refused(
        IndexerOptions { chain_id: 8453, ..right.clone() },
        &["serves chain 31337, not 8453", "--chain-id"],
    )
    .await?;
    refused(
        IndexerOptions { settlement: empty.to_owned(), ..right.clone() },
        &[empty, "has no code", "--settlement"],
    )
    .await?;
    refused(
        IndexerOptions { settlement: usdc.clone(), ..right.clone() },
        &[&usdc, "does not answer USDC()"],
    )
    .await?;
    refused(
        IndexerOptions { deploy_block: deployed - 1, ..right.clone() },
        &["no code in block", "too low"],
    )
    .await?;
    refused(
        IndexerOptions { deploy_block: deployed + 1, ..right.clone() },
        &["has code in block", "too high"],
    )
    .await?;
    refused(IndexerOptions { deploy_block: head + 1, ..right.clone() }, &["the chain's head is"])
        .await?;
    refused(
        IndexerOptions {
            listen: world.rpc_url().trim_matches('/').replace("http://", ""),
            ..right
        },
        &["cannot serve on", "--listen"],
    )
    .await
}

#[tokio::test]
async fn a_database_that_is_not_this_deployments_is_refused_and_left_as_it_is() -> Result<()> {
    let world = World::start().await?;
    let db = world.path("ledger.db");
    let options = world.daemon_options(&db).await?;
    world.daemon(&db).await?.stop().await;
    let files = || -> Vec<_> {
        let folder = db.parent().expect("a folder").read_dir().expect("readable");
        let mut files: Vec<_> = folder
            .flatten()
            .map(|file| (file.file_name(), std::fs::read(file.path()).expect("readable")))
            .collect();
        files.sort();
        files
    };

    let mine = files();
    let other = World::elsewhere().await?;
    let line = refusal(&other.daemon_options(&db).await?).await?;
    assert!(line.contains("follows the chain with genesis"), "{line}");
    assert!(files() == mine, "the database was touched");

    newer_schema(&db).await?;
    let newer = files();
    let line = refusal(&options).await?;
    assert!(line.contains("schema version 9999") && line.contains("newer"), "{line}");
    assert!(files() == newer, "the database was touched");

    std::fs::write(&db, "this is a letter")?;
    let letter = files();
    let line = refusal(&options).await?;
    assert!(line.contains("is not a database of luxxon-indexer"), "{line}");
    assert!(files() == letter, "the file was touched");
    Ok(())
}

/// As a later version of the program would leave it.
async fn newer_schema(db: &Path) -> Result<()> {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let mut connection = SqliteConnectOptions::new().filename(db).connect().await?;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// While the deployment is not final it may be mined again elsewhere, so the block before it must
/// not be pinned.
#[tokio::test]
async fn a_new_ledger_begins_with_a_final_block_before_the_deployment() -> Result<()> {
    let world = World::start().await?;
    let node = Providers::at(world.rpc_url().parse()?)?;
    let settlement = *world.contracts.settlement.address();
    let deploy_block = world.contracts.deploy_block;
    let young = identify(&node, 31337, settlement, deploy_block).await?;
    assert_eq!(young.first.number, 0);
    world.mine(80).await?;
    let old = identify(&node, 31337, settlement, deploy_block).await?;
    assert_eq!(old.first.number, deploy_block - 1);
    assert_eq!(old.pins, young.pins);
    Ok(())
}

#[tokio::test]
async fn the_nodes_key_is_in_no_line_of_the_log_at_any_level() -> Result<()> {
    let world = World::start().await?;
    let mut options = world.daemon_options(&world.path("ledger.db")).await?;
    options.rpc_url.set_username("SECRET").map_err(|()| eyre!("a URL without a host"))?;
    options.rpc_url.set_query(Some("key=SECRET"));
    let mut daemon = options
        .command()
        .args(["--public-rpc-url", "http://127.0.0.1:1"])
        .env("LUXXON_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stderr = daemon.stderr.take().ok_or_else(|| eyre!("no standard error"))?;
    let mut lines = BufReader::new(stderr).lines();
    let following = async {
        let mut blocks = 0;
        while blocks < 2 {
            let line = lines.next_line().await?.ok_or_else(|| eyre!("it ended early"))?;
            assert!(!line.contains("SECRET"), "{line}");
            blocks += u32::from(line.contains("block taken in"));
        }
        Ok(())
    };
    timeout(LONGEST, following).await?
}
