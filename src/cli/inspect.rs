//! `shardway inspect`.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::data_dir::{Names, capped_table, identity_rows, time_or_dash};
use super::failure::Failure;
use super::output::{Format, lines_of, print, print_json, table};
use super::progress::WorkBar;
use crate::catalog::FileStore;
use crate::log::inspect::{InspectReport, inspect};

/// Show what a data dir holds
///
/// Lists journals and shards without judging them; `shardway check` judges. The server must not
/// be running on it.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway inspect ./shardway-data --json")]
pub(super) struct Inspect {
    /// The server's data dir
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// A report as JSON shows it.
#[derive(Serialize)]
struct InspectShape<'a> {
    streams: &'a Names,
    #[serde(flatten)]
    report: &'a InspectReport,
}

impl Inspect {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut bar = WorkBar::default();
        let report = inspect(&self.dir, &mut bar)?;
        drop(bar);
        // A catalog that cannot be read leaves the streams without names; `check` says why.
        let names = Names::of(FileStore::examine(&self.dir).ok().flatten().as_ref());
        match self.format.json {
            true => print_json(&InspectShape { streams: &names, report: &report }),
            false => print(&text(&report, &names)),
        }
    }
}

pub(super) fn text(report: &InspectReport, names: &Names) -> String {
    let mut head = table(&[]);
    head.add_row(["data dir".to_owned(), report.data_dir.display().to_string()]);
    for row in identity_rows(&report.identity) {
        head.add_row(row);
    }
    let mut parts = vec![lines_of(head)];
    if !report.journals.is_empty() {
        parts.push(journal_table(report));
    }
    if !report.shards.is_empty() {
        parts.push(shard_table(report, names));
    }
    parts.join("\n")
}

fn journal_table(report: &InspectReport) -> String {
    let header =
        ["CORE", "FILE", "GENERATION", "COMMITS", "BATCHES", "RECORDS", "BYTES", "STALE", "BAD"];
    let rows = report.journals.iter().map(|journal| {
        [
            journal.core.to_string(),
            journal.index.to_string(),
            journal.generation.map_or("-".to_owned(), |generation| generation.to_string()),
            journal.commits.to_string(),
            journal.batches.to_string(),
            journal.records.to_string(),
            HumanBytes(journal.bytes).to_string(),
            journal.stale_commits.to_string(),
            journal.bad_commits.to_string(),
        ]
    });
    capped_table(&header, "journal files", rows)
}

fn shard_table(report: &InspectReport, names: &Names) -> String {
    let header = [
        "STREAM", "SHARD", "SEGMENTS", "SEALED", "RECORDS", "BYTES", "FIRST", "END", "OLDEST",
        "NEWEST",
    ];
    let rows = report.shards.iter().map(|shard| {
        [
            names.name(&shard.stream).to_owned(),
            shard.shard.clone(),
            shard.segments.len().to_string(),
            shard.segments.iter().filter(|segment| segment.sealed).count().to_string(),
            shard.records.to_string(),
            HumanBytes(shard.bytes).to_string(),
            shard.first.to_string(),
            shard.end.to_string(),
            time_or_dash(shard.first_arrival),
            time_or_dash(shard.last_arrival),
        ]
    });
    capped_table(&header, "shards", rows)
}
