//! What writers send: batches built and checksummed before the clock starts.
//!
//! Each record is its writer's number, a counter and seeded bytes. A writer goes round its pool,
//! so counters ascend modulo the pool's size and a send costs no hashing and no copy.

use shardway::base::rng::SplitMix64;
use shardway::record::{BatchBuilder, HashKey, HashRange};
use xxhash_rust::xxh3::xxh3_64;

use crate::workload::Workload;

/// Writer (4 bytes) and counter (8 bytes) at the front of each record's data.
pub const STAMP_BYTES: usize = 12;
/// Batches of a pool: enough that a repeated or lost run of batches rarely looks like none.
const BATCHES: usize = 64;
/// All pools together; large batches get fewer.
const POOLS_BYTES_MAX: usize = 64 << 20;

/// The batches of one writer.
#[derive(Debug)]
pub struct Pool {
    writer: u32,
    batch_records: u32,
    batches: Vec<Box<[u8]>>,
    hashes: Vec<u64>,
}

impl Pool {
    /// Builds the pool of `writer`, whose records go to the shard that owns `key`.
    #[must_use]
    pub fn build(writer: u32, key: &str, workload: &Workload) -> Pool {
        let of_writer = POOLS_BYTES_MAX / workload.writers as usize;
        // Three at least: with two, "one lost" and "two swapped" would look alike.
        let count = (of_writer / workload.batch_bytes()).clamp(3, BATCHES);
        let mut pool =
            Pool { writer, batch_records: workload.batch_records, batches: vec![], hashes: vec![] };
        let mut rng = SplitMix64::new(workload.seed ^ (u64::from(writer) << 32));
        let mut data = vec![0; workload.record_bytes];
        let mut builder = BatchBuilder::new();
        for _ in 0..count {
            builder.clear();
            for _ in 0..workload.batch_records {
                rng.fill(&mut data[STAMP_BYTES..]);
                write_stamp(&mut data, writer, pool.hashes.len() as u64);
                pool.hashes.push(payload_hash(&data));
                builder.push(key, None, &data).expect("the workload was checked");
            }
            pool.batches.push(builder.finish().into());
        }
        pool
    }

    /// Whose it is.
    #[must_use]
    pub fn writer(&self) -> u32 {
        self.writer
    }

    /// Records of each batch.
    #[must_use]
    pub fn batch_records(&self) -> u32 {
        self.batch_records
    }

    /// Number of batches before the first comes again.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.len() as u64
    }

    /// Number of records before the first comes again.
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The batch that a writer sends as its `n`th.
    #[must_use]
    pub fn batch(&self, n: u64) -> &[u8] {
        &self.batches[(n % self.batches()) as usize]
    }

    /// Payload hashes of the `n`th batch's records.
    #[must_use]
    pub fn batch_hashes(&self, n: u64) -> &[u64] {
        let records = self.batch_records as usize;
        let start = (n % self.batches()) as usize * records;
        &self.hashes[start..start + records]
    }

    /// Payload hash of the record with this counter.
    #[must_use]
    pub fn record_hash(&self, counter: u64) -> Option<u64> {
        self.hashes.get(usize::try_from(counter).ok()?).copied()
    }
}

/// The hash by which payloads are compared.
#[must_use]
pub fn payload_hash(data: &[u8]) -> u64 {
    xxh3_64(data)
}

/// Writer and counter of a record; none if it is too short for them.
#[must_use]
pub fn read_stamp(data: &[u8]) -> Option<(u32, u64)> {
    let (writer, rest) = data.split_first_chunk::<4>()?;
    let (counter, _) = rest.split_first_chunk::<8>()?;
    Some((u32::from_le_bytes(*writer), u64::from_le_bytes(*counter)))
}

/// Writes writer and counter at the front of a record's data.
pub fn write_stamp(data: &mut [u8], writer: u32, counter: u64) {
    data[..4].copy_from_slice(&writer.to_le_bytes());
    data[4..STAMP_BYTES].copy_from_slice(&counter.to_le_bytes());
}

/// For each shard, by its range, a partition key that hashes into it, so that a server which
/// routes by key agrees with a client that names the shard.
#[must_use]
pub fn partition_keys(shards: &[HashRange]) -> Vec<String> {
    let mut keys = vec![None; shards.len()];
    let mut missing = shards.len();
    for n in 0u64.. {
        if missing == 0 {
            break;
        }
        let key = format!("k{n}");
        let hash = HashKey::of_partition_key(key.as_bytes());
        let owner = shards.iter().position(|range| range.contains(hash));
        if let Some(slot) = owner.map(|at| &mut keys[at]).filter(|slot| slot.is_none()) {
            *slot = Some(key);
            missing -= 1;
        }
    }
    keys.into_iter().map(|key| key.expect("the loop ends with a key for each")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardway::record::BatchView;

    fn workload() -> Workload {
        Workload { record_bytes: 40, batch_records: 5, ..Workload::default() }
    }

    #[test]
    fn a_pools_batches_are_valid_and_their_hashes_are_right() {
        let pool = Pool::build(7, "k1", &workload());
        assert_eq!(pool.batches() * 5, pool.cycle());
        for n in 0..pool.batches() {
            let view = BatchView::check_client(pool.batch(n)).expect("valid");
            let hashes: Vec<u64> = view.records().map(|r| payload_hash(r.data)).collect();
            assert_eq!(hashes, pool.batch_hashes(n));
            for (i, record) in view.records().enumerate() {
                assert_eq!(read_stamp(record.data), Some((7, n * 5 + i as u64)));
            }
        }
    }

    #[test]
    fn a_writer_goes_round_its_pool() {
        let pool = Pool::build(0, "k1", &workload());
        assert_eq!(pool.batch(3), pool.batch(pool.batches() + 3));
        assert_ne!(pool.batch(3), pool.batch(4));
    }

    #[test]
    fn every_shard_gets_a_key_of_its_own_range() {
        let shards = HashRange::split_evenly(50);
        for (key, shard) in partition_keys(&shards).iter().zip(&shards) {
            assert!(shard.contains(HashKey::of_partition_key(key.as_bytes())));
        }
    }
}
