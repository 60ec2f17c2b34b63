//! Histories as text: a step a line, to be read, kept and played again.

use super::step::Step;
use eyre::{Result, WrapErr};

/// What begins a line that says something and is no step.
const COMMENT: &str = "#";

/// The steps as text, each with what it came to, if that is known.
#[must_use]
pub fn write(steps: &[Step], told: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, step) in steps.iter().enumerate() {
        // A step is made of numbers and names only: it can be written.
        let line = serde_json::to_string(step).unwrap_or_default();
        text.extend([line.as_str(), "\n"]);
        for line in told.get(index).into_iter().flatten() {
            text.extend([COMMENT, "   ", line, "\n"]);
        }
    }
    text
}

/// The steps that a text says.
pub fn read(text: &str) -> Result<Vec<Step>> {
    let is_step = |line: &&str| !line.trim().is_empty() && !line.starts_with(COMMENT);
    let step = |line: &str| serde_json::from_str(line).wrap_err_with(|| line.to_owned());
    text.lines().filter(is_step).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::drawn;

    #[test]
    fn a_history_reads_back_whole_whatever_was_told_of_it() {
        for seed in 0..100 {
            let steps = drawn(seed, 40).unwrap();
            let told = vec![vec!["told".to_owned(), "{}".to_owned()]; 20];
            assert_eq!(read(&write(&steps, &told)).unwrap(), steps);
        }
    }

    #[test]
    fn what_is_no_step_is_refused_with_its_line() {
        let error = read("# a comment\n{\"does\":\"nothing\"}").unwrap_err();
        assert!(format!("{error:#}").contains("nothing"), "{error:#}");
    }
}
