//! How long a start takes with 10,000 shards, and what it holds in memory. Run by hand:
//!
//! ```text
//! cargo test --release --test boot_time -- --ignored --nocapture --test-threads 1
//! ```
//!
//! With `SHARDWAY_COLD=1` (as root) the caches of the whole machine are dropped before each start;
//! with `SHARDWAY_SHARDS=n` there are other numbers of shards. Target (issue 3): 5 s, 1 GB.

#![allow(clippy::print_stdout, reason = "it reports what it measured")]

#[path = "support/log_writer.rs"]
mod log_writer;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use shardway::base::clock::Now;
use shardway::base::ids::{Millis, ShardKey};
use shardway::base::stream::StreamOptions;
use shardway::catalog::{Event, FileStore, MetaStore};
use shardway::log::identity::JournalShape;
use shardway::log::layout;
use shardway::log::progress::Progress;
use shardway::log::recovery::RecoverOptions;
use shardway::runtime::{Server, ServerOptions};

use log_writer::{boot_with, shard};

const JOURNAL_FILE_BYTES: u64 = 16 * 1024 * 1024;

fn shards() -> u32 {
    std::env::var("SHARDWAY_SHARDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

fn keys() -> Vec<ShardKey> {
    (0..shards()).map(|number| shard(1, number)).collect()
}

fn model(dir: &Path) -> log_writer::Server {
    let options = RecoverOptions {
        journal: JournalShape { cores: 2, files: 4, file_bytes: JOURNAL_FILE_BYTES },
        salt: 7,
        accept_loss: false,
        clock: Now::read,
    };
    boot_with(dir, &options).unwrap()
}

/// One batch of each shard, a hundred to a commit.
fn put(server: &mut log_writer::Server, keys: &[ShardKey]) {
    for core in 0..2 {
        let mine: Vec<ShardKey> =
            keys.iter().copied().filter(|&key| server.core_of(key) == core).collect();
        for some in mine.chunks(100) {
            let batches = some.iter().map(|&key| server.stamp(key, 1, 1000)).collect();
            server.commit(core, batches);
        }
    }
}

fn new_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FileStore::new(dir.path(), [7; 32]);
    store.load().unwrap();
    let event = Event::StreamCreated {
        name: "many".into(),
        uuid: shard(1, 0).stream,
        created: Millis(1_700_000_000_000),
        shards: shards(),
        tags: Default::default(),
        options: StreamOptions::default(),
    };
    store.append(&event).unwrap();
    // The catalog is there before the log is, other than in a server's first start.
    fs::rename(dir.path().join("catalog"), dir.path().with_extension("catalog")).unwrap();
    dir
}

fn start(what: &str, dir: &Path) {
    let catalog = dir.with_extension("catalog");
    if catalog.exists() {
        fs::rename(catalog, dir.join("catalog")).unwrap();
    }
    // What the preparation left in caches is not the start's to write.
    assert!(Command::new("sync").status().unwrap().success());
    if std::env::var_os("SHARDWAY_COLD").is_some() {
        fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    }
    let mut options = ServerOptions::new(dir.to_owned(), vec![0, 1]);
    options.listen.set_port(0);
    options.journal_file_bytes = JOURNAL_FILE_BYTES;
    let began = Instant::now();
    let server = Server::start(options, &mut Phases(began)).unwrap();
    let started = began.elapsed();
    let recovery = &server.report().recovery;
    println!(
        "{what}: {started:.2?}, of which recovery {:.2?}; {} commits, {} batches; {} KiB resident",
        recovery.duration,
        recovery.commits,
        recovery.batches,
        resident_kib()
    );
    let began = Instant::now();
    server.stop().unwrap();
    println!("{what}: stopped in {:.2?}", began.elapsed());
}

/// Says when each part of the start began.
struct Phases(Instant);

impl Progress for Phases {
    fn total_bytes(&mut self, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn message(&mut self, text: &str) {
        println!("  at {:.2?}: {text}", self.0.elapsed());
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn after_a_stop_in_order() {
    let dir = new_dir();
    let mut server = model(dir.path());
    put(&mut server, &keys());
    server.stop();
    start("clean, first", dir.path());
    start("clean, indexes saved", dir.path());
}

#[test]
#[ignore = "a measurement"]
fn after_a_crash_with_a_record_of_every_shard_in_segments() {
    let dir = new_dir();
    let mut server = model(dir.path());
    put(&mut server, &keys());
    server.flush_all();
    server.crash();
    start("crash, all in segments", dir.path());
}

#[test]
#[ignore = "a measurement"]
fn after_a_crash_with_a_record_of_every_shard_in_journals() {
    let dir = new_dir();
    let mut server = model(dir.path());
    put(&mut server, &keys());
    server.crash();
    start("crash, all in journals", dir.path());
}

#[test]
#[ignore = "a measurement"]
fn after_a_crash_in_which_few_shards_had_taken_records() {
    let dir = new_dir();
    let mut server = model(dir.path());
    put(&mut server, &keys());
    server.stop();
    start("clean, first", dir.path());
    let mut server = model(dir.path());
    put(&mut server, &keys()[..100.min(shards() as usize)]);
    server.crash();
    start("crash, most idle", dir.path());
    assert!(layout::streams_dir(dir.path()).exists());
}
