use proptest::prelude::*;

use super::*;
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::limits::BATCH_HEADER_BYTES;

fn batch_of(records: &[(&str, Option<u128>, &[u8])]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (key, hash, data) in records {
        builder.push(key, hash.map(HashKey), data).unwrap();
    }
    builder.finish().to_vec()
}

fn stamp() -> Stamp {
    Stamp {
        shard: ShardKey { stream: StreamUuid([9; 16]), number: ShardNumber(3) },
        term: Term(5),
        base: Seq(1000),
        arrival: Millis(1_700_000_000_123),
    }
}

#[test]
fn records_come_back_as_they_were_put_with_dense_sequences() {
    let mut bytes = batch_of(&[("a", None, b"one"), ("bé", Some(42), b""), ("c", None, b"three")]);
    stamp_in_place(&mut bytes, &stamp());
    let view = BatchView::check_stamped(&bytes).unwrap();
    let records: Vec<_> = view.records().collect();
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].partition_key, "bé");
    assert_eq!(records[1].explicit_hash_key, Some(HashKey(42)));
    assert_eq!(records[2].data, b"three");
    assert_eq!(records.iter().map(|r| r.seq.0).collect::<Vec<_>>(), [1000, 1001, 1002]);
    assert_eq!(view.header().stamp, stamp());
    assert_eq!(view.quota_bytes(), 3 + 1 + 3 + 1 + 5);
}

#[test]
fn every_flipped_bit_of_a_stamped_batch_is_noticed() {
    let mut bytes = batch_of(&[("key", Some(7), b"some data")]);
    stamp_in_place(&mut bytes, &stamp());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(BatchView::check_stamped(&bytes).is_err(), "bit {bit} went unnoticed");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(BatchView::check_stamped(&bytes).is_ok());
}

#[test]
fn a_client_cannot_choose_what_the_server_stamps() {
    let mut bytes = batch_of(&[("key", None, b"x")]);
    bytes[40..124].fill(0xEE);
    stamp_in_place(&mut bytes, &stamp());
    let view = BatchView::check_stamped(&bytes).unwrap();
    assert_eq!(view.header().stamp, stamp());
    assert!(bytes[88..124].iter().all(|&b| b == 0));
}

#[test]
fn unknown_required_flags_refuse_the_batch() {
    let mut bytes = batch_of(&[("key", None, b"x")]);
    bytes[6] = 0x40;
    assert_eq!(
        BatchView::check_client(&bytes).unwrap_err(),
        InvalidBatch::Header(HeaderError::Flags(0x40))
    );
}

#[test]
fn keys_are_counted_in_characters_not_bytes() {
    let mut builder = BatchBuilder::new();
    assert_eq!(builder.push(&"ü".repeat(256), None, b""), Ok(()));
    assert_eq!(builder.push(&"ü".repeat(257), None, b""), Err(TooLarge::Key));
    assert_eq!(builder.push("", None, b""), Err(TooLarge::Key));
    assert!(BatchView::check_client(builder.finish()).is_ok());
}

#[test]
fn a_batch_names_its_first_record_without_a_key() {
    let mut builder = BatchBuilder::new();
    builder.push("k", None, b"1").unwrap();
    builder.push_keyless(b"2").unwrap();
    builder.push_keyless(b"3").unwrap();
    let view = BatchView::check_client(builder.finish()).unwrap();
    assert_eq!(view.keyless(), Some(1));
    assert_eq!(view.records().map(|r| r.partition_key).collect::<Vec<_>>(), ["k", "", ""]);
    let with_keys = batch_of(&[("k", None, b"1")]);
    assert_eq!(BatchView::check_client(&with_keys).unwrap().keyless(), None);
}

#[test]
fn a_batch_is_full_at_500_records_or_10_mib() {
    let mut builder = BatchBuilder::new();
    for _ in 0..500 {
        builder.push("k", None, b"d").unwrap();
    }
    assert_eq!(builder.push("k", None, b"d"), Err(TooLarge::BatchFull));
    builder.clear();
    builder.push("k", None, &vec![0; 10 * 1024 * 1024 - 1]).unwrap();
    assert_eq!(builder.push("k", None, b""), Err(TooLarge::BatchFull));
    assert!(BatchView::check_client(builder.finish()).is_ok());
    builder.clear();
    assert_eq!(builder.push("k", None, &vec![0; 10 * 1024 * 1024]), Err(TooLarge::Record));
}

type RawRecord = (String, Option<u128>, Vec<u8>);

fn any_record() -> impl Strategy<Value = RawRecord> {
    ("\\PC{1,40}", proptest::option::of(any::<u128>()), prop::collection::vec(any::<u8>(), 0..300))
}

proptest! {
    #[test]
    fn any_records_survive_the_round_trip(records in prop::collection::vec(any_record(), 1..60)) {
        let mut builder = BatchBuilder::new();
        for (key, hash, data) in &records {
            builder.push(key, hash.map(HashKey), data).unwrap();
        }
        let view = BatchView::check_client(builder.finish()).unwrap();
        let back: Vec<RawRecord> = view
            .records()
            .map(|r| (r.partition_key.into(), r.explicit_hash_key.map(|h| h.0), r.data.into()))
            .collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn no_bytes_make_the_checker_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        valid_start in any::<bool>(),
        fix_crc in any::<bool>(),
    ) {
        if valid_start && bytes.len() > BATCH_HEADER_BYTES {
            let good = batch_of(&[("k", None, b"v")]);
            bytes[..8].copy_from_slice(&good[..8]);
            let body = bytes.len() - BATCH_HEADER_BYTES;
            bytes[8..12].copy_from_slice(&3u32.to_le_bytes());
            bytes[12..16].copy_from_slice(&(body as u32).to_le_bytes());
            if fix_crc {
                let crc = crate::base::crc::crc32(&bytes[BATCH_HEADER_BYTES..]);
                bytes[16..20].copy_from_slice(&crc.to_le_bytes());
            }
        }
        if let Ok(view) = BatchView::check_client(&bytes) {
            prop_assert_eq!(view.records().count(), view.header().count as usize);
        }
    }
}
