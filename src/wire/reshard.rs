//! `Reshard`: split, merge, scale.

use super::codec::{Decode, DecodeError, Reader, Writer};
use super::shards::{SHARDS_PER_FRAME_MAX, ShardDescription, read_shards, write_shards};
use crate::base::ids::ShardNumber;
use crate::record::HashKey;

/// How the shards of a stream change. They change at one moment for every reader and writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reshard {
    /// One open shard becomes two (AWS: `SplitShard`).
    Split {
        /// Which.
        shard: ShardNumber,
        /// First hash key of the upper child; `None` is the middle.
        at: Option<HashKey>,
    },
    /// Two open neighbours become one (AWS: `MergeShards`).
    Merge {
        /// The one with the lower hash keys.
        shard: ShardNumber,
        /// The one with the higher hash keys.
        adjacent: ShardNumber,
    },
    /// The hash keys are divided evenly between so many shards (AWS: `UpdateShardCount`).
    Scale {
        /// Open shards afterwards.
        target: u32,
    },
}

/// Asks for a change of the shards. Answered when it is complete, by [`Resharded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReshardStream<'a> {
    /// The stream.
    pub name: &'a str,
    /// What.
    pub reshard: Reshard,
}

impl ReshardStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name);
        match self.reshard {
            Reshard::Split { shard, at } => {
                let at_given = u8::from(at.is_some());
                w.u8(0).u32(shard.0).u8(at_given).u128(at.unwrap_or(HashKey(0)).0);
            }
            Reshard::Merge { shard, adjacent } => {
                w.u8(1).u32(shard.0).u32(adjacent.0);
            }
            Reshard::Scale { target } => {
                w.u8(2).u32(target);
            }
        }
    }
}

impl<'a> Decode<'a> for ReshardStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = r.text("name")?;
        let reshard = match r.u8("reshard")? {
            0 => {
                let shard = ShardNumber(r.u32("shard")?);
                let at = match (r.flag("at_given")?, r.u128("at")?) {
                    (false, 0) => None,
                    (false, _) => return Err(DecodeError::Value("at")),
                    (true, at) => Some(HashKey(at)),
                };
                Reshard::Split { shard, at }
            }
            1 => Reshard::Merge {
                shard: ShardNumber(r.u32("shard")?),
                adjacent: ShardNumber(r.u32("adjacent")?),
            },
            2 => Reshard::Scale { target: r.u32("target")? },
            _ => return Err(DecodeError::Value("reshard")),
        };
        Ok(ReshardStream { name, reshard })
    }
}

/// What a reshard has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resharded {
    /// Open shards before.
    pub before: u32,
    /// Open shards now.
    pub after: u32,
    /// Version of the shard map that follows.
    pub map_version: u64,
    /// The shards that were closed, and the new ones, by number. Of a scaling some of the new ones
    /// are closed already: they only join others, which have at most two parents. Of a change of
    /// more than [`SHARDS_PER_FRAME_MAX`] only so many are sent.
    pub shards: Vec<ShardDescription>,
}

impl Resharded {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.before).u32(self.after).u64(self.map_version);
        write_shards(w, &self.shards[..self.shards.len().min(SHARDS_PER_FRAME_MAX)]);
    }
}

impl Decode<'_> for Resharded {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Resharded {
            before: r.u32("before")?,
            after: r.u32("after")?,
            map_version: r.u64("map_version")?,
            shards: read_shards(r)?,
        })
    }
}
