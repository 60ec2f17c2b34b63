//! Many histories, side by side.

use super::{Base, Met, Played, Step, generate::histories, play, script};
use eyre::{Result, eyre};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{
    fs,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
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

/// How many times a failing history is tried in a shorter form.
const MOST_SHORTENED: u32 = 400;

/// What the workers share.
struct Shared<'a> {
    campaign: Campaign,
    base: &'a Base,
    next: AtomicU64,
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
        let shared = Shared { campaign: self, base, next: AtomicU64::new(0), found, began, folder };
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
        if number >= shared.campaign.histories || late {
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

/// The history of so many steps that `seed` stands for.
pub fn drawn(seed: u64, steps: usize) -> Result<Vec<Step>> {
    Ok(tree(seed, steps)?.current())
}

/// The same with all its shorter forms.
fn tree(seed: u64, steps: usize) -> Result<impl ValueTree<Value = Vec<Step>>> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_be_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
    let tree = histories(steps).new_tree(&mut TestRunner::new_with_rng(config, rng));
    tree.map_err(|reason| eyre!("no history: {reason}"))
}

/// Plays the history that `seed` stands for, and shortens it if it fails.
fn one(shared: &Shared<'_>, runtime: &Runtime, seed: u64) -> Result<()> {
    let mut tree = tree(seed, shared.campaign.steps)?;
    let played = attempt(shared.base, runtime, &tree.current());
    {
        let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.met.merge(played.met.clone());
    }
    let Some((at, error)) = &played.failure else { return Ok(()) };
    if shared.campaign.progress {
        eprintln!("seed {seed} differs in step {}, and is made shorter: {error:#}", at + 1);
    }
    let (steps, failed) = shortest(shared.base, runtime, &mut tree, played);
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

/// The shortest history that still fails.
fn shortest(
    base: &Base,
    runtime: &Runtime,
    tree: &mut impl ValueTree<Value = Vec<Step>>,
    played: Played,
) -> (Vec<Step>, Played) {
    let mut shortest = (tree.current(), played);
    let mut failed = true;
    for _ in 0..MOST_SHORTENED {
        if !(if failed { tree.simplify() } else { tree.complicate() }) {
            break;
        }
        let played = attempt(base, runtime, &tree.current());
        failed = played.failure.is_some();
        if failed {
            shortest = (tree.current(), played);
        }
    }
    shortest
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
