//! Records that are numbered key by key, whatever shards they go to, and what must be read back.
//!
//! A record's bytes follow from its key and number, so one that was never sent cannot pass. The
//! numbers of a key say its order across splits and merges, where positions in a shard cannot.

use std::collections::BTreeMap;
use std::ops::Range;

use shardway::base::error::ErrorCode;
use shardway::base::ids::{Seq, ShardNumber};
use shardway::base::rng::SplitMix64;
use shardway::client::ReadRecord;
use shardway::record::{BatchBuilder, HashKey};
use shardway::wire::shards::ShardDescription;

/// A record: which of a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Index of the key.
    pub key: usize,
    /// Counted from 0 for each key.
    pub number: u64,
}

impl Name {
    /// Its data: the name, then up to 255 bytes that follow from it.
    fn data(self) -> Vec<u8> {
        let Name { key, number } = self;
        let mut random = SplitMix64::new(((key as u64) << 32) ^ number);
        let mut rest = vec![0; random.below(256) as usize];
        random.fill(&mut rest);
        let mut data = format!("{key} {number} ").into_bytes();
        data.append(&mut rest);
        data
    }

    /// What the data says that it is.
    fn of(data: &[u8]) -> Option<Name> {
        let mut fields = data.splitn(3, |b| *b == b' ');
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse::<u64>().ok();
        Some(Name { key: number()? as usize, number: number()? })
    }
}

/// A partition key, by itself or with a hash key of its own.
#[derive(Clone, Debug)]
struct Key {
    name: String,
    explicit: Option<HashKey>,
}

/// All keys. Their indexes say who writes to them: each has one writer.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// So many, every third with an explicit hash key. The ends of the hash key space are there.
    pub fn new(count: usize) -> Keys {
        let mut random = SplitMix64::new(11);
        let explicit = |i: usize, random: &mut SplitMix64| match i {
            0 => Some(HashKey(0)),
            3 => Some(HashKey(u128::MAX)),
            _ if i.is_multiple_of(3) => {
                let high = u128::from(random.next_u64());
                Some(HashKey((high << 64) | u128::from(random.next_u64())))
            }
            _ => None,
        };
        let key = |i| Key { name: format!("key-{i}"), explicit: explicit(i, &mut random) };
        Keys((0..count).map(key).collect())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where in the hash key space a key lies.
    pub fn hash(&self, key: usize) -> HashKey {
        let Key { name, explicit } = &self.0[key];
        explicit.unwrap_or_else(|| HashKey::of_partition_key(name.as_bytes()))
    }

    /// Adds a record to a batch.
    pub fn push(&self, builder: &mut BatchBuilder, name: Name) {
        let key = &self.0[name.key];
        builder.push(&key.name, key.explicit, &name.data()).expect("the batch is small enough");
    }

    /// The name of a record that was read. Panics if such a record was never made.
    fn name_of(&self, read: &ReadRecord<'_>) -> Name {
        let name = Name::of(read.record.data).filter(|name| {
            self.0.get(name.key).is_some_and(|key| {
                (read.record.partition_key, read.record.explicit_hash_key)
                    == (&key.name, key.explicit)
                    && read.record.data == name.data()
            })
        });
        name.unwrap_or_else(|| panic!("{}:{} was never sent", read.shard, read.record.seq))
    }
}

/// What became of a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There was no answer.
    Unknown,
    /// It was acknowledged, at this place.
    Stored(ShardNumber, Seq),
    /// It was refused, or it was not there after a restart: it must never show up.
    Absent,
}

/// What the writer of a key knows of its records.
#[derive(Clone, Debug, Default)]
pub struct KeyLog {
    /// By number.
    pub fates: Vec<Fate>,
    /// The first number of each connection: what a connection has lost is the end of what it sent.
    connections: Vec<u64>,
}

impl KeyLog {
    /// From here on a new connection sends.
    pub fn connected(&mut self) {
        self.connections.push(self.fates.len() as u64);
    }

    /// The next number. From here on the record may be stored.
    pub fn send(&mut self) -> u64 {
        self.fates.push(Fate::Unknown);
        self.fates.len() as u64 - 1
    }

    /// The answer for a record has come.
    pub fn answered(&mut self, number: u64, outcome: (ShardNumber, Result<Seq, ErrorCode>)) {
        let fate = match outcome {
            (shard, Ok(seq)) => Fate::Stored(shard, seq),
            (_, Err(_)) => Fate::Absent,
        };
        self.fates[number as usize] = fate;
    }

    /// Acknowledged records.
    pub fn stored(&self) -> usize {
        self.fates.iter().filter(|fate| matches!(fate, Fate::Stored(..))).count()
    }

    fn connection_ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = self.connections.iter().map(|first| *first as usize);
        let ends = starts.clone().skip(1).chain([self.fates.len()]);
        starts.zip(ends).map(|(start, end)| start..end)
    }
}

/// What one reader has seen, in its order.
#[derive(Clone, Debug)]
pub struct Seen {
    keys: Keys,
    /// By key.
    records: Vec<Vec<(u64, ShardNumber, Seq)>>,
    /// The next position of each shard.
    next: BTreeMap<ShardNumber, Seq>,
}

impl Seen {
    /// Nothing yet.
    pub fn new(keys: &Keys) -> Seen {
        let records = vec![Vec::new(); keys.len()];
        Seen { keys: keys.clone(), records, next: BTreeMap::new() }
    }

    /// Takes a record of `shard`. Panics if it was never made, does not follow the one before it
    /// in its shard, or does not follow the one before it of its key.
    pub fn take(&mut self, shard: ShardNumber, read: &ReadRecord<'_>) {
        assert_eq!(read.shard, shard, "a record says that it is in another shard");
        let (name, seq) = (self.keys.name_of(read), read.record.seq);
        let next = self.next.entry(shard).or_insert(Seq::ZERO);
        assert_eq!(seq, *next, "shard {shard}: positions are dense from 0");
        *next = seq.plus(1);
        let of_key = &mut self.records[name.key];
        if let Some((before, shard_before, seq_before)) = of_key.last() {
            assert!(
                *before < name.number,
                "key {}: record {} at {shard}:{seq} comes behind record {before} at \
                 {shard_before}:{seq_before}",
                name.key,
                name.number,
            );
        }
        of_key.push((name.number, shard, seq));
    }

    /// The next position of a shard.
    pub fn next(&self, shard: ShardNumber) -> Seq {
        self.next.get(&shard).copied().unwrap_or(Seq::ZERO)
    }

    /// All records.
    pub fn count(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }

    /// Holds what was seen against what the writers know (one log for each key).
    ///
    /// Every acknowledged record was seen once, where it was acknowledged; nothing was seen that
    /// was not sent, or was refused; each was in the shard that owns its hash key; and what a
    /// connection has lost of a key is the end of what it sent.
    pub fn verify(&self, who: &str, logs: &[KeyLog], shards: &[ShardDescription]) {
        let ranges: BTreeMap<_, _> = shards.iter().map(|s| (s.number, s.range)).collect();
        for (key, log) in logs.iter().enumerate() {
            let (who, hash) = (format!("{who}: key {key}"), self.keys.hash(key));
            let seen: BTreeMap<u64, _> = self.records[key]
                .iter()
                .map(|(number, shard, seq)| (*number, (*shard, *seq)))
                .collect();
            for (number, (shard, seq)) in &seen {
                let fate = log.fates.get(*number as usize);
                assert!(fate.is_some(), "{who}: record {number} at {shard}:{seq} was never sent");
                assert_ne!(fate, Some(&Fate::Absent), "{who}: record {number} was refused or gone");
                assert!(ranges[shard].contains(hash), "{who}: record {number} is in shard {shard}");
            }
            for (number, fate) in (0..).zip(&log.fates) {
                let Fate::Stored(shard, seq) = *fate else { continue };
                let place = seen.get(&number);
                assert_eq!(place, Some(&(shard, seq)), "{who}: record {number} was acknowledged");
            }
            for connection in log.connection_ranges() {
                let unclear = connection.filter(|at| log.fates[*at] != Fate::Absent);
                let there: Vec<bool> = unclear.map(|at| seen.contains_key(&(at as u64))).collect();
                assert!(there.is_sorted_by(|a, b| a >= b), "{who}: a hole in what was stored");
            }
        }
    }

    /// What was seen after a restart is there for good, and what was not never will be.
    pub fn settle(&self, logs: &mut [KeyLog]) {
        for (log, seen) in logs.iter_mut().zip(&self.records) {
            log.fates.fill(Fate::Absent);
            for (number, shard, seq) in seen {
                log.fates[*number as usize] = Fate::Stored(*shard, *seq);
            }
        }
    }
}
