//! The messages whose bytes are pinned, and a way to write and read any of them.

use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use shardway::base::stream::{
    ConsumerStatus, Distribution, Durability, Position, ShardLimits, ShardMetrics, StreamMode,
    StreamOptions, StreamStatus,
};
use shardway::record::{HashKey, HashRange};
use shardway::wire::account::{AccountDescription, Commitment, UpdateAccount};
use shardway::wire::alter::{AlterStream, Direction, StreamChange};
use shardway::wire::consumers::{
    ConsumerDescription, ConsumerList, ConsumerName, ListConsumers, RegisterConsumer, TagConsumer,
};
use shardway::wire::error::ErrorFrame;
use shardway::wire::hello::{Hello, HelloAnswer};
use shardway::wire::put::{Put, PutAnswer, PutRun, write_put_answer};
use shardway::wire::read::{Get, GetAnswer, GetIterator};
use shardway::wire::reshard::{Reshard, ReshardStream, Resharded};
use shardway::wire::shards::{
    ChildShard, GetShardStats, ListShards, ShardCounts, ShardDescription, ShardEnd, ShardFilter,
    ShardList, ShardMap, ShardStats,
};
use shardway::wire::streams::{
    CreateStream, DeleteStream, DescribeStream, ListStreams, StreamDescription, StreamList,
    StreamName, StreamSummary,
};
use shardway::wire::subscribe::{
    Credit, Push, ShardEnded, Subscribe, SubscribeAnswer, SubscriptionEnd, Unsubscribe,
};
use shardway::wire::tags::{ListTags, TagList};
use shardway::wire::{Decode, DecodeError, Opcode, Reader, Writer};

/// One message. What is given to read is held for ever, since messages borrow from it.
pub struct Message {
    pub write: Box<dyn Fn(&mut Writer<'_>)>,
    /// Decodes a payload and says whether it is this message.
    pub is_read_from: Box<dyn Fn(&'static [u8]) -> Result<bool, DecodeError>>,
}

fn message<T: Decode<'static> + PartialEq + 'static>(
    value: T,
    write: impl Fn(&T, &mut Writer<'_>) + 'static,
) -> Message {
    let value: &'static T = Box::leak(Box::new(value));
    Message {
        write: Box::new(move |w| write(value, w)),
        is_read_from: Box::new(move |payload| T::decode(payload).map(|read| read == *value)),
    }
}

/// A payload without fields.
fn bytes(value: &'static [u8]) -> Message {
    Message {
        write: Box::new(move |w| {
            w.bytes(value);
        }),
        is_read_from: Box::new(move |payload| {
            if value.is_empty() {
                Reader::new(payload).finish()?;
            }
            Ok(payload == value)
        }),
    }
}

/// The message of `opcode` that is pinned.
pub fn pinned(opcode: Opcode) -> Message {
    request(opcode).or_else(|| answer(opcode)).expect("every opcode has a message")
}

fn request(opcode: Opcode) -> Option<Message> {
    let name = ConsumerName { stream: "orders", consumer: "app" };
    let add = tags();
    Some(match opcode {
        Opcode::Hello => message(HELLO, Hello::write),
        Opcode::Ping => bytes(b"ping"),
        Opcode::CreateStream => {
            let create = CreateStream { name: "orders", shards: 4, options: OPTIONS, tags: add };
            message(create, CreateStream::write)
        }
        Opcode::DeleteStream => {
            let delete = DeleteStream { name: "orders", with_consumers: true };
            message(delete, DeleteStream::write)
        }
        Opcode::DescribeStream => {
            let after = Some(ShardNumber(6));
            let describe = DescribeStream { name: "orders", after, limit: 100 };
            message(describe, DescribeStream::write)
        }
        Opcode::ListStreams => message(ListStreams { after: "or", limit: 100 }, ListStreams::write),
        Opcode::ShardMap => message(StreamName { name: "orders" }, StreamName::write),
        Opcode::Put => message(PUT, |m, w| {
            m.write_prefix(w);
            w.bytes(m.batch);
        }),
        Opcode::GetIterator => message(GET_ITERATOR, GetIterator::write),
        Opcode::Get => message(GET, Get::write),
        Opcode::Subscribe => message(SUBSCRIBE, Subscribe::write),
        Opcode::Credit => message(CREDIT, Credit::write),
        Opcode::Unsubscribe => message(Unsubscribe { subscription: 9 }, Unsubscribe::write),
        Opcode::ListShards => message(LIST_SHARDS, ListShards::write),
        Opcode::ShardStats => message(GET_STATS, GetShardStats::write),
        Opcode::AlterStream => {
            let direction = Direction::Decrease;
            alter(StreamChange::Retention { hours: 48, direction })
        }
        Opcode::ReshardStream => {
            let at = Some(HashKey(MIDDLE));
            reshard(Reshard::Split { shard: ShardNumber(7), at })
        }
        Opcode::RegisterConsumer => {
            message(RegisterConsumer { name, tags: add }, RegisterConsumer::write)
        }
        Opcode::DeregisterConsumer | Opcode::DescribeConsumer => message(name, ConsumerName::write),
        Opcode::ListConsumers => {
            let list = ListConsumers { stream: "orders", after: "ap", limit: 100 };
            message(list, ListConsumers::write)
        }
        Opcode::TagConsumer => {
            message(TagConsumer { name, add, remove: vec!["old".into()] }, TagConsumer::write)
        }
        Opcode::ListTags => {
            message(ListTags { stream: "orders", consumer: "app" }, ListTags::write)
        }
        Opcode::DescribeAccount => bytes(b""),
        Opcode::UpdateAccount => message(UpdateAccount { commitment: true }, UpdateAccount::write),
        _ => return None,
    })
}

fn answer(opcode: Opcode) -> Option<Message> {
    Some(match opcode {
        Opcode::Push => message(PUSH, |m, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::SubscriptionEnd => message(END, SubscriptionEnd::write),
        Opcode::Error => message(ERROR, ErrorFrame::write),
        Opcode::ShardEnded => {
            let ended = ShardEnded { subscription: 9, end: Seq(42), children: children() };
            message(ended, ShardEnded::write)
        }
        Opcode::HelloAnswer => message(HELLO_ANSWER, HelloAnswer::write),
        Opcode::PingAnswer => bytes(b"ping"),
        Opcode::CreateStreamAnswer | Opcode::DescribeStreamAnswer => {
            let summary = summary(StreamStatus::Active);
            let description = StreamDescription { summary, shards: shards(), more: true };
            message(description, StreamDescription::write)
        }
        Opcode::DeleteStreamAnswer | Opcode::UnsubscribeAnswer => bytes(b""),
        Opcode::DeregisterConsumerAnswer | Opcode::TagConsumerAnswer => bytes(b""),
        Opcode::ListStreamsAnswer => {
            let streams = vec![summary(StreamStatus::Deleting)];
            message(StreamList { more: true, streams }, StreamList::write)
        }
        Opcode::ShardMapAnswer => {
            let map = ShardMap { stream: STREAM, map_version: 3, shards: shards() };
            message(map, ShardMap::write)
        }
        Opcode::PutAnswer => message(put_answer(), |m, w| {
            write_put_answer(w, &m.runs, m.message, &m.run_of);
        }),
        Opcode::GetIteratorAnswer => bytes(b"iterator"),
        Opcode::GetAnswer => message(get_answer(), |m, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::SubscribeAnswer => {
            message(SubscribeAnswer { start: Seq(43) }, SubscribeAnswer::write)
        }
        Opcode::ListShardsAnswer => {
            message(ShardList { more: true, shards: shards() }, ShardList::write)
        }
        Opcode::ShardStatsAnswer => {
            let shards = vec![stats(0), stats(4)];
            message(ShardCounts { more: true, shards }, ShardCounts::write)
        }
        Opcode::AlterStreamAnswer => message(summary(StreamStatus::Active), StreamSummary::write),
        Opcode::ReshardStreamAnswer => {
            let done = Resharded { before: 4, after: 8, map_version: 9, shards: shards() };
            message(done, Resharded::write)
        }
        Opcode::RegisterConsumerAnswer | Opcode::DescribeConsumerAnswer => {
            message(consumer(), ConsumerDescription::write)
        }
        Opcode::ListConsumersAnswer => {
            message(ConsumerList { more: true, consumers: vec![consumer()] }, ConsumerList::write)
        }
        Opcode::ListTagsAnswer => message(TagList(tags()), TagList::write),
        Opcode::DescribeAccountAnswer | Opcode::UpdateAccountAnswer => {
            message(account(), AccountDescription::write)
        }
        _ => return None,
    })
}

/// The other choices of messages that have some.
pub fn choices() -> Vec<Message> {
    let list = |filter| {
        let after = Some(ShardNumber(6));
        message(ListShards { filter, after, ..LIST_SHARDS }, ListShards::write)
    };
    vec![
        alter(StreamChange::Limits(OPTIONS.limits)),
        alter(StreamChange::RecordBytesMax(5 * 1024 * 1024)),
        alter(StreamChange::Mode { mode: StreamMode::OnDemand, warm_mib: 100 }),
        alter(StreamChange::WarmThroughput(100)),
        alter(StreamChange::Distribution(Distribution::Auto)),
        alter(StreamChange::EnableMetrics(METRICS)),
        alter(StreamChange::DisableMetrics(ShardMetrics::ALL)),
        alter(StreamChange::Tag(tags())),
        alter(StreamChange::Untag(vec!["team".into(), "k".into()])),
        reshard(Reshard::Split { shard: ShardNumber(7), at: None }),
        reshard(Reshard::Merge { shard: ShardNumber(3), adjacent: ShardNumber(4) }),
        reshard(Reshard::Scale { target: 8 }),
        list(ShardFilter::FromTrimHorizon),
        list(ShardFilter::AtTrimHorizon),
        list(ShardFilter::AtLatest),
        list(ShardFilter::FromTimestamp(CREATED)),
        list(ShardFilter::AfterShard(ShardNumber(7))),
    ]
}

fn alter(change: StreamChange) -> Message {
    message(AlterStream { name: "orders", change }, AlterStream::write)
}

fn reshard(reshard: Reshard) -> Message {
    message(ReshardStream { name: "orders", reshard }, ReshardStream::write)
}

// ---- Values ----------------------------------------------------------------------------------

const CREATED: Millis = Millis(1_700_000_000_123);
const STREAM: StreamUuid = StreamUuid([
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF,
]);
const SHARD: ShardNumber = ShardNumber(7);
const FEATURES: u64 = 0x8000_0000_0000_0001;
const MIDDLE: u128 = 1 << 127;
/// IncomingBytes and IteratorAgeMilliseconds.
const METRICS: ShardMetrics = ShardMetrics(0x41);
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
    mode: StreamMode::OnDemand,
    distribution: Distribution::Auto,
    warm_mib: 7,
};
const HELLO: Hello<'_> = Hello {
    version_min: 1,
    version_max: 2,
    features: FEATURES,
    wanted_core: CoreId(3),
    client: "cli/1",
};
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
const LIST_SHARDS: ListShards<'_> = ListShards {
    name: "orders",
    filter: ShardFilter::AtTimestamp(CREATED),
    after: None,
    limit: 1000,
};
const GET_STATS: GetShardStats =
    GetShardStats { stream: STREAM, core: CoreId(3), after: Some(ShardNumber(6)) };

fn tags() -> Vec<(String, String)> {
    [("team", "core"), ("k", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// A closed one, and one that was merged.
fn shards() -> Vec<ShardDescription> {
    let closed = ShardDescription {
        number: ShardNumber(0),
        home: CoreId(1),
        range: HashRange { start: HashKey(0), end: HashKey(MIDDLE - 1) },
        parent: None,
        adjacent_parent: None,
        created: CREATED,
        closed: Some(ShardEnd { at: Millis(CREATED.0 + 5), end: Seq(42) }),
    };
    let merged = ShardDescription {
        number: ShardNumber(4),
        home: CoreId(0),
        range: HashRange { start: HashKey(MIDDLE), end: HashKey(u128::MAX) },
        parent: Some(ShardNumber(1)),
        adjacent_parent: Some(ShardNumber(2)),
        created: Millis(CREATED.0 + 1005),
        closed: None,
    };
    vec![closed, merged]
}

fn children() -> Vec<ChildShard> {
    let of_merge = ChildShard {
        number: ShardNumber(4),
        parent: ShardNumber(1),
        adjacent_parent: Some(ShardNumber(2)),
        range: HashRange { start: HashKey(MIDDLE), end: HashKey(u128::MAX) },
    };
    let of_split = ChildShard {
        number: ShardNumber(5),
        parent: ShardNumber(3),
        adjacent_parent: None,
        range: HashRange { start: HashKey(0), end: HashKey(MIDDLE - 1) },
    };
    vec![of_merge, of_split]
}

fn summary(status: StreamStatus) -> StreamSummary {
    StreamSummary {
        name: "orders".into(),
        arn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders".into(),
        uuid: STREAM,
        status,
        created: CREATED,
        options: OPTIONS,
        metrics: METRICS,
        open_shards: 4,
        consumers: 2,
        map_version: 3,
    }
}

fn stats(number: u32) -> ShardStats {
    ShardStats {
        number: ShardNumber(number),
        trim: Seq(5),
        end: Seq(42),
        bytes: 1 << 20,
        in_bytes_per_s: 1000,
        in_records_per_s: 10,
        throttled: 3,
        last_arrival: CREATED,
        subscriptions: 2,
    }
}

fn consumer() -> ConsumerDescription {
    ConsumerDescription {
        name: "app".into(),
        arn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/app:1700000000".into(),
        status: ConsumerStatus::Active,
        created: CREATED,
    }
}

fn account() -> AccountDescription {
    AccountDescription {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        shards_max: 20_000,
        open_shards: 4,
        on_demand_max: 50,
        on_demand: 1,
        commitment: Commitment::EnabledUntil {
            since: CREATED,
            until: Millis(CREATED.0 + 86_400_000),
        },
    }
}

fn put_answer() -> PutAnswer<'static> {
    let stored = PutRun { shard: ShardNumber(7), count: 2, outcome: Ok(Seq(42)), arrival: CREATED };
    let refused = PutRun {
        shard: ShardNumber(8),
        count: 1,
        outcome: Err(ErrorCode::ProvisionedThroughputExceeded),
        arrival: Millis(0),
    };
    PutAnswer { runs: vec![stored, refused], message: "slow", run_of: vec![0, 1, 0] }
}

fn get_answer() -> GetAnswer<'static> {
    GetAnswer {
        next_iterator: b"next",
        behind_ms: 5,
        first: Seq(42),
        end: Seq(44),
        children: children(),
        batches: b"batches",
    }
}
