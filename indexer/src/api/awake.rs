//! Keeps idle cores awake while many requests come.
//!
//! An idle core of a virtual machine is halted, some at once. To go on it needs the host, which may be
//! busy, and its caches may be cold by then. While requests come in their thousands, that is so thousands
//! of times a second, and the slowest answers are those that waited for it: `make bench-api` measures how
//! late they are, with this and without. What it costs is said in `docs/OPERATIONS.md`.

use std::{
    convert::Infallible,
    fs::{self, File, OpenOptions},
    future::pending,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often requests are counted.
const SECOND: Duration = Duration::from_secs(1);

/// Seconds in a row in which too few requests came, until cores may be halted again: what comes in bursts
/// is one load, and the log is not to fill with changes.
const QUIET: u32 = 10;

/// What idles the cores of some guests of KVM, by its name in Linux (`drivers/cpuidle/cpuidle-haltpoll.c`).
/// It has two states: in the first a core looks for work, in the second it is halted. What other drivers
/// do is left to them.
const HALTPOLL: &str = "haltpoll";

/// Where a machine says how its cores idle, and where it is told how soon they have to be there again.
#[derive(Debug)]
pub(super) struct Machine {
    idle_driver: PathBuf,
    latency: PathBuf,
    /// How often requests are counted: in tests more often.
    second: Duration,
}

impl Machine {
    /// This one, if it runs Linux; of any other nothing is known, and nothing is changed.
    pub(super) fn this() -> Self {
        Self {
            idle_driver: "/sys/devices/system/cpu/cpuidle/current_driver".into(),
            latency: "/dev/cpu_dma_latency".into(),
            second: SECOND,
        }
    }

    /// Keeps idle cores awake while `requests()`, which only grows, grows by `enough` in about a second, and
    /// for [`QUIET`] seconds more. Where they are not halted for a host, it does nothing. Where this process
    /// may not keep them awake, it says so once, and tries again.
    pub(super) async fn stay_awake(&self, enough: u64, requests: impl Fn() -> u64) -> Infallible {
        if !self.halts_for_a_host() {
            return pending().await;
        }
        let mut count = interval_at(Instant::now() + self.second, self.second);
        // A pause of this process is one second without requests, not many.
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut before, mut quiet) = (requests(), QUIET);
        let (mut awake, mut refused) = (None, false);
        loop {
            count.tick().await;
            let now = requests();
            quiet = if now.saturating_sub(before) < enough { QUIET.min(quiet + 1) } else { 0 };
            before = now;
            if quiet == 0 && awake.is_none() {
                match Awake::keep(&self.latency) {
                    Ok(kept) => {
                        awake = Some(kept);
                        tracing::info!("many requests: idle cores are kept awake");
                    }
                    Err(error) if !refused => {
                        refused = true;
                        let file = self.latency.display();
                        tracing::info!(%file, %error, "many requests, but idle cores are halted");
                    }
                    Err(_) => {}
                }
            } else if quiet == QUIET && awake.take().is_some() {
                tracing::info!("fewer requests: idle cores may be halted");
            }
        }
    }

    fn halts_for_a_host(&self) -> bool {
        let driver = fs::read_to_string(&self.idle_driver);
        driver.is_ok_and(|name| name.trim_end() == HALTPOLL)
    }
}

/// While it is there, no idle core of the machine is halted. It ends with the process, whatever ends that.
#[derive(Debug)]
struct Awake(#[expect(dead_code, reason = "open for as long as it should hold")] File);

impl Awake {
    /// The kernel's `Documentation/power/pm_qos_interface.rst`: the microseconds that a core may take to be
    /// there again, as a native 32-bit number, for as long as the file is open.
    fn keep(latency: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(latency)?;
        file.write_all(&0_i32.to_ne_bytes())?;
        Ok(Self(file))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::cell::RefCell;
    use tokio::{sync::Notify, time::timeout};

    const ENOUGH: u64 = 1_000;

    fn machine(folder: &Path, idle_driver: &str) -> Machine {
        let folder = folder.canonicalize().unwrap();
        let (driver, latency) = (folder.join("driver"), folder.join("latency"));
        fs::write(&driver, idle_driver).unwrap();
        fs::write(&latency, "").unwrap();
        Machine { idle_driver: driver, latency, second: Duration::from_millis(1) }
    }

    fn is_open(path: &Path) -> bool {
        let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == path)
    }

    /// Whether cores are kept awake: before the first second, and through each in which so many requests
    /// came. `at` is called at the end of each.
    async fn kept(machine: &Machine, each_second: &[u64], at: impl Fn(usize)) -> Vec<bool> {
        let (kept, all, done) = (RefCell::new(Vec::new()), RefCell::new(0), Notify::new());
        // It is asked at the end of each second, before anything is decided about the next.
        let requests = || {
            let (mut kept, mut all) = (kept.borrow_mut(), all.borrow_mut());
            if kept.len() > each_second.len() {
                return *all;
            }
            let second = kept.len();
            kept.push(is_open(&machine.latency));
            if let Some(second) = second.checked_sub(1) {
                at(second);
                *all += each_second[second];
            }
            if second == each_second.len() {
                done.notify_one();
            }
            *all
        };
        let end = async {
            tokio::select! {
                biased;
                () = done.notified() => {}
                never = machine.stay_awake(ENOUGH, requests) => match never {},
            }
        };
        timeout(Duration::from_secs(30), end).await.expect("it counts requests each second");
        kept.into_inner()
    }

    #[tokio::test]
    async fn cores_are_kept_awake_while_enough_requests_come_and_for_ten_seconds_more() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path(), "haltpoll\n");
        let few = ENOUGH - 1;
        let each_second = [&[0, few, ENOUGH, 3 * ENOUGH][..], &[few; 12], &[ENOUGH, 0]].concat();
        let expected = [&[false; 4][..], &[true; 11], &[false; 3], &[true; 1]].concat();
        assert_eq!(kept(&machine, &each_second, |_| ()).await, expected);
        assert_eq!(fs::read(&machine.latency).unwrap(), [0; 4], "microseconds, in 32 bits");
        assert!(!is_open(&machine.latency), "ends with what keeps them awake");
    }

    #[tokio::test]
    async fn what_this_process_may_not_do_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path(), "haltpoll\n");
        // Nobody may write a folder.
        fs::remove_file(&machine.latency).unwrap();
        fs::create_dir(&machine.latency).unwrap();
        let allow_in_the_third = |second| {
            if second == 2 {
                fs::remove_dir(&machine.latency).unwrap();
                fs::write(&machine.latency, "").unwrap();
            }
        };
        let kept = kept(&machine, &[ENOUGH; 4], allow_in_the_third).await;
        assert_eq!(kept, [false, false, false, false, true]);
    }

    #[tokio::test]
    async fn cores_that_no_host_halts_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for driver in ["intel_idle\n", "none\n", ""] {
            let machine = machine(folder.path(), driver);
            let counted = || panic!("{driver:?} needs no host");
            assert!(machine.stay_awake(0, counted).now_or_never().is_none());
        }
    }
}
