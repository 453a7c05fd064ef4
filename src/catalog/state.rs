//! Everything the catalog knows, as plain data that events change.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::ids::{Millis, ShardNumber, StreamUuid};
use crate::base::stream::{StreamOptions, StreamStatus};
use crate::record::HashRange;

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
    /// What was chosen at its creation.
    pub options: StreamOptions,
    /// Grows with every change of the shards, from 1.
    pub map_version: u64,
    /// All shards that are still known, by number.
    pub shards: Vec<ShardRecord>,
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
}

impl State {
    /// The state of a new data dir.
    #[must_use]
    pub fn new(iterator_key: [u8; 32]) -> State {
        State { iterator_key, version: 0, streams: BTreeMap::new() }
    }

    /// The stream with this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&StreamRecord> {
        self.streams.get(name)
    }

    /// Whether some stream has this identity.
    #[must_use]
    pub fn has_uuid(&self, uuid: StreamUuid) -> bool {
        self.streams.values().any(|stream| stream.uuid == uuid)
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
        let shards = (0..).zip(HashRange::split_evenly(shards)).map(|(number, range)| {
            let number = ShardNumber(number);
            let open = true;
            let (parent, adjacent_parent, closed_at) = (None, None, None);
            ShardRecord { number, range, open, created, parent, adjacent_parent, closed_at }
        });
        StreamRecord {
            name: name.to_owned(),
            uuid,
            status: StreamStatus::Active,
            created,
            options,
            map_version: 1,
            shards: shards.collect(),
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
