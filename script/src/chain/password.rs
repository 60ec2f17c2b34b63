//! A password, typed without being shown.

use eyre::{Result, WrapErr, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
};

/// Asks on the terminal, whatever standard input is. Ctrl-C gives up, and leaves the terminal as it
/// was.
pub(super) fn ask(question: &str) -> Result<String> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.wrap_err(
        "there is no terminal to ask for the keystore's password on: use --password-file or \
         LUXXON_KEYSTORE_PASSWORD",
    )?;
    let typed = {
        // Before the question: whoever sees it may type at once.
        let _silent = Silent::make(&terminal)?;
        write!(&terminal, "{question}: ")?;
        (&terminal).flush()?;
        read_line(&terminal)
    };
    writeln!(&terminal)?;
    typed
}

/// Keeps what is typed from being shown; and Ctrl-C from ending the program while that is so.
struct Silent<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Silent<'t> {
    fn make(terminal: &'t File) -> Result<Self> {
        let before = tcgetattr(terminal).wrap_err("the terminal")?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &silent).wrap_err("the terminal")?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// A line as a terminal without modes of its own sends it: erasing and giving up are done here.
fn read_line(mut input: impl Read) -> Result<String> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    const BACKSPACE: [u8; 2] = [8, 127];
    let mut line = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the line is not this program's to take.
    while input.read(&mut byte)? > 0 {
        match byte[0] {
            b'\n' | b'\r' => break,
            CTRL_C | CTRL_D => bail!("no password was given"),
            CTRL_U => line.clear(),
            byte if BACKSPACE.contains(&byte) => erase(&mut line),
            byte => line.push(byte),
        }
    }
    // The error would show the bytes.
    String::from_utf8(line).map_err(|_| eyre::eyre!("the password is not UTF-8"))
}

/// Takes the last character away, however many bytes it has.
fn erase(line: &mut Vec<u8>) {
    const CONTINUATION: std::ops::RangeInclusive<u8> = 0x80..=0xbf;
    while line.pop().is_some_and(|byte| CONTINUATION.contains(&byte)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_return_and_can_be_corrected() {
        assert_eq!(read_line(&b"secret\nmore"[..]).unwrap(), "secret");
        assert_eq!(read_line(&b"secres\x7ft\r"[..]).unwrap(), "secret");
        assert_eq!(read_line("wrong\x15gr\u{fc}\u{8}u\n".as_bytes()).unwrap(), "gru");
        assert_eq!(read_line(&b"\x7f\x7f\n"[..]).unwrap(), "");
    }

    #[test]
    fn giving_up_is_an_error_that_shows_nothing_of_what_was_typed() {
        for given_up in [&b"secret\x03"[..], b"secret\x04", b"\xff\xfesecret\n"] {
            let error = format!("{:?}", read_line(given_up).unwrap_err());
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
