//! What one core can ask another for people who look at the server, and the answers.

use crate::base::ids::{ShardNumber, StreamUuid};
use crate::fanout::SubscriptionStats;
use crate::metrics::CoreMetrics;
use crate::wire::shards::ShardStats;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Everything that the core counts.
    Metrics,
    /// That, and all streams at a glance.
    Overview,
    /// One stream in full.
    Stream(StreamUuid),
}

/// The answer.
#[derive(Debug)]
pub enum Report {
    /// To [`Question::Metrics`].
    Metrics(Box<CoreMetrics>),
    /// To [`Question::Overview`]: streams with shards at home there.
    Overview(Box<CoreMetrics>, Vec<StreamLoad>),
    /// To [`Question::Stream`]: shards at home there, and their subscriptions.
    Stream(Vec<ShardStats>, Vec<SubscriptionStats>),
}

/// What the shards of a stream at home on one core have counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLoad {
    /// The stream.
    pub stream: StreamUuid,
    /// Records that are kept.
    pub records: u64,
    /// Sums; of it, number and positions say nothing.
    pub sum: ShardStats,
    /// Its shards that take in more than half of what they may, and how many per cent.
    pub hot: Vec<HotShard>,
}

impl StreamLoad {
    /// Of a stream that has counted nothing yet.
    #[must_use]
    pub fn of(stream: StreamUuid) -> StreamLoad {
        StreamLoad { stream, records: 0, sum: ShardStats::default(), hot: Vec::new() }
    }
}

/// A shard near its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotShard {
    /// Which.
    pub shard: ShardNumber,
    /// How much of its limit comes in, in per cent.
    pub percent: u64,
    /// Bytes a second.
    pub in_bytes_per_s: u64,
    /// Records a second.
    pub in_records_per_s: u64,
}
