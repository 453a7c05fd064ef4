//! A line on standard error that says what is running.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{nanos, now_ns};

/// The line. Nothing is drawn where standard error is no terminal.
pub struct Progress {
    line: ProgressBar,
    shown_ns: AtomicU64,
}

/// Drawing costs a system call on the load generator's own core.
const INTERVAL: Duration = Duration::from_millis(200);

impl Progress {
    /// An empty line.
    #[must_use]
    pub fn new() -> Progress {
        let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")
            .expect("the template is a constant");
        let line = ProgressBar::no_length().with_style(style);
        Progress { line, shown_ns: AtomicU64::new(0) }
    }

    /// Says that `what` has done `records` so far.
    pub fn show(&self, what: &str, records: u64) {
        let now = now_ns();
        if now < self.shown_ns.load(Ordering::Relaxed) + nanos(INTERVAL) {
            return;
        }
        self.shown_ns.store(now, Ordering::Relaxed);
        self.line.set_message(format!("{what}: {records} records"));
        self.line.tick();
    }

    /// Says what is running.
    pub fn stage(&self, what: &str) {
        self.line.set_message(what.to_owned());
        self.line.tick();
    }

    /// Removes the line.
    pub fn clear(&self) {
        self.line.finish_and_clear();
    }
}
