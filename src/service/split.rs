//! A put whose records belong to several shards becomes one batch for each.

use crate::base::ids::ShardNumber;
use crate::catalog::StreamView;
use crate::record::{BatchBuilder, BatchView, RecordRef};

/// The parts of a put, in the order in which their shards first occur.
#[derive(Debug)]
pub struct Split {
    /// Shard and batch.
    pub parts: Vec<(ShardNumber, Vec<u8>)>,
    /// For each record of the put the index of its part.
    pub part_of: Vec<u16>,
}

/// Splits a batch by the hash keys of its records. Records of one shard keep their order.
#[must_use]
pub fn split_by_hash_key(stream: &StreamView, batch: &BatchView<'_>) -> Split {
    split_by(batch, |record| stream.route(record.hash_key()))
}

/// Deals the records of a batch out to the open shards in runs of about [`RUN_BYTES`], from the
/// shard whose turn it is.
#[must_use]
pub fn split_evenly(stream: &StreamView, batch: &BatchView<'_>, turn: usize) -> Split {
    let mut bytes = 0;
    split_by(batch, |record| {
        let run = bytes / RUN_BYTES;
        bytes += record.quota_bytes();
        stream.nth_open_shard(turn + run)
    })
}

/// Small enough that the shards share a large put, large enough that a small one stays whole.
const RUN_BYTES: usize = 16 * 1024;

fn split_by(
    batch: &BatchView<'_>,
    mut shard_of: impl FnMut(&RecordRef<'_>) -> ShardNumber,
) -> Split {
    let mut parts: Vec<(ShardNumber, BatchBuilder)> = Vec::new();
    let mut part_of = Vec::with_capacity(batch.header().count as usize);
    for record in batch.records() {
        let shard = shard_of(&record);
        let part = parts.iter().position(|(number, _)| *number == shard).unwrap_or_else(|| {
            parts.push((shard, BatchBuilder::new()));
            parts.len() - 1
        });
        parts[part].1.push_record(&record).expect("a part is not larger than the whole");
        part_of.push(part as u16);
    }
    let parts = parts.into_iter().map(|(shard, mut b)| (shard, b.finish().to_vec())).collect();
    Split { parts, part_of }
}
