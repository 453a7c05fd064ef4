//! What a stream promises and where a reader starts: words that protocol, catalog and shard share.

use serde::{Deserialize, Serialize};

use crate::base::ids::{Millis, Seq, ShardKey};
use crate::base::limits::{
    RECORD_BYTES_DEFAULT, SHARD_IN_BURST_BYTES, SHARD_IN_BYTES, SHARD_IN_RECORDS, SHARD_OUT_BYTES,
    SHARD_READS,
};

/// When a put is acknowledged (design §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// After the record is on stable storage.
    #[default]
    Durable,
    /// After it was written, without a sync: a power cut may lose it. For comparisons.
    Written,
    /// When it is staged in memory: any crash may lose it. For comparisons.
    Memory,
}

impl Durability {
    /// Its word in flags, listings and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Durability::Durable => "durable",
            Durability::Written => "written",
            Durability::Memory => "memory",
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub fn to_wire(self) -> u8 {
        self as u8
    }

    /// The value with this number.
    #[must_use]
    pub fn from_wire(n: u8) -> Option<Durability> {
        [Durability::Durable, Durability::Written, Durability::Memory].get(usize::from(n)).copied()
    }
}

/// A stream's life (AWS: `StreamStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StreamStatus {
    /// Being made.
    Creating,
    /// In use.
    Active,
    /// A reshard or another change runs.
    Updating,
    /// Its records are being removed.
    Deleting,
}

impl StreamStatus {
    /// Its AWS word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            StreamStatus::Creating => "CREATING",
            StreamStatus::Active => "ACTIVE",
            StreamStatus::Updating => "UPDATING",
            StreamStatus::Deleting => "DELETING",
        }
    }

    /// The value with this number on the wire.
    #[must_use]
    pub fn from_wire(n: u8) -> Option<StreamStatus> {
        [
            StreamStatus::Creating,
            StreamStatus::Active,
            StreamStatus::Updating,
            StreamStatus::Deleting,
        ]
        .get(usize::from(n))
        .copied()
    }
}

/// What a shard admits. Zero means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardLimits {
    /// Bytes a second in.
    pub in_bytes: u64,
    /// Bytes at once, after a pause, of records that are larger than `in_bytes`.
    pub in_burst_bytes: u64,
    /// Records a second in.
    pub in_records: u64,
    /// Bytes a second out: shared by all gets, and again for each subscribed consumer.
    pub out_bytes: u64,
    /// Gets a second.
    pub reads: u64,
}

impl ShardLimits {
    /// What AWS gives a shard.
    pub const AWS: ShardLimits = ShardLimits {
        in_bytes: SHARD_IN_BYTES,
        in_burst_bytes: SHARD_IN_BURST_BYTES,
        in_records: SHARD_IN_RECORDS,
        out_bytes: SHARD_OUT_BYTES,
        reads: SHARD_READS,
    };

    /// No limit.
    pub const OFF: ShardLimits =
        ShardLimits { in_bytes: 0, in_burst_bytes: 0, in_records: 0, out_bytes: 0, reads: 0 };

    /// The profile's word in listings: `aws`, `off` or `custom`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match *self {
            ShardLimits::AWS => "aws",
            ShardLimits::OFF => "off",
            _ => "custom",
        }
    }
}

/// How a stream's number of shards is chosen (AWS: `StreamMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamMode {
    /// By its owner.
    #[default]
    Provisioned,
    /// By the server, from what it observes.
    OnDemand,
}

impl StreamMode {
    /// Its AWS word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            StreamMode::Provisioned => "PROVISIONED",
            StreamMode::OnDemand => "ON_DEMAND",
        }
    }

    /// The value with this number on the wire.
    #[must_use]
    pub fn from_wire(n: u8) -> Option<StreamMode> {
        [StreamMode::Provisioned, StreamMode::OnDemand].get(usize::from(n)).copied()
    }
}

/// What chooses a record's shard (AWS: `RecordDistributionStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Distribution {
    /// Its partition key or explicit hash key.
    #[default]
    UserPartitionKey,
    /// The server, evenly; keys are optional and only carried along. On-demand streams only.
    Auto,
}

impl Distribution {
    /// Its AWS word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Distribution::UserPartitionKey => "USER_PARTITION_KEY",
            Distribution::Auto => "AUTO",
        }
    }

    /// The value with this number on the wire.
    #[must_use]
    pub fn from_wire(n: u8) -> Option<Distribution> {
        [Distribution::UserPartitionKey, Distribution::Auto].get(usize::from(n)).copied()
    }
}

/// A set of shard-level metrics (AWS: `MetricsName`), one bit each in the order of
/// [`ShardMetrics::NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMetrics(pub u8);

impl ShardMetrics {
    /// No metric.
    pub const NONE: ShardMetrics = ShardMetrics(0);
    /// Every metric (AWS: `ALL`).
    pub const ALL: ShardMetrics = ShardMetrics(0x7f);
    /// Their AWS names.
    pub const NAMES: [&'static str; 7] = [
        "IncomingBytes",
        "IncomingRecords",
        "OutgoingBytes",
        "OutgoingRecords",
        "WriteProvisionedThroughputExceeded",
        "ReadProvisionedThroughputExceeded",
        "IteratorAgeMilliseconds",
    ];

    /// The metric with this AWS name, or all for `ALL`.
    #[must_use]
    pub fn named(name: &str) -> Option<ShardMetrics> {
        if name == "ALL" {
            return Some(ShardMetrics::ALL);
        }
        Self::NAMES.iter().position(|n| *n == name).map(|bit| ShardMetrics(1 << bit))
    }

    /// The names of those in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(i, _)| self.0 & (1 << i) != 0)
            .map(|n| n.1)
    }

    /// Those of either set.
    #[must_use]
    pub fn with(self, other: ShardMetrics) -> ShardMetrics {
        ShardMetrics(self.0 | other.0)
    }

    /// Those of this set that are not in the other.
    #[must_use]
    pub fn without(self, other: ShardMetrics) -> ShardMetrics {
        ShardMetrics(self.0 & !other.0)
    }
}

/// A registered consumer's life (AWS: `ConsumerStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConsumerStatus {
    /// Being made.
    Creating,
    /// In use.
    Active,
    /// Being removed.
    Deleting,
}

impl ConsumerStatus {
    /// Its AWS word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ConsumerStatus::Creating => "CREATING",
            ConsumerStatus::Active => "ACTIVE",
            ConsumerStatus::Deleting => "DELETING",
        }
    }

    /// The value with this number on the wire.
    #[must_use]
    pub fn from_wire(n: u8) -> Option<ConsumerStatus> {
        [ConsumerStatus::Creating, ConsumerStatus::Active, ConsumerStatus::Deleting]
            .get(usize::from(n))
            .copied()
    }
}

/// What is chosen for a stream, at its creation or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// When puts are acknowledged.
    pub durability: Durability,
    /// What each shard admits.
    pub limits: ShardLimits,
    /// Records are readable for this long. At least 1.
    pub retention_hours: u32,
    /// Largest record, data and key together, in bytes.
    pub record_bytes_max: u32,
    /// Who chooses the number of shards.
    #[serde(default)]
    pub mode: StreamMode,
    /// What chooses a record's shard.
    #[serde(default)]
    pub distribution: Distribution,
    /// Write throughput that an on-demand stream is always ready for, in MiB/s; 0 is none
    /// (AWS: `WarmThroughputMiBps`).
    #[serde(default)]
    pub warm_mib: u32,
}

impl Default for StreamOptions {
    fn default() -> Self {
        StreamOptions {
            durability: Durability::Durable,
            limits: ShardLimits::AWS,
            retention_hours: crate::base::limits::RETENTION_HOURS_DEFAULT,
            record_bytes_max: RECORD_BYTES_DEFAULT as u32,
            mode: StreamMode::Provisioned,
            distribution: Distribution::UserPartitionKey,
            warm_mib: 0,
        }
    }
}

/// What a home core has taken in for a shard since its last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLoad {
    /// Which.
    pub shard: ShardKey,
    /// Data and keys.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Records that its quota has refused.
    pub throttled: u64,
}

/// Where a reader starts (AWS: `ShardIteratorType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that is still retained.
    TrimHorizon,
    /// Behind the newest record.
    Latest,
    /// At this record.
    AtSequence(Seq),
    /// Behind this record.
    AfterSequence(Seq),
    /// At the first record that arrived at this time or later.
    AtTimestamp(Millis),
}
