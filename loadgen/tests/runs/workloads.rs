//! `loadgen workload`: files and shipped workloads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Fault, loadgen, report, rows};

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_file_is_a_workload_and_several_consumers_run_in_turn() {
    let text = "about = \"x\"\n[stream]\nshards = 3\n[load]\nrecord_bytes = 100\nrate = 600\n\
                skew = 1.0\narrival = \"poisson\"\n[consumers]\ncount = [1, 2]\n";
    let path = file("mine", text);
    let rows = rows(Fault::None, &["workload", path.to_str().expect("text")]);
    let shown: Vec<_> = rows.iter().map(|row| (&row["scenario"], &row["consumers"])).collect();
    assert_eq!(shown[0], (&"mine, 1 consumer(s)".into(), &1.into()));
    assert_eq!(shown[1], (&"mine, 2 consumer(s)".into(), &2.into()));
    assert_eq!(rows[0]["offered_records_per_s"], 600.0);
    assert!(rows.iter().all(|row| row["verified_records"].as_u64() > Some(0)));
}

#[test]
fn a_shipped_workload_runs_by_its_name() {
    let rows = rows(Fault::None, &["workload", "single-shard"]);
    assert_eq!(rows[0]["scenario"], "single-shard");
    assert_eq!((&rows[0]["open_loop"], &rows[0]["consumers"]), (&true.into(), &1.into()));
}

#[test]
fn a_backlog_is_drained_by_one_reader_behind_the_load() {
    let text = "about = \"x\"\nkind = \"drain\"\n[load]\nrecord_bytes = 100\nin_flight = 2\n";
    let path = file("drain", text);
    let rows = rows(Fault::None, &["workload", path.to_str().expect("text")]);
    assert!(rows[0]["read_back_mb_per_s"].as_f64() > Some(0.0));
}

#[test]
fn results_are_kept_unless_they_go_elsewhere() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept");
    let _ = fs::remove_dir_all(&dir);
    let server = super::fake_server::start(Fault::None).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["workload", "bursts", "--warmup", "0", "--duration", "0.3", "--no-floor"])
        .args(["--server", &server, "--results"])
        .arg(&dir)
        .output()
        .expect("loadgen starts");
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = fs::read_dir(&dir).expect("a folder").map(|file| file.expect("readable").path());
    let files: Vec<PathBuf> = files.collect();
    assert_eq!(files.len(), 2, "a result and a page: {files:?}");
    for file in files {
        assert!(stdout.contains(&file.display().to_string()), "{stdout}");
    }
}

#[test]
fn workloads_are_listed_without_a_server_and_unknown_ones_refused() {
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("workload").args(words).output().expect("loadgen starts")
    };
    let list = run(&["--list"]);
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.status.success() && text.contains("stalled-consumer"), "{text}");
    for words in [&[][..], &["no-such"], &["soak", "--endpoint", "http://127.0.0.1:1"]] {
        assert_eq!(run(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn what_a_protocol_cannot_do_is_refused_with_the_reason() {
    let endpoint = ["--protocol", "http", "--endpoint", "http://127.0.0.1:1"];
    let words = [&["workload", "catch-up", "--no-floor"], &endpoint[..]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(words).output();
    let output = output.expect("loadgen starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("native protocol"));
}

#[test]
fn a_stalled_consumer_is_beside_the_second_row_only() {
    let text = "about = \"x\"\nkind = \"stalled\"\n[load]\nrecord_bytes = 100\nrate = 300\n\
                [consumers]\ncount = 1\n[stalled]\nconsumers = 2\n";
    let path = file("stalled", text);
    let output = loadgen(Fault::None, &["workload", path.to_str().expect("text")]);
    let report = report(&output);
    assert!(output.status.success(), "{report:#}");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    assert!(rows[0].get("beside").is_none());
    assert_eq!(rows[1]["beside"]["consumers"], 2);
    assert!(rows[1]["targets"].as_array().is_some_and(|targets| targets.len() == 2));
}
