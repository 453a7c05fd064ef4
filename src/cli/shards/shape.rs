//! The shards as JSON shows them.

use serde::Serialize;

use super::listing::Listing;
use crate::cli::shard::ShardShape;
use crate::cli::time::format_time;
use crate::wire::shards::{ShardDescription, ShardStats};

#[derive(Serialize)]
pub(super) struct ListingShape<'a> {
    stream: &'a str,
    status: &'static str,
    mode: &'static str,
    open_shards: u32,
    map_version: u64,
    shards: Vec<CountedShape>,
}

#[derive(Serialize)]
struct CountedShape {
    #[serde(flatten)]
    shard: ShardShape,
    #[serde(flatten)]
    stats: Option<StatsShape>,
}

#[derive(Serialize)]
struct StatsShape {
    /// Of the first record that is kept.
    first_sequence: u64,
    /// Behind the last record.
    next_sequence: u64,
    records: u64,
    bytes: u64,
    in_bytes_per_second: u64,
    in_records_per_second: u64,
    throttled_records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_arrival: Option<String>,
    subscriptions: u32,
    /// Of what the shard admits.
    #[serde(skip_serializing_if = "Option::is_none")]
    load_percent: Option<u64>,
    hot: bool,
}

/// The whole listing.
pub(super) fn shape(listing: &Listing) -> ListingShape<'_> {
    let stream = &listing.stream;
    ListingShape {
        stream: &stream.name,
        status: stream.status.word(),
        mode: stream.options.mode.word(),
        open_shards: stream.open_shards,
        map_version: stream.map_version,
        shards: listing.shards.iter().map(|shard| CountedShape::of(listing, shard)).collect(),
    }
}

impl CountedShape {
    fn of(listing: &Listing, shard: &ShardDescription) -> CountedShape {
        let stats = listing.stats_of(shard).map(|stats| StatsShape::of(listing, shard, &stats));
        CountedShape { shard: ShardShape::of(shard), stats }
    }
}

impl StatsShape {
    fn of(listing: &Listing, shard: &ShardDescription, stats: &ShardStats) -> StatsShape {
        StatsShape {
            first_sequence: stats.trim.0,
            next_sequence: stats.end.0,
            records: stats.records(),
            bytes: stats.bytes,
            in_bytes_per_second: stats.in_bytes_per_s,
            in_records_per_second: stats.in_records_per_s,
            throttled_records: stats.throttled,
            last_arrival: (stats.last_arrival.0 != 0).then(|| format_time(stats.last_arrival)),
            subscriptions: stats.subscriptions,
            load_percent: listing.load_of(shard),
            hot: listing.is_hot(shard),
        }
    }
}
