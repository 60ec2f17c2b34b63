//! Being run by make, which is how most people start a devnet.
//!
//! GNU make passes SIGTERM on to what it runs, but not SIGINT or SIGHUP: it trusts that a terminal
//! has sent those to the whole group, and waits. A signal that was sent to make alone would end
//! nothing. So the devnet looks after its parent: while make handles a signal it has that signal
//! blocked, and Linux shows it.

use rustix::process::{Pid, Signal, getppid};
use std::{fs, time::Duration};

/// How often the parent is looked at.
const EVERY: Duration = Duration::from_millis(200);

/// The make that runs this process.
#[derive(Debug)]
pub(super) struct ParentMake(Pid);

impl ParentMake {
    /// The parent, where it is make and the system tells about it.
    pub(super) fn find() -> Option<Self> {
        let parent = getppid()?;
        let status = fs::read_to_string(status_file(parent)).ok()?;
        ["make", "gmake"].contains(&field(&status, "Name:")?).then_some(Self(parent))
    }

    /// Resolves when make has been told to stop, or is gone.
    pub(super) async fn stopped(&self) {
        while getppid() == Some(self.0) {
            let status = fs::read_to_string(status_file(self.0)).unwrap_or_default();
            if handles_stop_signal(&status) {
                return;
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn status_file(pid: Pid) -> String {
    format!("/proc/{}/status", pid.as_raw_nonzero())
}

/// The value of a line of `/proc/<pid>/status`.
fn field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Whether SIGINT or SIGHUP is among the blocked signals, as in proc(5): bit n − 1 stands for
/// signal n.
fn handles_stop_signal(status: &str) -> bool {
    let blocked = field(status, "SigBlk:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    let stops =
        [Signal::INT, Signal::HUP].map(|signal| 1u64 << (signal.as_raw() - 1)).iter().sum::<u64>();
    blocked.is_some_and(|mask| mask & stops != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_make_that_handles_a_stop_signal_is_told_from_one_that_waits() {
        let waiting = "Name:\tmake\nSigBlk:\t0000000000010000\nSigCgt:\t0000000001814207\n";
        let interrupted = "Name:\tmake\nSigBlk:\t0000000000010002\nSigCgt:\t0000000001814205\n";
        let hung_up = "Name:\tmake\nSigBlk:\t0000000000010001\nSigCgt:\t0000000001814206\n";
        assert_eq!(field(waiting, "Name:"), Some("make"));
        assert!(!handles_stop_signal(waiting));
        assert!(handles_stop_signal(interrupted));
        assert!(handles_stop_signal(hung_up));
        assert!(!handles_stop_signal(""));
    }
}
