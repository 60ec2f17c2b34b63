//! Everything at once, at random: the same seed makes the same faults, as far as the daemon asks the
//! same questions.

use super::scene::Scene;
use eyre::{Result, ensure};
use fastrand::Rng;
use luxxon_tests::{History, Random, visible_faults};

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
