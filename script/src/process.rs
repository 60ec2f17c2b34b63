//! Children that do not outlive their parent.

use eyre::{Result, WrapErr};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a child may take to end before it is killed.
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// Starts `command` as a child that ends with this process, however this process ends.
///
/// It gets a process group of its own, so that a terminal's Ctrl-C reaches only the parent, which
/// then stops its children in the right order. Dropping the child kills it; and where the parent is
/// killed before it can drop anything, Linux sends the child `last_word`.
///
/// The thread that calls this must not end before the child should: that signal follows the thread.
pub(crate) fn spawn_tied(command: &mut Command, last_word: Signal) -> Result<Child> {
    command.kill_on_drop(true).process_group(0);
    #[cfg(target_os = "linux")]
    tie(command, last_word);
    #[cfg(not(target_os = "linux"))]
    let _ = last_word;
    let program = command.as_std().get_program().to_owned();
    command.spawn().wrap_err_with(|| format!("cannot start {}", program.display()))
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the only way to run something between fork and exec")]
fn tie(command: &mut Command, last_word: Signal) {
    use std::io::{Error, ErrorKind};
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec only async-signal-safe functions may run. These are two plain
    // system calls; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(last_word))?;
            // The parent may have ended before the line above: then nobody would send the signal.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(Error::from(ErrorKind::BrokenPipe))
            }
        });
    }
}

/// Asks the child to end, waits, and kills it where it does not. Returns when it is gone.
pub(crate) async fn stop(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
        // Fails only where the child is gone already.
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(LONGEST_STOP, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
