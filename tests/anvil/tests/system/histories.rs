//! Random histories, compared with the model of the money after each of their steps.

use eyre::{Result, ensure};
use luxxon_script::project;
use luxxon_tests::histories::{
    Base, Campaign, Found, drawn, play, play_below_finality, play_with_daemon, script,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What a machine with two cores plays at once.
const WORKERS: usize = 2;
/// Steps of a history.
const STEPS: usize = 40;

/// A number that the environment may say otherwise.
fn told(variable: &str, usual: u64) -> Result<u64> {
    env::var(variable).map_or(Ok(usual), |text| Ok(text.parse()?))
}

/// How long a history that differs is made shorter.
fn shorten() -> Result<Duration> {
    Ok(Duration::from_secs(told("SHORTEN_SECONDS", 60)?))
}

/// Where failing histories are written.
fn folder() -> Result<PathBuf> {
    Ok(project::root()?.join("target/failed-histories"))
}

/// Where histories are kept that once failed, or are tricky.
fn kept() -> Result<PathBuf> {
    Ok(project::root()?.join("tests/anvil/histories"))
}

/// Plays them, and fails where one differs.
fn run(campaign: Campaign, folder: &Path) -> Result<Found> {
    let runtime = tokio::runtime::Runtime::new()?;
    let base = runtime.block_on(Base::make())?;
    let found = campaign.run(&base, folder)?;
    for (path, difference) in &found.failures {
        // Written out: a machine that runs the tests keeps what they print, and no file.
        eprintln!("{difference}\n{}", fs::read_to_string(path)?);
        eprintln!("play it again: make replay HISTORY={}", path.display());
    }
    eprintln!("{}", found.line());
    ensure!(found.failures.is_empty(), "{} histories differ", found.failures.len());
    Ok(found)
}

#[test]
fn random_histories_differ_from_the_model_in_nothing_and_meet_everything() -> Result<()> {
    let (seed, histories) = (1, 40);
    let (until, workers, progress) = (None, WORKERS, false);
    let (steps, keep_going, shorten) = (STEPS, false, shorten()?);
    let campaign =
        Campaign { seed, histories, steps, until, workers, progress, keep_going, shorten };
    let found = run(campaign, &folder()?)?;
    let missing = found.met.missing();
    ensure!(missing.is_empty(), "never met: {missing:?}");
    Ok(())
}

#[test]
#[ignore = "as long as it is given: make histories"]
fn as_many_histories_as_are_asked_for_differ_in_nothing() -> Result<()> {
    let (seed, histories) = (told("SEED", 1)?, told("HISTORIES", 10_000)?);
    let (until, workers, progress) = (None, WORKERS, true);
    let (steps, keep_going, shorten) = (STEPS, false, shorten()?);
    let campaign =
        Campaign { seed, histories, steps, until, workers, progress, keep_going, shorten };
    let found = run(campaign, &folder()?)?;
    for (what, times) in found.met.iter() {
        eprintln!("{times:>9} {what}");
    }
    eprintln!("{}", found.line());
    Ok(())
}

#[test]
#[ignore = "as long as it is given: make soak HOURS=8"]
fn soak_new_histories_differ_in_nothing() -> Result<()> {
    // A seed of its own each time: what another soak played is known.
    let seed = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    let until = match env::var("HOURS") {
        Ok(hours) => Duration::from_secs_f64(hours.parse::<f64>()? * 3_600.0),
        Err(_) => Duration::from_mins(10),
    };
    let (histories, workers, progress) = (u64::MAX, WORKERS, true);
    let until = Some(Instant::now() + until);
    let (steps, keep_going, shorten) = (STEPS, true, shorten()?);
    let campaign =
        Campaign { seed, histories, steps, until, workers, progress, keep_going, shorten };
    // What it finds is kept, and played by each test from then on.
    run(campaign, &kept()?)?;
    Ok(())
}

/// Plays the history in a file again, and says what each step came to.
async fn replay(base: &Base, path: &Path) -> Result<()> {
    let steps = script::read(&fs::read_to_string(path)?)?;
    let played = play(base, &steps).await?;
    let Some((at, error)) = played.failure else { return Ok(()) };
    eprintln!("{}", script::write(&steps, &played.told));
    Err(error.wrap_err(format!("{}, step {}", path.display(), at + 1)))
}

#[tokio::test]
#[ignore = "needs a history: make replay HISTORY=file"]
async fn a_history_is_played_again() -> Result<()> {
    let path = project::root()?.join(env::var("HISTORY")?);
    replay(&Base::make().await?, &path).await?;
    eprintln!("{}: no difference", path.display());
    Ok(())
}

#[tokio::test]
async fn histories_that_are_kept_differ_in_nothing() -> Result<()> {
    let (base, mut count) = (Base::make().await?, 0);
    for file in fs::read_dir(kept()?)? {
        replay(&base, &file?.path()).await?;
        count += 1;
    }
    ensure!(count > 3, "{count} histories are kept");
    Ok(())
}

#[tokio::test]
async fn another_chain_below_the_final_height_stops_the_ledger_and_changes_nothing() -> Result<()> {
    let mut steps = drawn(7, 30)?;
    // So that something is final for sure.
    steps.extend(script::read("{\"does\":{\"empty\":30}}")?);
    play_below_finality(&Base::make().await?, &steps).await
}

#[tokio::test]
async fn the_daemon_killed_again_and_again_differs_from_the_model_in_nothing() -> Result<()> {
    let base = Base::make().await?;
    let mut kills = 0;
    for seed in 0..2 {
        kills += play_with_daemon(&base, &drawn(seed, 40)?).await?;
    }
    ensure!(kills > 3, "{kills} kills");
    Ok(())
}
