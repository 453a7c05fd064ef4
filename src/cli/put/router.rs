//! Records to shards: one batch under construction for each open shard.

use std::collections::BTreeSet;
use std::sync::mpsc::SyncSender;

use super::key::KeyRule;
use super::lines::Line;
use super::shard_queue::{Batch, key_tag};
use super::summary::Totals;
use crate::base::ids::{CoreId, ShardNumber};
use crate::base::limits::COMMIT_BYTES_MAX;
use crate::cli::failure::{Exit, Failure};
use crate::record::{BatchBuilder, HashKey, HashRange, TooLarge};
use crate::wire::streams::StreamDescription;

/// The lane of a shard has ended; its thread says why.
#[derive(Debug)]
pub(super) struct LaneGone;

/// A batch and where it goes.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) shard: ShardNumber,
    pub(super) batch: Batch,
}

/// Records to shards.
pub(super) struct Router {
    /// Open shards by the start of their range.
    shards: Vec<Shard>,
    lanes: Vec<(CoreId, SyncSender<Routed>)>,
    batch_records: u32,
    batch_bytes: usize,
    record_bytes_max: usize,
    /// The last key and its hash: with `--key` every record has it.
    last: (String, HashKey),
}

struct Shard {
    number: ShardNumber,
    home: CoreId,
    range: HashRange,
    builder: BatchBuilder,
    keys: Vec<u64>,
    data_bytes: u64,
}

impl Router {
    pub(super) fn new(stream: &StreamDescription, batch_records: u32) -> Result<Router, Failure> {
        let mut shards: Vec<_> = stream
            .shards
            .iter()
            .filter(|s| s.is_open())
            .map(|s| Shard {
                number: s.number,
                home: s.home,
                range: s.range,
                builder: BatchBuilder::new(),
                keys: Vec::new(),
                data_bytes: 0,
            })
            .collect();
        shards.sort_by_key(|s| s.range.start);
        if shards.is_empty() {
            let message =
                format!("stream {} has no open shard; choose another", stream.summary.name);
            return Err(Failure::new(Exit::Refused, message));
        }
        // A batch larger than its shard's quota holds at once would be refused for ever.
        let limits = &stream.summary.options.limits;
        let capped = |wanted: u64, limit: u64| if limit == 0 { wanted } else { wanted.min(limit) };
        Ok(Router {
            shards,
            lanes: Vec::new(),
            batch_records: capped(u64::from(batch_records), limits.in_records) as u32,
            batch_bytes: capped(COMMIT_BYTES_MAX as u64, limits.in_burst_bytes) as usize,
            record_bytes_max: stream.summary.options.record_bytes_max as usize,
            last: (String::new(), HashKey::of_partition_key(b"")),
        })
    }

    /// The cores that own a shard.
    pub(super) fn homes(&self) -> BTreeSet<CoreId> {
        self.shards.iter().map(|s| s.home).collect()
    }

    /// Batches of the shards of `home` go here.
    pub(super) fn add_lane(&mut self, home: CoreId, lane: SyncSender<Routed>) {
        self.lanes.push((home, lane));
    }

    /// Puts a line into its shard's batch; sends the batch when it is full. A line that makes no
    /// record counts as failed and holds nobody up.
    pub(super) fn route(
        &mut self,
        rule: &KeyRule,
        line: Line<'_>,
        totals: &Totals,
    ) -> Result<(), LaneGone> {
        let bytes = line.bytes.filter(|bytes| bytes.len() <= self.record_bytes_max);
        let made = match bytes {
            None => Err(self.too_long()),
            Some(bytes) => match rule.key_of(line) {
                Err(why) => Err(why),
                Ok(key) => self.add(&key, bytes)?,
            },
        };
        if let Err(why) = made {
            totals.failed(1, || format!("line {} {why}", line.number));
        }
        Ok(())
    }

    fn add(&mut self, key: &str, data: &[u8]) -> Result<Result<(), String>, LaneGone> {
        let record_bytes = key.len() + data.len();
        if record_bytes > self.record_bytes_max {
            return Ok(Err(self.too_long()));
        }
        if self.last.0 != key {
            key.clone_into(&mut self.last.0);
            self.last.1 = HashKey::of_partition_key(key.as_bytes());
        }
        let hash = self.last.1;
        let index = self.shards.partition_point(|s| s.range.start <= hash).saturating_sub(1);
        let shard = &self.shards[index];
        let full = shard.builder.count() >= self.batch_records
            || shard.builder.quota_bytes() + record_bytes > self.batch_bytes;
        if full && !shard.builder.is_empty() {
            self.send(index)?;
        }
        let shard = &mut self.shards[index];
        Ok(match shard.builder.push(key, None, data) {
            Ok(()) => {
                shard.keys.push(key_tag(hash));
                shard.data_bytes += data.len() as u64;
                Ok(())
            }
            Err(TooLarge::Key) => {
                Err("has a partition key that is not 1 to 256 characters".to_owned())
            }
            Err(TooLarge::Record) => Err(self.too_long()),
            Err(TooLarge::BatchFull) => unreachable!("the batch was sent before it was full"),
        })
    }

    fn too_long(&self) -> String {
        format!("is longer than the {} bytes of a record of this stream", self.record_bytes_max)
    }

    /// Sends every batch that has a record.
    pub(super) fn flush(&mut self) -> Result<(), LaneGone> {
        (0..self.shards.len())
            .filter(|&index| !self.shards[index].builder.is_empty())
            .collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|index| self.send(index))
    }

    fn send(&mut self, index: usize) -> Result<(), LaneGone> {
        let shard = &mut self.shards[index];
        let keys = std::mem::take(&mut shard.keys);
        let data_bytes = std::mem::take(&mut shard.data_bytes);
        let bytes = shard.builder.finish().to_vec();
        let batch = Batch::new(bytes, shard.builder.count(), data_bytes, keys);
        shard.builder.clear();
        let lane = self.lanes.iter().find(|(home, _)| *home == shard.home);
        let (_, lane) = lane.expect("every home core has a lane");
        lane.send(Routed { shard: shard.number, batch }).or(Err(LaneGone))
    }
}
