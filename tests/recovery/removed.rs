//! Streams and shards that the catalog does not know are gone after a start, and prove nothing.

use super::*;

/// Streams 1 to 3 with two shards each, as a crash leaves them: in segments, in the journal, and in
/// checkpoints that say how far the segments reach.
fn three_streams(dir: &Path) -> Batches {
    let mut server = boot(dir, 1);
    let keys = (1..=3).flat_map(|stream| [shard(stream, 0), shard(stream, 1)]);
    for key in keys {
        server.put(key, 1, 100);
        server.put(key, 1, 100);
        if key.stream != shard(2, 0).stream {
            server.flush(key, 1);
        }
    }
    server.checkpoint(0);
    server.crash()
}

fn start_without(gone: impl Fn(ShardKey) -> bool) -> (tempfile::TempDir, Expected) {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = three_streams(dir.path());
    let all: Vec<ShardKey> = durable.keys().copied().collect();
    let live = all.iter().copied().filter(|&key| !gone(key));
    let expected = catalog(&live.map(|key| (key, None)).collect::<Vec<_>>());
    let report = check(dir.path(), &checking(&expected), &mut NoProgress).unwrap();
    let loud = report.findings.iter().find(|f| f.severity > Severity::Note);
    assert!(loud.is_none(), "check speaks of what was removed: {loud:?}");
    let recovered = recover_expecting(dir.path(), &expected, false).unwrap();
    assert_eq!(recovered.losses, Losses::default());
    durable.retain(|&key, _| expected.has(key));
    assert_eq!(read_back(dir.path()), durable, "what exists is whole, and nothing else is left");
    assert!(recovered.shards.iter().all(|s| expected.has(s.shard)));
    assert_eq!(recovered.shards.len(), durable.len());
    let left = all.iter().find(|&&key| !expected.has(key) && shard_dir(&dir, key).exists());
    assert_eq!(left, None);
    (dir, expected)
}

fn shard_dir(dir: &tempfile::TempDir, key: ShardKey) -> PathBuf {
    layout::shard_dir(dir.path(), key)
}

#[test]
fn streams_that_were_deleted_disappear() {
    let dead = [shard(1, 0).stream, shard(2, 0).stream];
    let (dir, _) = start_without(|key| dead.contains(&key.stream));
    assert!(dead.iter().all(|&d| !layout::stream_dir(dir.path(), d).exists()));
}

#[test]
fn shards_that_have_expired_disappear_from_streams_that_go_on() {
    // In segments, only in the journal, and a directory that its removal has left half empty.
    let (dir, expected) = start_without(|key| [shard(1, 0), shard(2, 1)].contains(&key));
    fs::create_dir_all(shard_dir(&dir, shard(3, 7))).unwrap();
    fs::write(shard_dir(&dir, shard(3, 7)).join("00000000000000000000.idx"), "?").unwrap();
    let report = check(dir.path(), &checking(&expected), &mut NoProgress).unwrap();
    assert!(report.is_sound());
    let note = report.findings.iter().find(|f| f.file == shard_dir(&dir, shard(3, 7)));
    assert!(note.is_some_and(|f| f.severity == Severity::Note), "{:#?}", report.findings);
    recover_expecting(dir.path(), &expected, false).unwrap();
    assert!(!shard_dir(&dir, shard(3, 7)).exists());
}

#[test]
fn a_checkpoint_of_a_removed_shard_proves_no_damage() {
    for stop in [Server::stop, Server::crash] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = boot(dir.path(), 1);
        server.put(shard(1, 0), 4, 100);
        server.put(shard(1, 1), 4, 100);
        server.flush_all();
        server.checkpoint(0);
        stop(server);
        // Its files are gone already; the ring still names it.
        fs::remove_dir_all(shard_dir(&dir, shard(1, 0))).unwrap();
        let expected = catalog(&[(shard(1, 1), None)]);
        let report = check(dir.path(), &checking(&expected), &mut NoProgress).unwrap();
        assert!(report.findings.iter().all(|f| f.severity == Severity::Note));
        let recovered = recover_expecting(dir.path(), &expected, false).unwrap();
        assert_eq!(recovered.shards.len(), 1);
    }
}

#[test]
fn a_removal_that_crashed_is_repeated_whatever_step_of_the_start_it_had_reached() {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = three_streams(dir.path());
    let expected = catalog(&[(shard(1, 1), None), (shard(3, 0), None)]);
    durable.retain(|&key, _| expected.has(key));
    let identity = Identity::load(dir.path()).unwrap().unwrap();
    for step in ["planned", "replayed", "new term stored"] {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let plan = plan(copy.path(), identity, &options(2, 1), &expected, &mut NoProgress).unwrap();
        if step != "planned" {
            let replayed = plan.replay(&mut NoProgress).unwrap();
            if step == "new term stored" {
                replayed.commit().unwrap();
            }
        }
        // A power cut may bring back what was not synced away.
        for key in [shard(1, 0), shard(3, 1)] {
            let lost = layout::shard_dir(copy.path(), key);
            copy_dir(&shard_dir(&dir, key), &lost);
        }
        recover_expecting(copy.path(), &expected, false).unwrap();
        assert_eq!(read_back(copy.path()), durable, "{step}");
    }
}
