//! Everything at once, at random: the same seed makes the same faults, as far as the daemon asks the
//! same questions.

use super::scene::Scene;
use crate::audit::audit;
use eyre::{Result, ensure};
use fastrand::Rng;
use luxxon_tests::{Daemon, History, Random, command, visible_faults};
use std::{
    env,
    time::{Duration, Instant},
};

/// A daemon follows a chain of `rounds` times a few blocks, with reorgs among them and kills, while
/// one request in eight meets a fault.
async fn soak(seed: u64, rounds: u32) -> Result<()> {
    let scene = Scene::start().await?;
    let (mut history, mut rng) = (History::seeded(seed), Rng::with_seed(seed));
    // Deeper than the reorgs to come: none of them takes the deployment away.
    scene.world.mine(10).await?;
    let mut daemon = scene.follow().await?;
    scene.proxy.randomly(Random::new(seed, 8, visible_faults()));
    for _ in 0..rounds {
        history.play(&scene.world, 3).await?;
        match rng.u32(0..6) {
            0 => scene.world.reorg(rng.u64(1..6)).await?,
            1 => scene.world.shorten(rng.u64(1..4)).await?,
            2 => scene.at_head(&mut daemon).await?,
            3 => {
                daemon.kill().await?;
                // It must be able to start: a fault then is a refusal, and no part of this.
                scene.proxy.heal();
                daemon = scene.follow().await?;
                scene.proxy.randomly(Random::new(rng.u64(..), 8, visible_faults()));
            }
            _ => {}
        }
    }
    // The last blocks may be a rolled back chain's, and lower than what the daemon has.
    history.play(&scene.world, 6).await?;
    scene.at_head(&mut daemon).await?;
    ensure!(scene.proxy.met_at_random() > 0, "nothing was met");
    scene.proxy.heal();
    let ended = scene.ends_right(daemon).await;
    ended.map_err(|error| error.wrap_err(format!("seed {seed}")))
}

/// A daemon follows a chain that grows by a block a second, with reorgs, while one request in fifty
/// meets a fault, for as many minutes as the variable `MINUTES` says.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "takes an hour: make soak"]
async fn soak_an_hour_of_traffic_reorgs_and_faults_leaves_memory_flat_and_the_audit_clean()
-> Result<()> {
    let minutes: u64 = env::var("MINUTES").map_or(Ok(60), |minutes| minutes.parse())?;
    let scene = Scene::start().await?;
    scene.world.mine(10).await?;
    let mut daemon = scene.follow().await?;
    let (mut history, mut rng) = (History::seeded(60), Rng::with_seed(60));
    scene.proxy.randomly(Random::new(60, 50, visible_faults()));
    let (began, mut memory) = (Instant::now(), Vec::new());
    let log = scene.world.path("ledger.db-wal");
    while began.elapsed() < Duration::from_mins(minutes) {
        history.play(&scene.world, 1).await?;
        if rng.u32(0..30) == 0 {
            scene.world.reorg(rng.u64(1..6)).await?;
        }
        ensure!(!daemon.has_ended()?, "it ended: {}", daemon.said());
        // It keeps its database in memory on purpose, and that grows.
        let database = daemon.mapped(&scene.db)? + daemon.mapped(&log)?;
        memory.push(daemon.memory()?.saturating_sub(database));
        if memory.len() % 60 == 0 {
            let (block, held) = (scene.world.head().await?, memory[memory.len() - 1] >> 10);
            eprintln!("{} s: block {block}, {held} KiB", began.elapsed().as_secs());
        }
        // A block a second: anvil slows with the length of its chain.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scene.proxy.heal();
    history.play(&scene.world, 6).await?;
    scene.at_head(&mut daemon).await?;
    // The first minutes fill its caches.
    let (first, second) = memory.split_at(memory.len() / 2);
    let most = |half: &[u64]| half.iter().copied().max().unwrap_or_default();
    let (before, after) = (most(first), most(second));
    ensure!(after <= before + before / 10, "memory grew from {before} to {after} bytes");
    let tables = command::on_chain(&scene.options().await?, &["audit"]);
    Daemon::spawn(tables)?.end().await?.says(0, &["no difference"])?;
    audit(&scene.world, &[]).await?.says(0, &["clean: "])?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn a_mixture_of_random_faults_reorgs_and_kills_leaves_the_rows_of_a_clean_run() -> Result<()>
{
    soak(1, 10).await
}

#[tokio::test]
#[ignore = "takes minutes: make soak"]
async fn soak_many_mixtures_of_random_faults_leave_the_rows_of_a_clean_run() -> Result<()> {
    for seed in 2..22 {
        soak(seed, 20).await?;
    }
    Ok(())
}
