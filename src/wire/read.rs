//! `GetIterator` and `Get`: reading by position, with long poll.

use super::codec::{Decode, DecodeError, Reader, Writer};
use super::position::{read_position, write_position};
use super::shards::ChildShard;
use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::stream::Position;

/// Asks for an iterator. The answer is the iterator's bytes, opaque, valid for 300 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetIterator {
    /// The stream.
    pub stream: StreamUuid,
    /// The shard.
    pub shard: ShardNumber,
    /// Where.
    pub position: Position,
}

impl GetIterator {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.stream.0).u32(self.shard.0);
        write_position(w, self.position);
    }
}

impl Decode<'_> for GetIterator {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(GetIterator {
            stream: StreamUuid(r.array("stream")?),
            shard: ShardNumber(r.u32("shard")?),
            position: read_position(r)?,
        })
    }
}

/// Reads records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    /// From a `GetIterator` or the previous `Get`.
    pub iterator: &'a [u8],
    /// At most so many records, 1 … 10,000.
    pub limit: u32,
    /// At most so many bytes of batches; a single larger batch comes alone.
    pub bytes_max: u32,
    /// Wait so many ms for a first record; 0 answers at once.
    pub wait_ms: u32,
}

impl Get<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.blob(self.iterator).u32(self.limit).u32(self.bytes_max).u32(self.wait_ms);
    }
}

impl<'a> Decode<'a> for Get<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Get {
            iterator: r.blob("iterator")?,
            limit: r.u32("limit")?,
            bytes_max: r.u32("bytes_max")?,
            wait_ms: r.u32("wait_ms")?,
        })
    }
}

/// Whole batches as they are stored; the records asked for are `first … end` (end exclusive).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetAnswer<'a> {
    /// Continues behind `end`; empty when the shard is closed and read to its end.
    pub next_iterator: &'a [u8],
    /// How far the reader is behind the newest record, in ms; 0 at the tip.
    pub behind_ms: u64,
    /// First record that belongs to the answer; earlier ones of the first batch do not.
    pub first: Seq,
    /// Behind the last record that belongs to the answer.
    pub end: Seq,
    /// Where the records go on, once a closed shard is read to its end; empty before that.
    pub children: Vec<ChildShard>,
    /// Batches, one behind the other.
    pub batches: &'a [u8],
}

impl GetAnswer<'_> {
    /// Writes everything in front of the batches.
    pub fn write_prefix(&self, w: &mut Writer<'_>) {
        w.blob(self.next_iterator).u64(self.behind_ms).u64(self.first.0).u64(self.end.0);
        ChildShard::write_all(&self.children, w);
    }
}

impl<'a> Decode<'a> for GetAnswer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(GetAnswer {
            next_iterator: r.blob("next_iterator")?,
            behind_ms: r.u64("behind_ms")?,
            first: Seq(r.u64("first")?),
            end: Seq(r.u64("end")?),
            children: ChildShard::read_all(r)?,
            batches: r.rest(),
        })
    }
}
