//! `loadgen compare`: whether a build has become slower or faster, on a machine that is never
//! quiet.
//!
//! Both builds run in turns, several times (`tuning/ab.sh` does that), and each run is compared
//! with the one beside it ([`judge`]): what drifts on the machine meets both. A number has changed
//! if the signs and ranks of the pairs say so ([`signed_rank`]), after all numbers that were looked
//! at are allowed for ([`multiple`]), and if the change is large enough to matter. What was not
//! found counts as absent only if so many runs would have found it ([`power`]).
//!
//! The main number of a load is the server's CPU time for each record: a busy neighbour, a slow
//! disk and a sleepy clock move it least. Rates and latencies are judged beside it, as they were
//! measured or over the floor of the same run, whichever is steadier; both are said.

pub mod document;
pub mod judge;
pub mod metric;
pub mod multiple;
mod outcome;
pub mod page;
pub mod power;
pub mod results;
pub mod signed_rank;
#[cfg(test)]
mod simulation;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::{Failure, Result};
use judge::Question;
use outcome::Comparison;
use results::Run;

/// Exit code of a regression.
pub const EXIT_REGRESSED: u8 = 4;
/// Exit code where nothing regressed, but not enough was measured to say so.
pub const EXIT_NO_VERDICT: u8 = 5;

/// `loadgen compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareOptions {
    /// Results of the build that is compared with: a file of --json, or a directory of them.
    pub base: PathBuf,
    /// Results of the build in question.
    pub new: PathBuf,
    /// Changes of this size, in %, should not go unnoticed: how many runs it takes follows from it.
    #[arg(long, default_value = "5", value_name = "PERCENT", value_parser = parse_percent)]
    pub wanted: f64,
    /// Smaller changes, in %, are never called regressed or improved.
    #[arg(long, default_value = "2", value_name = "PERCENT", value_parser = parse_percent)]
    pub least: f64,
    /// In so many of 100 comparisons of equal builds, at most, anything may be flagged.
    #[arg(long, default_value = "1", value_name = "PERCENT", value_parser = parse_percent)]
    pub false_alarms: f64,
    /// Judge runs too that were not made in turns, or on different machines: the change may then
    /// be the machine's.
    #[arg(long)]
    pub anyway: bool,
    /// Write a page with every pair to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl CompareOptions {
    fn question(&self) -> Question {
        let log = |percent: f64| (percent / 100.0).ln_1p();
        Question {
            false_alarms: self.false_alarms / 100.0,
            least: log(self.least),
            wanted: log(self.wanted),
        }
    }
}

/// Compares, prints, writes what was asked for; the result is the exit code.
pub fn run(options: &CompareOptions, json: Option<&Path>) -> Result<u8> {
    let (base, new) = (results::read(&options.base)?, results::read(&options.new)?);
    let comparison = Comparison::of(&base.runs, &new.runs, options);
    for left_out in base.left_out.iter().chain(&new.left_out) {
        eprintln!("loadgen: left out: {left_out}");
    }
    if let Some(path) = &options.html {
        write(path, &page::of_comparison(&comparison))?;
    }
    if let Some(path) = json {
        let mut text = serde_json::to_string_pretty(&comparison).expect("it has plain fields");
        text.push('\n');
        if crate::json::is_stdout(path) {
            print!("{text}");
            return Ok(comparison.exit_code());
        }
        write(path, &text)?;
    }
    table::print(&comparison);
    Ok(comparison.exit_code())
}

/// Writes a file of ours.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Failure::io(format!("writing {}", path.display())))
}

/// A share in %, above 0.
pub fn parse_percent(text: &str) -> std::result::Result<f64, String> {
    let percent: f64 =
        text.trim_end_matches(['%', ' ']).parse().map_err(|_| format!("{text} is no number"))?;
    if percent > 0.0 && percent <= 100.0 { Ok(percent) } else { Err("above 0, to 100".to_owned()) }
}
