//! Everything the catalog knows, as plain data that events change.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use crate::base::stream::{ShardMetrics, StreamMode, StreamOptions, StreamStatus};
use crate::record::HashRange;
use crate::wire::account::Commitment;

const HOUR_MS: u64 = 3_600_000;

/// All streams, by name. Later fields need `#[serde(default)]`, so that older logs still open.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Signs shard iterators. Made with the data dir and never changed: whoever has it can forge
    /// positions, so it is never printed.
    pub iterator_key: [u8; 32],
    /// Number of events applied so far; the version of the views made from this state.
    pub version: u64,
    /// Streams by name. A stream that is being deleted keeps its name until it is removed.
    pub streams: BTreeMap<String, StreamRecord>,
    /// What the account has committed to.
    #[serde(default)]
    pub account: AccountRecord,
}

/// The account: its commitment to a minimum throughput.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Since when it holds; `None` without one.
    pub committed_at: Option<Millis>,
    /// When it ends, if it was ended early.
    pub ends_at: Option<Millis>,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// 1 … 128 of `[a-zA-Z0-9_.-]`.
    pub name: String,
    /// Identity: new for every creation.
    pub uuid: StreamUuid,
    /// State of its life.
    pub status: StreamStatus,
    /// When it was created.
    pub created: Millis,
    /// What was chosen, at its creation or later.
    pub options: StreamOptions,
    /// Grows with every change of the shards, from 1.
    pub map_version: u64,
    /// All shards that are still known, by number.
    pub shards: Vec<ShardRecord>,
    /// The number of the next shard: numbers are never used again. An older log has no removed
    /// shards, and [`StreamRecord::next_number`] knows it from the others.
    #[serde(default)]
    pub next_number: u32,
    /// Records that arrived before are gone, however long the retention is now.
    #[serde(default)]
    pub retention_floor: Millis,
    /// By key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Shard-level metrics that are switched on.
    #[serde(default)]
    pub metrics: ShardMetrics,
    /// Registered consumers by name.
    #[serde(default)]
    pub consumers: BTreeMap<String, ConsumerRecord>,
    /// When its mode was changed: the last 2 times.
    #[serde(default)]
    pub mode_changes: Vec<Millis>,
    /// When its shards were scaled by request: the last 10 times.
    #[serde(default)]
    pub scalings: Vec<Millis>,
    /// When its encryption was started or given another key: the last 25 times.
    #[serde(default)]
    pub encryption_starts: Vec<Millis>,
    /// When its encryption was stopped: the last 25 times.
    #[serde(default)]
    pub encryption_stops: Vec<Millis>,
    /// The highest write throughput of each of the last 30 days on which there was any.
    #[serde(default)]
    pub peaks: Vec<PeakDay>,
    /// The key that its records are sealed with.
    #[serde(default)]
    pub key_id: Option<String>,
    /// Its resource policy, a JSON document.
    #[serde(default)]
    pub policy: Option<String>,
}

/// A registered consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerRecord {
    /// When it was registered: part of its ARN.
    pub created: Millis,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// Its resource policy, a JSON document.
    #[serde(default)]
    pub policy: Option<String>,
}

/// The highest write throughput of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakDay {
    /// Days since the Unix epoch.
    pub day: u32,
    /// Bytes a second.
    pub bytes_per_s: u64,
    /// Records a second.
    pub records_per_s: u64,
}

/// One shard. The open shards of a stream cover the hash key space without hole or overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Counted from 0 per stream, never reused.
    pub number: ShardNumber,
    /// The hash keys that it owns.
    pub range: HashRange,
    /// Whether it takes records.
    pub open: bool,
    /// When it was created: part of its sequence numbers on the AWS API.
    pub created: Millis,
    /// The shard that was split, or the first of two that were merged.
    #[serde(default)]
    pub parent: Option<ShardNumber>,
    /// The second of two that were merged.
    #[serde(default)]
    pub adjacent_parent: Option<ShardNumber>,
    /// When it stopped taking records.
    #[serde(default)]
    pub closed_at: Option<Millis>,
    /// Behind its last record, once it is closed.
    #[serde(default)]
    pub end: Option<Seq>,
}

impl State {
    /// The state of a new data dir.
    #[must_use]
    pub fn new(iterator_key: [u8; 32]) -> State {
        State {
            iterator_key,
            version: 0,
            streams: BTreeMap::new(),
            account: AccountRecord::default(),
        }
    }

    /// The stream with this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&StreamRecord> {
        self.streams.get(name)
    }

    /// The streams that are not being deleted.
    pub fn living(&self) -> impl Iterator<Item = &StreamRecord> {
        self.streams.values().filter(|stream| stream.status != StreamStatus::Deleting)
    }

    /// The stream with this identity.
    #[must_use]
    pub fn by_uuid(&self, uuid: StreamUuid) -> Option<&StreamRecord> {
        self.streams.values().find(|stream| stream.uuid == uuid)
    }

    /// Open shards over all streams.
    #[must_use]
    pub fn open_shards(&self) -> usize {
        self.living().map(|stream| stream.open_shards().count()).sum()
    }

    /// Number of on-demand streams.
    #[must_use]
    pub fn on_demand(&self) -> usize {
        self.living().filter(|stream| stream.options.mode == StreamMode::OnDemand).count()
    }

    /// Whether some stream has this identity.
    #[must_use]
    pub fn has_uuid(&self, uuid: StreamUuid) -> bool {
        self.by_uuid(uuid).is_some()
    }
}

impl StreamRecord {
    /// A new stream whose shards divide the key space evenly. It takes records at once: its
    /// shards need no preparation before their first record.
    #[must_use]
    pub fn new(
        name: &str,
        uuid: StreamUuid,
        created: Millis,
        shards: u32,
        options: StreamOptions,
    ) -> StreamRecord {
        let next_number = shards;
        let shards =
            (0..).zip(HashRange::split_evenly(shards)).map(|(number, range)| ShardRecord {
                number: ShardNumber(number),
                range,
                open: true,
                created,
                parent: None,
                adjacent_parent: None,
                closed_at: None,
                end: None,
            });
        StreamRecord {
            name: name.to_owned(),
            uuid,
            status: StreamStatus::Active,
            created,
            options,
            map_version: 1,
            shards: shards.collect(),
            next_number,
            retention_floor: Millis(0),
            tags: BTreeMap::new(),
            metrics: ShardMetrics::NONE,
            consumers: BTreeMap::new(),
            mode_changes: Vec::new(),
            scalings: Vec::new(),
            encryption_starts: Vec::new(),
            encryption_stops: Vec::new(),
            peaks: Vec::new(),
            key_id: None,
            policy: None,
        }
    }

    /// The shard with this number.
    #[must_use]
    pub fn shard(&self, number: ShardNumber) -> Option<&ShardRecord> {
        self.index_of(number).map(|at| &self.shards[at])
    }

    /// Where the shard with this number is in `shards`.
    pub(super) fn index_of(&self, number: ShardNumber) -> Option<usize> {
        // Without removed shards, a shard's number is its index.
        let guess = number.0 as usize;
        if self.shards.get(guess).is_some_and(|s| s.number == number) {
            return Some(guess);
        }
        self.shards.binary_search_by_key(&number, |s| s.number).ok()
    }

    /// The shards that take records, by number.
    pub fn open_shards(&self) -> impl Iterator<Item = &ShardRecord> {
        self.shards.iter().filter(|shard| shard.open)
    }

    /// What arrived before this time is no longer readable: it is older than the retention, or
    /// was already when the retention was changed.
    #[must_use]
    pub fn retention_cutoff(&self, now: Millis) -> Millis {
        retention_cutoff(self.options.retention_hours, self.retention_floor, now)
    }

    /// The number of the next shard.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        let behind_last = self.shards.last().map_or(0, |shard| shard.number.0 + 1);
        self.next_number.max(behind_last)
    }
}

/// See [`StreamRecord::retention_cutoff`].
pub(super) fn retention_cutoff(hours: u32, floor: Millis, now: Millis) -> Millis {
    Millis(now.0.saturating_sub(u64::from(hours) * HOUR_MS)).max(floor)
}

impl AccountRecord {
    /// The commitment as it is at `now`: its end needs no event.
    #[must_use]
    pub fn commitment(&self, now: Millis) -> Commitment {
        match (self.committed_at, self.ends_at) {
            (Some(since), None) => Commitment::Enabled { since },
            (Some(since), Some(until)) if now < until => Commitment::EnabledUntil { since, until },
            _ => Commitment::Disabled,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("version", &self.version)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}
