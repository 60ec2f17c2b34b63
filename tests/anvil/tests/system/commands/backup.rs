use super::{Ledger, ends, refuses};
use eyre::Result;
use luxxon_indexer::store::SqliteStore;
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{ApiClient, Daemon, command, tables};
use std::fs;

#[tokio::test]
async fn a_copy_made_in_mid_traffic_is_of_one_moment_and_goes_on_by_itself() -> Result<()> {
    let mut ledger = Ledger::start().await?;
    let daemon = Daemon::start(&ledger.options).await?;
    let store = SqliteStore::open_existing(&ledger.options.db).await?;
    let consumer = ledger.world.cast.consumer;
    let key = ledger.world.register(&store, consumer).await?;
    store.close().await;
    let mut copies = Vec::new();
    for copy in 0..4 {
        let to = ledger.path(&format!("copy-{copy}.db"));
        let name = to.to_string_lossy().into_owned();
        let command = command::on_database(&ledger.options, &["backup", "--to", &name]);
        let (played, done) = tokio::join!(ledger.history.play(&ledger.world, 6), ends(command));
        played?;
        let done = done?;
        done.says(0, &[])?;
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
        copies.push(IndexerOptions { db: to, ..ledger.options.clone() });
    }
    daemon.stop().await?.says(0, &[])?;
    let parts = ledger.files()?.into_iter().filter(|name| name.starts_with("copy"));
    assert_eq!(parts.count(), copies.len(), "nothing but the copies: {:?}", ledger.files()?);

    for copy in &copies {
        // The balances are those of the events, and the events those up to the cursor.
        ends(command::on_database(copy, &["rebuild"])).await?.says(0, &["what they were"])?;
        let head = ledger.world.head().await?;
        let daemon = Daemon::start(copy).await?;
        let wallet = ApiClient::new(daemon.api_url())?.wallet_at(&key, head).await;
        daemon.stop().await?.says(0, &[])?;
        wallet?;
        let until = head.to_string();
        ends(command::on_chain(copy, &["sync", "--until", &until])).await?.says(0, &[])?;
        tables::assert_same(&tables::dump(&copy.db).await?, &ledger.world.clean_run().await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_copy_takes_no_files_place() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let before = ledger.files()?;
    let taken = ledger.path("letter.txt");
    fs::write(&taken, "this is a letter")?;
    let to = taken.to_string_lossy().into_owned();
    let done = ends(ledger.over_database(&["backup", "--to", &to])).await?;
    refuses(&done, 1, &["letter.txt", "--to", "there is a file already"])?;
    assert!(!done.stderr.contains("--db"), "{}", done.stderr);
    assert_eq!(fs::read_to_string(&taken)?, "this is a letter");
    fs::remove_file(&taken)?;

    let nowhere = ledger.path("no-folder/copy.db").to_string_lossy().into_owned();
    let done = ends(ledger.over_database(&["backup", "--to", &nowhere])).await?;
    refuses(&done, 1, &["no-folder/copy.db", "--to"])?;
    assert_eq!(ledger.files()?, before);
    ledger.assert_clean().await
}

#[tokio::test]
async fn what_a_copy_left_that_was_cut_off_is_in_nobodys_way() -> Result<()> {
    let ledger = Ledger::synced().await?;
    let (copy, part) = (ledger.path("copy.db"), ledger.path("copy.db.part"));
    fs::write(&part, "half of it")?;
    let to = copy.to_string_lossy().into_owned();
    ends(ledger.over_database(&["backup", "--to", &to])).await?.says(0, &[])?;
    assert!(!part.exists());
    tables::assert_same(&tables::dump(&copy).await?, &ledger.rows().await?);
    Ok(())
}

#[tokio::test]
async fn there_is_no_copy_of_what_is_not_there() -> Result<()> {
    let ledger = Ledger::start().await?;
    let to = ledger.path("copy.db").to_string_lossy().into_owned();
    let done = ends(ledger.over_database(&["backup", "--to", &to])).await?;
    refuses(&done, 1, &["ledger.db", "no such file"])?;
    assert_eq!(ledger.files()?, Vec::<String>::new());
    Ok(())
}
