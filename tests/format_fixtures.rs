//! The format is a promise: a data directory that version 1 wrote must open for ever, and the
//! layouts must not move by a byte.

#[path = "support/log_writer.rs"]
mod log_writer;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use shardway::base::clock::Now;
use shardway::base::crc::crc32;
use shardway::base::ids::{CoreId, Millis, Seq};
use shardway::log::check::{CheckOptions, Severity, check};
use shardway::log::identity::{Identity, JournalShape};
use shardway::log::index::SegmentIndex;
use shardway::log::inspect::inspect;
use shardway::log::layout;
use shardway::log::offline::OfflineError;
use shardway::log::progress::NoProgress;
use shardway::log::recovery::RecoverOptions;

use log_writer::*;

/// A named way to damage a data directory.
type Case<'a> = (&'a str, &'a dyn Fn(&Path));

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn tiny(cores: u16) -> RecoverOptions {
    RecoverOptions {
        journal: JournalShape { cores, files: 2, file_bytes: 16 * 1024 },
        salt: 0x0123_4567_89AB_CDEF,
        accept_loss: false,
        clock: || Now { wall: Millis(1_700_000_000_000), mono: std::time::Instant::now() },
    }
}

/// What the fixture holds: term 1 stopped in order, term 2 crashed with one put in its journal.
fn write_history(dir: &Path) {
    let mut server = boot_with(dir, &tiny(1)).unwrap();
    server.segment_bytes = 4096;
    server.put(shard(1, 0), 2, 10);
    server.put(shard(1, 0), 1, 20);
    server.put(shard(2, 7), 3, 30);
    server.flush_all();
    server.stop();
    let mut server = boot_with(dir, &tiny(1)).unwrap();
    server.segment_bytes = 4096;
    server.put(shard(1, 0), 1, 40);
    server.flush_all();
    server.put(shard(1, 0), 2, 50);
    server.crash();
}

/// Run once for each format version: `cargo test --test format_fixtures -- --ignored`.
#[test]
#[ignore = "writes tests/fixtures/v1, which must never change"]
fn generate_the_fixture() {
    assert!(!fixture().exists(), "a released fixture is never written again");
    write_history(&fixture());
    fs::remove_file(layout::lock_file(&fixture())).unwrap();
}

fn copied() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&fixture(), dir.path());
    dir
}

#[test]
fn a_directory_of_version_1_opens_with_every_record() {
    let dir = copied();
    let server = boot_with(dir.path(), &tiny(2)).unwrap();
    assert_eq!(server.recovered.term.0, 3);
    assert_eq!((server.recovered.stats.batches, server.recovered.stats.records), (1, 2));
    let back = read_back(dir.path());
    let expected = |key, term: u64, at: &[(u64, u32, usize)]| {
        at.iter().map(|&(base, n, data)| batch(key, term, base, n, data)).collect::<Vec<_>>()
    };
    let first = shard(1, 0);
    let mut of_first = expected(first, 1, &[(0, 2, 10), (2, 1, 20)]);
    of_first.extend(expected(first, 2, &[(3, 1, 40), (4, 2, 50)]));
    assert_eq!(back[&first], of_first);
    assert_eq!(back[&shard(2, 7)], expected(shard(2, 7), 1, &[(0, 3, 30)]));
}

#[test]
fn this_release_still_writes_version_1_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    write_history(dir.path());
    for extension in ["jnl", "seg", "idx"] {
        let old: Vec<PathBuf> = sorted_files(&fixture(), extension).into_keys().collect();
        let new: Vec<PathBuf> = sorted_files(dir.path(), extension).into_keys().collect();
        assert_eq!(old.len(), new.len());
        for (old, new) in old.iter().zip(&new) {
            assert_eq!(old.strip_prefix(fixture()).unwrap(), new.strip_prefix(dir.path()).unwrap());
            assert!(fs::read(old).unwrap() == fs::read(new).unwrap(), "{} differs", new.display());
        }
    }
    assert_eq!(
        fs::read_to_string(layout::identity_file(dir.path())).unwrap(),
        fs::read_to_string(layout::identity_file(&fixture())).unwrap()
    );
}

#[test]
fn inspect_says_what_is_in_the_fixture() {
    let dir = copied();
    let report = inspect(dir.path(), &mut NoProgress).unwrap();
    assert_eq!((report.identity.term, report.identity.cores, report.identity.clean), (2, 1, false));
    let first = &report.journals[0];
    assert_eq!((first.generation, first.commits, first.batches), (Some(1), 3, 2));
    assert_eq!((first.first_commit, first.last_commit, first.records), (Some(1), Some(3), 3));
    let shard = &report.shards[0];
    assert_eq!((shard.first, shard.end, shard.records), (Seq(0), Seq(4), 4));
    assert_eq!(shard.segments.iter().map(|s| s.sealed).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(shard.first_arrival, Some(Millis(1_700_000_000_000)));
    assert_eq!(shard.last_arrival, Some(Millis(1_700_000_000_003)));
    assert!(serde_json::to_string(&report).unwrap().contains("shardId-000000000007"));
    assert!(!layout::lock_file(dir.path()).exists(), "inspect creates nothing");
}

#[test]
fn check_finds_the_fixture_sound_and_names_strangers() {
    let dir = copied();
    let options = CheckOptions::default();
    let report = check(dir.path(), &options, &mut NoProgress).unwrap();
    assert!(report.is_sound() && report.findings.iter().all(|f| f.severity == Severity::Note));
    assert_eq!(report.shards[0].end, Seq(6), "with what the journal will add");
    assert_eq!(report.shards[0].records, 4);
    for name in ["notes.txt", "journal/x.bin", "streams/y", "streams/z.tmp"] {
        fs::write(dir.path().join(name), "?").unwrap();
    }
    let report = check(dir.path(), &options, &mut NoProgress).unwrap();
    let warnings = report.findings.iter().filter(|f| f.severity == Severity::Warning).count();
    assert_eq!((warnings, report.is_sound()), (3, true));
    assert!(serde_json::to_string(&report).unwrap().contains("\"severity\":\"warning\""));
}

#[test]
fn check_reads_what_a_start_does_not() {
    let sealed = |dir: &Path| sorted_files(dir, "idx").into_keys().next().unwrap();
    let cases: [Case<'_>; 3] = [
        ("a body in a sealed segment", &|d| flip(&sealed(d).with_extension("seg"), 4096 + 150)),
        ("a saved index that is not the segment's", &|d| {
            let mut index = SegmentIndex::new(Seq(0));
            index.push(Seq(0), 3, Millis(1), 100);
            fs::write(sealed(d), index.encode()).unwrap();
        }),
        ("an arrival that goes back", &|d| {
            let path = sorted_files(d, "seg").into_keys().last().unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let batch = &mut bytes[4096..];
            let size = 128 + u32::from_le_bytes(batch[12..16].try_into().unwrap()) as usize;
            let mut next = batch[..size].to_vec();
            for (at, value) in [(72, 3u64), (80, 5)] {
                next[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            let crc = crc32(&next[..124]);
            next[124..128].copy_from_slice(&crc.to_le_bytes());
            bytes[4096 + size..][..size].copy_from_slice(&next);
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, damage) in cases {
        let dir = copied();
        damage(dir.path());
        let report = check(dir.path(), &CheckOptions::default(), &mut NoProgress).unwrap();
        assert!(!report.is_sound(), "{what} went unnoticed");
        assert_eq!(report.findings[0].severity, Severity::Damage, "the worst comes first");
    }
}

#[test]
fn the_tools_refuse_a_running_server_and_an_empty_directory() {
    let dir = copied();
    let server = boot_with(dir.path(), &tiny(1)).unwrap();
    let options = CheckOptions::default();
    let refused = check(dir.path(), &options, &mut NoProgress).unwrap_err();
    assert!(matches!(refused, OfflineError::Lock(_)), "{refused}");
    assert!(inspect(dir.path(), &mut NoProgress).is_err());
    drop(server);
    assert!(check(dir.path(), &options, &mut NoProgress).is_ok());
    let empty = tempfile::tempdir().unwrap();
    let refused = inspect(empty.path(), &mut NoProgress).unwrap_err();
    assert!(matches!(refused, OfflineError::NoData { .. }));
    assert_eq!(Identity::load(empty.path()).unwrap(), None);
    assert_eq!(layout::parse_journal_file("core-003-01.jnl"), Some((CoreId(3), 1)));
}

type RawBatch = (u32, u64, usize);

fn index_of(base: u64, batches: &[RawBatch]) -> (SegmentIndex, Vec<(u64, u64, u64)>) {
    let mut index = SegmentIndex::new(Seq(base));
    let (mut all, mut seq, mut arrival) = (Vec::new(), base, 1000);
    for &(count, wait, bytes) in batches {
        arrival += wait;
        all.push((seq, arrival, index.end_offset()));
        index.push(Seq(seq), count, Millis(arrival), bytes);
        seq += u64::from(count);
    }
    (index, all)
}

proptest! {
    /// From where the index sends a reader, a scan finds what a scan from the start finds.
    #[test]
    fn an_index_sends_no_reader_too_far(
        base in 0u64..1 << 40,
        batches in prop::collection::vec((1u32..50, 0u64..3, 130usize..40_000), 0..80),
        probe in 0u64..4000,
    ) {
        let (index, all) = index_of(base, &batches);
        let seq = base + probe;
        let holds = all.iter().rev().find(|b| b.0 <= seq);
        match (index.at_or_before(Seq(seq)), holds) {
            (None, found) => prop_assert!(found.is_none()),
            (Some(entry), found) => {
                let found = found.unwrap();
                prop_assert!(entry.seq.0 <= seq && entry.offset <= found.2);
                prop_assert!(found.2 - entry.offset <= 32 * 1024 + 40_000, "too far back");
                prop_assert!(all.contains(&(entry.seq.0, entry.arrival.0, entry.offset)));
            }
        }
        prop_assert!(index.at_or_before(Seq(base)).is_some() || all.is_empty());
        let time = 1000 + probe % 200;
        let first_at_or_after = all.iter().find(|b| b.1 >= time);
        match (index.before_time(Millis(time)), first_at_or_after) {
            (None, _) => prop_assert!(all.is_empty()),
            (Some(entry), Some(found)) => prop_assert!(entry.offset <= found.2, "records skipped"),
            (Some(_), None) => {}
        }
    }

    #[test]
    fn an_index_comes_back_as_it_was_saved_and_no_flip_goes_unnoticed(
        batches in prop::collection::vec((1u32..50, 0u64..3, 130usize..40_000), 0..40),
        flip in any::<prop::sample::Index>(),
    ) {
        let (index, _) = index_of(7, &batches);
        let mut bytes = index.encode();
        prop_assert_eq!(SegmentIndex::decode(&bytes), Ok(index));
        let at = flip.index(bytes.len());
        bytes[at] ^= 4;
        prop_assert!(SegmentIndex::decode(&bytes).is_err());
        for cut in 0..bytes.len().min(60) {
            prop_assert!(SegmentIndex::decode(&bytes[..cut]).is_err());
        }
    }
}
