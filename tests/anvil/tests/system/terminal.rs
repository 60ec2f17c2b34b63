//! What `luxxon` asks on a terminal: whether to send, and a keystore's password.

use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_tests::{
    Operator,
    keystore::{KEYSTORE, PASSWORD, POOR, POOR_KEY},
};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use serde_json::json;
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A command on a terminal of its own. It is killed where a test ends before it.
struct Terminal {
    screen: File,
    child: Child,
    seen: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    fn start(command: &tokio::process::Command) -> Result<Self> {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&screen)?;
        unlockpt(&screen)?;
        let name = ptsname(&screen, Vec::new())?;
        let keyboard =
            OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.to_bytes()))?;
        let command = command.as_std();
        // util-linux's: makes the terminal the one that /dev/tty stands for.
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => on_terminal.env(name, value),
                None => on_terminal.env_remove(name),
            };
        }
        on_terminal.stdin(Stdio::from(keyboard.try_clone()?));
        on_terminal.stdout(Stdio::from(keyboard.try_clone()?)).stderr(Stdio::from(keyboard));
        let child = on_terminal.spawn().wrap_err("setsid")?;
        Ok(Self { screen: File::from(screen), child, seen: String::new() })
    }

    /// Reads until the screen ends with `words`, or, without any, until the command ends.
    fn until(&mut self, words: Option<&str>) -> Result<()> {
        let mut bytes = [0; 4096];
        while !words.is_some_and(|words| self.seen.ends_with(words)) {
            // Once nobody has the terminal open any more, reading it is an error.
            match self.screen.read(&mut bytes) {
                Ok(read) if read > 0 => self.seen += &String::from_utf8_lossy(&bytes[..read]),
                _ if words.is_none() => return Ok(()),
                _ => return Err(eyre!("it ended: {}", self.seen)),
            }
        }
        Ok(())
    }

    fn shows_what_is_typed(&self) -> Result<bool> {
        Ok(tcgetattr(&self.screen)?.local_modes.contains(LocalModes::ECHO))
    }

    fn types(&mut self, keys: &str) -> Result<()> {
        Ok(self.screen.write_all(keys.as_bytes())?)
    }

    /// The command's exit code, once it ends, and all that was on the screen.
    fn end(mut self) -> Result<(Option<i32>, String)> {
        self.until(None)?;
        Ok((self.child.wait()?.code(), std::mem::take(&mut self.seen)))
    }
}

/// Terminals are read by blocking: on a thread of its own, and not for ever.
async fn on_terminal<T: Send + 'static>(
    test: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    const LONGEST: Duration = Duration::from_mins(1);
    tokio::time::timeout(LONGEST, tokio::task::spawn_blocking(test))
        .await
        .wrap_err("it hangs")??
}

#[tokio::test]
async fn only_yes_sends() -> Result<()> {
    let operator = Operator::start().await?;
    let key = operator.key_of(operator.cast.operator)?.to_string();
    for (answer, code, says) in [
        ("\n", 1, "nothing was sent: the answer was not yes"),
        ("no\n", 1, "nothing was sent: the answer was not yes"),
        ("y\n", 0, "deployed: LuxxonSettlement at 0x"),
    ] {
        assert_eq!(operator.nonce(operator.cast.operator).await?, 0);
        let command = operator.luxxon(Some(&key), &["deploy"])?;
        let (ended, seen) = on_terminal(move || {
            let mut terminal = Terminal::start(&command)?;
            terminal.until(Some("Deploy it? [y/N] "))?;
            terminal.types(answer)?;
            terminal.end()
        })
        .await?;
        assert_eq!(ended, Some(code), "{seen}");
        assert!(seen.contains(says) && seen.contains("L2 fee"), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_password_is_typed_unseen_and_ctrl_c_leaves_the_terminal_as_it_was() -> Result<()> {
    let operator = Operator::start().await?;
    operator.rpc("anvil_setBalance", json!([POOR, "0x8ac7230489e80000"])).await?;
    let file = operator.deployments().join("keystore.json");
    fs::write(&file, KEYSTORE)?;
    let keystore = file.display().to_string();
    for (typed, code, says) in [
        ("correct\u{3}", 1, "no password was given"),
        ("incorrect horse\n", 1, "the password does not open it"),
        ("correcx\u{7f}t horse\n", 0, "deployed: LuxxonSettlement at 0x"),
    ] {
        let command = operator.luxxon(None, &["deploy", "--yes", "--keystore", &keystore])?;
        let (seen, shows) = on_terminal(move || {
            let mut terminal = Terminal::start(&command)?;
            terminal.until(Some("keystore.json: "))?;
            ensure!(!terminal.shows_what_is_typed()?, "the password would be seen");
            terminal.types(typed)?;
            terminal.until(None)?;
            let shows = terminal.shows_what_is_typed()?;
            let (ended, seen) = terminal.end()?;
            ensure!(ended == Some(code), "{ended:?}: {seen}");
            Ok((seen, shows))
        })
        .await?;
        assert!(shows, "the terminal is as it was");
        assert!(seen.contains(says), "{seen}");
        assert!(!seen.contains("correct") && !seen.contains(PASSWORD), "{seen}");
        assert!(!seen.contains(POOR_KEY), "{seen}");
    }
    Ok(())
}
