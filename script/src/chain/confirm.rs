use eyre::{Result, bail};
use std::io::{self, IsTerminal, Write};

/// How consent to send a transaction is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// It was given on the command line: `--yes`.
    Given,
    /// Somebody sits at a terminal and can be asked.
    Ask,
    /// Nobody can be asked.
    Nobody,
}

impl Consent {
    /// Who can consent to this run.
    #[must_use]
    pub fn of(yes: bool) -> Self {
        match (yes, io::stdin().is_terminal() && io::stderr().is_terminal()) {
            (true, _) => Self::Given,
            (false, true) => Self::Ask,
            (false, false) => Self::Nobody,
        }
    }
}

/// Returns where the transaction may be sent; an error that says why not otherwise.
pub fn confirm(consent: Consent, question: &str) -> Result<()> {
    match consent {
        Consent::Given => Ok(()),
        Consent::Nobody => bail!(
            "nothing was sent: there is no terminal to ask on. Run it with --yes to send what is \
             shown above"
        ),
        Consent::Ask => {
            let mut stderr = io::stderr();
            write!(stderr, "{question} [y/N] ")?;
            stderr.flush()?;
            let mut answer = String::new();
            io::stdin().read_line(&mut answer)?;
            if !is_yes(&answer) {
                bail!("nothing was sent: the answer was not yes");
            }
            Ok(())
        }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" Yes\r\n"));
        for answer in ["", "\n", "n", "no", "yess", "j", "1"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }

    #[test]
    fn without_a_terminal_and_without_the_flag_nothing_is_sent() {
        let error = confirm(Consent::Nobody, "").unwrap_err().to_string();
        assert!(error.contains("nothing was sent") && error.contains("--yes"), "{error}");
        assert!(confirm(Consent::Given, "").is_ok());
    }
}
