//! The cases: how many shards, how large the records, and which limit they meet first.

use serde::Serialize;
use shardway::base::limits::{SHARD_IN_BYTES, SHARD_IN_RECORDS};

/// Sizes of records: three that meet the limit of bytes, of 1 KB to 100 KB, and one that meets the
/// limit of records.
pub const RECORD_BYTES: &str = "1100,10240,102400,100";
/// Numbers of shards.
pub const SHARDS: &str = "1,2";
/// Partition keys of a shard.
pub const KEYS: usize = 8;
/// Data of a batch for one shard, at most: what is measured is whole batches.
const BATCH_BYTES: usize = 64 << 10;
/// Records of a batch for one shard, at most: 5 % of a second's.
const BATCH_RECORDS: usize = 50;
/// Key bytes that are counted beside the data, about.
const KEY_BYTES: usize = 6;

/// A stream, and the client that offers it too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Shards of the stream.
    pub shards: u32,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch for each shard.
    pub batch_records: usize,
    /// Which limit is met first.
    pub limit: Limit,
}

/// What a shard's limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Data and keys.
    Bytes,
    /// Records.
    Records,
}

impl Limit {
    /// What AWS gives a shard, a second.
    #[must_use]
    pub fn per_s(self) -> u64 {
        match self {
            Limit::Bytes => SHARD_IN_BYTES,
            Limit::Records => SHARD_IN_RECORDS,
        }
    }
}

/// Each size of record with each number of shards.
#[must_use]
pub fn cases(shards: &[u32], record_bytes: &[usize]) -> Vec<Case> {
    let case = |shards, record_bytes: usize| {
        let bytes_per_s = (record_bytes + KEY_BYTES) as u64 * SHARD_IN_RECORDS;
        let limit = if bytes_per_s > SHARD_IN_BYTES { Limit::Bytes } else { Limit::Records };
        let batch_records = (BATCH_BYTES / record_bytes).clamp(1, BATCH_RECORDS);
        Case { shards, record_bytes, batch_records, limit }
    };
    let with = |&shards: &u32| record_bytes.iter().map(move |&bytes| case(shards, bytes));
    shards.iter().flat_map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_records_meet_the_limit_of_records_and_large_ones_that_of_bytes() {
        let cases = cases(&[1, 2], &[100, 1_000, 1_100, 102_400]);
        assert_eq!(cases.len(), 8);
        let limits: Vec<_> = cases[..4].iter().map(|case| case.limit).collect();
        assert_eq!(limits, [Limit::Records, Limit::Records, Limit::Bytes, Limit::Bytes]);
        assert_eq!((cases[3].batch_records, cases[0].batch_records), (1, BATCH_RECORDS));
        assert_eq!(cases[4].shards, 2);
    }
}
