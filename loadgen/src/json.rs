//! A report for programs: one JSON document, to a file or to standard output.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::failure::{Failure, Result};
use crate::report::Report;

/// Writes the report to `path`; `-` is standard output.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(report).expect("a report has only plain fields");
    text.push('\n');
    let written = if is_stdout(path) {
        io::stdout().write_all(text.as_bytes())
    } else {
        fs::write(path, text)
    };
    written.map_err(Failure::io(format!("writing {}", path.display())))
}

/// Writes the report into a folder, under a name with the time, and returns the file.
pub fn keep(report: &Report, name: &str, dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir).map_err(Failure::io(format!("creating {}", dir.display())))?;
    let started = UNIX_EPOCH + Duration::from_millis(report.started_unix_ms);
    let started = humantime::format_rfc3339_seconds(started).to_string();
    let path = dir.join(format!("{name}-{}.json", started.replace([':', '-'], "")));
    write(report, &path)?;
    Ok(path)
}

/// Whether the report takes standard output, so that the table must not.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::report::Row;
    use crate::workload::Workload;

    #[test]
    fn a_written_report_names_schema_durability_and_percentiles() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut report = Report::new(Host::read(dir.path()), 1, true);
        let outcome = crate::report::tests::outcome(1_000);
        report.rows.push(Row::of("x", &Workload::default(), &outcome, None));
        let path = dir.path().join("report.json");
        write(&report, &path).expect("written");
        let text = fs::read_to_string(&path).expect("readable");
        let json: serde_json::Value = serde_json::from_str(&text).expect("valid");
        assert_eq!(json["schema_version"], crate::report::SCHEMA_VERSION);
        assert_eq!(json["rows"][0]["durability"], "durable");
        for field in ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"] {
            assert!(json["rows"][0]["push"][field].is_u64(), "{field}");
        }
    }

    /// Every name that a report of plain runs contains, at any depth.
    fn names(json: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
        match json {
            serde_json::Value::Object(fields) => {
                found.extend(fields.keys().cloned());
                fields.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|v| names(v, found)),
            _ => {}
        }
    }

    #[test]
    fn every_field_is_explained() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut report = Report::new(Host::read(dir.path()), 1, true);
        let floor = crate::floor::tests::sample();
        let outcome = crate::report::tests::outcome(1_000);
        let row = Row::of("x", &Workload::default().pushed(9.0, 1), &outcome, Some(&floor));
        report.verdict = crate::report::Verdict::of(std::slice::from_ref(&row));
        (report.floor, report.rows) = (Some(floor), vec![row]);
        let json = serde_json::to_value(&report).expect("plain fields");
        let mut found = std::collections::BTreeSet::new();
        names(&json, &mut found);
        let text = include_str!("../RESULTS.md");
        let unknown: Vec<_> = found.iter().filter(|n| !text.contains(&format!("`{n}`"))).collect();
        assert!(unknown.is_empty(), "RESULTS.md does not explain {unknown:?}");
        assert!(text.contains(&format!("`schema_version` {}", crate::report::SCHEMA_VERSION)));
    }
}
