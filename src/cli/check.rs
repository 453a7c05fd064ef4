//! `shardway check`.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::data_dir::{Names, ROWS_MAX, capped_table, count, identity_rows, more, time_or_dash};
use super::failure::{Exit, Failure};
use super::output::{Format, lines_of, print, print_json, table};
use super::progress::WorkBar;
use crate::catalog::{FileStore, State, StoreError};
use crate::log::check::{CheckOptions, CheckReport, Finding, Severity, ShardTotals, check};
use crate::log::offline::open_stopped;
use crate::log::progress::Progress;

/// Look for damage in a data dir, without changing it
///
/// Reads every byte: checksums, order, gaps, indexes, the catalog, and whether the catalog's shards
/// have all their records. The server must not be running on it.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway check ./shardway-data")]
pub(super) struct Check {
    /// The server's data dir
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// A report as JSON shows it.
#[derive(Serialize)]
struct CheckShape<'a> {
    sound: bool,
    streams: &'a Names,
    #[serde(flatten)]
    report: &'a CheckReport,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut bar = WorkBar::default();
        let (report, names) = examine(&self.dir, &mut bar)?;
        drop(bar);
        let verdict = verdict(&report);
        if self.format.json {
            print_json(&CheckShape { sound: report.is_sound(), streams: &names, report: &report })?;
        } else {
            print(&text(&report, &names, &verdict))?;
        }
        match report.is_sound() {
            true => Ok(()),
            // People have read the verdict as the last line.
            false if !self.format.json => Err(Failure::new(Exit::Damaged, "")),
            false => Err(Failure::new(Exit::Damaged, verdict)),
        }
    }
}

/// Holds the records against the catalog. Damage of the catalog joins the findings; the records
/// are checked all the same then, for what they are worth without it.
pub(super) fn examine(
    dir: &Path,
    progress: &mut dyn Progress,
) -> Result<(CheckReport, Names), Failure> {
    // No server starts between the catalog and the records.
    let _stopped = open_stopped(dir)?;
    let (catalog, damage) = match FileStore::examine(dir) {
        Ok(catalog) => (Some(catalog.unwrap_or_else(|| State::new([0; 32]))), None),
        Err(error) => {
            let finding = catalog_finding(&error);
            let unfit = || Failure::new(Exit::Unfit, error.to_string());
            (None, Some(finding.ok_or_else(unfit)?))
        }
    };
    let expected = catalog.as_ref().map(|catalog| catalog.expected(dir)).unwrap_or_default();
    let mut report = check(dir, &CheckOptions { expected, ..Default::default() }, progress)?;
    report.findings.splice(..0, damage);
    Ok((report, Names::of(catalog.as_ref())))
}

fn catalog_finding(error: &StoreError) -> Option<Finding> {
    let (file, offset) = error.damage()?;
    let prefix = format!("{}: ", file.display());
    let text = error.to_string();
    Some(Finding {
        severity: Severity::Damage,
        file: file.to_owned(),
        offset,
        what: text.strip_prefix(&prefix).unwrap_or(&text).to_owned(),
        advice: "no stream can be served without it: restore the file from a backup".to_owned(),
    })
}

pub(super) fn text(report: &CheckReport, names: &Names, verdict: &str) -> String {
    let mut head = table(&[]);
    head.add_row(["data dir".to_owned(), report.data_dir.display().to_string()]);
    for row in identity_rows(&report.identity) {
        head.add_row(row);
    }
    head.add_row(["commits".to_owned(), report.commits.to_string()]);
    let mut parts = vec![lines_of(head)];
    if !report.shards.is_empty() {
        parts.push(shard_table(report, names));
    }
    if !report.findings.is_empty() {
        let lines: String = report.findings.iter().take(ROWS_MAX).map(finding_line).collect();
        parts.push(lines + &more(report.findings.len(), "findings"));
    }
    parts.push(verdict.to_owned());
    parts.join("\n")
}

fn shard_table(report: &CheckReport, names: &Names) -> String {
    let header =
        ["STREAM", "SHARD", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "FIRST", "END", "NEWEST"];
    let rows = report.shards.iter().map(|shard| {
        [
            names.name(&shard.stream).to_owned(),
            shard.shard.clone(),
            shard.segments.to_string(),
            shard.batches.to_string(),
            shard.records.to_string(),
            HumanBytes(shard.bytes).to_string(),
            shard.first.to_string(),
            shard.end.to_string(),
            time_or_dash(shard.last_arrival),
        ]
    });
    capped_table(&header, "shards", rows)
}

/// One line, whatever file names and messages hold.
fn finding_line(finding: &Finding) -> String {
    let Finding { severity, file, offset, what, advice } = finding;
    let severity = word(*severity);
    let line = format!("{severity}: {} at offset {offset}: {what}; {advice}", file.display());
    line.replace('\n', " ") + "\n"
}

pub(super) fn verdict(report: &CheckReport) -> String {
    let found = |severity| report.findings.iter().filter(|f| f.severity == severity).count() as u64;
    let others = [Severity::Warning, Severity::Note]
        .map(|severity| count(found(severity), word(severity)))
        .join(", ");
    let dir = report.data_dir.display();
    if report.is_sound() {
        let records = |shard: &ShardTotals| shard.end.0.saturating_sub(shard.first.0);
        let records: u64 = report.shards.iter().map(records).sum();
        let shards = count(report.shards.len() as u64, "shard");
        return format!("{dir} is sound: {records} records in {shards}; {others}");
    }
    let places = count(found(Severity::Damage), "place");
    format!("{dir} is damaged in {places}, and there are {others}; do what the findings advise")
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Damage => "damage",
    }
}
