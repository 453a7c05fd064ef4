//! Shards: description, map, listing with filters, and what a core has counted of them.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::ids::{CoreId, Millis, Seq, ShardNumber, StreamUuid};
use crate::base::limits::{CONTROL_PAYLOAD_MAX, STREAM_SHARDS_MAX};
use crate::base::stream::ShardLimits;
use crate::record::{HashKey, HashRange};

/// Shards in one page of a description, a listing or counts (AWS: 1,000 and 10,000).
pub const SHARDS_PER_PAGE_MAX: usize = 10_000;

/// Shards in one frame. The answer to a scaling has the most: from `b` shards to `a`, all `b` are
/// closed, cutting them at the new bounds makes at most `2a`, and joining the pieces `b` more.
pub const SHARDS_PER_FRAME_MAX: usize = 4 * STREAM_SHARDS_MAX;

/// A shard in a frame.
const SHARD_BYTES: usize = 72;

const _: () = assert!(
    SHARDS_PER_PAGE_MAX <= SHARDS_PER_FRAME_MAX
        && SHARDS_PER_FRAME_MAX * SHARD_BYTES + 1024 < CONTROL_PAYLOAD_MAX,
    "the answer to the largest reshard fits one frame"
);

/// A shard as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDescription {
    /// Its number.
    pub number: ShardNumber,
    /// The core that owns it.
    pub home: CoreId,
    /// The hash keys that it owns.
    pub range: HashRange,
    /// The shard that was split, or the first of two that were merged.
    pub parent: Option<ShardNumber>,
    /// The second of two that were merged.
    pub adjacent_parent: Option<ShardNumber>,
    /// When it was created.
    pub created: Millis,
    /// When it stopped taking records, and where they end; `None` while it is open.
    pub closed: Option<ShardEnd>,
}

/// The end of a closed shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardEnd {
    /// When it was closed.
    pub at: Millis,
    /// Behind its last record.
    pub end: Seq,
}

impl ShardDescription {
    /// Whether it takes records.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The shards whose records come before its own.
    pub fn parents(&self) -> impl Iterator<Item = ShardNumber> {
        [self.parent, self.adjacent_parent].into_iter().flatten()
    }
}

/// What a client needs to route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    /// Identity of the stream.
    pub stream: StreamUuid,
    /// Grows with every change of the shards.
    pub map_version: u64,
    /// The open shards, by number.
    pub shards: Vec<ShardDescription>,
}

impl ShardMap {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.stream.0).u64(self.map_version);
        write_shards(w, &self.shards);
    }
}

impl Decode<'_> for ShardMap {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ShardMap {
            stream: StreamUuid(r.array("stream")?),
            map_version: r.u64("map_version")?,
            shards: read_shards(r)?,
        })
    }
}

/// Which shards a listing has (AWS: `ShardFilter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShardFilter {
    /// Everything that is still retained.
    #[default]
    FromTrimHorizon,
    /// What was open at the trim horizon.
    AtTrimHorizon,
    /// What is open now.
    AtLatest,
    /// What was open at this time.
    AtTimestamp(Millis),
    /// What was open at this time or later.
    FromTimestamp(Millis),
    /// What has a higher number.
    AfterShard(ShardNumber),
}

/// Lists shards in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListShards<'a> {
    /// The stream.
    pub name: &'a str,
    /// Which.
    pub filter: ShardFilter,
    /// Start behind this shard; `None` starts at the first.
    pub after: Option<ShardNumber>,
    /// At most so many, 1 … 10,000.
    pub limit: u32,
}

impl ListShards<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        let (kind, value) = match self.filter {
            ShardFilter::FromTrimHorizon => (0, 0),
            ShardFilter::AtTrimHorizon => (1, 0),
            ShardFilter::AtLatest => (2, 0),
            ShardFilter::AtTimestamp(time) => (3, time.0),
            ShardFilter::FromTimestamp(time) => (4, time.0),
            ShardFilter::AfterShard(number) => (5, u64::from(number.0)),
        };
        w.text(self.name).u8(kind).u64(value);
        write_optional_number(w, self.after);
        w.u32(self.limit);
    }
}

impl<'a> Decode<'a> for ListShards<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = r.text("name")?;
        let (kind, value) = (r.u8("filter")?, r.u64("filter value")?);
        let filter = match (kind, value) {
            (0, 0) => ShardFilter::FromTrimHorizon,
            (1, 0) => ShardFilter::AtTrimHorizon,
            (2, 0) => ShardFilter::AtLatest,
            (3, time) => ShardFilter::AtTimestamp(Millis(time)),
            (4, time) => ShardFilter::FromTimestamp(Millis(time)),
            (5, n) => {
                let n = u32::try_from(n).map_err(|_| DecodeError::Value("filter value"))?;
                ShardFilter::AfterShard(ShardNumber(n))
            }
            (0..=2, _) => return Err(DecodeError::Value("filter value")),
            _ => return Err(DecodeError::Value("filter")),
        };
        let after = read_optional_number(r, "after")?;
        Ok(ListShards { name, filter, after, limit: r.u32("limit")? })
    }
}

/// A page of shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardList {
    /// Whether there are more behind the last.
    pub more: bool,
    /// By number.
    pub shards: Vec<ShardDescription>,
}

impl ShardList {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.more));
        write_shards(w, &self.shards);
    }
}

impl Decode<'_> for ShardList {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ShardList { more: r.flag("more")?, shards: read_shards(r)? })
    }
}

/// Where the records of a closed shard go on (AWS: `ChildShard`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildShard {
    /// Its number.
    pub number: ShardNumber,
    /// The first of its parents.
    pub parent: ShardNumber,
    /// The other one, if it comes from a merge.
    pub adjacent_parent: Option<ShardNumber>,
    /// The hash keys that it owns.
    pub range: HashRange,
}

impl ChildShard {
    /// The shards whose records come before its own.
    pub fn parents(&self) -> impl Iterator<Item = ShardNumber> {
        [Some(self.parent), self.adjacent_parent].into_iter().flatten()
    }

    pub(super) fn write_all(children: &[ChildShard], w: &mut Writer<'_>) {
        w.u16(children.len() as u16);
        for child in children {
            w.u32(child.number.0).u32(child.parent.0);
            write_optional_number(w, child.adjacent_parent);
            w.u128(child.range.start.0).u128(child.range.end.0);
        }
    }

    pub(super) fn read_all(r: &mut Reader<'_>) -> Result<Vec<ChildShard>, DecodeError> {
        let n = r.u16("children")?;
        let mut children = Vec::new();
        for _ in 0..n {
            children.push(ChildShard {
                number: ShardNumber(r.u32("number")?),
                parent: ShardNumber(r.u32("parent")?),
                adjacent_parent: read_optional_number(r, "adjacent_parent")?,
                range: read_range(r)?,
            });
        }
        Ok(children)
    }
}

/// Asks for what one core has counted of its shards of a stream. The answer is a page of
/// [`ShardCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetShardStats {
    /// The stream.
    pub stream: StreamUuid,
    /// The core.
    pub core: CoreId,
    /// Start behind this shard; `None` starts at the first.
    pub after: Option<ShardNumber>,
}

impl GetShardStats {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.stream.0).u16(self.core.0);
        write_optional_number(w, self.after);
    }
}

impl Decode<'_> for GetShardStats {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(GetShardStats {
            stream: StreamUuid(r.array("stream")?),
            core: CoreId(r.u16("core")?),
            after: read_optional_number(r, "after")?,
        })
    }
}

/// What a home core has counted of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Its number.
    pub number: ShardNumber,
    /// First record that is still there.
    pub trim: Seq,
    /// Behind the last durable one.
    pub end: Seq,
    /// Bytes of batches that are kept, on disk and in memory.
    pub bytes: u64,
    /// Bytes (data and keys) a second in, over the last minute.
    pub in_bytes_per_s: u64,
    /// Records a second in, over the last minute.
    pub in_records_per_s: u64,
    /// Records that its quota has refused since the server started.
    pub throttled: u64,
    /// When its newest record arrived; 0 if there was none.
    pub last_arrival: Millis,
    /// Open subscriptions.
    pub subscriptions: u32,
}

/// A shard that takes in more than so many per cent of what it admits is hot.
pub const HOT_PERCENT: u64 = 50;

impl ShardStats {
    /// Records that are kept.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.end.0.saturating_sub(self.trim.0)
    }

    /// How much of what a shard with these limits admits comes in, in per cent: of bytes or of
    /// records, whichever is more. `None` without limits.
    #[must_use]
    pub fn load_percent(&self, limits: &ShardLimits) -> Option<u64> {
        let part = |rate: u64, limit: u64| rate.saturating_mul(100).checked_div(limit);
        let bytes = part(self.in_bytes_per_s, limits.in_bytes);
        bytes.max(part(self.in_records_per_s, limits.in_records))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.number.0).u32(self.subscriptions);
        w.u64(self.trim.0).u64(self.end.0).u64(self.bytes);
        w.u64(self.in_bytes_per_s).u64(self.in_records_per_s).u64(self.throttled);
        w.u64(self.last_arrival.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<ShardStats, DecodeError> {
        let (number, subscriptions) = (ShardNumber(r.u32("number")?), r.u32("subscriptions")?);
        Ok(ShardStats {
            number,
            subscriptions,
            trim: Seq(r.u64("trim")?),
            end: Seq(r.u64("end")?),
            bytes: r.u64("bytes")?,
            in_bytes_per_s: r.u64("in_bytes_per_s")?,
            in_records_per_s: r.u64("in_records_per_s")?,
            throttled: r.u64("throttled")?,
            last_arrival: Millis(r.u64("last_arrival")?),
        })
    }
}

/// A page of what a core has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// Whether there are more behind the last.
    pub more: bool,
    /// By number.
    pub shards: Vec<ShardStats>,
}

impl ShardCounts {
    /// At most [`SHARDS_PER_PAGE_MAX`] of `all`, those behind `after`.
    #[must_use]
    pub fn page(mut all: Vec<ShardStats>, after: Option<ShardNumber>) -> ShardCounts {
        all.retain(|shard| after.is_none_or(|after| shard.number > after));
        all.sort_unstable_by_key(|shard| shard.number);
        let more = all.len() > SHARDS_PER_PAGE_MAX;
        all.truncate(SHARDS_PER_PAGE_MAX);
        ShardCounts { more, shards: all }
    }

    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.more)).u32(self.shards.len() as u32);
        for shard in &self.shards {
            shard.write(w);
        }
    }
}

impl Decode<'_> for ShardCounts {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let more = r.flag("more")?;
        let n = r.u32("shards")? as usize;
        if n > SHARDS_PER_PAGE_MAX {
            return Err(DecodeError::Value("shards"));
        }
        let mut shards = Vec::new();
        for _ in 0..n {
            shards.push(ShardStats::read(r)?);
        }
        Ok(ShardCounts { more, shards })
    }
}

/// Writes a page of shards.
pub(super) fn write_shards(w: &mut Writer<'_>, shards: &[ShardDescription]) {
    w.u32(shards.len() as u32);
    for s in shards {
        w.u32(s.number.0).u8(u8::from(s.is_open())).u8(0).u16(s.home.0);
        w.u128(s.range.start.0).u128(s.range.end.0).u64(s.created.0);
        write_optional_number(w, s.parent);
        write_optional_number(w, s.adjacent_parent);
        let (at, end) = s.closed.map_or((0, 0), |closed| (closed.at.0, closed.end.0));
        w.u64(at).u64(end);
    }
}

/// Reads a page of shards.
pub(super) fn read_shards(r: &mut Reader<'_>) -> Result<Vec<ShardDescription>, DecodeError> {
    let n = r.u32("shards")? as usize;
    if n > SHARDS_PER_FRAME_MAX {
        return Err(DecodeError::Value("shards"));
    }
    let mut shards = Vec::new();
    for _ in 0..n {
        let number = ShardNumber(r.u32("number")?);
        let open = r.flag("open")?;
        r.reserved(1)?;
        let (home, range) = (CoreId(r.u16("home")?), read_range(r)?);
        let created = Millis(r.u64("created")?);
        let parent = read_optional_number(r, "parent")?;
        let adjacent_parent = read_optional_number(r, "adjacent_parent")?;
        let closed = match (open, r.u64("closed_at")?, r.u64("end")?) {
            (true, 0, 0) => None,
            (true, _, _) => return Err(DecodeError::Value("closed_at")),
            (false, at, end) => Some(ShardEnd { at: Millis(at), end: Seq(end) }),
        };
        shards.push(ShardDescription {
            number,
            home,
            range,
            parent,
            adjacent_parent,
            created,
            closed,
        });
    }
    Ok(shards)
}

/// A shard's number, or the number of no shard.
pub(super) fn write_optional_number(w: &mut Writer<'_>, number: Option<ShardNumber>) {
    w.u32(number.unwrap_or(ShardNumber::ANY).0);
}

pub(super) fn read_optional_number(
    r: &mut Reader<'_>,
    field: &'static str,
) -> Result<Option<ShardNumber>, DecodeError> {
    let number = ShardNumber(r.u32(field)?);
    Ok((number != ShardNumber::ANY).then_some(number))
}

fn read_range(r: &mut Reader<'_>) -> Result<HashRange, DecodeError> {
    Ok(HashRange { start: HashKey(r.u128("start")?), end: HashKey(r.u128("end")?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_greater_part_of_the_limits_for_bytes_and_records() {
        let load = |bytes, records, limits| {
            let stats = ShardStats {
                in_bytes_per_s: bytes,
                in_records_per_s: records,
                ..ShardStats::default()
            };
            stats.load_percent(&limits)
        };
        assert_eq!(load(512 << 10, 100, ShardLimits::AWS), Some(50));
        assert_eq!(load(1000, 780, ShardLimits::AWS), Some(78));
        assert_eq!(load(1000, 780, ShardLimits::OFF), None);
        let records_only = ShardLimits { in_bytes: 0, ..ShardLimits::AWS };
        assert_eq!(load(u64::MAX, 10, records_only), Some(1));
    }
}
