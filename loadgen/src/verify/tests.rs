//! Each kind of damage is done to a sound run once, and must be named.

use shardway::base::ids::{Millis, ShardNumber, StreamUuid, Term};
use shardway::record::{BatchBuilder, Stamp, stamp_in_place};

use super::*;
use crate::workload::Workload;

const SHARD: ShardKey = ShardKey { stream: StreamUuid([3; 16]), number: ShardNumber(5) };

fn pool(writer: u32) -> Rc<Pool> {
    let workload = Workload { record_bytes: 32, batch_records: 4, ..Workload::default() };
    Rc::new(Pool::build(writer, "k", &workload))
}

fn stored(pool: &Pool, n: u64, base: u64) -> Vec<u8> {
    let mut bytes = pool.batch(n).to_vec();
    stamp(&mut bytes, base);
    bytes
}

fn stamp(bytes: &mut [u8], base: u64) {
    let stamp = Stamp { shard: SHARD, term: Term(1), base: Seq(base), arrival: Millis(1) };
    stamp_in_place(bytes, &stamp);
}

/// Reads batches of one writer, given as (batch, base), and compares with `acked` at the end.
fn run(acked: &[(u64, u64)], read: &[(u64, u64)], refused: u64) -> Result<(), Mismatch> {
    let pool = pool(0);
    let mut ledger = Acked::new(5);
    for &(n, base) in acked {
        ledger.add(base, &pool, n)?;
    }
    let mut reader = ReadVerifier::new(SHARD, &[Rc::clone(&pool)]);
    for &(n, base) in read {
        reader.batches(&stored(&pool, n, base), 0, |_| ())?;
    }
    reader.finish(&ledger, |_| refused)
}

fn kind(result: Result<(), Mismatch>) -> Kind {
    result.expect_err("the damage is found").kind
}

#[test]
fn a_sound_run_passes() {
    let batches = [(0, 0), (1, 4), (2, 8)];
    assert_eq!(run(&batches, &batches, 0), Ok(()));
}

#[test]
fn acknowledgements_may_overtake_each_other_between_connections() {
    assert_eq!(run(&[(2, 8), (0, 0), (1, 4)], &[(0, 0), (1, 4), (2, 8)], 0), Ok(()));
}

#[test]
fn a_gap_in_the_sequences_is_found() {
    let acked = [(0, 0), (1, 4), (2, 8)];
    assert_eq!(kind(run(&acked, &[(0, 0), (2, 8)], 0)), Kind::Gap(4));
}

#[test]
fn a_missing_tail_is_found() {
    assert_eq!(kind(run(&[(0, 0), (1, 4)], &[(0, 0)], 0)), Kind::End(8));
}

#[test]
fn records_that_nobody_acknowledged_are_found() {
    assert_eq!(kind(run(&[(0, 0)], &[(0, 0), (1, 4)], 0)), Kind::End(4));
}

#[test]
fn a_repeated_sequence_is_found() {
    let acked = [(0, 0), (1, 4)];
    assert_eq!(kind(run(&acked, &[(0, 0), (0, 0), (1, 4)], 0)), Kind::Repeated(4));
}

#[test]
fn a_batch_stored_twice_under_new_sequences_is_found() {
    let acked = [(0, 0), (1, 4)];
    let found = kind(run(&acked, &[(0, 0), (0, 4)], 0));
    assert!(matches!(found, Kind::WriterOrder { writer: 0, .. }), "{found:?}");
}

#[test]
fn a_reorder_that_the_acknowledgements_agree_with_is_found() {
    let swapped = [(1, 0), (0, 4), (2, 8)];
    let found = kind(run(&swapped, &swapped, 0));
    assert!(matches!(found, Kind::WriterOrder { writer: 0, .. }), "{found:?}");
}

#[test]
fn a_refused_batch_is_no_reorder() {
    let without_second = [(0, 0), (2, 4), (3, 8)];
    assert_eq!(run(&without_second, &without_second, 1), Ok(()));
    let found = kind(run(&without_second, &without_second, 0));
    assert_eq!(found, Kind::WriterOrder { writer: 0, batches: 1 });
}

#[test]
fn two_writers_swapped_against_their_acknowledgements_are_found_by_the_chain() {
    let pools = [pool(0), pool(1)];
    let mut acked = Acked::new(5);
    acked.add(0, &pools[0], 0).expect("sound");
    acked.add(4, &pools[1], 0).expect("sound");
    let mut reader = ReadVerifier::new(SHARD, &pools);
    reader.batches(&stored(&pools[1], 0, 0), 0, |_| ()).expect("dense, and each is intact");
    reader.batches(&stored(&pools[0], 0, 4), 0, |_| ()).expect("dense, and each is intact");
    assert_eq!(kind(reader.finish(&acked, |_| 0)), Kind::Chain);
}

#[test]
fn a_changed_payload_is_found_by_the_batch_crc() {
    let pool = pool(0);
    let mut bytes = stored(&pool, 0, 0);
    *bytes.last_mut().expect("not empty") ^= 1;
    let mut reader = ReadVerifier::new(SHARD, &[pool]);
    assert!(matches!(kind(reader.batches(&bytes, 0, |_| ())), Kind::Batch(_)));
}

#[test]
fn a_changed_payload_under_a_valid_crc_is_found_by_its_hash() {
    let pool = pool(0);
    let view = BatchView::check_client(pool.batch(0)).expect("valid");
    let mut builder = BatchBuilder::new();
    for record in view.records() {
        let mut data = record.data.to_vec();
        data[20] ^= u8::from(record.seq == Seq(2));
        builder.push(record.partition_key, None, &data).expect("it fits");
    }
    let mut bytes = builder.finish().to_vec();
    stamp(&mut bytes, 0);
    let mut reader = ReadVerifier::new(SHARD, &[pool]);
    let found = reader.batches(&bytes, 0, |_| ()).expect_err("the damage is found");
    assert_eq!((found.seq, found.kind), (2, Kind::Payload));
}

#[test]
fn a_record_of_another_run_is_found() {
    let mut reader = ReadVerifier::new(SHARD, &[pool(0)]);
    let foreign = stored(&pool(9), 0, 0);
    assert_eq!(kind(reader.batches(&foreign, 0, |_| ())), Kind::Foreign);
}

#[test]
fn records_below_the_first_new_one_are_left_out() {
    let pool = pool(0);
    let mut reader = ReadVerifier::new(SHARD, &[Rc::clone(&pool)]);
    reader.batches(&stored(&pool, 0, 0), 0, |_| ()).expect("sound");
    let mut both = stored(&pool, 0, 0);
    both.extend(stored(&pool, 1, 4));
    let mut seen = vec![];
    reader.batches(&both, 4, |s| seen.push(s)).expect("sound");
    assert_eq!(seen, [Seen { first: 4, records: 0 }, Seen { first: 4, records: 4 }]);
}

#[test]
fn a_sequence_acknowledged_twice_is_found() {
    assert_eq!(kind(run(&[(0, 0), (1, 0)], &[], 0)), Kind::AckedTwice);
}
