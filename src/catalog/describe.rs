//! Streams as clients see them, built from a view.

use super::validation::Violations;
use super::view::{ShardView, StreamView, View};
use crate::base::error::ApiError;
use crate::base::ids::ShardNumber;
use crate::base::limits::{CONTROL_PAYLOAD_MAX, NAME_BYTES_MAX};
use crate::wire::shards::{SHARDS_PER_PAGE_MAX, ShardDescription, ShardMap};
use crate::wire::streams::{StreamDescription, StreamList, StreamSummary};

/// Streams in one listing (AWS: `ListStreamsInputLimit`).
const LIST_STREAMS_MAX: usize = 10_000;

impl StreamView {
    /// Its line in a listing.
    #[must_use]
    pub fn summary(&self) -> StreamSummary {
        let shown = self.shown();
        StreamSummary {
            name: shown.name.clone(),
            arn: shown.arn(),
            uuid: shown.uuid,
            status: shown.status,
            created: shown.created,
            options: shown.options,
            metrics: shown.metrics,
            open_shards: shown.open_shards() as u32,
            consumers: shown.consumers.len() as u32,
            map_version: shown.map_version,
        }
    }

    /// Its summary and at most `limit` shards behind `after`.
    pub fn describe(
        &self,
        after: Option<ShardNumber>,
        limit: u32,
    ) -> Result<StreamDescription, ApiError> {
        let mut violations = Violations::default();
        violations.at_most("limit", limit, SHARDS_PER_PAGE_MAX);
        violations.finish()?;
        let shards = &self.shown().shards;
        let from = after.map_or(0, |n| shards.partition_point(|s| s.number <= n));
        let rest = &shards[from..];
        let page = rest.len().min(limit as usize);
        Ok(StreamDescription {
            summary: self.summary(),
            shards: rest[..page].iter().map(ShardView::describe).collect(),
            more: limit > 0 && page < rest.len(),
        })
    }

    /// What a client needs to route.
    #[must_use]
    pub fn shard_map(&self) -> ShardMap {
        let shown = self.shown();
        ShardMap {
            stream: shown.uuid,
            map_version: shown.map_version,
            shards: shown.shards.iter().filter(|s| s.is_open()).map(ShardView::describe).collect(),
        }
    }
}

impl ShardView {
    /// The shard as clients see it.
    #[must_use]
    pub fn describe(&self) -> ShardDescription {
        let ShardView { number, range, home, parent, adjacent_parent, created, closed, .. } = *self;
        ShardDescription { number, home, range, parent, adjacent_parent, created, closed }
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

// A line of a listing has about 300 bytes with its ARN.
const _: () = assert!(
    LIST_STREAMS_MAX * (2 * NAME_BYTES_MAX + 160) < CONTROL_PAYLOAD_MAX,
    "the longest listing fits one frame"
);
