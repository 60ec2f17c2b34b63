//! How far the ledger is behind the chain, for who waits for it: a bar on a terminal, a line now and
//! then elsewhere.

use crate::metrics::{Counts, Metrics};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    convert::Infallible,
    io::{self, IsTerminal, Write, stderr},
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::info;

/// Behind by more blocks than this is worth a word: less is read within a second.
const WORTH_A_WORD: u64 = 100;
/// Between two looks on a terminal, and two lines elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SAY_EVERY: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "block {human_pos} of {human_len} {wide_bar} {msg}, {eta} left";

/// The line of a terminal that the bar has, and that the log must not write into.
#[derive(Clone, Debug)]
pub(super) struct Screen(ProgressBar);

impl Screen {
    /// Nothing is shown yet.
    pub(super) fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()))
    }

    /// Standard error, for the log: a line takes the bar's place for a moment.
    pub(super) fn log(&self) -> LogLines {
        LogLines(self.0.clone())
    }

    /// What `work` comes to; meanwhile, how the ledger catches up is shown.
    pub(super) async fn beside<T>(
        self,
        metrics: &Arc<Metrics>,
        work: impl Future<Output = T>,
    ) -> T {
        let bar = self.0.clone();
        let outcome = tokio::select! {
            outcome = work => outcome,
            never = self.follow(Arc::clone(metrics)) => match never {},
        };
        bar.finish_and_clear();
        outcome
    }

    /// Shows how the ledger catches up, as `metrics` counts it, for as long as it lives.
    pub(super) async fn follow(self, metrics: Arc<Metrics>) -> Infallible {
        let terminal = stderr().is_terminal();
        let mut behind: Option<Start> = None;
        loop {
            tokio::time::sleep(if terminal { LOOK_EVERY } else { SAY_EVERY }).await;
            let now = metrics.counts();
            if now.head.saturating_sub(now.cursor) <= WORTH_A_WORD {
                if behind.take().is_some() {
                    self.0.finish_and_clear();
                }
                continue;
            }
            let start = behind.get_or_insert_with(|| {
                if terminal {
                    self.show(&now);
                }
                Start { at: Instant::now(), events: now.events }
            });
            let rate = start.rate(&now);
            if terminal {
                self.0.set_length(now.head);
                self.0.set_position(now.cursor);
                self.0.set_message(format!("{rate} events/s"));
            } else {
                info!(block = now.cursor, head = now.head, events_per_second = rate, "catching up");
            }
        }
    }

    fn show(&self, now: &Counts) {
        self.0.reset();
        // The template is a constant that is known to parse.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            self.0.set_style(style);
        }
        self.0.set_length(now.head);
        // The time left is told from what was done since, not since block 0.
        self.0.set_position(now.cursor);
        self.0.reset_eta();
        self.0.set_draw_target(ProgressDrawTarget::stderr());
    }
}

/// When it fell behind, and what was in then.
#[derive(Clone, Copy, Debug)]
struct Start {
    at: Instant,
    events: u64,
}

impl Start {
    fn rate(&self, now: &Counts) -> u64 {
        let milliseconds = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        now.events.saturating_sub(self.events).saturating_mul(1000) / milliseconds
    }
}

/// Standard error, around the bar.
#[derive(Clone, Debug)]
pub(super) struct LogLines(ProgressBar);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn the_rate_is_of_what_was_taken_in_since_it_fell_behind() {
        let at = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let rate = Start { at, events: 100 }.rate(&Counts { cursor: 1, head: 2, events: 1_100 });
        assert!((490..=500).contains(&rate), "{rate}");
    }
}
