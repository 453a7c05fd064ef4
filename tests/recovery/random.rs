//! Random histories and random rot.

use super::*;

/// The seeds of a randomised test: always the same `rounds`, or the one in `SHARDWAY_SEED`, or as
/// many as `SHARDWAY_ROUNDS` says.
fn seeds(rounds: u64) -> std::ops::Range<u64> {
    let var = |name| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    match var("SHARDWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..var("SHARDWAY_ROUNDS").unwrap_or(rounds),
    }
}

/// Random histories against the model.
#[test]
fn random_histories_lose_nothing_durable_and_invent_nothing() {
    for seed in seeds(10) {
        println!("SHARDWAY_SEED={seed}");
        random_history(&mut SplitMix64::new(seed));
    }
}

fn random_history(rng: &mut SplitMix64) {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = Batches::new();
    for _ in 0..1 + rng.below(4) {
        let cores = 1 + rng.below(3) as u16;
        let mut server = boot(dir.path(), cores);
        // Exactly what was durable; a torn commit that was complete would have been known.
        assert_eq!(read_back(dir.path()), durable);
        server.segment_bytes = 4096 << rng.below(5);
        for _ in 0..rng.below(120) {
            random_step(rng, &mut server);
        }
        if rng.below(4) == 0 {
            durable = server.stop();
            continue;
        }
        tear_next_commit(rng, &mut server);
        durable = server.crash();
    }
    let recovered = boot(dir.path(), 1).recovered;
    assert_eq!(read_back(dir.path()), durable);
    for shard in &recovered.shards {
        let last = durable[&shard.shard].last().unwrap();
        assert_eq!(shard.end, BatchHeader::decode_stamped(last).unwrap().end());
        assert!(shard.segments.windows(2).all(|w| w[0].sealed && w[0].index.end() == w[1].base));
    }
    let report = check(dir.path(), &CheckOptions::default(), &mut NoProgress);
    assert!(matches!(report, Err(OfflineError::Lock(_))) || report.unwrap().is_sound());
}

fn random_step(rng: &mut SplitMix64, server: &mut Server) {
    let key = shard(1 + rng.below(2) as u8, rng.below(4) as u32);
    match rng.below(10) {
        0..6 => {
            server.put(key, 1 + rng.below(5) as u32, rng.below(2500) as usize);
        }
        6..8 => {
            // A commit of several shards of one core.
            let home = server.core_of(key);
            let keys = (0..4).map(|n| shard(3, n)).filter(|&k| server.core_of(k) == home);
            let batches = keys.map(|k| server.stamp(k, 2, 100)).collect::<Vec<_>>();
            if !batches.is_empty() {
                server.commit(home, batches);
            }
        }
        _ => {
            if let Some(model) = server.shards.get(&key) {
                let (done, all) = (model.in_segments, model.batches.len());
                server.flush(key, done + rng.below((all - done) as u64 + 1) as usize);
            }
        }
    }
}

/// The commit in flight when the power went: any part of it but the whole, over zeros or noise.
fn tear_next_commit(rng: &mut SplitMix64, server: &mut Server) {
    let key = shard(1, rng.below(4) as u32);
    let core = server.core_of(key);
    let batch = server.stamp(key, 1, rng.below(15_000) as usize);
    server.make_room(core, batch.len());
    let torn = server.journals[usize::from(core)].prepare(CommitKind::Batches, &[batch]);
    let blocks = torn.bytes.len() as u64 / 4096;
    let missing = rng.below(blocks);
    for block in (0..blocks).filter(|&b| b != missing) {
        if rng.below(2) == 0 {
            let part = &torn.bytes[block as usize * 4096..][..4096];
            write_at(&torn.file, torn.offset + block * 4096, part);
        }
    }
}

/// Random damage to a random crashed directory: either boot finds it, or it cost nothing.
#[test]
fn random_rot_is_found_or_costs_nothing_but_the_unprovable_tail() {
    for seed in seeds(40) {
        println!("SHARDWAY_SEED={seed}");
        let mut rng = SplitMix64::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut server = boot(dir.path(), 1 + rng.below(2) as u16);
        server.segment_bytes = 16 * 1024;
        for _ in 0..60 {
            random_step(&mut rng, &mut server);
        }
        let durable = match rng.below(2) {
            0 => server.stop(),
            _ => server.crash(),
        };
        let files: Vec<PathBuf> = snapshot(dir.path()).into_keys().collect();
        let victim = &files[rng.below(files.len() as u64) as usize];
        let at = rng.below(fs::metadata(victim).unwrap().len());
        flip(victim, at);
        let what = format!("seed {seed}: {} at {at}", victim.display());
        match recover_only(dir.path()) {
            Err(RecoverError::Corrupt(_) | RecoverError::Unsupported { .. }) => continue,
            Err(e) => panic!("{what}: {e}"),
            Ok(_) => {}
        }
        check_rotten(&durable, dir.path(), victim, at, &what);
    }
}

fn recover_only(dir: &Path) -> Result<Recovered, RecoverError> {
    let lock = DirLock::exclusive(&layout::lock_file(dir)).unwrap();
    let identity = Identity::load(dir)?.unwrap();
    recover(dir, &lock, identity, &options(2, 1234), &Expected::default(), &mut NoProgress)
}

/// A start does not read the bodies of sealed segments; and the last commit of a core may be torn
/// for all that anybody can know. Everything else must be there, byte for byte.
fn check_rotten(durable: &Batches, dir: &Path, victim: &Path, at: u64, what: &str) {
    let sealed = victim.with_extension("idx").exists();
    let back = read_back_lenient(dir);
    for (key, batches) in durable {
        let found = back.get(key).cloned().unwrap_or_default();
        let same = batches.iter().zip(&found).take_while(|(a, b)| a == b).count();
        if sealed && victim.extension().is_some_and(|e| e == "seg") && at >= 4096 {
            continue;
        }
        assert_eq!(found.len(), same, "{what}: {key} has batches that nobody wrote");
        let is_journal = victim.extension().is_some_and(|e| e == "jnl");
        assert!(
            same == batches.len() || (is_journal && same + 1 >= batches.len()),
            "{what}: {key} lost {} batches",
            batches.len() - same
        );
    }
}

/// As [`read_back`], where a segment may end in damage.
fn read_back_lenient(dir: &Path) -> Batches {
    let mut all = Batches::new();
    for path in sorted_files(&layout::streams_dir(dir), "seg").into_keys() {
        let bytes = fs::read(&path).unwrap();
        let mut at = 4096;
        while let Ok(header) = BatchHeader::decode_stamped(&bytes[at..]) {
            let batch = bytes[at..at + header.batch_bytes()].to_vec();
            at += batch.len();
            all.entry(header.stamp.shard).or_default().push(batch);
        }
    }
    all
}
