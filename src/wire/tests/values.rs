//! Any value of every field that messages have.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::base::error::ErrorCode;
use crate::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use crate::base::stream::{
    ConsumerStatus, Distribution, Durability, Position, ShardLimits, ShardMetrics, StreamMode,
    StreamOptions, StreamStatus,
};
use crate::record::{HashKey, HashRange};
use crate::wire::account::{AccountDescription, Commitment};
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::consumers::ConsumerDescription;
use crate::wire::put::PutRun;
use crate::wire::reshard::Reshard;
use crate::wire::shards::{ChildShard, ShardDescription, ShardEnd, ShardFilter, ShardStats};
use crate::wire::streams::{StreamDescription, StreamSummary};

pub fn any_code() -> impl Strategy<Value = ErrorCode> {
    prop::sample::select(ErrorCode::ALL.to_vec())
}

pub fn any_position() -> impl Strategy<Value = Position> {
    prop_oneof![
        Just(Position::TrimHorizon),
        Just(Position::Latest),
        any_seq().prop_map(Position::AtSequence),
        any_seq().prop_map(Position::AfterSequence),
        any_time().prop_map(Position::AtTimestamp),
    ]
}

pub fn any_seq() -> impl Strategy<Value = Seq> {
    (0..=Seq::MAX.0).prop_map(Seq)
}

pub fn any_time() -> impl Strategy<Value = Millis> {
    any::<u64>().prop_map(Millis)
}

pub fn any_stream() -> impl Strategy<Value = StreamUuid> {
    any::<[u8; 16]>().prop_map(StreamUuid)
}

/// Of a shard that exists: the highest number stands for no shard.
pub fn any_shard() -> impl Strategy<Value = ShardNumber> {
    (0..u32::MAX).prop_map(ShardNumber)
}

pub fn any_name() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

pub fn any_hash_key() -> impl Strategy<Value = HashKey> {
    any::<u128>().prop_map(HashKey)
}

pub fn any_range() -> impl Strategy<Value = HashRange> {
    (any_hash_key(), any_hash_key()).prop_map(|(start, end)| HashRange { start, end })
}

pub fn any_limits() -> impl Strategy<Value = ShardLimits> {
    any::<[u64; 5]>().prop_map(|[in_bytes, in_burst_bytes, in_records, out_bytes, reads]| {
        ShardLimits { in_bytes, in_burst_bytes, in_records, out_bytes, reads }
    })
}

pub fn any_mode() -> impl Strategy<Value = StreamMode> {
    (0..2u8).prop_map(|n| StreamMode::from_wire(n).unwrap())
}

pub fn any_distribution() -> impl Strategy<Value = Distribution> {
    (0..2u8).prop_map(|n| Distribution::from_wire(n).unwrap())
}

pub fn any_metrics() -> impl Strategy<Value = ShardMetrics> {
    (0..=ShardMetrics::ALL.0).prop_map(ShardMetrics)
}

pub fn any_options() -> impl Strategy<Value = StreamOptions> {
    let durability = (0..3u8).prop_map(|n| Durability::from_wire(n).unwrap());
    (durability, any_limits(), any::<[u32; 3]>(), any_mode(), any_distribution()).prop_map(
        |(durability, limits, numbers, mode, distribution)| {
            let [retention_hours, record_bytes_max, warm_mib] = numbers;
            StreamOptions {
                durability,
                limits,
                retention_hours,
                record_bytes_max,
                mode,
                distribution,
                warm_mib,
            }
        },
    )
}

pub fn any_shards() -> impl Strategy<Value = Vec<ShardDescription>> {
    let closed = (any_time(), any_seq()).prop_map(|(at, end)| ShardEnd { at, end });
    let parents = (option::of(any_shard()), option::of(any_shard()));
    let shard = (any_shard(), any::<u16>(), any_range(), parents, any_time(), option::of(closed))
        .prop_map(|(number, home, range, (parent, adjacent_parent), created, closed)| {
            let home = CoreId(home);
            ShardDescription { number, home, range, parent, adjacent_parent, created, closed }
        });
    vec(shard, 0..6)
}

pub fn any_children() -> impl Strategy<Value = Vec<ChildShard>> {
    let child = (any_shard(), any_shard(), option::of(any_shard()), any_range()).prop_map(
        |(number, parent, adjacent_parent, range)| ChildShard {
            number,
            parent,
            adjacent_parent,
            range,
        },
    );
    vec(child, 0..4)
}

pub fn any_filter() -> impl Strategy<Value = ShardFilter> {
    prop_oneof![
        Just(ShardFilter::FromTrimHorizon),
        Just(ShardFilter::AtTrimHorizon),
        Just(ShardFilter::AtLatest),
        any_time().prop_map(ShardFilter::AtTimestamp),
        any_time().prop_map(ShardFilter::FromTimestamp),
        any_shard().prop_map(ShardFilter::AfterShard),
    ]
}

pub fn any_stats() -> impl Strategy<Value = ShardStats> {
    (any_shard(), any_seq(), any_seq(), any::<[u64; 5]>(), any::<u32>()).prop_map(
        |(number, trim, end, numbers, subscriptions)| {
            let [bytes, in_bytes_per_s, in_records_per_s, throttled, last_arrival] = numbers;
            ShardStats {
                number,
                trim,
                end,
                bytes,
                in_bytes_per_s,
                in_records_per_s,
                throttled,
                last_arrival: Millis(last_arrival),
                subscriptions,
            }
        },
    )
}

pub fn any_tags() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("\\PC{0,12}", "\\PC{0,12}"), 0..5)
}

pub fn any_keys() -> impl Strategy<Value = Vec<String>> {
    vec("\\PC{0,12}", 0..5)
}

pub fn any_change() -> impl Strategy<Value = StreamChange> {
    let direction =
        prop::sample::select(vec![Direction::Any, Direction::Increase, Direction::Decrease]);
    prop_oneof![
        (any::<u32>(), direction)
            .prop_map(|(hours, direction)| StreamChange::Retention { hours, direction }),
        any_limits().prop_map(StreamChange::Limits),
        any::<u32>().prop_map(StreamChange::RecordBytesMax),
        (any_mode(), any::<u32>())
            .prop_map(|(mode, warm_mib)| StreamChange::Mode { mode, warm_mib }),
        any::<u32>().prop_map(StreamChange::WarmThroughput),
        any_distribution().prop_map(StreamChange::Distribution),
        any_metrics().prop_map(StreamChange::EnableMetrics),
        any_metrics().prop_map(StreamChange::DisableMetrics),
        any_tags().prop_map(StreamChange::Tag),
        any_keys().prop_map(StreamChange::Untag),
        option::of("[a-z]{1,9}").prop_map(StreamChange::Encryption),
        (option::of("[a-z]{1,9}"), option::of("[a-z]{1,9}"))
            .prop_map(|(consumer, policy)| StreamChange::Policy { consumer, policy }),
    ]
}

pub fn any_reshard() -> impl Strategy<Value = Reshard> {
    prop_oneof![
        (any_shard(), option::of(any_hash_key()))
            .prop_map(|(shard, at)| Reshard::Split { shard, at }),
        (any_shard(), any_shard()).prop_map(|(shard, adjacent)| Reshard::Merge { shard, adjacent }),
        any::<u32>().prop_map(|target| Reshard::Scale { target }),
    ]
}

pub fn any_consumer() -> impl Strategy<Value = ConsumerDescription> {
    let status = (0..3u8).prop_map(|n| ConsumerStatus::from_wire(n).unwrap());
    (any_name(), any_name(), status, any_time())
        .prop_map(|(name, arn, status, created)| ConsumerDescription { name, arn, status, created })
}

pub fn any_account() -> impl Strategy<Value = AccountDescription> {
    let commitment = prop_oneof![
        Just(Commitment::Disabled),
        any_time().prop_map(|since| Commitment::Enabled { since }),
        (any_time(), any_time())
            .prop_map(|(since, until)| Commitment::EnabledUntil { since, until }),
    ];
    (any_name(), any_name(), any::<[u32; 4]>(), commitment).prop_map(
        |(account, region, [shards_max, open_shards, on_demand_max, on_demand], commitment)| {
            AccountDescription {
                account,
                region,
                shards_max,
                open_shards,
                on_demand_max,
                on_demand,
                commitment,
            }
        },
    )
}

pub fn any_status() -> impl Strategy<Value = StreamStatus> {
    (0..4u8).prop_map(|n| StreamStatus::from_wire(n).unwrap())
}

pub fn any_description() -> impl Strategy<Value = StreamDescription> {
    (any_summary(), any_shards(), any::<bool>())
        .prop_map(|(summary, shards, more)| StreamDescription { summary, shards, more })
}

pub fn any_summary() -> impl Strategy<Value = StreamSummary> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>());
    let chosen = (any_options(), any_metrics());
    (any_name(), any_name(), any_stream(), any_status(), any_time(), chosen, numbers).prop_map(
        |(name, arn, uuid, status, created, (options, metrics), numbers)| {
            let (open_shards, consumers, map_version) = numbers;
            StreamSummary {
                name,
                arn,
                uuid,
                status,
                created,
                options,
                metrics,
                open_shards,
                consumers,
                map_version,
            }
        },
    )
}

/// Which run each record of a put went to, and what became of each run.
pub fn any_put_outcome() -> impl Strategy<Value = (Vec<PutRun>, Vec<u16>)> {
    let outcome = prop_oneof![any_seq().prop_map(Ok), any_code().prop_map(Err::<Seq, ErrorCode>)];
    let run = (any_shard(), outcome).prop_map(|(shard, outcome)| (shard, outcome));
    (vec(run, 1..5), vec(any::<u16>(), 0..20)).prop_map(|(runs, mut run_of)| {
        run_of.iter_mut().for_each(|run| *run %= runs.len() as u16);
        run_of.extend(0..runs.len() as u16);
        let count_of = |at| run_of.iter().filter(|&&run| usize::from(run) == at).count() as u32;
        let runs: Vec<_> = (0..)
            .zip(runs)
            .map(|(at, (shard, outcome))| PutRun {
                shard,
                count: count_of(at),
                outcome,
                arrival: Millis(u64::from(count_of(at)) << 40),
            })
            .collect();
        let run_of = if runs.len() == 1 { Vec::new() } else { run_of };
        (runs, run_of)
    })
}
