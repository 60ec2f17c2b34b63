use eyre::Result;
use fastrand::Rng;
use luxxon_tests::{History, World, tables, to_head};
use std::{path::Path, time::Duration};

/// Kills a daemon `kills` times while it reads a chain that is already there, from an empty database
/// whenever everything is in.
async fn killed_in_a_backfill(seed: u64, kills: u32) -> Result<()> {
    // Final after four blocks, so that it goes by ranges as well as by single blocks.
    let world = World::with_finality(2).await?;
    let mut moment = Rng::with_seed(seed);
    History::seeded(seed).play(&world, 60).await?;
    let (clean, head) = (world.clean_run().await?, world.head().await?);
    let mut db = world.path("killed-0.db");
    for kill in 1..=kills {
        let daemon = world.daemon(&db).await?;
        tokio::time::sleep(Duration::from_millis(moment.u64(0..40))).await;
        daemon.kill().await?;
        if tables::cursor(&db).await?.0 == head {
            ends_like(&world, &db, &clean).await?;
            db = world.path(&format!("killed-{kill}.db"));
        }
    }
    let daemon = world.daemon(&db).await?;
    daemon.stop().await;
    ends_like(&world, &db, &clean).await
}

/// Kills a daemon `kills` times while it follows a chain that grows and is reorganised.
async fn killed_at_the_head(seed: u64, kills: u32) -> Result<()> {
    let world = World::with_finality(6).await?;
    let db = world.path("killed.db");
    let (mut history, mut moment) = (History::seeded(seed), Rng::with_seed(seed));
    // Deeper than the reorgs to come: none of them takes the deployment away.
    history.play(&world, 20).await?;
    for round in 0..kills {
        let daemon = world.daemon(&db).await?;
        let until_kill = Duration::from_millis(moment.u64(0..250));
        let killed = async {
            tokio::time::sleep(until_kill).await;
            daemon.kill().await
        };
        let played = async {
            history.play(&world, 6).await?;
            if round % 2 == 0 { world.reorg(3).await } else { Ok(()) }
        };
        let (killed, played) = tokio::join!(killed, played);
        killed?;
        played?;
    }
    ends_like(&world, &db, &world.clean_run().await?).await?;
    assert!(tables::events_of_kind(&db, 3).await? > 10, "too little happened to tell");
    Ok(())
}

/// Reads what is left to read, and compares the rows.
async fn ends_like(world: &World, db: &Path, clean: &str) -> Result<()> {
    let (mut syncer, store) = world.syncer(db).await?;
    to_head(&mut syncer).await?;
    store.close().await;
    tables::assert_same(&tables::dump(db).await?, clean);
    Ok(())
}

#[tokio::test]
async fn an_indexer_killed_ten_times_in_a_backfill_ends_with_the_rows_of_one_never_killed()
-> Result<()> {
    killed_in_a_backfill(3, 10).await
}

#[tokio::test]
async fn an_indexer_killed_ten_times_at_the_head_ends_with_the_rows_of_one_never_killed()
-> Result<()> {
    killed_at_the_head(4, 10).await
}

#[tokio::test]
#[ignore = "takes minutes: make soak"]
async fn soak_a_hundred_kills_in_a_backfill() -> Result<()> {
    killed_in_a_backfill(5, 100).await
}

#[tokio::test]
#[ignore = "takes minutes: make soak"]
async fn soak_a_hundred_kills_at_the_head() -> Result<()> {
    killed_at_the_head(6, 100).await
}
