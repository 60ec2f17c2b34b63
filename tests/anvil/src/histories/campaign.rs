//! Many histories, side by side.

use super::{Base, Met, Played, Step, play, script, shorten::Drawn};
use eyre::{Result, eyre};
use std::{
    fs,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// So many histories of so many steps, which a seed stands for.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first history's seed; each further one has the next.
    pub seed: u64,
    /// How many.
    pub histories: u64,
    /// Steps of each.
    pub steps: usize,
    /// When to end, whatever is left.
    pub until: Option<Instant>,
    /// How many at once.
    pub workers: usize,
    /// Says now and then how far it is.
    pub progress: bool,
    /// Goes on after one that differs.
    pub keep_going: bool,
    /// How long one that differs is tried in shorter forms.
    pub shorten: Duration,
}

/// What a campaign came to.
#[derive(Debug)]
pub struct Found {
    /// How many histories were played.
    pub histories: u64,
    /// What they met.
    pub met: Met,
    /// The failing ones: where the shortest form was written, and what differs.
    pub failures: Vec<(PathBuf, String)>,
    /// How long it took.
    pub took: Duration,
}

/// What the workers share.
struct Shared<'a> {
    campaign: Campaign,
    base: &'a Base,
    next: AtomicU64,
    differs: AtomicBool,
    found: Mutex<Found>,
    began: Instant,
    folder: &'a Path,
}

impl Campaign {
    /// Plays them. Failing histories are written into `folder`, in their shortest form.
    pub fn run(self, base: &Base, folder: &Path) -> Result<Found> {
        let began = Instant::now();
        let (met, failures) = (Met::default(), Vec::new());
        let found = Mutex::new(Found { histories: 0, met, failures, took: Duration::ZERO });
        let shared = Shared {
            campaign: self,
            base,
            next: AtomicU64::new(0),
            differs: AtomicBool::new(false),
            found,
            began,
            folder,
        };
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.workers).map(|_| scope.spawn(|| work(&shared))).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().map_err(|_| eyre!("a worker died"))?)
        })?;
        let mut found = shared.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.took = began.elapsed();
        Ok(found)
    }
}

impl Found {
    /// All of it in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let of = |what: &str| self.met.count(what);
        format!(
            "{} histories, {} steps, {} transactions, {} reorgs, {} kills, {} faults, \
             {} differences, {:.0?}",
            self.histories,
            of("steps"),
            of("transactions"),
            of("reorgs"),
            of("kills"),
            of("faults"),
            self.failures.len(),
            self.took,
        )
    }
}

fn work(shared: &Shared<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let late = shared.campaign.until.is_some_and(|until| Instant::now() >= until);
        let found = shared.differs.load(Ordering::Relaxed) && !shared.campaign.keep_going;
        if number >= shared.campaign.histories || late || found {
            return Ok(());
        }
        one(shared, &runtime, shared.campaign.seed.wrapping_add(number))?;
        let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.histories += 1;
        if shared.campaign.progress && found.histories.is_multiple_of(50) {
            found.took = shared.began.elapsed();
            eprintln!("{}", found.line());
        }
    }
}

/// Plays the history that `seed` stands for, and shortens it if it fails.
fn one(shared: &Shared<'_>, runtime: &Runtime, seed: u64) -> Result<()> {
    let mut drawn = Drawn::new(seed, shared.campaign.steps)?;
    let played = attempt(shared.base, runtime, &drawn.steps());
    {
        let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.met.merge(played.met.clone());
    }
    let Some((at, error)) = &played.failure else { return Ok(()) };
    if shared.differs.swap(true, Ordering::Relaxed) && !shared.campaign.keep_going {
        // Another worker is at it.
        return Ok(());
    }
    eprintln!("seed {seed} differs in step {}, and is made shorter: {error:#}", at + 1);
    let at = *at;
    let longest = shared.campaign.shorten;
    let failed = drawn.shorten(at, played, longest, |steps| attempt(shared.base, runtime, steps));
    let steps = drawn.steps();
    let (at, error) = failed.failure.ok_or_else(|| eyre!("it does not fail any more"))?;
    let text = format!(
        "# seed {seed}\n# {}\n{}",
        format!("step {}: {error:#}", at + 1).replace('\n', "\n# "),
        script::write(&steps, &failed.told)
    );
    fs::create_dir_all(shared.folder)?;
    let path = shared.folder.join(format!("{seed}.history"));
    fs::write(&path, text)?;
    let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
    found.failures.push((path, format!("step {}: {error:#}", at + 1)));
    Ok(())
}

/// Plays a history; what panics has failed.
fn attempt(base: &Base, runtime: &Runtime, steps: &[Step]) -> Played {
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(base, steps))));
    let failed = |error| {
        let (met, told) = (Met::default(), Vec::new());
        Played { met, told, failure: Some((0, error)) }
    };
    match played {
        Ok(Ok(played)) => played,
        Ok(Err(error)) => failed(error),
        Err(panic) => {
            let what = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed(eyre!("it panicked: {what}"))
        }
    }
}
