//! The commands, end to end: a file goes in, survives, and comes out.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use shardway::base::rng::SplitMix64;

use crate::check_agrees;
use crate::process::{Server, Setup, exit_code, new_dir, run, shardway, text, until};

/// Lines of the file: more than a run's batches, commits and tail hold at once.
const LINES: u64 = 300_000;

/// A table as an airline might keep it: one line a flight, the key in the third field.
fn write_flights(path: &Path, lines: u64) {
    let mut random = SplitMix64::new(11);
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    for line in 0..lines {
        let (tail, delay) = (random.below(4000), random.below(300));
        let far = random.below(9000);
        writeln!(
            file,
            "{line},2013-01-{:02},N{tail:04},\"JFK, New York\",{delay},{far}",
            line % 31 + 1
        )
        .unwrap();
    }
    file.flush().unwrap();
}

/// Lines by key, in order.
fn by_key(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        keys.entry(line.split(',').nth(2).expect("a key")).or_default().push(line);
    }
    keys
}

fn assert_same_per_key(what: &str, expected: &str, found: &str) {
    assert_eq!(expected.lines().count(), found.lines().count(), "{what}: number of lines");
    let (expected, found) = (by_key(expected), by_key(found));
    assert_eq!(expected.len(), found.len(), "{what}: number of keys");
    for (key, lines) in expected {
        assert!(found.get(key) == Some(&lines), "{what}: lines of key {key} differ");
    }
}

fn command(server: &Server, args: &[&str]) -> Command {
    let mut command = shardway();
    command.args(args).args(["--server", &server.addr()]);
    command
}

/// Runs a command that succeeds; what it prints.
fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let stderr = text(&output.stderr);
    assert_eq!(exit_code(output.status), 0, "{command:?}: {stderr}");
    text(&output.stdout)
}

/// Runs a command that fails with this code; its one line.
fn fail(command: &mut Command, code: i32) -> String {
    let output = run(command);
    let stderr = text(&output.stderr);
    assert_eq!(exit_code(output.status), code, "{command:?}: {stderr}");
    assert!(stderr.starts_with("shardway: ") && stderr.lines().count() == 1, "{stderr:?}");
    stderr
}

/// `tail --consumer` into a file, until it has all lines.
fn consumer(server: &Server, name: &str, out: &Path) -> Child {
    let lines = LINES.to_string();
    let args = ["tail", "flights", "--from", "trim-horizon", "--consumer", name];
    let mut command = command(server, &args);
    command.args(["--max-records", &lines]).stdout(fs::File::create(out).unwrap());
    command.stderr(Stdio::inherit()).spawn().unwrap()
}

fn wait_for_consumer(mut child: Child) {
    until("the end of a consumer", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_large_file_goes_in_survives_kill_nine_and_comes_out_in_order_per_key() {
    let dir = new_dir();
    let (file, data) = (dir.path().join("flights.csv"), dir.path().join("data"));
    write_flights(&file, LINES);
    let flights = fs::read_to_string(&file).unwrap();
    let setup = Setup::new(&data);
    let server = setup.start();
    succeed(&mut command(
        &server,
        &["stream", "create", "flights", "--shards", "4", "--limits", "off"],
    ));
    let outs = ["billing", "audit"].map(|name| (name, dir.path().join(name)));
    let consumers: Vec<Child> = outs.iter().map(|(n, out)| consumer(&server, n, out)).collect();
    let put = ["put", "flights", "--key-field", "3", "--json"];
    let told = succeed(command(&server, &put).arg("--file").arg(&file));
    assert!(told.contains(&format!("\"records\": {LINES}")), "{told}");
    consumers.into_iter().for_each(wait_for_consumer);
    server.kill();
    for (name, out) in &outs {
        assert_same_per_key(name, &flights, &fs::read_to_string(out).unwrap());
    }
    let server = setup.start();
    println!("{}", server.recovery());
    let tail = ["tail", "flights", "--no-follow"];
    assert_same_per_key("tail", &flights, &succeed(&mut command(&server, &tail)));
    let pushed = ["tail", "flights", "--no-follow", "--consumer", "late"];
    assert_same_per_key("tail --consumer", &flights, &succeed(&mut command(&server, &pushed)));
    server.stop_clean();
    check_agrees(&data);
}

#[test]
fn lines_reach_a_stream_with_limits_complete_and_in_order_per_key() {
    let dir = new_dir();
    let file = dir.path().join("flights.csv");
    write_flights(&file, 6000);
    let server = Setup::new(&dir.path().join("data")).start();
    succeed(&mut command(&server, &["stream", "create", "slow", "--shards", "2"]));
    let put = ["put", "slow", "--key-field", "3", "--json"];
    let told = succeed(command(&server, &put).arg("--file").arg(&file));
    assert!(!told.contains("\"retried_batches\": 0"), "it was throttled: {told}");
    let tail = succeed(&mut command(&server, &["tail", "slow", "--no-follow"]));
    assert_same_per_key("slow", &fs::read_to_string(&file).unwrap(), &tail);
}

#[test]
fn exit_codes_tell_scripts_what_happened() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let create = ["stream", "create", "orders", "--json"];
    assert!(succeed(&mut command(&server, &create)).contains("\"name\": \"orders\""));
    assert!(succeed(&mut command(&server, &["stream", "list"])).contains("orders"));
    assert!(succeed(&mut command(&server, &["stream", "describe", "orders"])).contains("ACTIVE"));
    let again = fail(&mut command(&server, &create), 1);
    assert!(again.contains("ResourceInUseException"), "{again}");
    let none = fail(&mut command(&server, &["tail", "nothing", "--no-follow"]), 1);
    assert!(none.contains("ResourceNotFoundException"), "{none}");
    let unknown = run(&mut command(&server, &["stream", "paint", "orders"]));
    assert_eq!(exit_code(unknown.status), 2);
    assert!(succeed(&mut command(&server, &["tail", "orders", "--no-follow"])).is_empty());
    succeed(&mut command(&server, &["stream", "delete", "orders"]));
    fail(&mut command(&server, &["stream", "describe", "orders"]), 1);
    let mut nobody = command(&server, &["stream", "list"]);
    server.kill();
    fail(&mut nobody, 3);
}

#[test]
fn records_of_stdin_keep_every_byte() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    succeed(&mut command(&server, &["stream", "create", "raw", "--limits", "off"]));
    let lines: Vec<u8> =
        b"plain\n\n\xff\xfe\x00\x01\ntab\there\r\nlast without a line feed".to_vec();
    let mut put = command(&server, &["put", "raw", "--key", "k"]);
    let mut child = put.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&lines).unwrap();
    assert!(child.wait().unwrap().success());
    let output = run(&mut command(&server, &["tail", "raw", "--no-follow"]));
    let mut expected = lines;
    expected.push(b'\n');
    assert_eq!(text(&output.stdout), text(&expected));
    assert_eq!(output.stdout, expected);
}
