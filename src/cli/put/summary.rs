//! What became of the records, counted while it happens and told at the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use indicatif::{HumanBytes, ProgressBar};
use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Format, print, print_json};

/// Counters that all lanes share.
#[derive(Debug)]
pub(super) struct Totals {
    started: Instant,
    stored: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    first_failure: Mutex<Option<String>>,
    bar: ProgressBar,
}

#[derive(Serialize)]
struct Summary {
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    failed_records: u64,
    retried_batches: u64,
}

impl Totals {
    pub(super) fn new(bar: ProgressBar) -> Totals {
        Totals {
            started: Instant::now(),
            stored: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            first_failure: Mutex::new(None),
            bar,
        }
    }

    /// So many bytes of input were read.
    pub(super) fn read(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    /// So many records were acknowledged.
    pub(super) fn stored(&self, records: u64, bytes: u64) {
        let stored = self.stored.fetch_add(records, Relaxed) + records;
        self.bytes.fetch_add(bytes, Relaxed);
        self.bar.set_message(format!("{stored} records stored"));
    }

    /// So many records are lost; `why` is kept from the first.
    pub(super) fn failed(&self, records: u64, why: impl FnOnce() -> String) {
        self.failed.fetch_add(records, Relaxed);
        self.first_failure.lock().expect("nobody panics with it").get_or_insert_with(why);
    }

    /// A batch was refused and goes again.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Takes the bar away and prints the summary.
    pub(super) fn finish(&self, format: Format) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        let records = self.stored.load(Relaxed);
        let summary = Summary {
            records,
            bytes: self.bytes.load(Relaxed),
            seconds,
            records_per_second: records as f64 / seconds.max(1e-9),
            failed_records: self.failed.load(Relaxed),
            retried_batches: self.refused.load(Relaxed),
        };
        if format.json { print_json(&summary) } else { print(&summary.text()) }
    }

    /// The failure of the whole command, if a record failed.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let failed = self.failed.load(Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let all = failed + self.stored.load(Relaxed);
        let first = self.first_failure.lock().expect("nobody panics with it");
        let why = first.as_deref().unwrap_or("unknown");
        let message = format!(
            "{failed} of {all} records were not stored, the first because {why}; mend them and put \
             them again"
        );
        Err(Failure::new(Exit::Refused, message))
    }

    /// A failure that cut the command short, with what it means for the records.
    pub(super) fn cut_short(&self, failure: Failure) -> Failure {
        let stored = self.stored.load(Relaxed);
        let message = format!(
            "{}; {stored} records were acknowledged, those sent last may be stored as well",
            failure.message
        );
        Failure { message, ..failure }
    }
}

impl Summary {
    fn text(&self) -> String {
        let Summary { records, bytes, seconds, records_per_second, failed_records, .. } = self;
        let mut text = format!(
            "{records} records, {} in {seconds:.3} s: {records_per_second:.0} records/s",
            HumanBytes(*bytes)
        );
        if *failed_records > 0 {
            text += &format!(", {failed_records} failed");
        }
        if self.retried_batches > 0 {
            text += &format!(", {} batches were refused and sent again", self.retried_batches);
        }
        text
    }
}
