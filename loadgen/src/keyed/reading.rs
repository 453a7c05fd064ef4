//! What one reader reads: dense positions in each shard, right bytes, and the order in each key.

use std::collections::BTreeMap;
use std::sync::Arc;

use shardway::base::ids::{Seq, ShardNumber};
use shardway::client::{Batches, ReadRecord};
use shardway::record::HashRange;

use super::keys::Keys;
use super::ledger::{Difference, KeyMismatch, Ledger};

/// A reader's records so far.
#[derive(Debug)]
pub struct Reading {
    who: &'static str,
    keys: Arc<Keys>,
    shards: BTreeMap<ShardNumber, ShardReading>,
    ledger: Ledger,
    bytes: u64,
}

#[derive(Debug)]
struct ShardReading {
    range: HashRange,
    next: Seq,
}

impl Reading {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new(who: &'static str, keys: Arc<Keys>) -> Reading {
        let ledger = Ledger::new(keys.len());
        Reading { who, keys, shards: BTreeMap::new(), ledger, bytes: 0 }
    }

    /// Which reader it is.
    #[must_use]
    pub fn who(&self) -> &'static str {
        self.who
    }

    /// From now on it also reads this shard, from its first record on.
    pub fn open(&mut self, shard: ShardNumber, range: HashRange) {
        let before = self.shards.insert(shard, ShardReading { range, next: Seq::ZERO });
        assert!(before.is_none(), "a shard is read once");
    }

    /// Shards that were read.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What was read.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Data bytes that were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next records of a shard.
    pub fn take(&mut self, shard: ShardNumber, batches: &Batches) -> Result<(), KeyMismatch> {
        let mut result = Ok(());
        let read = batches.for_each(|record| {
            if result.is_ok() {
                result = self.record(shard, &record);
            }
        });
        result?;
        let invalid = |why| self.mismatch(Some(shard), None, Difference::Batch(why));
        read.map(drop).map_err(invalid)
    }

    /// A closed shard was read to what its server calls its end.
    pub fn ended(&self, shard: ShardNumber, end: Seq) -> Result<(), KeyMismatch> {
        let next = self.shards[&shard].next;
        if next == end {
            return Ok(());
        }
        Err(self.mismatch(Some(shard), None, Difference::ShardEnd(next.0)))
    }

    fn record(&mut self, shard: ShardNumber, read: &ReadRecord<'_>) -> Result<(), KeyMismatch> {
        let reading = self.shards.get_mut(&shard).expect("it was opened");
        let next = reading.next;
        reading.next = next.plus(1);
        let range = reading.range;
        let checked = self.keys.check(&read.record);
        let (key, counter, hash) =
            checked.map_err(|difference| self.mismatch(Some(shard), None, difference))?;
        let found = |difference| self.mismatch(Some(shard), Some((key, counter)), difference);
        if read.record.seq != next {
            return Err(found(Difference::Position(next.0)));
        }
        if read.shard != shard || !range.contains(read.record.hash_key()) {
            return Err(found(Difference::WrongShard));
        }
        self.bytes += read.record.data.len() as u64;
        match self.ledger.add(key, counter, hash) {
            Ok(()) => Ok(()),
            Err(difference) => Err(self.mismatch(Some(shard), Some((key, counter)), difference)),
        }
    }

    fn mismatch(
        &self,
        shard: Option<ShardNumber>,
        record: Option<(u32, u64)>,
        difference: Difference,
    ) -> KeyMismatch {
        KeyMismatch { reader: self.who, shard: shard.map(|shard| shard.0), record, difference }
    }
}
