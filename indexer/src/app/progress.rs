use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// How far something has come: a line on a terminal, nothing elsewhere.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Counts `what`, whose number is not known before.
    pub(super) fn new(what: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let template = format!("{{spinner}} {{human_pos}} {what}, {{per_sec}}, {{elapsed}}");
        // The template is made of constants that are known to parse.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    pub(super) fn at(&self, count: u64) {
        self.0.set_position(count);
    }

    pub(super) fn done(&self) {
        self.0.finish_and_clear();
    }
}
