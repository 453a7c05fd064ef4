//! Which records of each key there are: a count, a hash over them in order, and the holes.

use std::fmt;
use std::ops::Range;

use crate::verify::Chain;

/// How what was read differs from what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It was acknowledged, and the reader never got it.
    Lost,
    /// The reader got it, and it was never acknowledged.
    Unacknowledged,
    /// It came behind a later record of its key, or again; this counter was expected next.
    OutOfOrder(u64),
    /// The bytes are not those that were sent.
    Payload,
    /// It came with another partition key.
    PartitionKey,
    /// The shard does not own its hash key.
    WrongShard,
    /// Its position in the shard is not the next one, which is this.
    Position(u64),
    /// The shard ended before or behind its last record, as the reader was told.
    ShardEnd(u64),
    /// The batch's own checks fail.
    Batch(String),
    /// Same records, different hashes.
    Hash,
}

/// A difference, and where it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMismatch {
    /// Which reader.
    pub reader: &'static str,
    /// The shard, where the difference belongs to one.
    pub shard: Option<u32>,
    /// The record, as far as it is known: number of its key, and its counter.
    pub record: Option<(u32, u64)>,
    /// What.
    pub difference: Difference,
}

impl fmt::Display for KeyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reader)?;
        if let Some(shard) = self.shard {
            write!(f, ", shard {shard}")?;
        }
        if let Some((key, counter)) = self.record {
            write!(f, ", record {counter} of key {key}")?;
        }
        f.write_str(": ")?;
        match &self.difference {
            Difference::Lost => f.write_str("acknowledged and never read"),
            Difference::Unacknowledged => f.write_str("read and never acknowledged"),
            Difference::OutOfOrder(next) => write!(f, "came when {next} was expected"),
            Difference::Payload => f.write_str("payload changed"),
            Difference::PartitionKey => f.write_str("partition key changed"),
            Difference::WrongShard => f.write_str("in a shard that does not own its key"),
            Difference::Position(next) => write!(f, "not at the next position, {next}"),
            Difference::ShardEnd(next) => write!(f, "ended, and {next} records were read"),
            Difference::Batch(why) => write!(f, "invalid batch: {why}"),
            Difference::Hash => f.write_str("same records, different hashes"),
        }
    }
}

/// The records of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KeyLog {
    /// Behind the last.
    next: u64,
    /// Counters below that were left out.
    holes: Vec<Range<u64>>,
    chain: Chain,
}

impl KeyLog {
    fn has(&self, counter: u64) -> bool {
        counter < self.next && !self.holes.iter().any(|hole| hole.contains(&counter))
    }
}

/// The records of all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    keys: Vec<KeyLog>,
    records: u64,
}

impl Ledger {
    /// No record of `keys` keys.
    #[must_use]
    pub fn new(keys: usize) -> Ledger {
        Ledger { keys: vec![KeyLog::default(); keys], records: 0 }
    }

    /// Records of all keys.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Adds a record. Counters of a key ascend; those that are left out are holes.
    pub fn add(&mut self, key: u32, counter: u64, hash: u64) -> Result<(), Difference> {
        let log = &mut self.keys[key as usize];
        if counter < log.next {
            return Err(Difference::OutOfOrder(log.next));
        }
        if counter > log.next {
            log.holes.push(log.next..counter);
        }
        log.next = counter + 1;
        log.chain.extend(hash);
        self.records += 1;
        Ok(())
    }

    /// Finds the first record of a key that is in one of both and not in the other.
    pub fn compare(&self, read: &Ledger, reader: &'static str) -> Result<(), KeyMismatch> {
        for (key, (acked, read)) in (0..).zip(self.keys.iter().zip(&read.keys)) {
            if acked == read {
                continue;
            }
            let end = acked.next.max(read.next);
            let at = (0..end).find(|&counter| acked.has(counter) != read.has(counter));
            let difference = match at {
                Some(counter) if acked.has(counter) => Difference::Lost,
                Some(_) => Difference::Unacknowledged,
                None => Difference::Hash,
            };
            let record = Some((key, at.unwrap_or(end)));
            return Err(KeyMismatch { reader, shard: None, record, difference });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(counters: &[u64]) -> Ledger {
        let mut ledger = Ledger::new(2);
        for &counter in counters {
            ledger.add(1, counter, counter * 31).expect("in order");
        }
        ledger
    }

    fn difference(acked: &[u64], read: &[u64]) -> (u64, Difference) {
        let mismatch = ledger(acked).compare(&ledger(read), "x").expect_err("they differ");
        let (key, counter) = mismatch.record.expect("it names the record");
        assert_eq!(key, 1);
        (counter, mismatch.difference)
    }

    #[test]
    fn the_same_records_are_the_same_whatever_was_refused_behind_them() {
        ledger(&[0, 1, 4, 5]).compare(&ledger(&[0, 1, 4, 5]), "x").expect("no difference");
        assert_eq!(ledger(&[0, 1, 4, 5]).records(), 4);
    }

    #[test]
    fn the_first_lost_and_the_first_unacknowledged_record_are_named() {
        assert_eq!(difference(&[0, 1, 2, 3], &[0, 1, 3]), (2, Difference::Lost));
        assert_eq!(difference(&[0, 1, 2, 3], &[0, 1, 2]), (3, Difference::Lost));
        assert_eq!(difference(&[0, 1, 3], &[0, 1, 2, 3]), (2, Difference::Unacknowledged));
        assert_eq!(difference(&[0, 1], &[0, 1, 2]), (2, Difference::Unacknowledged));
    }

    #[test]
    fn a_record_that_comes_again_or_late_is_out_of_order() {
        let mut ledger = ledger(&[0, 1, 2]);
        assert_eq!(ledger.add(1, 2, 0), Err(Difference::OutOfOrder(3)));
        ledger.add(1, 5, 0).expect("later ones may be left out");
        assert_eq!(ledger.add(1, 4, 0), Err(Difference::OutOfOrder(6)));
        ledger.add(0, 0, 0).expect("another key has its own order");
    }

    #[test]
    fn other_bytes_behind_the_same_counters_are_a_difference() {
        let mut read = ledger(&[0, 1]);
        read.add(1, 2, 7).expect("in order");
        let mismatch = ledger(&[0, 1, 2]).compare(&read, "x").expect_err("they differ");
        assert_eq!(mismatch.difference, Difference::Hash);
    }
}
