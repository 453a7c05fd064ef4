//! Bytes that no honest peer sends.

use proptest::prelude::*;

use super::*;
use crate::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use crate::base::limits::{FRAME_HEADER_BYTES, PUT_RECORDS_MAX};
use crate::base::stream::Position;
use crate::record::{HashKey, HashRange};
use crate::wire::frame::{FrameError, FrameHeader, write_frame, write_frame_with_body};
use crate::wire::put::PutRun;

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_and_what_it_takes_has_one_encoding(
        opcode in prop::sample::select(Opcode::ALL.to_vec()),
        // Mostly small numbers, so that lengths and counts are met.
        payload in prop::collection::vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..250),
    ) {
        if let Some(again) = recode(opcode, &payload) {
            prop_assert_eq!(again, payload);
        }
    }

    #[test]
    fn no_header_makes_its_decoder_panic(mut bytes in any::<[u8; FRAME_HEADER_BYTES]>()) {
        prop_assert_eq!(FrameHeader::decode(&bytes), Err(FrameError::Crc));
        let crc = crate::base::crc::crc32(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_le_bytes());
        if let Ok(header) = FrameHeader::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_header_is_noticed(
        opcode in prop::sample::select(Opcode::ALL.to_vec()),
        payload_bytes in 0..1024u32,
        correlation in any::<u64>(),
    ) {
        let header = FrameHeader { opcode, payload_bytes, correlation };
        let mut bytes = header.encode();
        prop_assert_eq!(FrameHeader::decode(&bytes), Ok(header));
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(FrameHeader::decode(&bytes), Err(FrameError::Crc), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// A header whose CRC is right, whatever else is wrong.
fn sealed(change: impl FnOnce(&mut [u8; FRAME_HEADER_BYTES])) -> [u8; FRAME_HEADER_BYTES] {
    let mut bytes = FrameHeader { opcode: Opcode::Ping, payload_bytes: 0, correlation: 1 }.encode();
    change(&mut bytes);
    let crc = crate::base::crc::crc32(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn a_header_is_refused_for_the_reason_that_applies() {
    let unknown = sealed(|bytes| bytes[4] = 0x77);
    assert_eq!(FrameHeader::decode(&unknown), Err(FrameError::Opcode(0x77)));
    for reserved in [6, 7, 16, 17, 18, 19] {
        let flagged = sealed(|bytes| bytes[reserved] = 1);
        assert_eq!(FrameHeader::decode(&flagged), Err(FrameError::Reserved));
    }
    for opcode in Opcode::ALL {
        let max = opcode.payload_max() as u32;
        let header = |payload_bytes| FrameHeader { opcode, payload_bytes, correlation: 0 };
        assert!(FrameHeader::decode(&header(max).encode()).is_ok());
        assert_eq!(
            FrameHeader::decode(&header(max + 1).encode()),
            Err(FrameError::Oversized { opcode, found: max + 1, max: max as usize })
        );
    }
}

#[test]
fn frames_follow_each_other_in_one_buffer() {
    let mut out = vec![0xEE];
    write_frame(&mut out, Opcode::Ping, 5, |w| {
        w.bytes(b"abc");
    });
    write_frame_with_body(&mut out, Opcode::Put, 6, 100, |w| {
        w.bytes(&[0; 32]);
    });
    let header = |at: usize| FrameHeader::decode(out[at..at + 24].try_into().unwrap()).unwrap();
    let ping = FrameHeader { opcode: Opcode::Ping, payload_bytes: 3, correlation: 5 };
    assert_eq!((header(1), &out[25..28]), (ping, &b"abc"[..]));
    let put = FrameHeader { opcode: Opcode::Put, payload_bytes: 132, correlation: 6 };
    assert_eq!((header(28), out.len()), (put, 28 + 24 + 32));
}

#[test]
fn values_that_do_not_exist_are_refused() {
    let refused = |opcode, payload: &[u8]| recode(opcode, payload).is_none();
    let delete = DeleteStream { name: "a", with_consumers: true };
    let mut position = encode(|w| {
        let position = Position::AfterSequence(Seq::MAX);
        let (stream, shard) = (StreamUuid([0; 16]), ShardNumber(0));
        GetIterator { stream, shard, position }.write(w);
    });
    assert!(!refused(Opcode::GetIterator, &position));
    position[28] = 0x80;
    assert!(refused(Opcode::GetIterator, &position), "a sequence above 2^63");
    position[20] = 5;
    assert!(refused(Opcode::GetIterator, &position), "a position of kind 5");
    position[20..].copy_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(refused(Opcode::GetIterator, &position), "latest has no value");
    assert!(refused(Opcode::DeleteStream, &[2, 0, 0xC3, 0x28, 0]), "text that is not UTF-8");
    assert!(!refused(Opcode::DeleteStream, &encode(|w| delete.write(w))));
    assert!(refused(Opcode::DeleteStreamAnswer, &[0]));
    assert!(refused(Opcode::Error, &[12, 0, 0, 0, 0]), "an unknown error code");
    assert!(refused(Opcode::Error, &[1, 0, 2, 0, 0]), "a flag that is 2");
    let many = encode(|w| {
        w.bytes(&[0; 16]).u64(1).u32(SHARDS_PER_FRAME_MAX as u32 + 1);
        w.bytes(&vec![0; 72 * (SHARDS_PER_FRAME_MAX + 1)]);
    });
    assert!(refused(Opcode::ShardMapAnswer, &many));
}

#[test]
fn fields_that_say_nothing_must_be_zero() {
    let refused = |opcode, payload: &[u8]| recode(opcode, payload).is_none();
    let ended = |opcode, payload: &mut Vec<u8>, from_the_end| {
        assert!(!refused(opcode, payload));
        let at = payload.len() - from_the_end;
        payload[at] = 1;
        assert!(refused(opcode, payload), "{opcode:?}, {from_the_end} from the end");
    };
    let shard = ShardDescription {
        number: ShardNumber(0),
        home: CoreId(0),
        range: HashRange { start: HashKey(0), end: HashKey(0) },
        parent: None,
        adjacent_parent: None,
        created: Millis(0),
        closed: None,
    };
    let list = ShardList { more: false, shards: vec![shard] };
    for closed_field in [16, 8] {
        let mut list = encode(|w| list.write(w));
        ended(Opcode::ListShardsAnswer, &mut list, closed_field);
    }
    let middle = Reshard::Split { shard: ShardNumber(0), at: None };
    let mut middle = encode(|w| ReshardStream { name: "a", reshard: middle }.write(w));
    ended(Opcode::ReshardStream, &mut middle, 16);
    let filter = ShardFilter::AtLatest;
    let mut list = encode(|w| ListShards { name: "a", filter, after: None, limit: 1 }.write(w));
    ended(Opcode::ListShards, &mut list, 16);
    let mut account = encode(|w| account_with(Commitment::Disabled).write(w));
    ended(Opcode::DescribeAccountAnswer, &mut account, 8);
    let mut account = encode(|w| account_with(Commitment::Enabled { since: Millis(5) }).write(w));
    ended(Opcode::DescribeAccountAnswer, &mut account, 8);
}

fn account_with(commitment: Commitment) -> AccountDescription {
    AccountDescription {
        account: String::new(),
        region: String::new(),
        shards_max: 0,
        open_shards: 0,
        on_demand_max: 0,
        on_demand: 0,
        commitment,
    }
}

#[test]
fn choices_that_do_not_exist_are_refused() {
    // Behind the name "a": the byte that chooses, and what could follow.
    let choice = |opcode, chosen: u8| {
        let bytes = [&[1, 0, b'a', chosen][..], &[0; 40]].concat();
        (0..bytes.len()).find_map(|end| recode(opcode, &bytes[..4 + end.min(40)]))
    };
    for (opcode, highest) in
        [(Opcode::AlterStream, 11), (Opcode::ReshardStream, 2), (Opcode::ListShards, 5)]
    {
        assert!((0..=highest).all(|chosen| choice(opcode, chosen).is_some()), "{opcode:?}");
        assert_eq!(choice(opcode, highest + 1), None, "{opcode:?}");
    }
    let alter = |behind: &[u8]| recode(Opcode::AlterStream, &[&[1, 0, b'a'], behind].concat());
    assert!(alter(&[0, 24, 0, 0, 0, 2]).is_some());
    assert!(alter(&[0, 24, 0, 0, 0, 3]).is_none(), "a direction");
    assert!(alter(&[3, 2, 0, 0, 0, 0]).is_none(), "a mode");
    assert!(alter(&[5, 2]).is_none(), "a distribution");
    assert!(alter(&[6, 0x7f]).is_some());
    assert!(alter(&[6, 0x80]).is_none(), "a metric");
    assert!(alter(&[8, 1, 1]).is_none(), "257 tags");
    let mut filter = encode(|w| {
        let filter = ShardFilter::AfterShard(ShardNumber(7));
        ListShards { name: "a", filter, after: None, limit: 1 }.write(w);
    });
    filter[8] = 1;
    assert!(recode(Opcode::ListShards, &filter).is_none(), "a number above 32 bits");
}

#[test]
fn a_put_answer_whose_runs_and_records_disagree_is_refused() {
    let run =
        |count| PutRun { shard: ShardNumber(0), count, outcome: Ok(Seq(0)), arrival: Millis(0) };
    let decoded = |runs: &[PutRun], run_of: &[u16]| {
        // Not by `write_put_answer`, which asserts in debug builds.
        let bytes = encode(|w| {
            w.u16(runs.len() as u16).u16(run_of.len() as u16);
            for run in runs {
                w.u32(run.shard.0).u32(run.count).u64(0).u64(0).u16(0).u16(0);
            }
            for run in run_of {
                w.u16(*run);
            }
            w.text("");
        });
        PutAnswer::decode(&bytes).map(|_| ())
    };
    assert_eq!(decoded(&[run(3)], &[]), Ok(()));
    assert_eq!(decoded(&[run(1), run(2)], &[1, 0, 1]), Ok(()));
    for (runs, run_of) in [
        (vec![], vec![]),
        (vec![run(1), run(1)], vec![]),
        (vec![run(1), run(1)], vec![1, 1]),
        (vec![run(1)], vec![0]),
    ] {
        let refused = Err(DecodeError::Value("records"));
        assert_eq!(decoded(&runs, &run_of), refused, "{runs:?} {run_of:?}");
    }
    assert_eq!(decoded(&[run(1)], &[1]), Err(DecodeError::Value("run of record")));
    let many = vec![run(1); PUT_RECORDS_MAX + 1];
    assert_eq!(decoded(&many, &[]), Err(DecodeError::Value("runs")));
}

#[test]
fn the_highest_version_that_both_know_is_spoken() {
    let negotiate = |version_min, version_max| {
        let wanted_core = CoreId(0);
        Hello { version_min, version_max, features: 0, wanted_core, client: "" }.negotiate()
    };
    assert_eq!(negotiate(1, 1), Some(1));
    assert_eq!(negotiate(0, 9), Some(1));
    assert_eq!(negotiate(2, 9), None, "the client is too new");
    assert_eq!(negotiate(0, 0), None, "the client is too old");
    assert_eq!(negotiate(2, 1), None, "no version is in an empty range");
}

#[test]
fn text_that_is_too_long_is_cut_between_characters() {
    let text = "x".to_owned() + &"é".repeat(40_000);
    let bytes = encode(|w| {
        w.text(&text);
    });
    let back = Reader::new(&bytes).text("text").unwrap();
    assert_eq!(back.len(), 65_535);
    assert!(text.starts_with(back));
    let bytes = encode(|w| {
        w.text(&text[1..]);
    });
    assert_eq!(Reader::new(&bytes).text("text").unwrap().len(), 65_534);
}

#[test]
fn a_page_of_counts_starts_behind_its_shard_and_ends_at_its_bound() {
    let counts = |number| ShardStats { number: ShardNumber(number), ..ShardStats::default() };
    let last = SHARDS_PER_PAGE_MAX as u32 + 5;
    let all: Vec<_> = (0..=last).rev().map(counts).collect();
    let page = ShardCounts::page(all.clone(), None);
    assert_eq!((page.shards.len(), page.more), (SHARDS_PER_PAGE_MAX, true));
    assert_eq!(page.shards[0], counts(0));
    let rest = ShardCounts::page(all.clone(), page.shards.last().map(|shard| shard.number));
    let expected = (SHARDS_PER_PAGE_MAX as u32..=last).map(counts).collect();
    assert_eq!(rest, ShardCounts { more: false, shards: expected });
    assert_eq!(ShardCounts::page(all, Some(ShardNumber(last))), ShardCounts::default());
}
