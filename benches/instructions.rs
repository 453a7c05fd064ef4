//! How many instructions does each step take?
//!
//! Resource: the core, counted instead of timed: callgrind runs the program on a CPU of its own
//! making, so the numbers of two builds differ by what was changed and by nothing else, on the
//! busiest machine too. Caches, branches and the kernel are not in them. Floor: none; a step that
//! copies or hashes takes about an instruction for each 16 to 32 bytes.
//!
//! A step runs so often, and then twice as often: the difference has no start-up in it.
//!
//! ```text
//! cargo bench --bench instructions -- --save before.txt
//! cargo bench --bench instructions -- --against before.txt   # exit code 1 from 3 % more on
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it reports")]

#[path = "subject/commit.rs"]
mod commit;
#[path = "subject/full_index.rs"]
mod full_index;
#[path = "subject/put_frame.rs"]
mod put_frame;
#[path = "subject/put_records.rs"]
mod put_records;
#[path = "subject/subscribed_shard.rs"]
mod subscribed_shard;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use shardway::base::ids::Seq;
use shardway::gateway::value::Format;
use shardway::record::{BatchView, HashKey};

use subscribed_shard::SubscribedShard;

/// Runs of a step, and again: the difference is counted.
const TIMES: u64 = 200;
/// More than this, in %, is a regression: below it, code that only moved can show.
const MORE_PERCENT: f64 = 3.0;

/// A step: gets ready, and then runs so often.
type Step = fn(u64);

const STEPS: [(&str, Step); 10] = [
    ("decode the frame of a put", decode_frame),
    ("check a batch of 100 x 1 KiB", check_batch),
    ("hash a partition key", hash_key),
    ("find a sequence in an index", look_up),
    ("stage and commit 64 x 1 KiB", stage_and_commit),
    ("append a commit and push it to 1", |times| push(times, 1)),
    ("append a commit and push it to 5", |times| push(times, 5)),
    ("append a commit and push it to 20", |times| push(times, 20)),
    ("decode PutRecords, JSON, 100 x 1 KiB", |times| decode(times, Format::Json)),
    ("decode PutRecords, CBOR, 100 x 1 KiB", |times| decode(times, Format::Cbor)),
];

fn decode_frame(times: u64) {
    let frame = put_frame::put_frame(1);
    for _ in 0..times {
        black_box(put_frame::decode_put(black_box(&frame)));
    }
}

fn check_batch(times: u64) {
    let batch = commit::batch(100, 1024);
    for _ in 0..times {
        assert!(BatchView::check_client(black_box(&batch)).is_ok());
    }
}

fn hash_key(times: u64) {
    for _ in 0..times {
        black_box(HashKey::of_partition_key(black_box(b"customer-17")));
    }
}

fn look_up(times: u64) {
    let index = full_index::full();
    for i in 0..times {
        black_box(index.at_or_before(black_box(Seq(i * 31 % index.end().0))));
    }
}

fn stage_and_commit(times: u64) {
    let (batch, mut log, mut done) = (commit::batch(1, 1024), commit::log(), Vec::new());
    for _ in 0..times {
        commit::commit(&mut log, &batch, 64, &mut done);
    }
}

fn push(times: u64, subscribers: u32) {
    let mut shard = SubscribedShard::new(subscribers, 8192);
    for _ in 0..times {
        shard.append();
        shard.push(subscribers);
        shard.trim();
    }
}

fn decode(times: u64, format: Format) {
    let (body, mut out) = (put_records::body(format), Vec::new());
    for _ in 0..times {
        put_records::decode_fast(format, black_box(&body), &mut out);
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |option: &str| {
        let at = words.iter().position(|word| word == option)?;
        words.get(at + 1)
    };
    if let Some((step, times)) = value("--step").zip(value("--times")) {
        let (_, run) = STEPS.iter().find(|(name, _)| name == step).expect("it is in the list");
        run(times.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("NOT COUNTED: valgrind is not installed (apt-get install valgrind)");
        return ExitCode::SUCCESS;
    }
    let mut counts = BTreeMap::new();
    for (name, _) in STEPS {
        let (Some(once), Some(twice)) = (count(name, TIMES), count(name, 2 * TIMES)) else {
            eprintln!("NOT COUNTED: {name}");
            return ExitCode::FAILURE;
        };
        counts.insert(name, (twice - once) / TIMES as f64);
    }
    if let Some(file) = value("--save") {
        let lines: String =
            counts.iter().map(|(name, count)| format!("{count:.1}\t{name}\n")).collect();
        std::fs::write(file, lines).expect("the file can be written");
    }
    report(&counts, value("--against"))
}

/// The instructions of a program that runs a step so often.
fn count(step: &str, times: u64) -> Option<f64> {
    let own = std::env::current_exe().ok()?;
    let times = times.to_string();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--step", step, "--times", &times])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{text}");
        return None;
    }
    // ==1234== Collected : 567890
    let line = text.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

/// Prints the counts, and beside them those of a file; a failure if a step takes more.
fn report(counts: &BTreeMap<&str, f64>, against: Option<&String>) -> ExitCode {
    let text = against.map(|file| std::fs::read_to_string(file).expect("the file can be read"));
    let before: BTreeMap<&str, f64> = text
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(count, name)| Some((name, count.parse().ok()?)))
        .collect();
    let mut code = ExitCode::SUCCESS;
    for (name, count) in counts {
        let mut line = format!("{count:12.1} instructions  {name}");
        if let Some(before) = before.get(name) {
            let percent = (count / before - 1.0) * 100.0;
            line += &format!("  {percent:+.2} %");
            if percent >= MORE_PERCENT {
                line += "  MORE";
                code = ExitCode::FAILURE;
            }
        }
        println!("{line}");
    }
    code
}
