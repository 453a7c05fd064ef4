//! What a stream promises and where a reader starts: words that protocol, catalog and shard share.

use serde::{Deserialize, Serialize};

use crate::base::ids::{Millis, Seq};
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
    /// Bytes at once, after a pause.
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

/// What is chosen when a stream is created.
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
}

impl Default for StreamOptions {
    fn default() -> Self {
        StreamOptions {
            durability: Durability::Durable,
            limits: ShardLimits::AWS,
            retention_hours: crate::base::limits::RETENTION_HOURS_DEFAULT,
            record_bytes_max: RECORD_BYTES_DEFAULT as u32,
        }
    }
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
