//! Boot recovery against data directories as a crash, a bad disk or a bad hand leaves them.

#![allow(clippy::print_stdout, reason = "a failing test shows its case or seed")]

mod closed;
#[path = "../support/log_writer.rs"]
mod log_writer;
mod random;
mod removed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardway::base::ids::{CoreId, Seq, ShardKey};
use shardway::base::rng::SplitMix64;
use shardway::disk::blocking::DirLock;
use shardway::log::check::{CheckOptions, Severity, check};
use shardway::log::commit::CommitKind;
use shardway::log::damage::{Damage, DamageKind};
use shardway::log::expected::{ClosedEnd, Expected};
use shardway::log::identity::Identity;
use shardway::log::layout;
use shardway::log::offline::OfflineError;
use shardway::log::progress::NoProgress;
use shardway::log::recovery::{
    Corruption, Losses, RecoverError, RecoverOptions, Recovered, plan, recover,
};
use shardway::record::BatchHeader;

use log_writer::*;

#[test]
fn what_was_durable_when_the_server_crashed_is_there_after_boot() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 2);
    for i in 0..30 {
        server.put(shard(1, i % 5), 1 + i % 3, 100 * i as usize);
    }
    server.flush(shard(1, 0), 3);
    let durable = server.crash();
    let server = boot(dir.path(), 2);
    assert_eq!(read_back(dir.path()), durable);
    assert_eq!(server.recovered.stats.batches, 27);
    assert_eq!(server.recovered.stats.torn_tail, None);
    assert_eq!(server.recovered.term.0, 2);
}

/// A named way to damage or to stop a data directory.
type Case<'a> = (&'a str, &'a dyn Fn(&Path));
type Batches = BTreeMap<ShardKey, Vec<Vec<u8>>>;

fn try_boot(dir: &Path) -> Result<Recovered, RecoverError> {
    boot_with(dir, &options(2, 1234)).map(|server| server.recovered)
}

/// A start by a catalog; no server follows.
fn recover_expecting(
    dir: &Path,
    expected: &Expected,
    accept_loss: bool,
) -> Result<Recovered, RecoverError> {
    let lock = DirLock::exclusive(&layout::lock_file(dir)).unwrap();
    let identity = Identity::load(dir)?.unwrap();
    let options = RecoverOptions { accept_loss, ..options(2, 99) };
    let recovered = recover(dir, &lock, identity, &options, expected, &mut NoProgress)?;
    recovered.save_indexes(dir)?;
    Ok(recovered)
}

/// A catalog with these shards.
fn catalog(shards: &[(ShardKey, Option<ClosedEnd>)]) -> Expected {
    Expected::of(Path::new("catalog/catalog.log"), shards.iter().copied())
}

const fn closed_at(end: u64) -> Option<ClosedEnd> {
    Some(ClosedEnd { end: Seq(end), durable: true })
}

fn boot_accepting_loss(dir: &Path) -> Recovered {
    let options = RecoverOptions { accept_loss: true, ..options(2, 4321) };
    boot_with(dir, &options).unwrap().recovered
}

/// Boots a damaged directory, which must be refused, and returns the damage. The refusal changes
/// no file, and `check` reports the same places.
fn refused(dir: &Path) -> Vec<Damage> {
    refused_by(dir, &Expected::default())
}

fn refused_by(dir: &Path, expected: &Expected) -> Vec<Damage> {
    let before = snapshot(dir);
    let damage = match recover_expecting(dir, expected, false) {
        Err(RecoverError::Corrupt(Corruption(damage))) => damage,
        other => panic!("the damage went unnoticed: {:?}", other.map(|r| r.stats)),
    };
    assert_eq!(snapshot(dir), before, "a refused boot changes nothing");
    let report = check(dir, &checking(expected), &mut NoProgress).unwrap();
    assert!(!report.is_sound(), "{damage:#?}");
    // A stream without a directory may have been deleted, for all that check knows.
    let least = if expected.is_known() { Severity::Damage } else { Severity::Warning };
    for found in &damage {
        let reported = report
            .findings
            .iter()
            .any(|f| f.severity >= least && f.file == found.file && f.offset == found.offset);
        assert!(reported, "check does not report {found}");
    }
    damage
}

fn checking(expected: &Expected) -> CheckOptions {
    CheckOptions { expected: expected.clone(), ..CheckOptions::default() }
}

fn snapshot(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for extension in ["jnl", "seg", "idx", "lost"] {
        for path in sorted_files(dir, extension).into_keys() {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// A crashed server of one core with some data in segments and some only in the journal.
fn crashed(dir: &Path) -> (Batches, Server) {
    let mut server = boot(dir, 1);
    for i in 0..12 {
        server.put(shard(1, i % 2), 2, 700);
    }
    server.flush(shard(1, 0), 3);
    (server.shards.iter().map(|(key, model)| (*key, model.batches.clone())).collect(), server)
}

#[test]
fn a_torn_last_commit_is_cut_off_whatever_part_of_it_was_written() {
    for blocks in 1..=4usize {
        for stale in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (durable, mut server) = crashed(dir.path());
            let batch = server.stamp(shard(1, 1), 1, blocks * 4096 - 600);
            server.make_room(0, batch.len());
            let torn = server.journals[0].prepare(CommitKind::Batches, &[batch]);
            assert_eq!(torn.bytes.len(), blocks * 4096);
            drop(server.lock.take());
            for written in 0u32..1 << blocks {
                let copy = tempfile::tempdir().unwrap();
                copy_dir(dir.path(), copy.path());
                let file = copy.path().join(torn.file.strip_prefix(dir.path()).unwrap());
                if stale {
                    write_at(&file, torn.offset, &vec![0xD7; torn.bytes.len()]);
                }
                for block in (0..blocks).filter(|b| written & (1 << b) != 0) {
                    let part = &torn.bytes[block * 4096..][..4096];
                    write_at(&file, torn.offset + block as u64 * 4096, part);
                }
                let recovered = try_boot(copy.path()).unwrap();
                let back = read_back(copy.path());
                let whole = written == (1 << blocks) - 1;
                if !whole {
                    assert_eq!(back, durable, "{blocks} blocks, written {written:#b}");
                    let noted = recovered.stats.torn_tail.is_some();
                    assert_eq!(noted, written & 1 == 1, "the first block names the commit");
                } else {
                    // Never acknowledged, but complete: it may be there.
                    assert_eq!(back[&shard(1, 1)].len(), durable[&shard(1, 1)].len() + 1);
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_any_region_of_a_commit_that_is_not_the_last_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.put(shard(1, 0), 3, 500);
    let victim = server.put(shard(1, 0), 3, 500);
    server.put(shard(1, 0), 3, 500);
    drop(server.crash());
    let last = victim.bytes.len() as u64 - 1;
    // Header, reserved, batch header, its stamp, record header, data, padding.
    for at in [0, 3, 5, 9, 20, 48, 64, 100, 126, 128, 140, 190, 250, 256, 300, 1000, last] {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let file = copy.path().join(victim.file.strip_prefix(dir.path()).unwrap());
        flip(&file, victim.offset + at);
        let damage = refused(copy.path());
        assert_eq!((&damage[0].file, damage[0].offset), (&file, victim.offset), "byte {at}");
        let recovered = boot_accepting_loss(copy.path());
        assert_eq!(recovered.losses.records, 3, "the commit behind the hole is given up");
        assert!(!recovered.losses.damage.is_empty());
        assert_eq!(recovered.shards[0].end, Seq(3));
        // Afterwards the directory is in order again.
        assert!(try_boot(copy.path()).unwrap().losses.damage.is_empty());
    }
}

#[test]
fn a_hole_costs_other_shards_nothing_when_loss_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.put(shard(1, 0), 1, 100);
    let victim = server.put(shard(1, 0), 1, 100);
    server.put(shard(1, 1), 1, 100);
    server.put(shard(1, 0), 1, 100);
    let durable = server.crash();
    flip(&victim.file, victim.offset + 300);
    refused(dir.path());
    let recovered = boot_accepting_loss(dir.path());
    let back = read_back(dir.path());
    assert_eq!(back[&shard(1, 1)], durable[&shard(1, 1)]);
    assert_eq!(back[&shard(1, 0)], durable[&shard(1, 0)][..1]);
    assert_eq!(recovered.losses.batches, 1);
}

#[test]
fn missing_truncated_and_swapped_journal_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 2);
    for i in 0..40 {
        server.put(shard(1, i % 8), 4, 900);
    }
    assert!(server.journals.iter().all(|j| j.generation >= 2), "each core uses two files");
    let core = |core, index| layout::journal_file(Path::new(""), CoreId(core), index);
    let newest = |core: usize| (server.journals[core].generation - 1) % FILES;
    let last = [newest(0), newest(1)];
    drop(server.crash());
    let cases: [Case<'_>; 6] = [
        ("missing first", &|d| fs::remove_file(d.join(core(0, 0))).unwrap()),
        ("missing last", &|d| fs::remove_file(d.join(core(1, last[1]))).unwrap()),
        ("truncated", &|d| {
            let path = d.join(core(0, last[0]));
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(5000).unwrap();
        }),
        ("swapped in the ring", &|d| swap(&d.join(core(0, 0)), &d.join(core(0, 1)))),
        ("swapped between cores", &|d| swap(&d.join(core(0, 0)), &d.join(core(1, 0)))),
        ("a whole journal swapped", &|d| {
            (0..FILES).for_each(|i| swap(&d.join(core(0, i)), &d.join(core(1, i))));
        }),
    ];
    for (what, damage) in cases {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        damage(copy.path());
        println!("{what}");
        refused(copy.path());
    }
}

fn swap(a: &Path, b: &Path) {
    let (x, y) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, y).unwrap();
    fs::write(b, x).unwrap();
}

#[test]
fn a_commit_written_to_a_wrong_place_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut server) = crashed(dir.path());
    let batch = server.stamp(shard(1, 1), 1, 100);
    let astray = server.journals[0].prepare(CommitKind::Batches, &[batch]);
    drop(server.lock.take());
    write_at(&astray.file, astray.offset + 8192, &astray.bytes);
    let damage = refused(dir.path());
    assert!(matches!(damage[0].kind, DamageKind::MisplacedCommit { .. }), "{}", damage[0]);
    assert_eq!(damage[0].offset, astray.offset + 8192);
}

#[test]
fn the_ring_turns_many_times_and_nothing_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.segment_bytes = 32 * 1024;
    for i in 0..120 {
        server.put(shard(1, i % 3), 1 + i % 4, 1500);
        if i % 7 == 0 {
            let some = server.shards[&shard(1, i % 3)].batches.len() / 2;
            server.flush(shard(1, i % 3), some);
        }
    }
    assert!(server.journals[0].generation > 2 * FILES);
    let durable = server.crash();
    let recovered = try_boot(dir.path()).unwrap();
    assert_eq!(read_back(dir.path()), durable);
    assert!(recovered.shards.iter().any(|s| s.segments.len() > 1), "sealed segments take part");
}

#[test]
fn the_number_of_cores_may_change_and_old_journals_go_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Batches::new();
    for (round, cores) in [1u16, 2, 1, 3, 2].into_iter().enumerate() {
        let mut server = boot(dir.path(), cores);
        assert_eq!(read_back(dir.path()), expected, "round {round}");
        let journals = fs::read_dir(layout::journal_dir(dir.path())).unwrap().count();
        assert_eq!(journals, usize::from(cores) * FILES as usize);
        for i in 0..20 {
            server.put(shard(1, i % 6), 1, 200);
        }
        expected = server.crash();
    }
}

#[test]
fn commits_of_older_terms_in_reused_files_are_never_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    for _ in 0..10 {
        server.put(shard(1, 0), 1, 3000);
    }
    drop(server.crash());
    let mut server = boot(dir.path(), 1);
    server.put(shard(2, 0), 1, 10);
    let durable = server.crash();
    let recovered = try_boot(dir.path()).unwrap();
    assert_eq!(recovered.stats.batches, 1);
    assert_eq!(recovered.stats.commits, 2, "a checkpoint and the put, nothing stale behind them");
    assert_eq!(read_back(dir.path()), durable);
}

#[test]
fn after_a_clean_stop_nothing_is_replayed_and_the_journals_may_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server) = crashed(dir.path());
    let durable = server.stop();
    fs::remove_dir_all(layout::journal_dir(dir.path())).unwrap();
    let recovered = try_boot(dir.path()).unwrap();
    assert!(recovered.stats.was_clean);
    assert_eq!((recovered.stats.commits, recovered.stats.batches), (0, 0));
    assert_eq!(read_back(dir.path()), durable);
    assert!(!recovered.identity.clean, "the next crash is not clean");
}

#[test]
fn damage_in_the_last_segment_after_a_clean_stop_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut server) = crashed(dir.path());
    server.flush_all();
    let path = server.segment_path(shard(1, 0));
    let end = server.segment_end(shard(1, 0));
    server.stop();
    // The segment's header, the first batch, the middle, the very last byte of the last batch.
    for at in [100, 4096 + 200, end / 2, end - 1] {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        flip(&copy.path().join(path.strip_prefix(dir.path()).unwrap()), at);
        refused(copy.path());
    }
}

#[test]
fn a_torn_write_behind_is_completed_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (durable, mut server) = crashed(dir.path());
    server.flush(shard(1, 0), 6);
    let path = server.segment_path(shard(1, 0));
    let blocks = fs::metadata(&path).unwrap().len() / 4096;
    drop(server.lock.take());
    // No part of this segment was synced yet: any block of it may be missing.
    for lost in 0u32..1 << blocks.min(5) {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let path = copy.path().join(path.strip_prefix(dir.path()).unwrap());
        for block in (0..blocks).filter(|b| lost & (1 << b) != 0) {
            write_at(&path, block * 4096, &[0; 4096]);
        }
        try_boot(copy.path()).unwrap();
        assert_eq!(read_back(copy.path()), durable, "lost blocks {lost:#b}");
    }
}

#[test]
fn missing_and_short_segments_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.segment_bytes = 8192;
    for _ in 0..20 {
        server.put(shard(1, 0), 2, 1500);
    }
    server.stop();
    let dir_of = layout::shard_dir(Path::new(""), shard(1, 0));
    let bases: Vec<PathBuf> = sorted_files(dir.path(), "seg").into_keys().collect();
    assert!(bases.len() > 4);
    let rel = |i: usize| dir_of.join(bases[i].file_name().unwrap());
    let cases: [Case<'_>; 5] = [
        ("one in the middle is gone", &|d| fs::remove_file(d.join(rel(2))).unwrap()),
        ("a sealed one is short", &|d| {
            let file = fs::OpenOptions::new().write(true).open(d.join(rel(1))).unwrap();
            file.set_len(6000).unwrap();
        }),
        ("two are swapped", &|d| swap(&d.join(rel(1)), &d.join(rel(2)))),
        ("a sealed header is damaged", &|d| flip(&d.join(rel(1)), 50)),
        ("an unsealed one in the middle is damaged", &|d| {
            fs::remove_file(d.join(rel(1)).with_extension("idx")).unwrap();
            flip(&d.join(rel(1)), 5000);
        }),
    ];
    for (what, damage) in cases {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        damage(copy.path());
        println!("{what}");
        refused(copy.path());
        let recovered = boot_accepting_loss(copy.path());
        assert!(!recovered.losses.damage.is_empty());
        let kept = read_back(copy.path()).remove(&shard(1, 0)).unwrap_or_default();
        let kept = kept.last().map_or(0, |b| BatchHeader::decode_stamped(b).unwrap().end().0);
        assert!(kept <= recovered.shards[0].end.0);
        assert!(!sorted_files(copy.path(), "lost").is_empty(), "nothing is deleted");
        try_boot(copy.path()).unwrap();
    }
}

#[test]
fn a_lost_index_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    server.segment_bytes = 8192;
    for _ in 0..10 {
        server.put(shard(1, 0), 2, 1500);
    }
    let durable = server.stop();
    let indexes = sorted_files(dir.path(), "idx");
    let good: Vec<Vec<u8>> = indexes.keys().map(|p| fs::read(p).unwrap()).collect();
    for (i, path) in indexes.keys().enumerate() {
        if i % 2 == 0 { fs::remove_file(path).unwrap() } else { flip(path, 20) }
    }
    try_boot(dir.path()).unwrap();
    let again: Vec<Vec<u8>> = indexes.keys().map(|p| fs::read(p).unwrap()).collect();
    assert_eq!(again, good);
    assert_eq!(read_back(dir.path()), durable);
}

#[test]
fn a_checkpoint_proves_records_that_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = boot(dir.path(), 1);
    for _ in 0..4 {
        server.put(shard(1, 0), 1, 100);
    }
    drop(server.crash());
    // The next term starts with a checkpoint of 4, and then the segment disappears.
    drop(boot(dir.path(), 1).crash());
    fs::remove_dir_all(layout::shard_dir(dir.path(), shard(1, 0))).unwrap();
    let damage = refused(dir.path());
    assert!(damage[0].to_string().contains("a checkpoint of sequence 4"), "{}", damage[0]);
}

#[test]
fn a_crash_between_any_two_steps_of_boot_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut server) = crashed(dir.path());
    for _ in 0..20 {
        server.put(shard(1, 1), 3, 800);
    }
    let durable = server.crash();
    let identity = Identity::load(dir.path()).unwrap().unwrap();
    let steps: [Case<'_>; 5] = [
        ("nothing done", &|_| {}),
        ("planned", &|d| {
            plan(d, identity, &options(2, 1), &Expected::default(), &mut NoProgress).unwrap();
        }),
        ("replayed", &|d| {
            let plan =
                plan(d, identity, &options(2, 1), &Expected::default(), &mut NoProgress).unwrap();
            plan.replay(&mut NoProgress).unwrap();
        }),
        ("new term stored", &|d| {
            let plan =
                plan(d, identity, &options(2, 1), &Expected::default(), &mut NoProgress).unwrap();
            plan.replay(&mut NoProgress).unwrap().commit().unwrap();
        }),
        ("old journals gone, new ones half made", &|d| {
            let plan =
                plan(d, identity, &options(2, 1), &Expected::default(), &mut NoProgress).unwrap();
            plan.replay(&mut NoProgress).unwrap().commit().unwrap();
            fs::remove_file(layout::journal_file(d, CoreId(0), 1)).unwrap();
            fs::write(layout::journal_file(d, CoreId(1), 0), [0; 4096]).unwrap();
        }),
    ];
    for (step, crash_after) in steps {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        crash_after(copy.path());
        println!("{step}");
        let recovered = try_boot(copy.path()).unwrap();
        assert_eq!(read_back(copy.path()), durable, "{step}");
        assert_eq!(recovered.losses.damage, []);
        assert!(recovered.identity.replayed_through.0 + 1 == recovered.term.0);
    }
}

/// A crash during replay: segments that replay touched are cut at every possible place.
#[test]
fn a_replay_that_was_cut_off_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (durable, server) = crashed(dir.path());
    drop(server.crash());
    let before = sorted_files(dir.path(), "seg");
    let done = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), done.path());
    let identity = Identity::load(done.path()).unwrap().unwrap();
    let plan =
        plan(done.path(), identity, &options(1, 1), &Expected::default(), &mut NoProgress).unwrap();
    plan.replay(&mut NoProgress).unwrap();
    for path in sorted_files(done.path(), "seg").into_keys() {
        let rel = path.strip_prefix(done.path()).unwrap();
        let synced =
            before.get(&dir.path().join(rel)).map_or(0, |p| fs::metadata(p).unwrap().len());
        let bytes = fs::read(&path).unwrap();
        for cut in (synced..=bytes.len() as u64).step_by(512) {
            let copy = tempfile::tempdir().unwrap();
            copy_dir(done.path(), copy.path());
            fs::write(copy.path().join(rel), &bytes[..cut as usize]).unwrap();
            boot_with(copy.path(), &options(1, 2)).unwrap();
            assert_eq!(read_back(copy.path()), durable, "{} cut at {cut}", rel.display());
        }
    }
}

#[test]
fn a_batch_of_a_higher_term_wins_over_the_same_position() {
    let dir = tempfile::tempdir().unwrap();
    let key = shard(1, 0);
    let mut server = boot(dir.path(), 1);
    server.put(key, 2, 100);
    drop(server.crash());
    let mut server = boot(dir.path(), 1);
    let shard_dir = layout::shard_dir(dir.path(), key);
    // Term 1 left a batch in the segment that term 2 never saw, and term 2 went its own way.
    let old = batch(key, 1, 2, 5, 333);
    let path = layout::segment_file(&shard_dir, Seq(0));
    let end = server.segment_end(key);
    write_at(&path, end, &old);
    server.put(key, 1, 50);
    server.put(key, 1, 60);
    let durable = server.crash();
    let recovered = try_boot(dir.path()).unwrap();
    assert_eq!(read_back(dir.path()), durable);
    assert_eq!(recovered.shards[0].end, Seq(4));
}
