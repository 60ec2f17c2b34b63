//! What can be wrong on this side of the node: F21, F28, F29 and F33.

use super::scene::Scene;
use eyre::Result;
use luxxon_indexer::store::SqliteStore;
use luxxon_tests::{ApiClient, Calls, Daemon, ExchangeFault, History, Rule};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

async fn open(scene: &Scene) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(&scene.db).connect().await?)
}

#[tokio::test]
async fn f21_a_daemon_killed_between_an_answer_and_its_rows_loses_and_repeats_nothing() -> Result<()>
{
    let scene = Scene::start().await?;
    History::seeded(121).play(&scene.world, 30).await?;
    for answers in [0, 1, 2, 5, 8] {
        let hold = Rule::new(Calls::Logs, ExchangeFault::Hold).after(answers).times(1);
        let hold = scene.proxy.inject(hold);
        let daemon = scene.follow().await?;
        hold.until_fired(1).await?;
        // The kill comes while the answer does.
        hold.remove();
        daemon.kill().await?;
        scene.balances_are_right().await?;
    }
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f21_a_cursor_that_cannot_be_read_is_not_taken_for_a_new_ledger() -> Result<()> {
    let scene = Scene::start().await?;
    History::seeded(221).play(&scene.world, 10).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    daemon.stop().await?.says(0, &[])?;
    let mut connection = open(&scene).await?;
    sqlx::query("DELETE FROM cursor").execute(&mut connection).await?;
    connection.close().await?;
    let before = scene.rows().await?;
    let done = Daemon::refusal(&scene.options().await?).await?;
    done.says(1, &["cursor"])?;
    assert_eq!(scene.rows().await?, before);
    Ok(())
}

#[tokio::test]
async fn f28_other_writers_are_waited_for() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let mut other = open(&scene).await?;
    let writing = other.begin_with("BEGIN IMMEDIATE").await?;
    // The daemon has a block to write, and cannot.
    let asked = scene.proxy.count(Calls::Logs);
    scene.deposit().await?;
    let cursor = scene.cursor().await?;
    super::scene::wait(&mut daemon, "no logs were asked for", async || {
        Ok(scene.proxy.count(Calls::Logs) > asked)
    })
    .await?;
    assert_eq!(scene.cursor().await?, cursor);
    writing.commit().await?;
    other.close().await?;

    let mut history = History::seeded(128);
    let store = SqliteStore::open_existing(&scene.db).await?;
    for &wallet in scene.world.consumers.iter().chain(&scene.world.operators) {
        scene.world.register(&store, wallet).await?;
        history.play(&scene.world, 1).await?;
    }
    store.close().await;
    scene.at_head(&mut daemon).await?;
    let said = daemon.said();
    assert!(!said.contains("locked") && !said.contains("busy"), "{said}");
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f29_block_99_comes_before_block_100_and_9_is_less_than_10() -> Result<()> {
    let scene = Scene::start().await?;
    let consumer = scene.world.cast.consumer;
    let mut daemon = scene.follow().await?;
    scene.world.mine(97 - scene.world.head().await?).await?;
    for amount in [9, 10, 100] {
        scene.deposit_of(consumer, amount).await?;
    }
    scene.at_head(&mut daemon).await?;
    assert_eq!(scene.cursor().await?, 100);
    // Whatever orders numbers as text begins again at 99, or stays there.
    daemon.stop().await?.says(0, &[])?;
    scene.deposit_of(consumer, 1_000).await?;
    scene.world.reorg(2).await?;
    scene.deposit_of(consumer, 20).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;

    let store = SqliteStore::open_existing(&scene.db).await?;
    let key = scene.world.register(&store, consumer).await?;
    store.close().await;
    let api = ApiClient::new(daemon.api_url())?;
    let events = api.data("/wallet/events?limit=3", &key).await?;
    let amounts: Vec<_> =
        events.as_array().into_iter().flatten().map(|event| event["amountUsdc"].clone()).collect();
    assert_eq!(amounts, ["20", "10", "9"], "{events}");
    let text = scene.rows().await?.lines().filter(|row| row.contains("block_number='")).count();
    assert_eq!(text, 0, "block numbers are kept as text");
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f33_a_second_indexer_on_one_database_is_refused() -> Result<()> {
    let scene = Scene::start().await?;
    let mut history = History::seeded(133);
    history.play(&scene.world, 5).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let second = Daemon::refusal(&scene.options().await?).await?;
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert_eq!(second.stdout, "", "it must not say that it serves");
    history.play(&scene.world, 5).await?;
    scene.at_head(&mut daemon).await?;
    // A lock that outlives its holder would be worse than none.
    daemon.kill().await?;
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}
