//! What has happened to the catalog: the entries of its log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{AccountRecord, PeakDay};
use crate::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use crate::base::stream::{Distribution, ShardLimits, ShardMetrics, StreamMode, StreamOptions};
use crate::record::HashRange;

/// A decided change. Variants are only added: old logs hold the old ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A stream exists.
    StreamCreated {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// When.
        created: Millis,
        /// Number of shards; they divide the key space evenly, as AWS does it.
        shards: u32,
        /// What was chosen.
        options: StreamOptions,
        /// By key.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
    },
    /// A stream no longer takes or gives records; its files are being removed.
    StreamDeleted {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
    },
    /// Nothing of a deleted stream is left; its name is free again.
    StreamRemoved {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
    },
    /// Something that was chosen for a stream is different.
    StreamAltered {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// When.
        at: Millis,
        /// What.
        alteration: Alteration,
    },
    /// All parents are closed and all children exist, at one moment.
    Resharded {
        /// The stream's name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// When.
        at: Millis,
        /// Whether it counts as a scaling by request.
        scaling: bool,
        /// The shards that are closed, and the position behind the last record of each.
        parents: Vec<(ShardNumber, Seq)>,
        /// The new shards, by number. One that is not open has never held a record: it only
        /// joins others, which have at most two parents.
        children: Vec<PlannedShard>,
    },
    /// The last records of closed shards have expired, and the shards with them.
    ShardsExpired {
        /// The stream's name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// Which, ascending.
        shards: Vec<ShardNumber>,
    },
    /// Closed shards end elsewhere than they did, by what a start has found of their records.
    EndsMoved {
        /// The stream's name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The shards, and the position behind the last record of each.
        ends: Vec<(ShardNumber, Seq)>,
    },
    /// A consumer exists.
    ConsumerRegistered {
        /// The stream's name.
        stream: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The consumer's name.
        consumer: String,
        /// When.
        created: Millis,
        /// By key.
        tags: BTreeMap<String, String>,
    },
    /// A consumer is gone.
    ConsumerDeregistered {
        /// The stream's name.
        stream: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The consumer's name.
        consumer: String,
    },
    /// A consumer has other tags.
    ConsumerTagged {
        /// The stream's name.
        stream: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The consumer's name.
        consumer: String,
        /// All of them, by key.
        tags: BTreeMap<String, String>,
    },
    /// The account's commitment has begun or ends.
    AccountChanged {
        /// The account from now on.
        account: AccountRecord,
    },
    /// A stream's write throughput was higher than before on that day.
    PeakObserved {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The day and its peak so far.
        peak: PeakDay,
    },
}

/// What is different about a stream. Variants are only added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alteration {
    /// How long records are readable.
    Retention {
        /// From now on.
        hours: u32,
        /// What arrived before is gone: it had expired under the old retention.
        floor: Millis,
    },
    /// What each shard admits.
    Limits(ShardLimits),
    /// Largest record, in bytes.
    RecordBytesMax(u32),
    /// Who chooses the number of shards.
    Mode {
        /// The new mode.
        mode: StreamMode,
        /// Warm throughput with it, in MiB/s.
        warm_mib: u32,
    },
    /// Warm throughput, in MiB/s.
    WarmThroughput(u32),
    /// What chooses a record's shard.
    Distribution(Distribution),
    /// All shard-level metrics that are switched on.
    Metrics(ShardMetrics),
    /// All tags, by key.
    Tags(BTreeMap<String, String>),
    /// The key that records are sealed with, or none.
    Encryption(Option<String>),
    /// A resource policy, or none.
    Policy {
        /// Of this consumer; `None` is the stream itself.
        consumer: Option<String>,
        /// A JSON document.
        policy: Option<String>,
    },
}

/// A shard that a reshard makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedShard {
    /// Its number, higher than its parents'.
    pub number: ShardNumber,
    /// The hash keys that it owns.
    pub range: HashRange,
    /// The shard that is split, or the first of two that are merged.
    pub parent: ShardNumber,
    /// The second of two that are merged.
    pub adjacent_parent: Option<ShardNumber>,
    /// Whether it takes records; otherwise it only joins other shards.
    pub open: bool,
}

impl Event {
    /// Name of the stream that it changes; `None` if it changes the account.
    #[must_use]
    pub fn stream(&self) -> Option<&str> {
        match self {
            Event::StreamCreated { name, .. }
            | Event::StreamDeleted { name, .. }
            | Event::StreamRemoved { name, .. }
            | Event::StreamAltered { name, .. }
            | Event::Resharded { name, .. }
            | Event::ShardsExpired { name, .. }
            | Event::EndsMoved { name, .. }
            | Event::PeakObserved { name, .. } => Some(name),
            Event::ConsumerRegistered { stream, .. }
            | Event::ConsumerDeregistered { stream, .. }
            | Event::ConsumerTagged { stream, .. } => Some(stream),
            Event::AccountChanged { .. } => None,
        }
    }
}

impl PlannedShard {
    /// The shards whose records come before its own.
    pub fn parents(&self) -> impl Iterator<Item = ShardNumber> {
        [Some(self.parent), self.adjacent_parent].into_iter().flatten()
    }
}
