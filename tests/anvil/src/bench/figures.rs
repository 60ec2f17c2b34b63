//! Figures, and how they are shown.

use eyre::{Result, eyre};
use serde_json::Value;
use std::{
    env, fs,
    ops::Add,
    time::{Duration, Instant},
};

/// What Linux says of each core.
const CORES: &str = "/sys/devices/system/cpu";
/// The idle state in which a core is not halted.
const POLLS: &str = "POLL";

/// The middle one of `times`, which are not empty.
#[must_use]
pub fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

/// The shortest of `times`, which are not empty, that `percent` of them do not exceed.
#[must_use]
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.saturating_sub(1)]
}

/// `count` things in a second, where they took `time`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 of anything")]
pub fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What part `count` things are of `all`; 0 where there are none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 of anything")]
pub fn part(count: u64, all: u64) -> f64 {
    count as f64 / all.max(1) as f64
}

/// `time` in milliseconds.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// `value` with `digits` behind the point, as a number for JSON.
#[must_use]
pub fn rounded(value: f64, digits: usize) -> Value {
    let text = format!("{value:.digits$}");
    text.parse().map_or(Value::Null, Value::Number)
}

/// The arguments that are numbers; cargo adds others of its own. `usual` where there are none.
pub fn numbers(usual: &[u64]) -> Result<Vec<u64>> {
    let given = env::args().skip(1).filter(|argument| argument != "--bench");
    let given: Vec<u64> =
        given.map(|argument| argument.replace('_', "").parse()).collect::<Result<_, _>>()?;
    Ok(if given.is_empty() { usual.to_vec() } else { given })
}

/// The machine's load averages: figures of a busy machine are to be read as such.
#[must_use]
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// How the cores of this machine spent their time, until a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cores {
    all: u64,
    stolen: u64,
    halts: Option<u64>,
}

impl Cores {
    /// Until now. Linux tells.
    pub fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        let unfit = || eyre!("no times in {line}");
        // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. Those behind are in the
        // first two.
        let times = line.strip_prefix("cpu ").ok_or_else(unfit)?.split_whitespace().take(8);
        let times: Vec<u64> = times.map(str::parse).collect::<Result<_, _>>()?;
        let &stolen = times.get(7).ok_or_else(unfit)?;
        Ok(Self { all: times.iter().sum(), stolen, halts: halts() })
    }

    /// Since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            stolen: self.stolen.saturating_sub(before.stolen),
            halts: self.halts.zip(before.halts).map(|(now, before)| now.saturating_sub(before)),
        }
    }

    /// The part of the time that the host of the machine did not give it when it had something to run; 0
    /// where there is no host, or it does not say.
    #[must_use]
    pub fn stolen(self) -> f64 {
        part(self.stolen, self.all)
    }

    /// How often a core was halted in each second of `time`; no number where nothing counts it.
    #[must_use]
    pub fn halts(self, time: Duration) -> f64 {
        self.halts.map_or(f64::NAN, |halts| rate(halts, time))
    }
}

/// How often cores had nothing to do and were halted, since the machine started.
fn halts() -> Option<u64> {
    let mut halts = None;
    for core in fs::read_dir(CORES).ok()?.flatten() {
        for state in fs::read_dir(core.path().join("cpuidle")).into_iter().flatten().flatten() {
            let read = |file| fs::read_to_string(state.path().join(file)).ok();
            let (Some(name), Some(usage)) = (read("name"), read("usage")) else { continue };
            let usage: u64 = usage.trim_end().parse().ok()?;
            *halts.get_or_insert(0) += if name.trim_end() == POLLS { 0 } else { usage };
        }
    }
    halts
}

impl Add for Cores {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            all: self.all + more.all,
            stolen: self.stolen + more.stolen,
            halts: self.halts.zip(more.halts).map(|(one, other)| one + other),
        }
    }
}

/// Says on standard error how far something has come, at most every five seconds.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    began: Instant,
    said: Instant,
}

impl Progress {
    /// Counts `what`.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self { what, began: Instant::now(), said: Instant::now() }
    }

    /// `done` of `all` are done.
    pub fn at(&mut self, done: u64, all: u64) {
        if done == all || self.said.elapsed() >= Duration::from_secs(5) {
            self.said = Instant::now();
            let seconds = self.began.elapsed().as_secs();
            eprintln!("{}: {done} of {all}, {seconds} s", self.what);
        }
    }
}
