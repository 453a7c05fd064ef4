//! What a page promises: it stands alone, says what matters first, and obeys no markup of a file.

use super::*;
use crate::host;
use crate::report::{Report, Row as ReportRow, Target as ReportTarget, Verdict};
use crate::workload::Workload;

/// A result file as `loadgen` writes it.
fn written(scenario: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut report = Report::new(host::Host::read(dir.path()), 1, false);
    let floor = crate::floor::tests::sample();
    let outcome = crate::report::tests::outcome(1_900_000);
    let workload = Workload::default().pushed(10.0, 1);
    let mut row = ReportRow::of(scenario, &workload, &outcome, Some(&floor));
    row.targets.push(ReportTarget::at_most("push p99 ms", 1.9, 1.5));
    report.verdict = Verdict::of(std::slice::from_ref(&row));
    (report.floor, report.rows, report.complete) = (Some(floor), vec![row], true);
    serde_json::to_string(&report).expect("plain fields")
}

fn page(scenario: &str) -> String {
    let file = ResultFile::parse(&written(scenario)).expect("what is written can be read");
    render(&[("a.json".to_owned(), file)])
}

#[test]
fn a_page_loads_nothing_from_anywhere() {
    let page = page("push");
    for word in ["http://", "https://", "src=", "<link", "@import", "url(", "<script"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
}

#[test]
fn a_page_has_its_verdict_first_and_then_results_targets_floor_and_host() {
    let page = page("push");
    let order =
        ["105 times faster", "Results", "MISSED", "<svg", "Floor", "Where and how", "Words"];
    let place = |text: &&str| page.find(*text).unwrap_or_else(|| panic!("{text} is not there"));
    let places: Vec<_> = order.iter().map(place).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_name_with_markup_stays_a_name() {
    let page = page("<script>alert(1)</script>");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}

#[test]
fn several_files_are_sections_of_one_page() {
    let file = || ResultFile::parse(&written("x")).expect("valid");
    let page = render(&[("a.json".to_owned(), file()), ("b.json".to_owned(), file())]);
    assert_eq!(page.matches("<section").count(), 2);
    assert!(page.contains("href=\"#r1\""));
}

#[test]
fn a_page_goes_beside_its_file_and_never_over_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("run.json");
    fs::write(&file, written("x")).expect("writable");
    let files = [file.clone()];
    assert_eq!(write(&files, None).expect("written"), dir.path().join("run.html"));
    assert!(write(&files, Some(&file)).is_err());
    assert!(ResultFile::read(&file).is_ok(), "it is still there");
}
