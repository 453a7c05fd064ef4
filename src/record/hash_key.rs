//! Hash keys: MD5 of the partition key as a 128-bit number (AWS), and the ranges shards own.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// A point of the hash key space, 0 … 2^128-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HashKey(pub u128);

impl HashKey {
    /// MD5 of the key's UTF-8 bytes, read as a big-endian number (AWS).
    #[must_use]
    pub fn of_partition_key(key: &[u8]) -> HashKey {
        HashKey(u128::from_be_bytes(Md5::digest(key).into()))
    }
}

/// Prints the decimal form of the AWS API.
impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hash keys that a shard owns; both ends belong to it (AWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashRange {
    /// First key.
    pub start: HashKey,
    /// Last key.
    pub end: HashKey,
}

impl HashRange {
    /// Whether `key` lies in the range.
    #[must_use]
    pub fn contains(&self, key: HashKey) -> bool {
        self.start <= key && key <= self.end
    }

    /// The whole key space cut into `n` ranges of equal width; the last takes the rest (AWS).
    #[must_use]
    pub fn split_evenly(n: u32) -> Vec<HashRange> {
        assert!(n > 0, "a stream has at least one shard");
        // floor(2^128 / n) without a 129-bit number.
        let n = u128::from(n);
        // For one shard it wraps to 0, and only start(0) is asked.
        let width = (u128::MAX / n).wrapping_add(u128::from(u128::MAX % n == n - 1));
        let start = |i: u128| HashKey(i.wrapping_mul(width));
        (0..n)
            .map(|i| HashRange {
                start: start(i),
                end: if i == n - 1 { HashKey(u128::MAX) } else { HashKey(start(i + 1).0 - 1) },
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_shards_have_the_ranges_that_aws_gives_them() {
        let ranges = HashRange::split_evenly(3);
        assert_eq!(ranges[1].start.to_string(), "113427455640312821154458202477256070485");
        assert_eq!(ranges[0].end.to_string(), "113427455640312821154458202477256070484");
        assert_eq!(ranges[2].end.to_string(), "340282366920938463463374607431768211455");
    }

    #[test]
    fn every_split_covers_the_key_space_without_hole_or_overlap() {
        for n in [1, 2, 3, 4, 7, 16, 1000, 10_000] {
            let ranges = HashRange::split_evenly(n);
            assert_eq!(ranges[0].start.0, 0);
            assert_eq!(ranges.last().unwrap().end.0, u128::MAX);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].end.0 + 1, pair[1].start.0);
            }
        }
    }

    #[test]
    fn a_partition_key_hashes_as_on_aws() {
        // md5("a") = 0cc175b9c0f1b6a831c399e269772661
        let key = HashKey::of_partition_key(b"a");
        assert_eq!(key.0, 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
    }
}
