//! The bytes of every message, pinned. They were written down from `PROTOCOL.md` by another
//! program, so that the document, the encoder and the decoder are held against each other. A change
//! here is a new protocol version.

use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use shardway::base::stream::{Durability, Position, ShardLimits, StreamOptions, StreamStatus};
use shardway::record::{HashKey, HashRange};
use shardway::wire::error::ErrorFrame;
use shardway::wire::frame::write_frame;
use shardway::wire::hello::{Hello, HelloAnswer};
use shardway::wire::put::{Put, PutAnswer, PutRun, write_put_answer};
use shardway::wire::read::{Get, GetAnswer, GetIterator};
use shardway::wire::streams::{
    CreateStream, ListStreams, ShardDescription, ShardMap, StreamDescription, StreamList,
    StreamName, StreamSummary,
};
use shardway::wire::subscribe::{
    Credit, Push, Subscribe, SubscribeAnswer, SubscriptionEnd, Unsubscribe,
};
use shardway::wire::{Decode, FrameHeader, Opcode, Writer};

const CORRELATION: u64 = 0x1122_3344_5566_7788;
const CREATED: Millis = Millis(1_700_000_000_123);
const STREAM: StreamUuid = StreamUuid([
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF,
]);
const SHARD: ShardNumber = ShardNumber(7);
const FEATURES: u64 = 0x8000_0000_0000_0001;
const OPTIONS: StreamOptions = StreamOptions {
    durability: Durability::Written,
    limits: ShardLimits {
        in_bytes: 0x10,
        in_burst_bytes: 0x20,
        in_records: 0x30,
        out_bytes: 0x40,
        reads: 0x50,
    },
    retention_hours: 48,
    record_bytes_max: 2 * 1024 * 1024,
};
const HELLO: Hello<'_> = Hello {
    version_min: 1,
    version_max: 2,
    features: FEATURES,
    wanted_core: CoreId(3),
    client: "cli/1",
};
const CREATE: CreateStream<'_> = CreateStream { name: "orders", shards: 4, options: OPTIONS };
const NAME: StreamName<'_> = StreamName { name: "orders" };
const LIST: ListStreams<'_> = ListStreams { after: "or", limit: 100 };
const PUT: Put<'_> = Put { stream: STREAM, shard: SHARD, map_version: 3, batch: b"batch" };
const GET_ITERATOR: GetIterator =
    GetIterator { stream: STREAM, shard: SHARD, position: Position::AfterSequence(Seq(42)) };
const GET: Get<'_> = Get { iterator: b"iterator", limit: 500, bytes_max: 65_536, wait_ms: 1000 };
const SUBSCRIBE: Subscribe<'_> = Subscribe {
    subscription: 9,
    stream: STREAM,
    shard: SHARD,
    consumer: "app",
    position: Position::AtTimestamp(CREATED),
    credit: 1 << 20,
};
const CREDIT: Credit = Credit { subscription: 9, bytes: 65_536 };
const UNSUBSCRIBE: Unsubscribe = Unsubscribe { subscription: 9 };
const PUSH: Push<'_> = Push { subscription: 9, first: Seq(43), behind_ms: 5, batches: b"batches" };
const END: SubscriptionEnd<'_> = SubscriptionEnd {
    subscription: 9,
    continue_at: Seq(44),
    code: ErrorCode::ShuttingDown,
    message: "bye",
};
const ERROR: ErrorFrame<'_> = ErrorFrame { code: ErrorCode::Protocol, closes: true, message: "no" };
const HELLO_ANSWER: HelloAnswer<'_> = HelloAnswer {
    version: 1,
    features: FEATURES,
    core: CoreId(3),
    cores: 4,
    server: [
        0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE,
        0xCF,
    ],
    release: "0.1.0",
};
const GET_ANSWER: GetAnswer<'_> = GetAnswer {
    next_iterator: b"next",
    behind_ms: 5,
    first: Seq(42),
    end: Seq(44),
    batches: b"batches",
};
const SUBSCRIBE_ANSWER: SubscribeAnswer = SubscribeAnswer { start: Seq(43) };

fn shards() -> Vec<ShardDescription> {
    let middle = 1 << 127;
    let range = |start, end| HashRange { start: HashKey(start), end: HashKey(end) };
    let shard = |number, open, home, range| ShardDescription {
        number: ShardNumber(number),
        open,
        home: CoreId(home),
        range,
    };
    vec![shard(0, false, 1, range(0, middle - 1)), shard(1, true, 0, range(middle, u128::MAX))]
}

fn description() -> StreamDescription {
    StreamDescription {
        name: "orders".into(),
        uuid: STREAM,
        status: StreamStatus::Active,
        created: CREATED,
        options: OPTIONS,
        map_version: 3,
        shards: shards(),
    }
}

fn list() -> StreamList {
    let orders = StreamSummary {
        name: "orders".into(),
        uuid: STREAM,
        status: StreamStatus::Deleting,
        created: CREATED,
        options: OPTIONS,
        open_shards: 4,
    };
    StreamList { more: true, streams: vec![orders] }
}

fn map() -> ShardMap {
    ShardMap { stream: STREAM, map_version: 3, shards: shards() }
}

fn put_answer() -> PutAnswer<'static> {
    let stored = PutRun { shard: ShardNumber(7), count: 2, outcome: Ok(Seq(42)) };
    let refused = PutRun {
        shard: ShardNumber(8),
        count: 1,
        outcome: Err(ErrorCode::ProvisionedThroughputExceeded),
    };
    PutAnswer { runs: vec![stored, refused], message: "slow", run_of: vec![0, 1, 0] }
}

/// Writes the message of `opcode` that is pinned below.
fn write(opcode: Opcode, w: &mut Writer<'_>) {
    match opcode {
        Opcode::Hello => HELLO.write(w),
        Opcode::CreateStream => CREATE.write(w),
        Opcode::DeleteStream | Opcode::DescribeStream | Opcode::ShardMap => NAME.write(w),
        Opcode::ListStreams => LIST.write(w),
        Opcode::Put => {
            PUT.write_prefix(w);
            w.bytes(PUT.batch);
        }
        Opcode::GetIterator => GET_ITERATOR.write(w),
        Opcode::Get => GET.write(w),
        Opcode::Subscribe => SUBSCRIBE.write(w),
        Opcode::Credit => CREDIT.write(w),
        Opcode::Unsubscribe => UNSUBSCRIBE.write(w),
        Opcode::Push => {
            PUSH.write_prefix(w);
            w.bytes(PUSH.batches);
        }
        Opcode::SubscriptionEnd => END.write(w),
        Opcode::Error => ERROR.write(w),
        Opcode::HelloAnswer => HELLO_ANSWER.write(w),
        Opcode::Ping | Opcode::PingAnswer => {
            w.bytes(b"ping");
        }
        Opcode::CreateStreamAnswer | Opcode::DescribeStreamAnswer => description().write(w),
        Opcode::DeleteStreamAnswer | Opcode::UnsubscribeAnswer => {}
        Opcode::ListStreamsAnswer => list().write(w),
        Opcode::ShardMapAnswer => map().write(w),
        Opcode::PutAnswer => {
            let answer = put_answer();
            write_put_answer(w, &answer.runs, answer.message, &answer.run_of);
        }
        Opcode::GetIteratorAnswer => {
            w.bytes(b"iterator");
        }
        Opcode::GetAnswer => {
            GET_ANSWER.write_prefix(w);
            w.bytes(GET_ANSWER.batches);
        }
        Opcode::SubscribeAnswer => SUBSCRIBE_ANSWER.write(w),
    }
}

/// Holds the payload of `opcode` that is pinned below against the message.
fn assert_reads(opcode: Opcode, payload: &[u8]) {
    match opcode {
        Opcode::Hello => assert_eq!(Hello::decode(payload), Ok(HELLO)),
        Opcode::CreateStream => assert_eq!(CreateStream::decode(payload), Ok(CREATE)),
        Opcode::DeleteStream | Opcode::DescribeStream | Opcode::ShardMap => {
            assert_eq!(StreamName::decode(payload), Ok(NAME));
        }
        Opcode::ListStreams => assert_eq!(ListStreams::decode(payload), Ok(LIST)),
        Opcode::Put => assert_eq!(Put::decode(payload), Ok(PUT)),
        Opcode::GetIterator => assert_eq!(GetIterator::decode(payload), Ok(GET_ITERATOR)),
        Opcode::Get => assert_eq!(Get::decode(payload), Ok(GET)),
        Opcode::Subscribe => assert_eq!(Subscribe::decode(payload), Ok(SUBSCRIBE)),
        Opcode::Credit => assert_eq!(Credit::decode(payload), Ok(CREDIT)),
        Opcode::Unsubscribe => assert_eq!(Unsubscribe::decode(payload), Ok(UNSUBSCRIBE)),
        Opcode::Push => assert_eq!(Push::decode(payload), Ok(PUSH)),
        Opcode::SubscriptionEnd => assert_eq!(SubscriptionEnd::decode(payload), Ok(END)),
        Opcode::Error => assert_eq!(ErrorFrame::decode(payload), Ok(ERROR)),
        Opcode::HelloAnswer => assert_eq!(HelloAnswer::decode(payload), Ok(HELLO_ANSWER)),
        Opcode::Ping | Opcode::PingAnswer => assert_eq!(payload, b"ping"),
        Opcode::CreateStreamAnswer | Opcode::DescribeStreamAnswer => {
            assert_eq!(StreamDescription::decode(payload), Ok(description()));
        }
        Opcode::DeleteStreamAnswer | Opcode::UnsubscribeAnswer => assert_eq!(payload, b""),
        Opcode::ListStreamsAnswer => assert_eq!(StreamList::decode(payload), Ok(list())),
        Opcode::ShardMapAnswer => assert_eq!(ShardMap::decode(payload), Ok(map())),
        Opcode::PutAnswer => assert_eq!(PutAnswer::decode(payload), Ok(put_answer())),
        Opcode::GetIteratorAnswer => assert_eq!(payload, b"iterator"),
        Opcode::GetAnswer => assert_eq!(GetAnswer::decode(payload), Ok(GET_ANSWER)),
        Opcode::SubscribeAnswer => {
            assert_eq!(SubscribeAnswer::decode(payload), Ok(SUBSCRIBE_ANSWER));
        }
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_opcode_is_pinned_once() {
    let pinned: Vec<_> = PINNED.iter().map(|(opcode, _)| *opcode).collect();
    assert_eq!(pinned, Opcode::ALL);
}

#[test]
fn every_message_is_written_as_pinned() {
    for (opcode, hex) in PINNED {
        let mut frame = Vec::new();
        write_frame(&mut frame, opcode, CORRELATION, |w| write(opcode, w));
        assert_eq!(to_hex(&frame), to_hex(&from_hex(hex)), "{opcode:?}");
    }
}

#[test]
fn every_pinned_message_is_read_as_it_was_meant() {
    for (opcode, hex) in PINNED {
        let bytes = from_hex(hex);
        let (header, payload) = bytes.split_first_chunk().unwrap();
        let payload_bytes = payload.len() as u32;
        let expected = FrameHeader { opcode, payload_bytes, correlation: CORRELATION };
        assert_eq!(FrameHeader::decode(header), Ok(expected), "{opcode:?}");
        assert_reads(opcode, payload);
    }
}

#[test]
fn error_codes_keep_their_numbers() {
    let numbers: Vec<_> = ErrorCode::ALL.iter().map(|code| (*code as u16, code.name())).collect();
    let pinned = [
        (1, "InvalidArgumentException"),
        (2, "ResourceNotFoundException"),
        (3, "ResourceInUseException"),
        (4, "LimitExceededException"),
        (5, "ProvisionedThroughputExceededException"),
        (6, "ExpiredIteratorException"),
        (7, "AccessDeniedException"),
        (8, "InternalFailure"),
        (9, "ValidationException"),
        (10, "ProtocolError"),
        (11, "ShuttingDown"),
    ];
    assert_eq!(numbers, pinned);
}

/// Header (length, opcode and flags, correlation, reserved, CRC), then the payload's fields.
const PINNED: [(Opcode, &str); 28] = [
    (
        Opcode::Hello,
        "19000000 01000000 8877665544332211 00000000 7a0b91cf \
         53485759 0100 0200 0100000000000080 0300 0500636c692f31",
    ),
    (
        Opcode::Ping,
        "04000000 02000000 8877665544332211 00000000 0012ceb0 \
         70696e67",
    ),
    (
        Opcode::CreateStream,
        "3d000000 03000000 8877665544332211 00000000 4b95201c \
         06006f7264657273 04000000 01 30000000 00002000 1000000000000000 2000000000000000 \
         3000000000000000 4000000000000000 5000000000000000",
    ),
    (
        Opcode::DeleteStream,
        "08000000 04000000 8877665544332211 00000000 0f466930 \
         06006f7264657273",
    ),
    (
        Opcode::DescribeStream,
        "08000000 05000000 8877665544332211 00000000 9ed7019e \
         06006f7264657273",
    ),
    (
        Opcode::ListStreams,
        "08000000 06000000 8877665544332211 00000000 6c63c9b7 \
         02006f72 64000000",
    ),
    (
        Opcode::ShardMap,
        "08000000 07000000 8877665544332211 00000000 fdf2a119 \
         06006f7264657273",
    ),
    (
        Opcode::Put,
        "25000000 08000000 8877665544332211 00000000 61c3e63b \
         a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 07000000 00000000 0300000000000000 6261746368",
    ),
    (
        Opcode::GetIterator,
        "1d000000 09000000 8877665544332211 00000000 6c7f6ff2 \
         a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 07000000 032a00000000000000",
    ),
    (
        Opcode::Get,
        "16000000 0a000000 8877665544332211 00000000 e650d5e9 \
         08006974657261746f72 f4010000 00000100 e8030000",
    ),
    (
        Opcode::Subscribe,
        "2e000000 0b000000 8877665544332211 00000000 ebec5c20 \
         09000000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 07000000 047b68e5cf8b010000 \
         0000100000000000 0300617070",
    ),
    (
        Opcode::Credit,
        "0c000000 0c000000 8877665544332211 00000000 1932970d \
         09000000 0000010000000000",
    ),
    (
        Opcode::Unsubscribe,
        "04000000 0d000000 8877665544332211 00000000 3a75243e \
         09000000",
    ),
    (
        Opcode::Push,
        "1f000000 01400000 8877665544332211 00000000 d2ed4981 \
         09000000 00000000 2b00000000000000 0500000000000000 62617463686573",
    ),
    (
        Opcode::SubscriptionEnd,
        "13000000 02400000 8877665544332211 00000000 cb64b77b \
         09000000 2c00000000000000 0b00 0300627965",
    ),
    (
        Opcode::Error,
        "07000000 03400000 8877665544332211 00000000 26b5f47b \
         0a00 01 02006e6f",
    ),
    (
        Opcode::HelloAnswer,
        "25000000 01800000 8877665544332211 00000000 043d1aa8 \
         0100 0100000000000080 0300 0400 c0c1c2c3c4c5c6c7c8c9cacbcccdcecf 0500302e312e30",
    ),
    (
        Opcode::PingAnswer,
        "04000000 02800000 8877665544332211 00000000 bbe249fe \
         70696e67",
    ),
    (
        Opcode::CreateStreamAnswer,
        "ae000000 03800000 8877665544332211 00000000 33c33976 \
         06006f7264657273 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 01 7b68e5cf8b010000 01 30000000 \
         00002000 1000000000000000 2000000000000000 3000000000000000 4000000000000000 \
         5000000000000000 0300000000000000 02000000 0000000000000100 \
         00000000000000000000000000000000 ffffffffffffffffffffffffffffff7f 0100000001000000 \
         00000000000000000000000000000080 ffffffffffffffffffffffffffffffff",
    ),
    (Opcode::DeleteStreamAnswer, "00000000 04800000 8877665544332211 00000000 066035e3"),
    (
        Opcode::DescribeStreamAnswer,
        "ae000000 05800000 8877665544332211 00000000 d7aaa825 \
         06006f7264657273 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 01 7b68e5cf8b010000 01 30000000 \
         00002000 1000000000000000 2000000000000000 3000000000000000 4000000000000000 \
         5000000000000000 0300000000000000 02000000 0000000000000100 \
         00000000000000000000000000000000 ffffffffffffffffffffffffffffff7f 0100000001000000 \
         00000000000000000000000000000080 ffffffffffffffffffffffffffffffff",
    ),
    (
        Opcode::ListStreamsAnswer,
        "5b000000 06800000 8877665544332211 00000000 2ed5d983 \
         01 01000000 06006f7264657273 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 03 7b68e5cf8b010000 01 \
         30000000 00002000 1000000000000000 2000000000000000 3000000000000000 \
         4000000000000000 5000000000000000 04000000",
    ),
    (
        Opcode::ShardMapAnswer,
        "6c000000 07800000 8877665544332211 00000000 0219cf36 \
         a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0300000000000000 02000000 0000000000000100 \
         00000000000000000000000000000000 ffffffffffffffffffffffffffffff7f 0100000001000000 \
         00000000000000000000000000000080 ffffffffffffffffffffffffffffffff",
    ),
    (
        Opcode::PutAnswer,
        "38000000 08800000 8877665544332211 00000000 529ef623 \
         0200 0300 07000000020000002a0000000000000000000000 \
         0800000001000000000000000000000005000000 000001000000 0400736c6f77",
    ),
    (
        Opcode::GetIteratorAnswer,
        "08000000 09800000 8877665544332211 00000000 edf4a477 \
         6974657261746f72",
    ),
    (
        Opcode::GetAnswer,
        "25000000 0a800000 8877665544332211 00000000 b916c1f2 \
         04006e657874 0500000000000000 2a00000000000000 2c00000000000000 62617463686573",
    ),
    (
        Opcode::SubscribeAnswer,
        "08000000 0b800000 8877665544332211 00000000 8ed104f0 \
         2b00000000000000",
    ),
    (Opcode::UnsubscribeAnswer, "00000000 0d800000 8877665544332211 00000000 d86e4e3e"),
];
