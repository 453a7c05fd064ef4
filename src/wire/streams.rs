//! Streams: create, delete, describe, list, shard map.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::ids::{CoreId, Millis, ShardNumber, StreamUuid};
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::base::stream::{Durability, ShardLimits, StreamOptions, StreamStatus};
use crate::record::{HashKey, HashRange};

/// Creates a stream. The answer is its [`StreamDescription`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateStream<'a> {
    /// 1 … 128 of `[a-zA-Z0-9_.-]`.
    pub name: &'a str,
    /// Number of shards.
    pub shards: u32,
    /// The rest.
    pub options: StreamOptions,
}

impl CreateStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name).u32(self.shards);
        write_options(w, &self.options);
    }
}

impl<'a> Decode<'a> for CreateStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(CreateStream {
            name: r.text("name")?,
            shards: r.u32("shards")?,
            options: read_options(r)?,
        })
    }
}

/// Names a stream: the payload of delete, describe and shard map.
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

/// A shard as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDescription {
    /// Its number.
    pub number: ShardNumber,
    /// Whether it takes records.
    pub open: bool,
    /// The core that owns it.
    pub home: CoreId,
    /// The hash keys that it owns.
    pub range: HashRange,
}

/// A stream as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescription {
    /// Name.
    pub name: String,
    /// Identity.
    pub uuid: StreamUuid,
    /// State.
    pub status: StreamStatus,
    /// When it was created.
    pub created: Millis,
    /// What was chosen.
    pub options: StreamOptions,
    /// Grows with every change of the shards.
    pub map_version: u64,
    /// All shards, by number.
    pub shards: Vec<ShardDescription>,
}

impl StreamDescription {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(&self.name).bytes(&self.uuid.0).u8(self.status as u8).u64(self.created.0);
        write_options(w, &self.options);
        write_shards(w, self.map_version, &self.shards);
    }
}

impl Decode<'_> for StreamDescription {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = r.text("name")?.to_owned();
        let uuid = StreamUuid(r.array("uuid")?);
        let status =
            StreamStatus::from_wire(r.u8("status")?).ok_or(DecodeError::Value("status"))?;
        let created = Millis(r.u64("created")?);
        let options = read_options(r)?;
        let (map_version, shards) = read_shards(r)?;
        Ok(StreamDescription { name, uuid, status, created, options, map_version, shards })
    }
}

/// The answer to a shard map request: what a client needs to route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    /// Identity of the stream.
    pub stream: StreamUuid,
    /// Grows with every change of the shards.
    pub map_version: u64,
    /// All shards, by number.
    pub shards: Vec<ShardDescription>,
}

impl ShardMap {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.stream.0);
        write_shards(w, self.map_version, &self.shards);
    }
}

impl Decode<'_> for ShardMap {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let stream = StreamUuid(r.array("stream")?);
        let (map_version, shards) = read_shards(r)?;
        Ok(ShardMap { stream, map_version, shards })
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

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// Name.
    pub name: String,
    /// Identity.
    pub uuid: StreamUuid,
    /// State.
    pub status: StreamStatus,
    /// When it was created.
    pub created: Millis,
    /// What was chosen.
    pub options: StreamOptions,
    /// Open shards.
    pub open_shards: u32,
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
        for s in &self.streams {
            w.text(&s.name).bytes(&s.uuid.0).u8(s.status as u8).u64(s.created.0);
            write_options(w, &s.options);
            w.u32(s.open_shards);
        }
    }
}

impl Decode<'_> for StreamList {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let more = r.flag("more")?;
        let n = r.u32("streams")?;
        let mut streams = Vec::new();
        for _ in 0..n {
            streams.push(StreamSummary {
                name: r.text("name")?.to_owned(),
                uuid: StreamUuid(r.array("uuid")?),
                status: StreamStatus::from_wire(r.u8("status")?)
                    .ok_or(DecodeError::Value("status"))?,
                created: Millis(r.u64("created")?),
                options: read_options(r)?,
                open_shards: r.u32("open_shards")?,
            });
        }
        Ok(StreamList { more, streams })
    }
}

fn write_options(w: &mut Writer<'_>, o: &StreamOptions) {
    w.u8(o.durability.to_wire()).u32(o.retention_hours).u32(o.record_bytes_max);
    let l = &o.limits;
    w.u64(l.in_bytes).u64(l.in_burst_bytes).u64(l.in_records).u64(l.out_bytes).u64(l.reads);
}

fn read_options(r: &mut Reader<'_>) -> Result<StreamOptions, DecodeError> {
    Ok(StreamOptions {
        durability: Durability::from_wire(r.u8("durability")?)
            .ok_or(DecodeError::Value("durability"))?,
        retention_hours: r.u32("retention_hours")?,
        record_bytes_max: r.u32("record_bytes_max")?,
        limits: ShardLimits {
            in_bytes: r.u64("in_bytes")?,
            in_burst_bytes: r.u64("in_burst_bytes")?,
            in_records: r.u64("in_records")?,
            out_bytes: r.u64("out_bytes")?,
            reads: r.u64("reads")?,
        },
    })
}

fn write_shards(w: &mut Writer<'_>, map_version: u64, shards: &[ShardDescription]) {
    w.u64(map_version).u32(shards.len() as u32);
    for s in shards {
        w.u32(s.number.0).u8(u8::from(s.open)).u8(0).u16(s.home.0);
        w.u128(s.range.start.0).u128(s.range.end.0);
    }
}

fn read_shards(r: &mut Reader<'_>) -> Result<(u64, Vec<ShardDescription>), DecodeError> {
    let map_version = r.u64("map_version")?;
    let n = r.u32("shards")? as usize;
    if n > 2 * STREAM_SHARDS_MAX {
        return Err(DecodeError::Value("shards"));
    }
    let mut shards = Vec::with_capacity(n);
    for _ in 0..n {
        let number = ShardNumber(r.u32("number")?);
        let open = r.flag("open")?;
        r.reserved(1)?;
        shards.push(ShardDescription {
            number,
            open,
            home: CoreId(r.u16("home")?),
            range: HashRange { start: HashKey(r.u128("start")?), end: HashKey(r.u128("end")?) },
        });
    }
    Ok((map_version, shards))
}
