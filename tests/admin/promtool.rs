//! What Prometheus's own checker says.
//!
//! ```text
//! tests/tools/install              # once: promtool, below target/tools
//! ```
//!
//! Without it these tests say so and pass; with `SHARDWAY_REQUIRE_CLIENTS=1` they fail.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Observed;
use crate::process::skipped;

fn promtool() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|dir| dir.join("promtool"));
    let found = places.chain([target.join("tools/usr/bin/promtool")]).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("SHARDWAY_REQUIRE_CLIENTS").is_none(),
            "there is no promtool; run tests/tools/install"
        );
        skipped("the metrics by promtool", "there is none; run tests/tools/install");
    }
    found
}

/// Runs it and expects that it finds nothing.
fn check(promtool: &Path, args: &[&str], input: &str) {
    let mut child = Command::new(promtool)
        .arg("check")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy);
    assert!(output.status.success(), "check {args:?}: {said:?}");
}

#[test]
fn the_metrics_of_a_server_have_nothing_that_promtool_minds() {
    let Some(promtool) = promtool() else { return };
    check(&promtool, &["metrics"], &Observed::start().scrape());
}

#[test]
fn the_scrape_config_and_the_alerts_are_valid() {
    let Some(promtool) = promtool() else { return };
    check(&promtool, &["config", "prometheus.yml"], "");
    check(&promtool, &["rules", "alerts.yml"], "");
}
