//! Streams as clients see them, built from a view.

use super::validation::Violations;
use super::view::{ShardView, StreamView, View};
use crate::base::error::ApiError;
use crate::base::limits::{CONTROL_PAYLOAD_MAX, NAME_BYTES_MAX};
use crate::wire::streams::{
    ShardDescription, ShardMap, StreamDescription, StreamList, StreamSummary,
};

/// Streams in one listing (AWS: `ListStreamsInputLimit`).
const LIST_STREAMS_MAX: usize = 10_000;

impl StreamView {
    /// Everything about the stream.
    #[must_use]
    pub fn describe(&self) -> StreamDescription {
        StreamDescription {
            name: self.name.clone(),
            uuid: self.uuid,
            status: self.status,
            created: self.created,
            options: self.options,
            map_version: self.map_version,
            shards: self.shards.iter().map(describe_shard).collect(),
        }
    }

    /// Its line in a listing.
    #[must_use]
    pub fn summary(&self) -> StreamSummary {
        StreamSummary {
            name: self.name.clone(),
            uuid: self.uuid,
            status: self.status,
            created: self.created,
            options: self.options,
            open_shards: self.open_shards() as u32,
        }
    }

    /// What a client needs to route.
    #[must_use]
    pub fn shard_map(&self) -> ShardMap {
        ShardMap {
            stream: self.uuid,
            map_version: self.map_version,
            shards: self.shards.iter().map(describe_shard).collect(),
        }
    }
}

impl View {
    /// At most `limit` streams whose names come behind `after`, in the order of their names.
    pub fn list(&self, after: &str, limit: u32) -> Result<StreamList, ApiError> {
        let mut violations = Violations::default();
        violations.range_from_one("limit", limit, LIST_STREAMS_MAX);
        violations.finish()?;
        let from = self.streams().partition_point(|s| s.name.as_str() <= after);
        let rest = &self.streams()[from..];
        let page = rest.len().min(limit as usize);
        Ok(StreamList {
            more: page < rest.len(),
            streams: rest[..page].iter().map(|s| s.summary()).collect(),
        })
    }
}

fn describe_shard(shard: &ShardView) -> ShardDescription {
    let ShardView { number, range, open, home, .. } = *shard;
    ShardDescription { number, open, home, range }
}

// A line of a listing has 80 bytes beside the name.
const _: () = assert!(
    LIST_STREAMS_MAX * (NAME_BYTES_MAX + 96) < CONTROL_PAYLOAD_MAX,
    "the longest listing fits one frame"
);
