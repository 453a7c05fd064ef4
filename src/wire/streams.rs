//! Streams: create, delete, describe, list.

use super::alter::read_metrics;
use super::codec::{Decode, DecodeError, Reader, Writer};
use super::shards::{
    ShardDescription, read_optional_number, read_shards, write_optional_number, write_shards,
};
use super::tags::{read_tags, write_tags};
use crate::base::ids::{Millis, ShardNumber, StreamUuid};
use crate::base::stream::{
    Distribution, Durability, ShardLimits, ShardMetrics, StreamMode, StreamOptions, StreamStatus,
};

/// Creates a stream. The answer is its [`StreamDescription`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateStream<'a> {
    /// 1 … 128 of `[a-zA-Z0-9_.-]`.
    pub name: &'a str,
    /// Number of shards; 0 where the server chooses it.
    pub shards: u32,
    /// The rest.
    pub options: StreamOptions,
    /// Tags, by key.
    pub tags: Vec<(String, String)>,
}

impl CreateStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name).u32(self.shards);
        write_options(w, &self.options);
        write_tags(w, &self.tags);
    }
}

impl<'a> Decode<'a> for CreateStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(CreateStream {
            name: r.text("name")?,
            shards: r.u32("shards")?,
            options: read_options(r)?,
            tags: read_tags(r)?,
        })
    }
}

/// Deletes a stream and its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteStream<'a> {
    /// The name.
    pub name: &'a str,
    /// Also when it has registered consumers (AWS: `EnforceConsumerDeletion`).
    pub with_consumers: bool,
}

impl DeleteStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name).u8(u8::from(self.with_consumers));
    }
}

impl<'a> Decode<'a> for DeleteStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(DeleteStream { name: r.text("name")?, with_consumers: r.flag("with_consumers")? })
    }
}

/// Asks for everything about a stream, one page of its shards at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeStream<'a> {
    /// The name.
    pub name: &'a str,
    /// Shards behind this one; `None` starts at the first.
    pub after: Option<ShardNumber>,
    /// At most so many shards, 0 … 10,000. With 0 there is only the summary.
    pub limit: u32,
}

impl DescribeStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name);
        write_optional_number(w, self.after);
        w.u32(self.limit);
    }
}

impl<'a> Decode<'a> for DescribeStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(DescribeStream {
            name: r.text("name")?,
            after: read_optional_number(r, "after")?,
            limit: r.u32("limit")?,
        })
    }
}

/// Names a stream: the payload of a request for its shard map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamName<'a> {
    /// The name.
    pub name: &'a str,
}

impl StreamName<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name);
    }
}

impl<'a> Decode<'a> for StreamName<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(StreamName { name: r.text("name")? })
    }
}

/// A stream as clients see it, with a page of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescription {
    /// Everything but the shards.
    pub summary: StreamSummary,
    /// By number.
    pub shards: Vec<ShardDescription>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl StreamDescription {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        self.summary.write(w);
        write_shards(w, &self.shards);
        w.u8(u8::from(self.more));
    }
}

impl Decode<'_> for StreamDescription {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(StreamDescription {
            summary: StreamSummary::read(r)?,
            shards: read_shards(r)?,
            more: r.flag("more")?,
        })
    }
}

/// Lists streams in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListStreams<'a> {
    /// Start behind this name; empty starts at the first.
    pub after: &'a str,
    /// At most so many, 1 … 10,000.
    pub limit: u32,
}

impl ListStreams<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.after).u32(self.limit);
    }
}

impl<'a> Decode<'a> for ListStreams<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ListStreams { after: r.text("after")?, limit: r.u32("limit")? })
    }
}

/// A stream without its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// Name.
    pub name: String,
    /// `arn:aws:kinesis:{region}:{account}:stream/{name}`.
    pub arn: String,
    /// Identity.
    pub uuid: StreamUuid,
    /// State.
    pub status: StreamStatus,
    /// When it was created.
    pub created: Millis,
    /// What was chosen.
    pub options: StreamOptions,
    /// Shard-level metrics that are switched on.
    pub metrics: ShardMetrics,
    /// Open shards.
    pub open_shards: u32,
    /// Registered consumers.
    pub consumers: u32,
    /// Grows with every change of the shards.
    pub map_version: u64,
}

impl StreamSummary {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(&self.name).text(&self.arn).bytes(&self.uuid.0);
        w.u8(self.status as u8).u64(self.created.0);
        write_options(w, &self.options);
        w.u8(self.metrics.0).u32(self.open_shards).u32(self.consumers).u64(self.map_version);
    }
}

impl Decode<'_> for StreamSummary {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(StreamSummary {
            name: r.text("name")?.to_owned(),
            arn: r.text("arn")?.to_owned(),
            uuid: StreamUuid(r.array("uuid")?),
            status: StreamStatus::from_wire(r.u8("status")?).ok_or(DecodeError::Value("status"))?,
            created: Millis(r.u64("created")?),
            options: read_options(r)?,
            metrics: read_metrics(r)?,
            open_shards: r.u32("open_shards")?,
            consumers: r.u32("consumers")?,
            map_version: r.u64("map_version")?,
        })
    }
}

/// The answer to a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamList {
    /// Whether there are more behind the last.
    pub more: bool,
    /// In the order of their names.
    pub streams: Vec<StreamSummary>,
}

impl StreamList {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.more)).u32(self.streams.len() as u32);
        for summary in &self.streams {
            summary.write(w);
        }
    }
}

impl Decode<'_> for StreamList {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let more = r.flag("more")?;
        let n = r.u32("streams")?;
        let mut streams = Vec::new();
        for _ in 0..n {
            streams.push(StreamSummary::read(r)?);
        }
        Ok(StreamList { more, streams })
    }
}

fn write_options(w: &mut Writer<'_>, o: &StreamOptions) {
    w.u8(o.durability.to_wire()).u32(o.retention_hours).u32(o.record_bytes_max);
    w.u8(o.mode as u8).u8(o.distribution as u8).u32(o.warm_mib);
    write_limits(w, &o.limits);
}

fn read_options(r: &mut Reader<'_>) -> Result<StreamOptions, DecodeError> {
    Ok(StreamOptions {
        durability: Durability::from_wire(r.u8("durability")?)
            .ok_or(DecodeError::Value("durability"))?,
        retention_hours: r.u32("retention_hours")?,
        record_bytes_max: r.u32("record_bytes_max")?,
        mode: StreamMode::from_wire(r.u8("mode")?).ok_or(DecodeError::Value("mode"))?,
        distribution: Distribution::from_wire(r.u8("distribution")?)
            .ok_or(DecodeError::Value("distribution"))?,
        warm_mib: r.u32("warm_mib")?,
        limits: read_limits(r)?,
    })
}

pub(super) fn write_limits(w: &mut Writer<'_>, l: &ShardLimits) {
    w.u64(l.in_bytes).u64(l.in_burst_bytes).u64(l.in_records).u64(l.out_bytes).u64(l.reads);
}

pub(super) fn read_limits(r: &mut Reader<'_>) -> Result<ShardLimits, DecodeError> {
    Ok(ShardLimits {
        in_bytes: r.u64("in_bytes")?,
        in_burst_bytes: r.u64("in_burst_bytes")?,
        in_records: r.u64("in_records")?,
        out_bytes: r.u64("out_bytes")?,
        reads: r.u64("reads")?,
    })
}
