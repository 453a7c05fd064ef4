//! A writer that puts batches all the time while shards change under it, by whichever of the shard
//! maps that there have been.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use shardway::base::error::{ApiError, ErrorCode};
use shardway::base::ids::ShardNumber;
use shardway::base::rng::SplitMix64;
use shardway::client::{Client, ClientError, Incoming};
use shardway::record::{BatchBuilder, HashKey, HashRange};
use shardway::wire::shards::ShardMap;

use super::keyed::{KeyLog, Keys, Name};
use super::process::HANG;

/// Records of a batch, at most.
const RECORDS_MAX: u64 = 20;
/// Puts on their way at once.
const WINDOW: usize = 6;

/// What producers and the test share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Acknowledged records.
    pub acked: AtomicU64,
    /// No new puts; the answers to those that were sent are still taken.
    pub stop: AtomicBool,
    /// Every map that there was, oldest first. Not empty when producers start.
    pub maps: Mutex<Vec<ShardMap>>,
}

impl Shared {
    /// There is a new map.
    pub fn learn_map(&self, map: ShardMap) {
        self.maps.lock().expect("no panic while it is held").push(map);
    }
}

/// How a producer ended, and what it knows.
#[derive(Debug)]
pub struct Produced {
    /// Its keys.
    pub keys: Range<usize>,
    /// What it knows of each.
    pub logs: Vec<KeyLog>,
    /// Puts that went elsewhere than the producer had said.
    pub redirected: u64,
    /// Why records were refused.
    pub refused: Vec<ApiError>,
    /// Why it ended, unless it was told to.
    pub error: Option<ClientError>,
}

/// Starts a producer that goes on from what it knows of its keys. It writes on a thread until it
/// is told to stop or the server is gone.
pub fn start(
    client: Client,
    shared: &Arc<Shared>,
    keys: &Keys,
    mine: Range<usize>,
    mut logs: Vec<KeyLog>,
    seed: u64,
) -> thread::JoinHandle<Produced> {
    logs.iter_mut().for_each(KeyLog::connected);
    let mut producer = Producer {
        client,
        shared: shared.clone(),
        keys: keys.clone(),
        mine,
        logs,
        random: SplitMix64::new(seed),
        open: HashMap::new(),
        redirected: 0,
        refused: Vec::new(),
    };
    thread::spawn(move || {
        let error = producer.write().err();
        let Producer { mine: keys, logs, redirected, refused, .. } = producer;
        Produced { keys, logs, redirected, refused, error }
    })
}

struct Producer {
    client: Client,
    shared: Arc<Shared>,
    keys: Keys,
    mine: Range<usize>,
    logs: Vec<KeyLog>,
    random: SplitMix64,
    open: HashMap<u64, Open>,
    redirected: u64,
    refused: Vec<ApiError>,
}

/// A put without an answer.
struct Open {
    named: ShardNumber,
    names: Vec<Name>,
}

impl Producer {
    /// Ends with the first error, and not before everything that still comes has been taken.
    fn write(&mut self) -> Result<(), ClientError> {
        let written = self.write_until_stopped();
        while !self.open.is_empty() {
            if let Err(gone) = self.take_answer() {
                return written.and(Err(gone));
            }
        }
        written
    }

    fn write_until_stopped(&mut self) -> Result<(), ClientError> {
        let mut builder = BatchBuilder::new();
        while !self.shared.stop.load(Ordering::Relaxed) {
            while self.open.len() >= WINDOW {
                self.take_answer()?;
            }
            self.put(&mut builder)?;
        }
        Ok(())
    }

    fn put(&mut self, builder: &mut BatchBuilder) -> Result<(), ClientError> {
        let first = self.any_key();
        let Route { map, named, range } = self.route(self.keys.hash(first));
        let mut keys = vec![first];
        for _ in 0..self.random.below(RECORDS_MAX) {
            let key = self.any_key();
            if range.contains(self.keys.hash(key)) {
                keys.push(key);
            }
        }
        builder.clear();
        let mut names = Vec::with_capacity(keys.len());
        for key in keys {
            let number = self.logs[key - self.mine.start].send();
            names.push(Name { key, number });
            self.keys.push(builder, Name { key, number });
        }
        let id = self.client.send_put(map.stream, named, map.map_version, builder.finish())?;
        self.open.insert(id, Open { named, names });
        Ok(())
    }

    fn any_key(&mut self) -> usize {
        self.mine.start + self.random.below(self.mine.len() as u64) as usize
    }

    /// By the newest map, by one of all that there were, or not at all.
    fn route(&mut self, hash: HashKey) -> Route {
        let maps = self.shared.maps.lock().expect("no panic while it is held");
        let by = self.random.below(4);
        let at = match by {
            0 => self.random.below(maps.len() as u64) as usize,
            _ => maps.len() - 1,
        };
        let map = maps[at].clone();
        drop(maps);
        if by == 1 {
            let range = HashRange { start: HashKey(0), end: HashKey(u128::MAX) };
            return Route { map, named: ShardNumber::ANY, range };
        }
        let owner = map.shards.iter().find(|shard| shard.range.contains(hash));
        let owner = owner.expect("a map covers the hash key space");
        let (named, range) = (owner.number, owner.range);
        Route { map, named, range }
    }

    fn take_answer(&mut self) -> Result<(), ClientError> {
        match self.client.next_event(HANG)? {
            Some(Incoming::Put { correlation, answer }) => {
                let Open { named, names } = self.open.remove(&correlation).expect("a put of ours");
                let outcomes = answer.outcomes();
                assert_eq!(outcomes.len(), names.len(), "one outcome for each record");
                let elsewhere = outcomes.iter().any(|(shard, _)| *shard != named);
                self.redirected += u64::from(named != ShardNumber::ANY && elsewhere);
                for (name, outcome) in names.into_iter().zip(outcomes) {
                    match outcome.1 {
                        Ok(_) => drop(self.shared.acked.fetch_add(1, Ordering::Relaxed)),
                        Err(code) => self.refused.push(ApiError::new(code, &*answer.message)),
                    }
                    self.logs[name.key - self.mine.start].answered(name.number, outcome);
                }
                Ok(())
            }
            Some(Incoming::Failed { correlation, error, .. }) => {
                let Open { named, names } = self.open.remove(&correlation).expect("a put of ours");
                for name in names {
                    let refused: Result<_, ErrorCode> = Err(error.code);
                    let log = &mut self.logs[name.key - self.mine.start];
                    log.answered(name.number, (named, refused));
                }
                self.refused.push(error);
                Ok(())
            }
            Some(other) => panic!("a producer got {other:?}"),
            None => panic!("{} puts have no answer within {HANG:?}", self.open.len()),
        }
    }
}

struct Route {
    map: ShardMap,
    named: ShardNumber,
    /// The hash keys that may be in the same batch.
    range: HashRange,
}

/// Waits until so many records are acknowledged, or a producer has ended.
pub fn wait_acked(shared: &Shared, records: u64, producers: &[thread::JoinHandle<Produced>]) {
    super::process::until("puts are acknowledged", || {
        shared.acked.load(Ordering::Relaxed) >= records
            || producers.iter().any(thread::JoinHandle::is_finished)
    });
}
