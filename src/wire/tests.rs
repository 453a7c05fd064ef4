use std::fmt::Debug;

use proptest::prelude::*;

use super::account::*;
use super::alter::*;
use super::codec::*;
use super::consumers::*;
use super::error::ErrorFrame;
use super::frame::{FrameError, FrameHeader, Opcode, write_frame, write_frame_with_body};
use super::hello::{Hello, HelloAnswer};
use super::put::{Put, PutAnswer, PutRun, write_put_answer};
use super::read::{Get, GetAnswer, GetIterator};
use super::reshard::*;
use super::shards::*;
use super::streams::*;
use super::subscribe::*;
use super::tags::*;
use crate::base::error::ErrorCode;
use crate::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use crate::base::limits::{FRAME_HEADER_BYTES, PUT_RECORDS_MAX};
use crate::base::stream::{
    Durability, Position, ShardLimits, ShardMetrics, StreamOptions, StreamStatus,
};
use crate::record::{HashKey, HashRange};

// ---- What every message must satisfy ---------------------------------------------------------

fn encode(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer::new(&mut bytes));
    bytes
}

/// A message without a body: it comes back, and one cut anywhere is an error.
fn holds<'a, M: Decode<'a> + PartialEq + Debug>(message: &M, bytes: &'a [u8]) {
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
    for end in 0..bytes.len() {
        assert!(M::decode(&bytes[..end]).is_err(), "cut at {end} of {}: {message:?}", bytes.len());
    }
}

fn nothing_may_follow(bytes: &[u8], refusal: impl FnOnce(&[u8]) -> Option<DecodeError>) {
    assert_eq!(refusal(&[bytes, &[0]].concat()), Some(DecodeError::Trailing(1)));
}

/// A message that ends in batches: a cut in front of them is an error.
fn holds_with_body<'a, M: Decode<'a> + PartialEq + Debug>(
    message: &M,
    bytes: &'a [u8],
    prefix: usize,
) {
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
    for end in 0..prefix {
        assert!(M::decode(&bytes[..end]).is_err(), "cut at {end} of {prefix}: {message:?}");
    }
}

/// Decodes a payload of `opcode` and encodes what it found; `None` if it is refused.
fn recode(opcode: Opcode, payload: &[u8]) -> Option<Vec<u8>> {
    fn with<'a, M: Decode<'a>>(
        payload: &'a [u8],
        write: impl FnOnce(&M, &mut Writer<'_>),
    ) -> Option<Vec<u8>> {
        let message = M::decode(payload).ok()?;
        Some(encode(|w| write(&message, w)))
    }
    match opcode {
        Opcode::Hello => with(payload, Hello::write),
        Opcode::HelloAnswer => with(payload, HelloAnswer::write),
        Opcode::Ping | Opcode::PingAnswer => Some(payload.to_vec()),
        Opcode::CreateStream => with(payload, CreateStream::write),
        Opcode::ShardMap => with(payload, StreamName::write),
        Opcode::DeleteStream => with(payload, DeleteStream::write),
        Opcode::DescribeStream => with(payload, DescribeStream::write),
        Opcode::ListShards => with(payload, ListShards::write),
        Opcode::ListShardsAnswer => with(payload, ShardList::write),
        Opcode::ShardStats => with(payload, GetShardStats::write),
        Opcode::ShardStatsAnswer => {
            let mut r = Reader::new(payload);
            let stats = ShardStats::read_all(&mut r).ok()?;
            r.finish().ok()?;
            Some(encode(|w| ShardStats::write_all(&stats, w)))
        }
        Opcode::AlterStream => with(payload, AlterStream::write),
        Opcode::AlterStreamAnswer => with(payload, StreamSummary::write),
        Opcode::ReshardStream => with(payload, ReshardStream::write),
        Opcode::ReshardStreamAnswer => with(payload, Resharded::write),
        Opcode::RegisterConsumer => with(payload, RegisterConsumer::write),
        Opcode::RegisterConsumerAnswer | Opcode::DescribeConsumerAnswer => {
            with(payload, ConsumerDescription::write)
        }
        Opcode::DeregisterConsumer | Opcode::DescribeConsumer => with(payload, ConsumerName::write),
        Opcode::DeregisterConsumerAnswer | Opcode::TagConsumerAnswer => {
            payload.is_empty().then(Vec::new)
        }
        Opcode::ListConsumers => with(payload, ListConsumers::write),
        Opcode::ListConsumersAnswer => with(payload, ConsumerList::write),
        Opcode::TagConsumer => with(payload, TagConsumer::write),
        Opcode::ListTags => with(payload, ListTags::write),
        Opcode::ListTagsAnswer => with(payload, TagList::write),
        Opcode::DescribeAccount => payload.is_empty().then(Vec::new),
        Opcode::DescribeAccountAnswer | Opcode::UpdateAccountAnswer => {
            with(payload, AccountDescription::write)
        }
        Opcode::UpdateAccount => with(payload, UpdateAccount::write),
        Opcode::ShardEnded => with(payload, ShardEnded::write),
        Opcode::CreateStreamAnswer | Opcode::DescribeStreamAnswer => {
            with(payload, StreamDescription::write)
        }
        Opcode::DeleteStreamAnswer | Opcode::UnsubscribeAnswer => payload.is_empty().then(Vec::new),
        Opcode::ListStreams => with(payload, ListStreams::write),
        Opcode::ListStreamsAnswer => with(payload, StreamList::write),
        Opcode::ShardMapAnswer => with(payload, ShardMap::write),
        Opcode::Put => with(payload, |m: &Put<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batch);
        }),
        Opcode::PutAnswer => with(payload, |m: &PutAnswer<'_>, w| {
            write_put_answer(w, &m.runs, m.message, &m.run_of);
        }),
        Opcode::GetIterator => with(payload, GetIterator::write),
        Opcode::GetIteratorAnswer => Some(payload.to_vec()),
        Opcode::Get => with(payload, Get::write),
        Opcode::GetAnswer => with(payload, |m: &GetAnswer<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::Subscribe => with(payload, Subscribe::write),
        Opcode::SubscribeAnswer => with(payload, SubscribeAnswer::write),
        Opcode::Credit => with(payload, Credit::write),
        Opcode::Unsubscribe => with(payload, Unsubscribe::write),
        Opcode::Push => with(payload, |m: &Push<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::SubscriptionEnd => with(payload, SubscriptionEnd::write),
        Opcode::Error => with(payload, ErrorFrame::write),
    }
}

// ---- Values ----------------------------------------------------------------------------------

fn any_code() -> impl Strategy<Value = ErrorCode> {
    prop::sample::select(ErrorCode::ALL.to_vec())
}

fn any_position() -> impl Strategy<Value = Position> {
    let seq = 0..=Seq::MAX.0;
    prop_oneof![
        Just(Position::TrimHorizon),
        Just(Position::Latest),
        seq.clone().prop_map(|seq| Position::AtSequence(Seq(seq))),
        seq.prop_map(|seq| Position::AfterSequence(Seq(seq))),
        any::<u64>().prop_map(|time| Position::AtTimestamp(Millis(time))),
    ]
}

fn any_stream() -> impl Strategy<Value = StreamUuid> {
    any::<[u8; 16]>().prop_map(StreamUuid)
}

fn any_shard() -> impl Strategy<Value = ShardNumber> {
    any::<u32>().prop_map(ShardNumber)
}

fn any_options() -> impl Strategy<Value = StreamOptions> {
    (0..3u8, any::<[u64; 5]>(), any::<u32>(), any::<u32>()).prop_map(
        |(durability, limits, retention_hours, record_bytes_max)| {
            let [in_bytes, in_burst_bytes, in_records, out_bytes, reads] = limits;
            StreamOptions {
                durability: Durability::from_wire(durability).unwrap(),
                limits: ShardLimits { in_bytes, in_burst_bytes, in_records, out_bytes, reads },
                retention_hours,
                record_bytes_max,
                ..StreamOptions::default()
            }
        },
    )
}

fn any_shards() -> impl Strategy<Value = Vec<ShardDescription>> {
    let closed = prop::option::of((any::<u64>(), 0..=Seq::MAX.0));
    let shard = (any_shard(), closed, any::<u16>(), any::<u128>(), any::<u128>()).prop_map(
        |(number, closed, home, start, end)| ShardDescription {
            number,
            home: CoreId(home),
            range: HashRange { start: HashKey(start), end: HashKey(end) },
            parent: None,
            adjacent_parent: None,
            created: Millis(7),
            closed: closed.map(|(at, end)| ShardEnd { at: Millis(at), end: Seq(end) }),
        },
    );
    prop::collection::vec(shard, 0..6)
}

fn any_status() -> impl Strategy<Value = StreamStatus> {
    (0..4u8).prop_map(|n| StreamStatus::from_wire(n).unwrap())
}

fn any_description() -> impl Strategy<Value = StreamDescription> {
    (any_summary(), any_shards(), any::<bool>())
        .prop_map(|(summary, shards, more)| StreamDescription { summary, shards, more })
}

fn any_summary() -> impl Strategy<Value = StreamSummary> {
    ("\\PC{0,20}", any_stream(), any_status(), any::<u64>(), any_options(), any::<u32>()).prop_map(
        |(name, uuid, status, created, options, open_shards)| StreamSummary {
            arn: format!("arn:{name}"),
            name,
            uuid,
            status,
            created: Millis(created),
            options,
            metrics: ShardMetrics::ALL,
            open_shards,
            consumers: 3,
            map_version: 4,
        },
    )
}

/// Which run each record of a put went to, and what became of each run.
fn any_put_outcome() -> impl Strategy<Value = (Vec<PutRun>, Vec<u16>)> {
    let outcome = prop_oneof![
        (0..=Seq::MAX.0).prop_map(|seq| Ok(Seq(seq))),
        any_code().prop_map(Err::<Seq, ErrorCode>)
    ];
    let run = (any_shard(), outcome).prop_map(|(shard, outcome)| (shard, outcome));
    (prop::collection::vec(run, 1..5), prop::collection::vec(any::<u16>(), 0..20)).prop_map(
        |(runs, mut run_of)| {
            run_of.iter_mut().for_each(|run| *run %= runs.len() as u16);
            run_of.extend(0..runs.len() as u16);
            let count_of = |at| run_of.iter().filter(|&&run| usize::from(run) == at).count() as u32;
            let runs: Vec<_> = (0..)
                .zip(runs)
                .map(|(at, (shard, outcome))| PutRun { shard, count: count_of(at), outcome })
                .collect();
            let run_of = if runs.len() == 1 { Vec::new() } else { run_of };
            (runs, run_of)
        },
    )
}

// ---- Round trips and truncation --------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hello_round_trips(
        versions in any::<(u16, u16)>(), features in any::<u64>(), core in any::<u16>(),
        client in "\\PC{0,40}",
    ) {
        let (version_min, version_max) = versions;
        let wanted_core = CoreId(core);
        let message = Hello { version_min, version_max, features, wanted_core, client: &client };
        let bytes = encode(|w| message.write(w));
        holds(&message, &bytes);
        nothing_may_follow(&bytes, |longer| Hello::decode(longer).err());
    }

    #[test]
    fn hello_answer_round_trips(
        version in any::<u16>(), features in any::<u64>(), core in any::<u16>(),
        cores in any::<u16>(), server in any::<[u8; 16]>(), release in "\\PC{0,40}",
    ) {
        let core = CoreId(core);
        let message = HelloAnswer { version, features, core, cores, server, release: &release };
        holds(&message, &encode(|w| message.write(w)));
    }

    #[test]
    fn stream_requests_round_trip(
        name in "\\PC{0,40}", shards in any::<u32>(), options in any_options(),
    ) {
        let tags = vec![("k".to_owned(), name.clone())];
        let message = CreateStream { name: &name, shards, options, tags };
        holds(&message, &encode(|w| message.write(w)));
        let message = StreamName { name: &name };
        holds(&message, &encode(|w| message.write(w)));
        let message = ListStreams { after: &name, limit: shards };
        holds(&message, &encode(|w| message.write(w)));
    }

    #[test]
    fn stream_answers_round_trip(
        description in any_description(),
        streams in prop::collection::vec(any_summary(), 0..5),
        more in any::<bool>(),
    ) {
        holds(&description, &encode(|w| description.write(w)));
        let StreamDescription { summary, shards, .. } = description;
        let map = ShardMap { stream: summary.uuid, map_version: summary.map_version, shards };
        holds(&map, &encode(|w| map.write(w)));
        let list = StreamList { more, streams };
        holds(&list, &encode(|w| list.write(w)));
    }

    #[test]
    fn put_round_trips(
        stream in any_stream(), shard in any_shard(), map_version in any::<u64>(),
        batch in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let message = Put { stream, shard, map_version, batch: &batch };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        prop_assert_eq!(prefix, super::put::PUT_PREFIX_BYTES);
        bytes.extend(&batch);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn put_answer_round_trips((runs, run_of) in any_put_outcome(), text in "\\PC{0,40}") {
        let bytes = encode(|w| write_put_answer(w, &runs, &text, &run_of));
        holds(&PutAnswer { runs, message: &text, run_of }, &bytes);
    }

    #[test]
    fn get_iterator_round_trips(
        stream in any_stream(), shard in any_shard(), position in any_position(),
    ) {
        let message = GetIterator { stream, shard, position };
        holds(&message, &encode(|w| message.write(w)));
    }

    #[test]
    fn get_round_trips(
        iterator in prop::collection::vec(any::<u8>(), 0..80), numbers in any::<[u32; 3]>(),
    ) {
        let [limit, bytes_max, wait_ms] = numbers;
        let message = Get { iterator: &iterator, limit, bytes_max, wait_ms };
        holds(&message, &encode(|w| message.write(w)));
    }

    #[test]
    fn get_answer_round_trips(
        next_iterator in prop::collection::vec(any::<u8>(), 0..80),
        numbers in any::<[u64; 3]>(),
        batches in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let [behind_ms, first, end] = numbers;
        let (first, end) = (Seq(first), Seq(end));
        let message =
            GetAnswer { next_iterator: &next_iterator, behind_ms, first, end, batches: &batches };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        bytes.extend(&batches);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn subscription_requests_round_trip(
        subscription in any::<u32>(), stream in any_stream(), shard in any_shard(),
        consumer in "\\PC{0,40}", position in any_position(), credit in any::<u64>(),
    ) {
        let consumer = consumer.as_str();
        let message = Subscribe { subscription, stream, shard, consumer, position, credit };
        holds(&message, &encode(|w| message.write(w)));
        let message = Credit { subscription, bytes: credit };
        holds(&message, &encode(|w| message.write(w)));
        let message = Unsubscribe { subscription };
        holds(&message, &encode(|w| message.write(w)));
    }

    #[test]
    fn what_a_subscription_brings_round_trips(
        subscription in any::<u32>(), numbers in any::<[u64; 2]>(), code in any_code(),
        text in "\\PC{0,40}", batches in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let [first, behind_ms] = numbers;
        let message = SubscribeAnswer { start: Seq(first) };
        holds(&message, &encode(|w| message.write(w)));
        let continue_at = Seq(first);
        let message = SubscriptionEnd { subscription, continue_at, code, message: &text };
        holds(&message, &encode(|w| message.write(w)));
        let message = Push { subscription, first: Seq(first), behind_ms, batches: &batches };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        bytes.extend(&batches);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn error_round_trips(code in any_code(), closes in any::<bool>(), message in "\\PC{0,40}") {
        let message = ErrorFrame { code, closes, message: &message };
        let bytes = encode(|w| message.write(w));
        holds(&message, &bytes);
        nothing_may_follow(&bytes, |longer| ErrorFrame::decode(longer).err());
    }
}

// ---- Hostile bytes ---------------------------------------------------------------------------

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
    let name = StreamName { name: "a" };
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
    assert!(refused(Opcode::DeleteStream, &[2, 0, 0xC3, 0x28]), "text that is not UTF-8");
    assert!(!refused(Opcode::DeleteStream, &encode(|w| name.write(w))));
    assert!(refused(Opcode::DeleteStreamAnswer, &[0]));
    assert!(refused(Opcode::Error, &[12, 0, 0, 0, 0]), "an unknown error code");
    assert!(refused(Opcode::Error, &[1, 0, 2, 0, 0]), "a flag that is 2");
    let many = encode(|w| {
        w.bytes(&[0; 16]).u64(1).u32(20_001);
    });
    assert!(refused(Opcode::ShardMapAnswer, &many));
}

#[test]
fn a_put_answer_whose_runs_and_records_disagree_is_refused() {
    let run = |count| PutRun { shard: ShardNumber(0), count, outcome: Ok(Seq(0)) };
    let decoded = |runs: &[PutRun], run_of: &[u16]| {
        // Not by `write_put_answer`, which asserts in debug builds.
        let bytes = encode(|w| {
            w.u16(runs.len() as u16).u16(run_of.len() as u16);
            for run in runs {
                w.u32(run.shard.0).u32(run.count).u64(0).u16(0).u16(0);
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
