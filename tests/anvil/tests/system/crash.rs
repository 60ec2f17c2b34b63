use eyre::Result;
use fastrand::Rng;
use luxxon_indexer::store::SqliteStore;
use luxxon_tests::{ApiClient, History, World, tables};
use std::time::Duration;

/// Twelve kills: six while the daemon reads a chain that is already there, six while it follows one
/// that grows and is reorganised. Wherever it was hit, the rows end up as if it had never been.
#[tokio::test]
async fn an_indexer_killed_in_mid_traffic_ends_with_the_rows_of_one_never_killed() -> Result<()> {
    // Final after four blocks, so that the backfill goes by ranges as well as by single blocks.
    let world = World::with_finality(2).await?;
    let db = world.path("killed.db");
    let mut history = History::seeded(3);
    let mut moment = Rng::with_seed(3);
    history.play(&world, 60).await?;

    for _ in 0..6 {
        let daemon = world.daemon(&db).await?;
        tokio::time::sleep(Duration::from_millis(moment.u64(0..40))).await;
        daemon.kill().await?;
    }
    for round in 0..6 {
        let daemon = world.daemon(&db).await?;
        let until_kill = Duration::from_millis(moment.u64(0..400));
        let killed = async {
            tokio::time::sleep(until_kill).await;
            daemon.kill().await
        };
        let played = async {
            history.play(&world, 12).await?;
            if round % 2 == 0 { world.reorg(3).await } else { Ok(()) }
        };
        let (killed, played) = tokio::join!(killed, played);
        killed?;
        played?;
    }

    let daemon = world.daemon(&db).await?;
    let store = SqliteStore::open_existing(&db).await?;
    let key = world.register(&store, world.cast.consumer).await?;
    store.close().await;
    let head = world.head().await?;
    ApiClient::new(daemon.api_url())?.wallet_at(&key, head).await?;
    // Stopped in good order: what became final after the last block is in too, or is not yet.
    daemon.stop().await;
    let (mut syncer, store) = world.syncer(&db).await?;
    luxxon_tests::to_head(&mut syncer).await?;
    store.close().await;
    tables::assert_same(&tables::dump(&db).await?, &world.clean_run().await?);
    assert!(tables::events_of_kind(&db, 3).await? > 10, "too little happened to tell");
    Ok(())
}
