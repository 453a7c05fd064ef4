use super::*;
use crate::base::aligned::BLOCK;
use crate::base::ids::{CoreId, Millis, ShardKey, ShardNumber, StreamUuid, Term};
use crate::log::commit::{COMMIT_HEADER_BYTES, CommitHeader, CommitKind, payload_crc_of_batch};
use crate::record::{BatchBuilder, BatchView};

const SHARD: ShardKey = ShardKey { stream: StreamUuid([5; 16]), number: ShardNumber(2) };

fn log(file_blocks: u64, tail_bytes: usize) -> CoreLog {
    let file_bytes = file_blocks * BLOCK as u64;
    let spec = JournalSpec { core: CoreId(1), term: Term(7), salt: 99, files: 4, file_bytes };
    CoreLog::new(spec, tail_bytes)
}

fn batch(data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push("key", None, &vec![b'd'; data]).unwrap();
    builder.finish().to_vec()
}

fn stamp(base: u64) -> Stamp {
    Stamp { shard: SHARD, term: Term(7), base: Seq(base), arrival: Millis(1000 + base) }
}

fn stage(log: &mut CoreLog, base: u64, data: usize, sync: bool) -> Result<(), Full> {
    log.stage(ShardSlot(3), &batch(data), 1, &stamp(base), sync)
}

/// Commits what is staged, with all files free; starts files as needed.
fn commit(log: &mut CoreLog) -> (CommitWrite, Vec<StagedBatch>) {
    let mut batches = Vec::new();
    loop {
        match log.begin_commit(|| None) {
            Ok(write) => {
                log.complete_commit(&mut batches);
                return (write, batches);
            }
            Err(NoCommit::NextFile) => {
                log.begin_file(&[]);
                log.complete_commit(&mut batches);
                assert!(batches.is_empty(), "a checkpoint carries no batches");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn header(write: &CommitWrite) -> CommitHeader {
    CommitHeader::decode(write.buffer.first_chunk().unwrap()).unwrap()
}

fn next(log: &mut CoreLog, oldest: Option<u64>) -> NoCommit {
    log.begin_commit(|| oldest).unwrap_err()
}

#[test]
fn a_file_starts_with_a_checkpoint_and_batches_follow_it() {
    let mut log = log(16, 0);
    assert_eq!(next(&mut log, None), NoCommit::Idle, "nothing is staged");
    stage(&mut log, 0, 10, true).unwrap();
    assert_eq!(next(&mut log, None), NoCommit::NextFile);
    let entry = CheckpointEntry { shard: SHARD, segment_seq: Seq(0) };
    let first = log.begin_file(&[entry]);
    assert_eq!(first.place, Place { file: 0, offset: 0 });
    assert!(first.sync && !first.carries_batches);
    assert_eq!(header(&first).kind, CommitKind::Checkpoint);
    assert_eq!(next(&mut log, None), NoCommit::Idle, "one write in flight");
    let mut batches = Vec::new();
    log.complete_commit(&mut batches);
    assert!(batches.is_empty() && !log.is_idle());
    let second = log.begin_commit(|| None).unwrap();
    assert_eq!(second.place, Place { file: 0, offset: BLOCK as u64 });
    assert_eq!(header(&second).previous_crc, header(&first).crc());
    assert!(second.carries_batches && second.sync);
}

#[test]
fn what_arrives_during_a_write_is_the_next_commit() {
    let mut log = log(64, usize::MAX);
    stage(&mut log, 0, 10, true).unwrap();
    commit(&mut log);
    stage(&mut log, 1, 10, true).unwrap();
    stage(&mut log, 2, 10, true).unwrap();
    let write = log.begin_commit(|| None).unwrap();
    stage(&mut log, 3, 10, true).unwrap();
    assert_eq!(next(&mut log, None), NoCommit::Idle);
    let mut batches = Vec::new();
    log.complete_commit(&mut batches);
    let bases = |batches: &[StagedBatch]| batches.iter().map(|b| b.base.0).collect::<Vec<_>>();
    assert_eq!((bases(&batches), header(&write).count), (vec![1, 2], 2));
    let (write, batches) = commit(&mut log);
    assert_eq!((bases(&batches), header(&write).commit), (vec![3], 4));
    assert!(log.is_idle());
}

#[test]
fn batches_are_stamped_in_the_commit_and_its_crc_covers_them() {
    let mut log = log(64, usize::MAX);
    stage(&mut log, 40, 100, true).unwrap();
    stage(&mut log, 41, 3000, true).unwrap();
    let (write, batches) = commit(&mut log);
    let mut crc = 0;
    let mut at = COMMIT_HEADER_BYTES;
    for (base, staged) in (40..).zip(&batches) {
        assert_eq!(staged.offset as usize, at, "batches lie one behind the other");
        let bytes = &write.buffer[at..at + staged.bytes as usize];
        let view = BatchView::check_stamped(bytes).unwrap();
        assert_eq!((view.header().stamp, staged.slot), (stamp(base), ShardSlot(3)));
        crc = payload_crc_of_batch(crc, crate::record::header_crc(bytes));
        at += staged.bytes as usize;
    }
    let header = header(&write);
    assert_eq!((header.payload_crc, header.count), (crc, 2));
    assert_eq!(header.payload_bytes as usize, at - COMMIT_HEADER_BYTES);
    assert_eq!(write.buffer.len(), header.write_bytes());
    assert!(write.buffer[at..].iter().all(|byte| *byte == 0), "padding is zero");
}

#[test]
fn commits_of_any_size_have_a_buffer_of_their_own_size_with_clean_padding() {
    let mut log = log(4096, usize::MAX);
    // Each leaves its bytes in the staging buffer, or a fresh one behind.
    for (base, data) in [400_000, 10, 200_000, 10, 4000, 900_000, 10].into_iter().enumerate() {
        stage(&mut log, base as u64, data, true).unwrap();
        let (write, batches) = commit(&mut log);
        let end = (batches[0].offset + batches[0].bytes) as usize;
        assert_eq!(write.buffer.len(), end.next_multiple_of(BLOCK), "of {data} bytes");
        assert!(write.buffer[end..].iter().all(|byte| *byte == 0), "padding behind {data} bytes");
        BatchView::check_stamped(&write.buffer[COMMIT_HEADER_BYTES..end]).unwrap();
    }
}

#[test]
fn room_ends_with_the_commit_s_size_and_a_refused_batch_changes_nothing() {
    let mut log = log(4096, usize::MAX);
    let one = batch(100_000).len();
    let fitting = (COMMIT_BYTES_MAX - COMMIT_HEADER_BYTES) / one;
    for base in 0..fitting {
        assert!(log.has_room(one), "batch {base}");
        stage(&mut log, base as u64, 100_000, true).unwrap();
    }
    assert!(!log.has_room(one));
    assert_eq!(stage(&mut log, 77, 100_000, true), Err(Full));
    let left = COMMIT_BYTES_MAX - COMMIT_HEADER_BYTES - fitting * one;
    assert!(log.has_room(left) && !log.has_room(left + 1), "room is exact");
    let (write, batches) = commit(&mut log);
    assert_eq!((batches.len(), header(&write).count as usize), (fitting, fitting));
    assert!(log.has_room(one), "the next commit is empty");
}

#[test]
fn a_batch_larger_than_a_commit_goes_alone() {
    let mut log = log(4096, usize::MAX);
    let large = 3 * COMMIT_BYTES_MAX;
    stage(&mut log, 0, 10, true).unwrap();
    assert!(!log.has_room(large), "not behind another");
    assert_eq!(stage(&mut log, 1, large, true), Err(Full));
    commit(&mut log);
    assert!(log.has_room(large));
    stage(&mut log, 1, large, true).unwrap();
    assert!(!log.has_room(1), "nothing behind it");
    let (write, batches) = commit(&mut log);
    let end = (batches[0].offset + batches[0].bytes) as usize;
    BatchView::check_stamped(&write.buffer[COMMIT_HEADER_BYTES..end]).unwrap();
    stage(&mut log, 2, 10, true).unwrap();
    let (write, _) = commit(&mut log);
    assert_eq!(write.buffer.len(), BLOCK, "the large buffer does not stay");
}

#[test]
fn one_batch_that_needs_a_sync_makes_its_commit_need_one_and_not_the_next() {
    let mut log = log(64, usize::MAX);
    let mut syncs = Vec::new();
    for commit_of in [&[false, true, false][..], &[false], &[true]] {
        for (base, sync) in commit_of.iter().enumerate() {
            stage(&mut log, base as u64, 10, *sync).unwrap();
        }
        syncs.push(commit(&mut log).0.sync);
    }
    assert_eq!(syncs, [true, false, true]);
}

#[test]
fn a_full_ring_waits_until_segments_have_its_oldest_file() {
    // A file has room for its checkpoint and one commit.
    let mut log = log(2, usize::MAX);
    for generation in 1..=4 {
        stage(&mut log, generation, 10, true).unwrap();
        assert_eq!(next(&mut log, Some(1)), NoCommit::NextFile, "generation {generation}");
        commit(&mut log);
        assert_eq!(log.generation(), generation);
    }
    assert_eq!((log.files_in_use(Some(1)), log.files_in_use(Some(4))), (4, 1));
    stage(&mut log, 5, 10, true).unwrap();
    assert_eq!(next(&mut log, Some(1)), NoCommit::RingFull);
    assert_eq!(next(&mut log, Some(2)), NoCommit::NextFile);
    let (write, _) = commit(&mut log);
    assert_eq!(write.place, Place { file: 0, offset: BLOCK as u64 }, "the first file again");
}

#[test]
fn memory_is_freed_from_the_oldest_commit_on_and_only_as_far_as_allowed() {
    let mut log = log(4096, 3 * BLOCK);
    for commit_of in [2, 1, 1, 1, 1, 1u64] {
        for base in 0..commit_of {
            stage(&mut log, base, 10, true).unwrap();
        }
        commit(&mut log);
    }
    assert_eq!(log.resident_bytes(), 6 * BLOCK);
    log.trim_memory(|_| false);
    assert_eq!(log.resident_bytes(), 6 * BLOCK, "segments lack the oldest");
    let mut seen = Vec::new();
    log.trim_memory(|batches| {
        seen.push(batches.copied().collect::<Vec<_>>());
        seen.len() < 3
    });
    let of = |end: u64| (ShardSlot(3), Seq(end));
    assert_eq!(seen, [vec![of(1), of(2)], vec![of(1)], vec![of(1)]]);
    assert_eq!(log.resident_bytes(), 4 * BLOCK, "the third was not given up");
    log.trim_memory(|_| true);
    assert_eq!(log.resident_bytes(), 3 * BLOCK, "the budget stays full");
    log.trim_memory(|_| panic!("within the budget nothing goes"));
}

#[test]
fn a_failed_log_writes_nothing_more_and_keeps_its_first_reason() {
    let mut log = log(64, usize::MAX);
    stage(&mut log, 0, 10, true).unwrap();
    log.fail("the disk is gone".to_owned());
    log.fail("and the rest with it".to_owned());
    assert_eq!(log.failure(), Some("the disk is gone"));
    assert_eq!(next(&mut log, None), NoCommit::Idle);
}

#[test]
#[should_panic(expected = "a failed log stages nothing")]
fn a_failed_log_stages_nothing() {
    let mut log = log(64, usize::MAX);
    log.fail("the disk is gone".to_owned());
    let _ = stage(&mut log, 0, 10, true);
}

#[test]
fn the_final_checkpoint_goes_behind_the_last_commit_if_there_is_room() {
    let entry = CheckpointEntry { shard: SHARD, segment_seq: Seq(1) };
    let mut unused = log(3, usize::MAX);
    assert!(unused.begin_final_checkpoint(&[entry]).is_none(), "no file was started");
    let mut log = log(3, usize::MAX);
    stage(&mut log, 0, 10, true).unwrap();
    let (last, _) = commit(&mut log);
    let checkpoint = log.begin_final_checkpoint(&[entry]).unwrap();
    assert_eq!(checkpoint.place.offset, 2 * BLOCK as u64);
    assert_eq!(header(&checkpoint).previous_crc, header(&last).crc());
    log.complete_commit(&mut Vec::new());
    assert!(log.begin_final_checkpoint(&[entry]).is_none(), "the file is full");
}
