//! `loadgen history`: where the results of weeks have changed their level, and with which build.
//!
//! Every load and number has a series of points, one for each *session*: runs of one build that
//! were made one after the other, of which the middle counts, since what the machine did in that
//! hour is in all of them. A series is searched for places where its level changes
//! ([`change_point`]), as it was measured, or over the floor of the same run where that takes the
//! machine's own changes out. Results of different machines are different series.
//!
//! The level of the tests is shared out among the series: in a history without any change, the
//! probability that anything is flagged is at most `--false-alarms`. That holds for noise without
//! memory from one session to the next; a machine that stays slow for days is told from a slow
//! build only by the floor.

mod change_point;
mod page;
mod series;

use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::Cell;
use serde::Serialize;

use crate::compare::judge::percent;
use crate::compare::{EXIT_REGRESSED, parse_percent, results, write};
use crate::failure::Result;
use crate::table::{new_table, number};
use change_point::{fewest, find};
use series::Series;

/// Grows when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 1;

/// `loadgen history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryOptions {
    /// Directory of result files (--json), at any depth.
    pub dir: PathBuf,
    /// Smaller changes, in %, are not shown.
    #[arg(long, default_value = "2", value_name = "PERCENT", value_parser = parse_percent)]
    pub least: f64,
    /// In so many of 100 histories without any change, at most, anything may be flagged.
    #[arg(long, default_value = "1", value_name = "PERCENT", value_parser = parse_percent)]
    pub false_alarms: f64,
    /// Write a page with every series to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// What `loadgen history` found.
#[derive(Debug, Serialize)]
pub struct History {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// In so many of 100 histories without change anything is flagged, at most.
    pub false_alarms_percent: f64,
    /// Smaller changes are not shown.
    pub least_percent: f64,
    /// Sessions that a series needs before any change can be found in it.
    pub sessions_needed: usize,
    /// Every series.
    pub series: Vec<Found>,
    /// The sentence at the end.
    pub summary: String,
}

/// A series and its changes.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The points.
    #[serde(flatten)]
    pub series: Series,
    /// Where its level changes, in order of time.
    pub changes: Vec<Change>,
}

/// A change of level.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The first session of the new level.
    pub session: usize,
    /// When that was, ms since the epoch.
    pub at_unix_ms: u64,
    /// The last build of the old level.
    pub last_before: Option<String>,
    /// The first build of the new one.
    pub first_after: Option<String>,
    /// The new level against the old one, in %.
    pub percent: f64,
    /// Whether that is worse.
    pub worse: bool,
    /// The probability of such a place in a series without change.
    pub p: f64,
}

/// Searches, prints, writes what was asked for; the result is the exit code.
pub fn run(options: &HistoryOptions, json: Option<&Path>) -> Result<u8> {
    let read = results::read(&options.dir)?;
    for left_out in &read.left_out {
        eprintln!("loadgen: left out: {left_out}");
    }
    let history = History::of(&read.runs, options);
    if let Some(path) = &options.html {
        write(path, &page::of(&history))?;
    }
    if let Some(path) = json {
        let mut text = serde_json::to_string_pretty(&history).expect("it has plain fields");
        text.push('\n');
        if crate::json::is_stdout(path) {
            print!("{text}");
            return Ok(history.exit_code());
        }
        write(path, &text)?;
    }
    history.print();
    Ok(history.exit_code())
}

impl History {
    fn of(runs: &[results::Run], options: &HistoryOptions) -> History {
        let all = series::all(runs);
        let level = options.false_alarms / 100.0 / all.len().max(1) as f64;
        let least = (options.least / 100.0).ln_1p();
        let found = |series: Series| {
            let changes = find(&series.judged(), level)
                .into_iter()
                .filter(|change| change.shift.abs() >= least)
                .map(|change| Change {
                    session: change.at,
                    at_unix_ms: series.sessions[change.at].at_unix_ms,
                    last_before: series.sessions[change.at - 1].revision.clone(),
                    first_after: series.sessions[change.at].revision.clone(),
                    percent: percent(change.shift),
                    worse: (change.shift > 0.0) != series.metric.more_is_better(),
                    p: change.p,
                });
            let changes = changes.collect();
            Found { series, changes }
        };
        let mut history = History {
            schema_version: SCHEMA_VERSION,
            false_alarms_percent: options.false_alarms,
            least_percent: options.least,
            sessions_needed: fewest(level),
            series: all.into_iter().map(found).collect(),
            summary: String::new(),
        };
        history.summary = history.sentence();
        history
    }

    /// For CI: whether the level that holds now is worse than the one before it, anywhere.
    fn exit_code(&self) -> u8 {
        let worse = |found: &Found| found.changes.last().is_some_and(|change| change.worse);
        if self.series.iter().any(worse) { EXIT_REGRESSED } else { 0 }
    }

    fn sentence(&self) -> String {
        let changes = || self.series.iter().flat_map(|found| &found.changes);
        let (worse, all) = (changes().filter(|change| change.worse).count(), changes().count());
        let needed = self.sessions_needed;
        let short = self.series.iter().filter(|f| f.series.sessions.len() < needed).count();
        let mut text = match all {
            0 => format!("No change of level found in {} series.", self.series.len()),
            _ => format!("{worse} change(s) for the worse, {} for the better.", all - worse),
        };
        if short > 0 {
            text += &format!(
                " {short} series have fewer than the {needed} sessions that it takes to find any."
            );
        }
        text
    }

    fn print(&self) {
        let mut table =
            new_table(&["since", "load", "number", "change", "p", "last before", "first after"]);
        for found in &self.series {
            for change in &found.changes {
                let build =
                    |revision: &Option<String>| Cell::new(revision.as_deref().unwrap_or("unknown"));
                let word = if change.worse { "REGRESSED" } else { "improved" };
                table.add_row(vec![
                    Cell::new(date(change.at_unix_ms)),
                    Cell::new(&found.series.load),
                    Cell::new(found.series.metric.name()),
                    number(format!("{word} {:+.1} %", change.percent)),
                    number(format!("{:.5}", change.p)),
                    build(&change.last_before),
                    build(&change.first_after),
                ]);
            }
        }
        if table.row_count() > 0 {
            println!("{table}");
        }
        println!("{}", self.summary);
    }
}

/// A day and a time, UTC.
#[must_use]
pub fn date(unix_ms: u64) -> String {
    let (days, minutes) = (unix_ms / 86_400_000, unix_ms / 60_000 % 1_440);
    // Days since 0000-03-01, in eras of 400 years: the leap day is then the last of a year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::{Machine, Row, Run};

    fn options() -> HistoryOptions {
        HistoryOptions { dir: PathBuf::new(), least: 2.0, false_alarms: 1.0, html: None }
    }

    /// One run a day, each of a build of its own.
    fn day(day: u64, cpu: f64) -> Run {
        let wobble = 1.0 + (day * 7 % 5) as f64 / 500.0;
        let server_cpu_us_per_record = Some(cpu * wobble);
        let row = Row { server_cpu_us_per_record, records_per_s: 5e4 * wobble, ..Row::default() };
        let host = Machine { git_revision: Some(format!("build-{day}")), ..Machine::default() };
        let started_unix_ms = day * 86_400_000;
        Run { started_unix_ms, host, rows: vec![row], ..Run::default() }
    }

    #[test]
    fn the_build_that_made_records_dearer_is_named() {
        let runs: Vec<Run> = (0..30).map(|i| day(i, if i < 20 { 10.0 } else { 10.6 })).collect();
        let history = History::of(&runs, &options());
        let changed: Vec<&Found> =
            history.series.iter().filter(|found| !found.changes.is_empty()).collect();
        assert_eq!(changed.len(), 1, "{history:#?}");
        let change = &changed[0].changes[0];
        assert_eq!(change.last_before.as_deref(), Some("build-19"));
        assert_eq!(change.first_after.as_deref(), Some("build-20"));
        assert!(change.worse && (change.percent - 6.0).abs() < 1.0, "{change:?}");
        assert_eq!(history.exit_code(), EXIT_REGRESSED);
    }

    #[test]
    fn what_was_mended_again_does_not_fail() {
        let runs: Vec<Run> =
            (0..45).map(|i| day(i, if (15..30).contains(&i) { 11.0 } else { 10.0 })).collect();
        let history = History::of(&runs, &options());
        let changes = history.series.iter().map(|found| found.changes.len()).sum::<usize>();
        assert_eq!((changes, history.exit_code()), (2, 0), "{history:#?}");
        assert!(history.summary.starts_with("1 change(s) for the worse, 1 for the better"));
    }

    #[test]
    fn a_short_history_says_how_much_it_needs() {
        let runs: Vec<Run> = (0..5).map(|i| day(i, 10.0 + i as f64)).collect();
        let history = History::of(&runs, &options());
        assert_eq!(history.exit_code(), 0);
        assert!(history.summary.contains("fewer than the 11 sessions"), "{}", history.summary);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date(1_795_273_445_000), "2026-11-21 15:04");
    }
}
