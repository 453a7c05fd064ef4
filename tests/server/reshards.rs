//! Splits, merges and scalings under load: producers with old maps, a reader that polls and one
//! that subscribes. Each acknowledged record reaches both once, in order per key.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use shardway::base::ids::{CoreId, Seq, ShardNumber, StreamUuid};
use shardway::base::limits::READ_BYTES_MAX;
use shardway::base::rng::SplitMix64;
use shardway::client::lineage::{Lineage, Readable, StartAt};
use shardway::client::{Batches, Client, Incoming};
use shardway::wire::reshard::Reshard;
use shardway::wire::shards::{ChildShard, ShardDescription, ShardFilter};
use shardway::wire::subscribe::Subscribe;

use crate::keyed::{KeyLog, Keys, Seen};
use crate::oracle::seed;
use crate::process::{HANG, Server, Setup, cpus, new_dir};
use crate::producer::{self, Produced, Shared, wait_acked};
use crate::shards::{any_reshard, apply, assert_done, assert_sound, open_of};
use crate::{check_agrees, register, unlimited};

const STREAM: &str = "reshards";
const CONSUMER: &str = "pushed";
const KEYS: usize = 96;
const PRODUCERS: usize = 2;
const RESHARDS: usize = 30;
const OPEN_MAX: usize = 12;
/// Acknowledged records between two reshards, at most.
const BETWEEN: u64 = 400;

/// Where the open shards end once all is written: readers read so far.
type Goal = Arc<OnceLock<BTreeMap<ShardNumber, Seq>>>;

/// A step of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Began(ShardNumber),
    Ended(ShardNumber, Seq),
}

/// A reader of the whole stream.
struct Reader {
    client: Client,
    stream: StreamUuid,
    lineage: Lineage,
    seen: Seen,
    steps: Vec<Step>,
    /// What it was told at the end of each shard.
    children: BTreeMap<ShardNumber, Vec<ShardNumber>>,
    goal: Goal,
}

impl Reader {
    fn new(server: &Server, keys: &Keys, goal: &Goal) -> Reader {
        let mut client = server.client();
        let stream = client.shard_map(STREAM).unwrap().stream;
        let listing = client.all_shards(STREAM, ShardFilter::FromTrimHorizon).unwrap();
        let lineage = Lineage::new(&listing, StartAt::TrimHorizon);
        let (seen, steps, goal) = (Seen::new(keys), Vec::new(), goal.clone());
        Reader { client, stream, lineage, seen, steps, children: BTreeMap::new(), goal }
    }

    /// The next shard to read. Lists the shards again where that needs it.
    fn next_ready(&mut self) -> Option<Readable> {
        if self.lineage.needs_listing() {
            let filter = ShardFilter::FromTrimHorizon;
            let listing = self.client.all_shards(STREAM, filter).unwrap();
            self.lineage.relisted(&listing);
        }
        let ready = self.lineage.next_ready()?;
        self.steps.push(Step::Began(ready.shard));
        Some(ready)
    }

    fn take(&mut self, shard: ShardNumber, batches: &Batches) -> Seq {
        batches.for_each(|read| self.seen.take(shard, &read)).expect("sound batches")
    }

    fn ended(&mut self, shard: ShardNumber, end: Seq, children: &[ChildShard]) {
        self.children.insert(shard, children.iter().map(|child| child.number).collect());
        assert_eq!(self.seen.next(shard), end, "{shard} was read to its end");
        self.steps.push(Step::Ended(shard, end));
        self.lineage.ended(shard, children);
    }

    /// Whether everything was read that there ever will be.
    fn is_done(&self) -> bool {
        let Some(goal) = self.goal.get() else { return false };
        self.lineage.reading().eq(goal.keys().copied())
            && goal.iter().all(|(shard, end)| self.seen.next(*shard) >= *end)
    }

    /// Reads with iterators, all shards at once.
    fn poll(mut self, seed: u64) -> Reader {
        let mut random = SplitMix64::new(seed);
        let mut asked: HashMap<u64, ShardNumber> = HashMap::new();
        while !self.is_done() {
            while let Some(Readable { shard, position }) = self.next_ready() {
                let iterator = self.client.get_iterator(self.stream, shard, position).unwrap();
                asked.insert(self.ask(&iterator, &mut random), shard);
            }
            let event = self.client.next_event(HANG).unwrap();
            let Some(Incoming::Fetched { correlation, answer }) = event else {
                panic!("a get was answered with {event:?}")
            };
            let shard = asked.remove(&correlation).expect("a get of ours");
            let end = self.take(shard, &answer.batches);
            assert_eq!(end, answer.end);
            if answer.next_iterator.is_empty() {
                self.ended(shard, end, &answer.children);
            } else {
                assert_eq!(answer.children, [], "children are named at the end only");
                asked.insert(self.ask(&answer.next_iterator, &mut random), shard);
            }
        }
        self
    }

    fn ask(&mut self, iterator: &[u8], random: &mut SplitMix64) -> u64 {
        let limit = [1, 7, 100, 10_000][random.below(4) as usize];
        self.client.send_get(iterator, limit, READ_BYTES_MAX as u32, 50).unwrap()
    }

    /// Reads with subscriptions whose credit is small.
    fn subscribe(mut self) -> Reader {
        register(&mut self.client, self.stream, CONSUMER);
        while !self.is_done() {
            while let Some(Readable { shard, position }) = self.next_ready() {
                let request = Subscribe {
                    subscription: shard.0,
                    stream: self.stream,
                    shard,
                    consumer: CONSUMER,
                    position,
                    credit: 16 << 10,
                };
                let start = self.client.subscribe(request).unwrap();
                assert_eq!(start, Seq::ZERO, "nothing has expired");
            }
            match self.client.next_event(Duration::from_millis(50)).unwrap() {
                None => {}
                Some(Incoming::Pushed(push)) => {
                    self.take(ShardNumber(push.subscription), &push.batches);
                    self.client.credit(push.subscription, push.batches.bytes()).unwrap();
                }
                Some(Incoming::ShardEnded(over)) => {
                    self.ended(ShardNumber(over.subscription), over.end, &over.children);
                }
                Some(other) => panic!("a subscriber got {other:?}"),
            }
        }
        self
    }

    /// Holds what it has read against what was written, and how against the shards that there were.
    fn verify(&self, who: &str, logs: &[KeyLog], shards: &[ShardDescription]) {
        self.seen.verify(who, logs, shards);
        let acked: usize = logs.iter().map(KeyLog::stored).sum();
        assert_eq!(self.seen.count(), acked, "{who}");
        let at = |step: Step| {
            let found: Vec<_> = (0..).zip(&self.steps).filter(|(_, s)| **s == step).collect();
            assert_eq!(found.len(), 1, "{who}: {step:?} comes once");
            found[0].0
        };
        for shard in shards {
            let began: usize = at(Step::Began(shard.number));
            if let Some(closed) = shard.closed {
                assert!(began < at(Step::Ended(shard.number, closed.end)), "{who}");
                let children = shards.iter().filter(|s| s.parents().any(|p| p == shard.number));
                let children: Vec<_> = children.map(|child| child.number).collect();
                assert_eq!(self.children[&shard.number], children, "{who}: {}", shard.number);
            }
            for parent in shard.parents() {
                let closed = shards[parent.0 as usize].closed.expect("parents are closed");
                let drained = at(Step::Ended(parent, closed.end));
                assert!(drained < began, "{who}: {} before its parent {parent}", shard.number);
            }
        }
    }
}

/// Carries out one reshard and looks at what it says.
fn reshard(client: &mut Client, shards: &mut Vec<ShardDescription>, random: &mut SplitMix64) {
    let (before, map) = (shards.clone(), client.shard_map(STREAM).unwrap());
    let wanted = any_reshard(random, shards, OPEN_MAX);
    let done = client.reshard_stream(STREAM, wanted).unwrap();
    apply(shards, &done);
    println!("{wanted:?}: {} -> {} shards", done.before, done.after);
    assert_sound(shards);
    assert_done(&before, shards, wanted);
    let counts = (open_of(&before).len() as u32, open_of(shards).len() as u32);
    assert_eq!((done.before, done.after), counts);
    assert_eq!(done.map_version, map.map_version + u64::from(before != *shards));
    if !matches!(wanted, Reshard::Scale { .. }) {
        assert_ne!(before, *shards, "a split or merge changes something");
    }
}

fn start_producers(
    server: &Server,
    shared: &Arc<Shared>,
    keys: &Keys,
    random: &mut SplitMix64,
) -> Vec<thread::JoinHandle<Produced>> {
    let cores = cpus().len().min(2);
    let each = KEYS / PRODUCERS;
    let start = |i: usize| {
        let (mine, logs) = (i * each..(i + 1) * each, vec![KeyLog::default(); each]);
        let client = server.client_on(CoreId((i % cores) as u16));
        producer::start(client, shared, keys, mine, logs, random.next_u64())
    };
    (0..PRODUCERS).map(start).collect()
}

#[test]
fn every_record_reaches_a_poller_and_a_subscriber_once_and_in_order_through_thirty_reshards() {
    let seed = seed("reshards");
    let mut random = SplitMix64::new(seed);
    let dir = new_dir();
    let cores = cpus().len().min(2) as u16;
    let setup = Setup::new(&dir.path().join("data")).cores(cores);
    let server = setup.start();
    let mut client = server.client();
    let mut shards = client.create_stream(STREAM, 3, unlimited()).unwrap().shards;
    let (keys, shared, goal) = (Keys::new(KEYS), Arc::new(Shared::default()), Goal::default());
    shared.learn_map(client.shard_map(STREAM).unwrap());
    let (poller, poller_seed) = (Reader::new(&server, &keys, &goal), random.next_u64());
    let poller = thread::spawn(move || poller.poll(poller_seed));
    let subscriber = Reader::new(&server, &keys, &goal);
    let subscriber = thread::spawn(move || subscriber.subscribe());
    let producers = start_producers(&server, &shared, &keys, &mut random);

    for _ in 0..RESHARDS {
        let acked = shared.acked.load(Ordering::Relaxed);
        wait_acked(&shared, acked + random.below(BETWEEN), &producers);
        reshard(&mut client, &mut shards, &mut random);
        shared.learn_map(client.shard_map(STREAM).unwrap());
    }
    wait_acked(&shared, shared.acked.load(Ordering::Relaxed) + BETWEEN, &producers);
    shared.stop.store(true, Ordering::Relaxed);
    let mut logs = Vec::new();
    let mut redirected = 0;
    for producer in producers {
        let produced = producer.join().expect("a producer's own checks hold");
        assert!(produced.error.is_none(), "{:?}", produced.error);
        assert_eq!(produced.refused, [], "nothing is refused while shards change");
        logs.extend(produced.logs);
        redirected += produced.redirected;
    }
    assert!(redirected > 0, "old maps were used");

    let listing = client.all_shards(STREAM, ShardFilter::FromTrimHorizon).unwrap();
    assert_eq!(listing, shards, "the answers told of every change");
    let end_of = |shard: &ShardDescription| {
        let mut client = server.client();
        let uuid = shared.maps.lock().unwrap()[0].stream;
        (shard.number, crate::oracle::tip_of(&mut client, uuid, shard.number))
    };
    goal.set(open_of(&shards).iter().map(end_of).collect()).expect("set once");
    let poller = poller.join().expect("the poller's own checks hold");
    let subscriber = subscriber.join().expect("the subscriber's own checks hold");
    poller.verify("poller", &logs, &shards);
    subscriber.verify("subscriber", &logs, &shards);
    // Whoever comes when all is over finds the same.
    let late = Reader::new(&server, &keys, &goal).poll(seed);
    late.verify("late reader", &logs, &shards);
    println!(
        "{} records, {redirected} puts redirected, {} shards",
        late.seen.count(),
        shards.len()
    );
    server.stop_clean();
    check_agrees(setup.data_dir());
}

#[test]
fn a_scaling_to_the_shards_that_there_are_changes_nothing() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let before = client.create_stream(STREAM, 3, unlimited()).unwrap();
    let done = client.reshard_stream(STREAM, Reshard::Scale { target: 3 }).unwrap();
    assert_eq!((done.before, done.after, done.shards), (3, 3, Vec::new()));
    assert_eq!(done.map_version, before.summary.map_version);
    assert_eq!(client.describe_stream(STREAM).unwrap(), before);
    server.stop_clean();
}
