//! What is left behind: result files of every kind, and pages of them.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use shardway::wire::Opcode;

use super::{Fault, fake_server, loadgen, report, rows};

#[test]
fn a_ceiling_is_searched_confirmed_and_measured_at_shares_of_it() {
    let words = ["ceiling", "--in-flight", "2", "--record-bytes", "100", "--batch-records", "8"];
    let output = loadgen(Fault::None, &words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    let ceiling = &report["ceilings"][0];
    assert!(ceiling["records_per_s"].as_f64() > Some(0.0), "{ceiling:#}");
    assert!(ceiling["tried"].as_array().is_some_and(|tried| tried.len() > 1), "{ceiling:#}");
    let scenarios: Vec<_> = report["rows"].as_array().expect("rows").iter().collect();
    let names: Vec<_> = scenarios.iter().filter_map(|row| row["scenario"].as_str()).collect();
    let at = |share| format!("ceiling, one shard at {share} %");
    assert_eq!(names, ["ceiling, one shard".to_owned(), at(50), at(70), at(90)]);
    let share = scenarios[1]["offered_records_per_s"].as_f64().expect("open loop");
    let whole = ceiling["records_per_s"].as_f64().expect("a rate");
    assert!((share / whole - 0.5).abs() < 1e-9);
}

#[test]
fn a_run_has_its_seconds_and_cpus() {
    let words = ["latency", "--rate", "500", "--consumers", "1", "--duration", "1.2"];
    let server = fake_server::start(Fault::None).to_string();
    let output = super::run(
        &server,
        &[&words[..], &["--warmup", "0.1", "--no-floor", "--json", "-"]].concat(),
    );
    let report = report(&output);
    let row = &report["rows"][0];
    let series = &row["series"];
    assert_eq!(series["seconds"].as_array().map(Vec::len), Some(2), "{series:#}");
    assert!(series["push"]["records_per_s"][0].as_f64() > Some(0.0), "{series:#}");
    let loadgen_cpu = &report["loadgen_cpu"];
    let cpus = row["cpu"]["cpus"].as_array().expect("cpus");
    let ours = cpus.iter().find(|cpu| cpu["cpu"] == *loadgen_cpu).expect("it has a part");
    assert_eq!(ours["role"], "loadgen");
    assert!(row["push"]["hdr"].as_str().is_some_and(|hdr| hdr.starts_with("HISTFAAAA")));
}

#[test]
fn a_missed_bound_is_an_exit_code_and_a_kept_one_is_none() {
    let run = |slo| loadgen(Fault::None, &["latency", "--rate", "500", "--slo", slo]);
    for (slo, kept) in [("p50=1h,ack.max=1h", true), ("p50=1h,p99=1ns", false)] {
        let output = run(slo);
        let report = report(&output);
        let targets = report["rows"][0]["targets"].as_array().expect("targets").clone();
        let bounds: Vec<_> = targets
            .iter()
            .filter(|target| target["what"].as_str().is_some_and(|what| what.starts_with("SLO")))
            .collect();
        assert_eq!(bounds.len(), 3, "two latencies and the rate: {bounds:?}");
        assert_eq!(bounds[..2].iter().all(|bound| bound["met"] == true), kept, "{bounds:?}");
        // Beside other tests a machine may miss the rate, which is a bound of its own.
        let missed = bounds.iter().any(|bound| bound["met"] == false);
        assert_eq!(output.status.code(), Some(if missed { 4 } else { 0 }), "{bounds:?}");
    }
    assert_eq!(run("p98=1h").status.code(), Some(2), "there is no such percentile");
}

#[test]
fn a_report_is_a_page_beside_its_file() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&dir).expect("a folder");
    let file = dir.join("run.json");
    let words = ["latency", "--rate", "500"];
    fs::write(&file, loadgen(Fault::None, &words).stdout).expect("written");
    let show = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("report").arg(&file).args(words).output().expect("loadgen starts")
    };
    let output = show(&[]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(dir.join("run.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("within"), "{page}");
    assert_eq!(show(&["no-such-file.json"]).status.code(), Some(1));
}

#[test]
fn rows_say_how_they_were_offered() {
    for arrival in ["constant", "bursts", "step"] {
        let words = ["latency", "--rate", "500", "--arrival", arrival];
        assert_eq!(rows(Fault::None, &words)[0]["arrival"], arrival);
    }
}

#[test]
fn an_interrupted_run_still_writes_what_it_has() {
    let (server, news) = fake_server::start_with_news(Fault::None);
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["latency", "--rate", "500", "--warmup", "0", "--duration", "600", "--no-floor"])
        .args(["--json", "-", "--server", &server.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("loadgen starts");
    let puts = news.iter().filter(|opcode| *opcode == Opcode::Put);
    assert_eq!(puts.take(50).count(), 50, "it measures");
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().expect("kill starts");
    assert!(killed.success());
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("a report");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["complete"], false);
    assert!(report["rows"][0]["ack"]["records"].as_u64() >= Some(40), "{report:#}");
}
