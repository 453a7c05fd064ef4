//! Result files, read back: only what a comparison needs. Fields that are not there are nothing,
//! so that results of older and newer releases can be compared as far as they agree.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::metric::Floor;
use crate::failure::{Failure, Result};

/// An invocation of loadgen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Where it was read.
    #[serde(skip)]
    pub file: PathBuf,
    /// Absent in files that are no results.
    pub schema_version: Option<u32>,
    /// When it started.
    pub started_unix_ms: u64,
    /// The machine.
    pub host: Machine,
    /// Revision of the server's source, where it is known.
    pub server_git_revision: Option<String>,
    /// Its limits in that run.
    pub floor: Option<Floor>,
    /// What was measured.
    pub rows: Vec<Row>,
    /// Whether everything ran that was asked for.
    pub complete: bool,
}

/// The machine and the build of loadgen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Model name.
    pub cpu: Option<String>,
    /// CPUs online.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: Option<String>,
    /// The disk.
    pub disk: Option<Disk>,
    /// Whether loadgen was optimised.
    pub optimised: Option<bool>,
    /// Revision of its source tree.
    pub git_revision: Option<String>,
}

/// The disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Device name.
    pub name: String,
    /// File system type.
    pub file_system: Option<String>,
}

/// One measured load.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// How the server was spoken to.
    pub protocol: String,
    /// When puts were acknowledged.
    pub durability: Option<String>,
    /// Whether batches waited for answers or for their time.
    pub open_loop: bool,
    /// Shards.
    pub shards: u32,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: u32,
    /// Writers.
    pub writers: u32,
    /// Their connections.
    pub connections: u32,
    /// Consumers.
    pub consumers: u32,
    /// Whether an open loop was kept up with.
    pub sustained: Option<bool>,
    /// Acknowledged.
    pub records_per_s: f64,
    /// The server's CPU time.
    pub server_cpu_us_per_record: Option<f64>,
    /// Intended send to acknowledgement.
    pub ack: Option<Percentiles>,
    /// Intended send to arrival.
    pub push: Option<Percentiles>,
}

/// Two of a row's percentiles.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Percentiles {
    /// Half took at most this long.
    pub p50_ns: u64,
    /// 99 %.
    pub p99_ns: u64,
}

impl Run {
    /// The build that it is about, as well as it is known.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.server_git_revision.as_deref().or(self.host.git_revision.as_deref())
    }

    /// What makes two machines the same for a comparison.
    #[must_use]
    pub fn machine(&self) -> (Option<&str>, usize, Option<&str>, Option<&Disk>) {
        let host = &self.host;
        (host.cpu.as_deref(), host.cpus, host.kernel.as_deref(), host.disk.as_ref())
    }
}

/// What a path holds.
#[derive(Debug, Default)]
pub struct Results {
    /// Complete runs, in the order in which they started.
    pub runs: Vec<Run>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// Reads a result file, or all below a directory.
pub fn read(path: &Path) -> Result<Results> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    let mut results = Results::default();
    for file in files {
        let text = fs::read_to_string(&file)
            .map_err(Failure::io(format!("reading {}", file.display())))?;
        match parse(&text) {
            Ok(run) => results.runs.push(Run { file, ..run }),
            // What was named itself must be one; a directory may hold other things too.
            Err(why) if file == path => {
                return Err(Failure::Usage(format!("{} {why}", file.display())));
            }
            Err(why) => results.left_out.push(format!("{} {why}", file.display())),
        }
    }
    if results.runs.is_empty() {
        let what = "holds no complete result of loadgen (see --json)";
        return Err(Failure::Usage(format!("{} {what}", path.display())));
    }
    results.runs.sort_by_key(|run| (run.started_unix_ms, run.file.clone()));
    Ok(results)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || Failure::io(format!("reading {}", path.display()));
    if !fs::metadata(path).map_err(reading())?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(reading())? {
        let inside = entry.map_err(reading())?.path();
        if inside.is_dir() || inside.extension().is_some_and(|kind| kind == "json") {
            collect(&inside, files)?;
        }
    }
    Ok(())
}

/// A complete run, or why it is none.
pub fn parse(text: &str) -> std::result::Result<Run, String> {
    let run: Run = serde_json::from_str(text).map_err(|e| format!("is no result file: {e}"))?;
    if run.schema_version.is_none() {
        return Err("is no result file: it has no schema_version".to_owned());
    }
    if !run.complete {
        return Err("is of a run that was not finished".to_owned());
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::report::Report;
    use crate::workload::Workload;

    fn written() -> String {
        let mut report = Report::new(Host::read(Path::new("/")), 1, false);
        let outcome = crate::report::tests::outcome(2_000);
        let floor = crate::floor::tests::sample();
        report.rows.push(crate::report::Row::of("x", &Workload::default(), &outcome, Some(&floor)));
        report.floor = Some(floor);
        report.complete = true;
        serde_json::to_string(&report).expect("plain fields")
    }

    #[test]
    fn a_report_that_loadgen_writes_is_read_back() {
        let run = parse(&written()).expect("a result");
        let row = &run.rows[0];
        assert_eq!((row.scenario.as_str(), row.protocol.as_str()), ("x", "native"));
        assert_eq!(row.durability.as_deref(), Some("durable"));
        assert!(row.push.is_some_and(|push| push.p99_ns >= 2_000), "{row:?}");
        assert!(run.floor.is_some() && run.host.cpus > 0 && run.started_unix_ms > 0);
    }

    #[test]
    fn fields_of_other_releases_do_not_matter_but_other_files_are_refused() {
        assert!(parse(r#"{"schema_version": 9, "complete": true, "new": []}"#).is_ok());
        assert!(parse(r#"{"complete": true}"#).expect_err("no result").contains("schema_version"));
        assert!(parse("[1]").is_err());
    }

    #[test]
    fn a_directory_gives_its_complete_runs_in_order_of_time() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let inside = dir.path().join("later");
        fs::create_dir(&inside).expect("a new directory");
        let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("ok");
        let run = |at, complete| {
            format!(r#"{{"schema_version": 1, "started_unix_ms": {at}, "complete": {complete}}}"#)
        };
        file("later/b.json", &run(5, true));
        file("a.json", &run(9, true));
        file("cut.json", &run(7, false));
        file("notes.txt", "nothing");
        let results = read(dir.path()).expect("two runs");
        let times: Vec<u64> = results.runs.iter().map(|run| run.started_unix_ms).collect();
        assert_eq!(times, [5, 9]);
        assert_eq!(results.left_out.len(), 1);
        assert!(read(&dir.path().join("cut.json")).is_err(), "it was named");
    }
}
