//! Partition keys with their hash keys, and the bytes of their records.

use shardway::base::rng::SplitMix64;
use shardway::record::{HashKey, HashRange, RecordRef};
use xxhash_rust::xxh3::xxh3_64;

use super::ledger::Difference;

/// Key (4 bytes) and counter (8 bytes) at the front of each record's data.
pub const STAMP_BYTES: usize = 12;
/// Random bytes from which records are cut: each starts somewhere else.
const NOISE_BYTES: usize = 1 << 20;

/// A partition key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it hashes to.
    pub hash: HashKey,
}

/// The keys of all writers, and what their records hold.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    per_slice: usize,
    record_bytes: usize,
    noise: Box<[u8]>,
}

impl Keys {
    /// Cuts the hash key space into `slices` and finds `per_slice` keys for each. Slice s has the
    /// keys `s * per_slice ..`. Records have `record_bytes` of data.
    #[must_use]
    pub fn find(slices: u32, per_slice: usize, record_bytes: usize, seed: u64) -> Keys {
        assert!(record_bytes >= STAMP_BYTES, "each record is numbered");
        let ranges = HashRange::split_evenly(slices);
        let mut found: Vec<Vec<Key>> = vec![Vec::new(); ranges.len()];
        let mut missing = ranges.len() * per_slice;
        for n in 0u64.. {
            if missing == 0 {
                break;
            }
            let name = format!("key-{n}");
            let hash = HashKey::of_partition_key(name.as_bytes());
            let at = ranges.partition_point(|range| range.end < hash);
            if found[at].len() < per_slice {
                found[at].push(Key { name, hash });
                missing -= 1;
            }
        }
        let mut noise = vec![0; NOISE_BYTES + record_bytes].into_boxed_slice();
        SplitMix64::new(seed).fill(&mut noise);
        Keys { keys: found.into_iter().flatten().collect(), per_slice, record_bytes, noise }
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key with this number.
    #[must_use]
    pub fn key(&self, key: u32) -> &Key {
        &self.keys[key as usize]
    }

    /// The numbers of a slice's keys.
    #[must_use]
    pub fn of_slice(&self, slice: u32) -> std::ops::Range<u32> {
        let start = slice * self.per_slice as u32;
        start..start + self.per_slice as u32
    }

    /// Writes the data of a key's record with this counter to `into`, and returns its hash.
    pub fn record(&self, key: u32, counter: u64, into: &mut Vec<u8>) -> u64 {
        into.clear();
        into.extend_from_slice(&key.to_le_bytes());
        into.extend_from_slice(&counter.to_le_bytes());
        into.extend_from_slice(self.noise(key, counter));
        xxh3_64(into)
    }

    /// Key, counter and hash of a record that was read, if it is one that could have been sent.
    pub fn check(&self, record: &RecordRef<'_>) -> Result<(u32, u64, u64), Difference> {
        let (key, rest) = record.data.split_first_chunk::<4>().ok_or(Difference::Payload)?;
        let (counter, rest) = rest.split_first_chunk::<8>().ok_or(Difference::Payload)?;
        let (key, counter) = (u32::from_le_bytes(*key), u64::from_le_bytes(*counter));
        let known = self.keys.get(key as usize).ok_or(Difference::Payload)?;
        if known.name != record.partition_key {
            return Err(Difference::PartitionKey);
        }
        if rest != self.noise(key, counter) {
            return Err(Difference::Payload);
        }
        Ok((key, counter, xxh3_64(record.data)))
    }

    fn noise(&self, key: u32, counter: u64) -> &[u8] {
        let mix = (u64::from(key) << 40).wrapping_add(counter).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let start = (mix >> 32) as usize % NOISE_BYTES;
        &self.noise[start..start + self.record_bytes - STAMP_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardway::base::ids::Seq;

    fn keys() -> Keys {
        Keys::find(24, 8, 100, 1)
    }

    fn read<'a>(name: &'a str, data: &'a [u8]) -> RecordRef<'a> {
        RecordRef { seq: Seq(0), partition_key: name, explicit_hash_key: None, data }
    }

    #[test]
    fn every_slice_has_keys_that_hash_into_it() {
        let keys = keys();
        assert_eq!(keys.len(), 24 * 8);
        for (slice, range) in (0..).zip(HashRange::split_evenly(24)) {
            for key in keys.of_slice(slice) {
                let Key { name, hash } = keys.key(key);
                assert_eq!(*hash, HashKey::of_partition_key(name.as_bytes()));
                assert!(range.contains(*hash), "{name} is outside of slice {slice}");
            }
        }
    }

    #[test]
    fn a_record_is_known_by_its_bytes_and_its_key() {
        let (keys, mut data) = (keys(), Vec::new());
        let hash = keys.record(7, 12, &mut data);
        let name = &keys.key(7).name;
        assert_eq!(keys.check(&read(name, &data)), Ok((7, 12, hash)));
        let other = &keys.key(8).name;
        assert_eq!(keys.check(&read(other, &data)), Err(Difference::PartitionKey));
        for at in [5, 12, 99] {
            let mut changed = data.clone();
            changed[at] ^= 1;
            assert_eq!(keys.check(&read(name, &changed)), Err(Difference::Payload), "byte {at}");
        }
        assert_eq!(keys.check(&read(name, &data[..99])), Err(Difference::Payload));
        assert_eq!(keys.check(&read(name, &data[..10])), Err(Difference::Payload));
    }
}
