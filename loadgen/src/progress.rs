//! A line on standard error that says what is running.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{nanos, now_ns};
use crate::series::Latest;
use crate::table::time;

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
        self.live(what, records, None);
    }

    /// The same, with the last second's figures.
    pub fn live(&self, what: &str, records: u64, latest: Option<Latest>) {
        let now = now_ns();
        if now < self.shown_ns.load(Ordering::Relaxed) + nanos(INTERVAL) {
            return;
        }
        self.shown_ns.store(now, Ordering::Relaxed);
        self.line.set_message(message(what, records, latest));
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

fn message(what: &str, records: u64, latest: Option<Latest>) -> String {
    let mut text = format!("{what}: {records} records");
    let Some(Latest { records_per_s, ack_p99_ns, push_p99_ns }) = latest else { return text };
    text += &format!(", {records_per_s:.0}/s");
    for (kind, p99) in [("ack", ack_p99_ns), ("push", push_p99_ns)] {
        text += &p99.map_or(String::new(), |ns| format!(", {kind} p99 {}", time(ns)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_last_seconds_figures_once_there_are_some() {
        assert_eq!(message("x", 5, None), "x: 5 records");
        let latest =
            Latest { records_per_s: 1234.5, ack_p99_ns: Some(2_000_000), push_p99_ns: None };
        assert_eq!(message("x", 5, Some(latest)), "x: 5 records, 1234/s, ack p99 2.00 ms");
    }
}
