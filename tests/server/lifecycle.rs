//! Starting, refusing to start, and stopping.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;

use shardway::base::ids::ShardNumber;

use crate::load::{Load, Shape, Wrote, wait_acked};
use crate::oracle::{Filler, Oracle, read_names, seed};
use crate::process::{Setup, cpus, new_dir, skipped};
use crate::{check_agrees, unlimited};

/// One line that names the cause, and a code of 2 or above.
fn assert_refused(setup: &Setup, cause: &str) {
    let (code, stderr) = setup.refused();
    assert!((2..128).contains(&code), "exit code {code}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line, not {stderr:?}");
    assert!(stderr.starts_with("shardway: ") && stderr.contains(cause), "{cause:?} in {stderr:?}");
}

fn entries(dir: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn a_second_server_on_the_same_data_dir_is_refused_and_disturbs_nothing() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    server.client().create_stream("here", 1, unlimited()).unwrap();
    // Its log goes beside the data dir: the second must not write over the first one's.
    assert_refused(&setup, "data");
    assert_eq!(server.client().describe_stream("here").unwrap().summary.name, "here");
    server.stop_clean();
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = new_dir();
    let data = dir.path().join("data");
    let port = taken.local_addr().unwrap().port();
    assert_refused(&Setup::new(&data).port(port), &format!("127.0.0.1:{port}"));
    assert!(!data.exists(), "nothing is touched");
}

#[test]
fn the_port_of_a_running_server_is_refused_to_another() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("one")).start();
    let port = server.addr().rsplit_once(':').unwrap().1.parse().unwrap();
    assert_refused(&Setup::new(&dir.path().join("two")).port(port), "--listen");
    server.client().ping().unwrap();
}

#[test]
fn a_foreign_directory_is_refused_and_left_as_it_was() {
    let dir = new_dir();
    let data = dir.path().join("photos");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("holiday.jpg"), "not ours").unwrap();
    assert_refused(&Setup::new(&data), "photos");
    assert_eq!(entries(&data), ["holiday.jpg"]);
}

#[test]
fn a_data_dir_of_a_newer_format_is_refused_and_left_as_it_was() {
    let dir = new_dir();
    let data = dir.path().join("data");
    let setup = Setup::new(&data);
    setup.start().stop_clean();
    let identity = fs::read_to_string(data.join("SHARDWAY")).unwrap();
    let before = entries(&data);
    // Its checksum is no longer right either; the version speaks first.
    let newer = identity.replace("format = 1\n", "format = 99\n");
    assert_ne!(identity, newer, "the format's line was found");
    fs::write(data.join("SHARDWAY"), newer).unwrap();
    assert_refused(&setup, "format");
    assert_eq!(entries(&data), before);
}

#[test]
fn a_path_that_cannot_be_a_data_dir_is_refused() {
    let dir = new_dir();
    let file = dir.path().join("file");
    fs::write(&file, "a file").unwrap();
    assert_refused(&Setup::new(&file.join("data")), "file");
    let (locked, below) = (dir.path().join("locked"), dir.path().join("locked/data"));
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        skipped("an unwritable directory", "root may write everywhere; /proc stands in");
        assert_refused_without_log("/proc/shardway-data");
    } else {
        assert_refused(&Setup::new(&below), "locked");
    }
}

fn assert_refused_without_log(path: &str) {
    assert_refused(&Setup::new(std::path::Path::new(path)), path);
}

#[test]
fn cpus_that_do_not_exist_are_refused() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let many = (cpus().len() + 1).to_string();
    assert_refused(&setup.clone().cores_text(&many), &many);
    assert_refused(&setup.clone().cores_text("cpu:999"), "999");
    assert!(!dir.path().join("data").exists(), "nothing is touched");
}

#[test]
fn options_out_of_bounds_are_refused_before_anything_is_touched() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    for (name, value) in [("--tail-bytes", "1KiB"), ("--spin-us", "99999999")] {
        assert_refused(&setup.clone().flag(name, value), value.trim_end_matches("KiB"));
    }
    assert!(!dir.path().join("data").exists());
}

#[test]
fn sigterm_answers_what_is_in_flight_and_stores_exactly_what_it_acknowledged() {
    let seed = seed("sigterm");
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    let stream = server.client().create_stream("busy", 3, unlimited()).unwrap();
    let mut oracle = Oracle::new(Filler::new(4096));
    let shape = Shape { records_max: 20, bytes_max: 3000, window: 16 };
    let load = Load::new(&stream, &oracle.filler, shape);
    let start = |id: u32| load.start(server.client(), id, seed + u64::from(id), BTreeMap::new());
    let writers: Vec<_> = (0..3).map(start).collect();
    wait_acked(&load.shared, 4 << 20, &writers);
    server.stop_clean();
    for writer in writers {
        let Wrote { writer, sent, error } = writer.join().expect("a writer's own checks hold");
        println!("writer {writer} ended with {error:?}");
        oracle.learn(writer, sent);
    }
    check_agrees(setup.data_dir());
    let server = setup.start();
    assert_eq!(server.recovery(), "recovery  clean stop, nothing to replay");
    let mut stored = 0;
    for shard in 0..3 {
        let mut client = server.client();
        let names =
            read_names(&mut client, stream.summary.uuid, ShardNumber(shard), &oracle.filler);
        oracle.verify(shard, &names);
        stored += names.len() as u64;
    }
    assert_eq!(stored, oracle.acked(), "whatever was stored was acknowledged");
    assert!(load.shared.acked_puts.load(Ordering::Relaxed) > 0);
}

#[test]
fn sigint_stops_as_sigterm_does() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    server.signal(libc::SIGINT);
    let line = server.wait_line("SIGINT");
    assert!(line.contains("stopping"), "{line}");
    assert_eq!(server.wait().code, 0);
}

#[test]
fn a_second_signal_stops_at_once() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    // A client that reads nothing keeps the first stop busy.
    let stream = server.client().create_stream("full", 1, unlimited()).unwrap();
    let mut deaf = server.client();
    let mut builder = shardway::record::BatchBuilder::new();
    builder.push("k", None, &vec![7; 900_000]).unwrap();
    let batch = builder.finish().to_vec();
    for _ in 0..8 {
        deaf.put(stream.summary.uuid, ShardNumber(0), stream.summary.map_version, &batch).unwrap();
    }
    let position = shardway::base::stream::Position::TrimHorizon;
    let iterator = deaf.get_iterator(stream.summary.uuid, ShardNumber(0), position).unwrap();
    for _ in 0..40 {
        deaf.send_get(&iterator, 1, 1 << 20, 0).unwrap();
    }
    server.signal(libc::SIGTERM);
    server.wait_line("SIGTERM");
    server.signal(libc::SIGTERM);
    let ended = server.wait();
    // Unless the stop was quicker than the second signal.
    assert!([0, 128 + libc::SIGTERM].contains(&ended.code), "{ended:?}");
    let server = setup.start();
    let tip = crate::oracle::tip_of(&mut server.client(), stream.summary.uuid, ShardNumber(0));
    assert_eq!(tip.0, 8);
}
