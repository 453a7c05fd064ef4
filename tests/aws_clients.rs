//! The AWS clients that programs have, unchanged, against a real server: boto3, the SDKs for
//! JavaScript, Rust and Java, and the Java KCL.
//!
//! ```text
//! tests/clients/install              # once: downloads and builds them below target/clients
//! cargo test --test aws_clients
//! ```
//!
//! A client that is not installed is a test that says so and passes; with
//! `SHARDWAY_REQUIRE_CLIENTS=1` it fails. What a suite proves it prints, a line each.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a failed test shows them")]

#[allow(dead_code, reason = "it is for tests of all kinds")]
#[path = "support/process.rs"]
mod process;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use process::{Server, Setup, cpus, new_dir, skipped};

/// Only a hang takes this long: every suite bounds its own waits, and says what it waited for.
const SUITE_HANG: Duration = Duration::from_secs(15 * 60);

// ---- The suites --------------------------------------------------------------------------------

#[test]
fn boto3_asks_for_every_operation_and_gets_it() {
    let Some(clients) = installed(&["python"]) else { return };
    let mut suite = python(&clients, "suite.py");
    Endpoints::start().run(suite.args(["--http", HTTP, "--https", HTTPS, "--ca", CA]));
}

#[test]
fn the_sdk_for_javascript_speaks_http2_with_and_without_tls() {
    let Some(clients) = installed(&["javascript"]) else { return };
    let mut suite = Command::new("node");
    suite.env("NODE_PATH", clients.join("javascript/node_modules"));
    suite.env("NODE_EXTRA_CA_CERTS", CA).arg(source("javascript/suite.js"));
    Endpoints::start().run(suite.args(["--http", HTTP, "--https", HTTPS, "--ca", CA]));
}

#[test]
fn the_sdk_for_rust_puts_reads_and_subscribes() {
    let Some(clients) = installed(&["rust"]) else { return };
    let mut suite = Command::new(clients.join("rust/debug/rust-client"));
    Endpoints::start().run(suite.args(["--http", HTTP, "--https", HTTPS, "--ca", CA]));
}

#[test]
fn the_sdk_for_java_speaks_cbor_over_http2_by_alpn() {
    let Some(clients) = installed(&["java"]) else { return };
    let mut suite = java(&clients, 3, "Suite");
    let suite = suite.args(["--label", "alpn", "--http", HTTP, "--https", HTTPS, "--ca", CA]);
    Endpoints::start().run(suite);
}

#[test]
fn an_old_sdk_for_java_speaks_http2_under_tls_without_alpn() {
    let Some(clients) = installed(&["java"]) else { return };
    let mut suite = java(&clients, 2, "Suite");
    let suite = suite.args(["--label", "old", "--http", HTTP, "--https", HTTPS, "--ca", CA]);
    Endpoints::start().run(suite);
}

#[test]
fn kcl_workers_process_every_record_through_a_reshard_and_a_kill() {
    let Some(clients) = installed(&["java", "python"]) else { return };
    let (dynamodb, logs) = (DynamoDb::start(&clients), new_dir());
    let mut suite = java(&clients, 3, "Reshard");
    suite.args(["--kinesis", HTTP, "--dynamodb", &dynamodb.url, "--logs"]).arg(logs.path());
    let endpoints = Endpoints::start();
    if let Err(why) = endpoints.attempt(&mut suite) {
        for log in fs::read_dir(logs.path()).expect("it is ours").flatten() {
            let text = fs::read_to_string(log.path()).unwrap_or_default();
            let last = text.lines().rev().take(200).collect::<Vec<_>>();
            eprintln!("{}, its end:", log.path().display());
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        panic!("{why}");
    }
}

// ---- Where the clients are ---------------------------------------------------------------------

/// The directory of the clients if these are installed there. Otherwise the test is over, loudly.
fn installed(names: &[&str]) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp is in target");
    let mut check = Command::new(source("install"));
    check.env("CARGO_TARGET_DIR", target).arg("--check").args(names);
    let checked = check.output().expect("bash is there");
    if checked.status.success() {
        return Some(target.join("clients"));
    }
    let why = process::text(&checked.stderr).trim().to_owned();
    let required = std::env::var_os("SHARDWAY_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
    assert!(!required, "SHARDWAY_REQUIRE_CLIENTS is set, and {why}");
    skipped(&format!("the AWS clients {}", names.join(" and ")), &why);
    None
}

/// A file of tests/clients.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(path)
}

fn python(clients: &Path, script: &str) -> Command {
    let mut command = Command::new(clients.join("python/bin/python"));
    // No byte code beside the sources.
    command.arg("-B").arg(source("python").join(script));
    command
}

/// A main class, with the jars of this major version of the KCL.
fn java(clients: &Path, kcl: u32, main: &str) -> Command {
    let dir = clients.join("java");
    let path = format!("{0}/classes{kcl}:{0}/kcl{kcl}/*", dir.display());
    let log = format!("-Dlogback.configurationFile={}", source("java/logback.xml").display());
    let mut command = Command::new("java");
    // Small and quick to start: these run beside each other on two cores.
    command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", &log, "-cp", &path]);
    command.arg(main);
    command
}

// ---- What they talk to -------------------------------------------------------------------------

// Stand for what is known when the server has started.
const HTTP: &str = "{http}";
const HTTPS: &str = "{https}";
const CA: &str = "{ca}";

/// A server with both endpoints, and its directory.
struct Endpoints {
    server: Server,
    http: String,
    https: String,
    ca: String,
    _dir: tempfile::TempDir,
}

impl Endpoints {
    fn start() -> Endpoints {
        let dir = new_dir();
        let cores = cpus().len().min(2) as u16;
        let setup = Setup::new(&dir.path().join("data")).cores(cores);
        let setup = setup.flag("--https", "127.0.0.1:0").switch("--tls-self-signed");
        let server = setup.switch("--allow-unsealed-kms").start();
        let told = |what: &str| {
            let line = server.wait_line(what);
            line.split_whitespace().nth(1).expect("a value").to_owned()
        };
        let http = format!("http://{}", told("  http "));
        let https = format!("https://{}", told("  https "));
        let ca = told("  trust ");
        Endpoints { server, http, https, ca, _dir: dir }
    }

    /// Runs a suite, which must succeed, and stops the server, which must stop in order.
    fn run(self, suite: &mut Command) {
        if let Err(why) = self.attempt(suite) {
            panic!("{why}");
        }
        self.server.stop_clean();
    }

    /// Runs a suite with the placeholders of its arguments and environment filled in.
    fn attempt(&self, suite: &mut Command) -> Result<(), String> {
        let mut command = Command::new(suite.get_program());
        command.args(suite.get_args().map(|arg| self.filled(arg)));
        for (name, value) in suite.get_envs() {
            command.env(name, self.filled(value.expect("nothing is removed")));
        }
        // Whatever the machine is set up for, the clients talk to this server.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        let (start, status) = (Instant::now(), run_to_end(&mut command));
        println!("{command:?} took {:.1?}", start.elapsed());
        let log = || format!("the server logged:\n{}", self.server.log());
        if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}; {}", log())) }
    }

    fn filled(&self, text: &OsStr) -> String {
        let text = text.to_str().expect("the tests' own paths are UTF-8");
        text.replace(HTTP, &self.http).replace(HTTPS, &self.https).replace(CA, &self.ca)
    }
}

/// Runs a suite and shows its lines as they come. Kills its process group if it hangs.
fn run_to_end(command: &mut Command) -> ExitStatus {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().expect("its tool was found when it was installed");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let errors = thread::spawn(move || stderr.lines().map_while(Result::ok).collect::<Vec<_>>());
    let proofs = thread::spawn(move || stdout.lines().map_while(Result::ok).collect::<Vec<_>>());
    let deadline = Instant::now() + SUITE_HANG;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            // SAFETY: kill takes no pointers; the child was not waited for and leads its group.
            unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(20));
    };
    for line in proofs.join().expect("it only reads") {
        println!("{line}");
    }
    for line in errors.join().expect("it only reads") {
        eprintln!("{line}");
    }
    status
}

/// The DynamoDB that leases are kept in.
struct DynamoDb {
    child: Child,
    url: String,
    /// It ends when this does.
    _stdin: ChildStdin,
}

impl DynamoDb {
    fn start(clients: &Path) -> DynamoDb {
        let mut command = python(clients, "dynamodb.py");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it was installed");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut url).expect("a pipe can be read");
        assert!(url.starts_with("http://"), "it printed {url:?}");
        let stdin = child.stdin.take().expect("piped");
        DynamoDb { child, url: url.trim().to_owned(), _stdin: stdin }
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
