//! Random histories of a stream on a server that is stopped, killed and moved between numbers of
//! cores: puts, splits, merges, scalings, and changes of retention and mode.
//!
//! After each start every acknowledged record is there once and in order per key, each change is
//! wholly done or wholly not, and what a client was told of is done.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, StreamUuid};
use shardway::base::limits::READ_BYTES_MAX;
use shardway::base::rng::SplitMix64;
use shardway::base::stream::{Position, StreamMode, StreamStatus};
use shardway::client::{Client, ClientError};
use shardway::wire::alter::{Direction, StreamChange};
use shardway::wire::reshard::Reshard;
use shardway::wire::shards::{ShardDescription, ShardFilter};

use crate::keyed::{KeyLog, Keys, Seen};
use crate::oracle::{seed, tip_of};
use crate::process::{Server, Setup, cpus, new_dir, until};
use crate::producer::{self, Produced, Shared, wait_acked};
use crate::shards::{any_reshard, apply, assert_done, assert_sound};
use crate::{check_agrees, unlimited};

const STREAM: &str = "history";
const KEYS: usize = 40;
const PRODUCERS: usize = 2;
const OPEN_MAX: usize = 10;
/// Changes in the life of a server that is idle when it ends, at most.
const CHANGES_MAX: u64 = 12;

/// Lives of a server in one history: 8, or SHARDWAY_TEST_HISTORY_ROUNDS.
fn rounds() -> u64 {
    let given = std::env::var("SHARDWAY_TEST_HISTORY_ROUNDS").ok();
    given.map_or(8, |text| text.parse().expect("a number of rounds"))
}

/// A change of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Reshard(Reshard),
    Retention(u32),
    Mode(StreamMode),
}

/// How a server's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// kill -9 while puts and changes are on their way.
    KillBusy,
    /// kill -9 when nothing is.
    KillIdle,
    /// SIGTERM while puts and changes are on their way.
    StopBusy,
    /// SIGTERM when nothing is.
    StopIdle,
}

/// What the client that changes the stream knows of it.
#[derive(Clone, Debug)]
struct Known {
    shards: Vec<ShardDescription>,
    retention: u32,
    mode: StreamMode,
    /// The server may have changed the shards by itself since the last listing.
    on_demand: bool,
    /// A change that has no answer.
    unsure: Option<Change>,
}

impl Known {
    fn of(client: &mut Client) -> Known {
        let shards = client.all_shards(STREAM, ShardFilter::FromTrimHorizon).unwrap();
        let summary = client.describe_stream(STREAM).unwrap().summary;
        assert_eq!(summary.status, StreamStatus::Active);
        let (retention, mode) = (summary.options.retention_hours, summary.options.mode);
        let on_demand = mode == StreamMode::OnDemand;
        Known { shards, retention, mode, on_demand, unsure: None }
    }

    /// Holds what is there after a start against what was known before it.
    fn verify(&self, now: &Known) {
        assert_sound(&now.shards);
        let was: Vec<_> = self.shards.iter().map(|shard| at_home_anywhere(*shard)).collect();
        let is: Vec<_> = now.shards.iter().map(|shard| at_home_anywhere(*shard)).collect();
        assert!(is.len() >= was.len(), "a shard is gone");
        for (was, is) in was.iter().zip(&is) {
            assert_eq!((is.number, is.range, is.created), (was.number, was.range, was.created));
            assert!(was.parents().eq(is.parents()));
            assert!(was.is_open() || was.closed == is.closed, "{was:?} has become {is:?}");
        }
        match self.unsure {
            _ if self.on_demand => {}
            Some(Change::Reshard(reshard)) if was != is => {
                println!("without answer and done: {reshard:?}");
                assert_done(&was, &is, reshard);
            }
            _ => assert_eq!(was, is, "shards have changed by themselves"),
        }
        let or_unsure = |is: Change, was: Change| is == was || self.unsure == Some(is);
        assert!(or_unsure(Change::Retention(now.retention), Change::Retention(self.retention)));
        assert!(or_unsure(Change::Mode(now.mode), Change::Mode(self.mode)));
    }
}

/// A shard's home follows from the number of cores.
fn at_home_anywhere(shard: ShardDescription) -> ShardDescription {
    ShardDescription { home: CoreId(0), ..shard }
}

/// The client that changes the stream, on a thread of its own.
struct Changer {
    client: Client,
    known: Known,
    random: SplitMix64,
    shared: Arc<Shared>,
}

impl Changer {
    fn run(mut self, changes: u64) -> Known {
        for _ in 0..changes {
            if self.shared.stop.load(Ordering::Relaxed) || self.change().is_err() {
                break;
            }
            if self.random.below(2) == 0 {
                let records = self.random.below(200);
                self.wait_for_puts(records);
            }
        }
        self.known
    }

    /// Waits for acknowledged records, which do not come when the server has gone.
    fn wait_for_puts(&mut self, records: u64) {
        let goal = self.shared.acked.load(Ordering::Relaxed) + records;
        until("puts are acknowledged", || {
            self.shared.acked.load(Ordering::Relaxed) >= goal
                || self.shared.stop.load(Ordering::Relaxed)
                || self.client.ping().is_err()
        });
    }

    /// `Err` when the server has gone, or is about to.
    fn change(&mut self) -> Result<(), ()> {
        let change = self.choose();
        self.known.unsure = Some(change);
        let refused = match self.ask(change) {
            Ok(()) => None,
            Err(ClientError::Api(error)) => Some(error),
            Err(_) => return Err(()),
        };
        match refused.map(|error| error.code) {
            None => {}
            // The connection's farewell: the change may be done all the same.
            Some(ErrorCode::ShuttingDown) => return Err(()),
            Some(ErrorCode::Validation) if self.known.mode == StreamMode::OnDemand => {
                assert!(matches!(change, Change::Reshard(_)), "{change:?} is refused");
            }
            Some(code) => panic!("{change:?} is refused: {code:?}"),
        }
        // Answered: it is done, or was refused and has not happened.
        self.known.unsure = None;
        Ok(())
    }

    fn choose(&mut self) -> Change {
        let on_demand = self.known.mode == StreamMode::OnDemand;
        match self.random.below(12) {
            0 | 1 => Change::Retention(24 + self.random.below(100) as u32),
            // Not for long: then nobody else may change the shards.
            2 => Change::Mode(StreamMode::OnDemand),
            3..8 if on_demand => Change::Mode(StreamMode::Provisioned),
            _ => Change::Reshard(any_reshard(&mut self.random, &self.known.shards, OPEN_MAX)),
        }
    }

    fn ask(&mut self, change: Change) -> Result<(), ClientError> {
        match change {
            Change::Reshard(reshard) => {
                let before = self.known.shards.clone();
                let done = self.client.reshard_stream(STREAM, reshard)?;
                apply(&mut self.known.shards, &done);
                assert_sound(&self.known.shards);
                assert_done(&before, &self.known.shards, reshard);
                self.shared.learn_map(self.client.shard_map(STREAM)?);
            }
            Change::Retention(hours) => {
                let change = StreamChange::Retention { hours, direction: Direction::Any };
                let summary = self.client.alter_stream(STREAM, change)?;
                assert_eq!(summary.options.retention_hours, hours);
                self.known.retention = hours;
            }
            Change::Mode(mode) => {
                self.known.on_demand = true;
                let change = StreamChange::Mode { mode, warm_mib: 0 };
                let summary = self.client.alter_stream(STREAM, change)?;
                assert_eq!(summary.options.mode, mode);
                self.known.mode = mode;
                if mode == StreamMode::Provisioned {
                    // The server may have scaled it meanwhile. Now it does not any more.
                    let listing = self.client.all_shards(STREAM, ShardFilter::FromTrimHorizon)?;
                    self.known.shards = listing;
                    self.known.on_demand = false;
                }
            }
        }
        Ok(())
    }
}

/// A stream through many lives of its server.
struct History {
    setup: Setup,
    random: SplitMix64,
    keys: Keys,
    logs: Vec<KeyLog>,
    stream: StreamUuid,
    known: Known,
}

impl History {
    fn new(dir: &Path, seed: u64) -> History {
        let mut random = SplitMix64::new(seed);
        let setup = Setup::new(dir);
        let server = setup.start();
        let shards = 1 + random.below(4) as u32;
        let stream = server.client().create_stream(STREAM, shards, unlimited()).unwrap();
        let known = Known::of(&mut server.client());
        server.kill();
        let (keys, logs) = (Keys::new(KEYS), vec![KeyLog::default(); KEYS]);
        History { setup, random, keys, logs, stream: stream.summary.uuid, known }
    }

    /// A start with any number of cores, sometimes behind starts that were killed.
    fn start(&mut self) -> Server {
        let cores = 1 + self.random.below(cpus().len().min(2) as u64) as u16;
        let setup = self.setup.clone().cores(cores);
        while self.random.below(4) == 0 {
            let server = setup.spawn();
            thread::sleep(Duration::from_micros(self.random.below(60_000)));
            server.kill();
        }
        setup.start()
    }

    /// The life of a server, with puts and changes from its beginning to its end.
    fn live(&mut self, server: Server, ending: Ending) {
        let shared = Arc::new(Shared::default());
        shared.learn_map(server.client().shard_map(STREAM).unwrap());
        let producers = self.start_producers(&server, &shared);
        let changer = Changer {
            client: server.client(),
            known: self.known.clone(),
            random: SplitMix64::new(self.random.next_u64()),
            shared: shared.clone(),
        };
        let changes = match ending {
            // So that there are always some on their way.
            Ending::KillBusy | Ending::StopBusy => u64::MAX,
            Ending::KillIdle | Ending::StopIdle => self.random.below(CHANGES_MAX + 1),
        };
        let changer = thread::spawn(move || changer.run(changes));
        wait_acked(&shared, self.random.below(2000), &producers);
        thread::sleep(Duration::from_micros(self.random.below(50_000)));
        match ending {
            Ending::KillBusy => {
                server.kill();
                self.learn(producers, false);
            }
            Ending::StopBusy => {
                let ended = server.stop();
                assert_eq!(ended.code, 0, "a clean stop; it logged {}", ended.stderr);
                self.learn(producers, false);
                check_agrees(self.setup.data_dir());
            }
            Ending::KillIdle | Ending::StopIdle => {
                until("the changes are done", || changer.is_finished());
                shared.stop.store(true, Ordering::Relaxed);
                self.learn(producers, true);
                self.end_idle(server, ending);
            }
        }
        shared.stop.store(true, Ordering::Relaxed);
        self.known = changer.join().expect("its own checks hold");
        if matches!(ending, Ending::KillIdle | Ending::StopIdle) {
            assert_eq!(self.known.unsure, None);
        }
    }

    fn end_idle(&self, server: Server, ending: Ending) {
        match ending {
            Ending::StopIdle => {
                server.stop_clean();
                check_agrees(self.setup.data_dir());
            }
            _ => drop(server.kill()),
        }
    }

    fn start_producers(
        &mut self,
        server: &Server,
        shared: &Arc<Shared>,
    ) -> Vec<thread::JoinHandle<Produced>> {
        let cores = server.client().server().cores as usize;
        let each = KEYS / PRODUCERS;
        let start = |i: usize| {
            let client = server.client_on(CoreId((i % cores) as u16));
            let mine = i * each..(i + 1) * each;
            let logs = self.logs[mine.clone()].to_vec();
            producer::start(client, shared, &self.keys, mine, logs, self.random.next_u64())
        };
        (0..PRODUCERS).map(start).collect()
    }

    fn learn(&mut self, producers: Vec<thread::JoinHandle<Produced>>, idle: bool) {
        for producer in producers {
            let produced = producer.join().expect("a producer's own checks hold");
            self.logs[produced.keys].clone_from_slice(&produced.logs);
            if idle {
                assert!(produced.error.is_none(), "{:?}", produced.error);
                assert_eq!(produced.refused, []);
            }
            let other = produced.refused.iter().find(|e| e.code != ErrorCode::ShuttingDown);
            assert!(other.is_none(), "{other:?}");
            match produced.error {
                None => {}
                Some(ClientError::Api(farewell)) => {
                    assert_eq!(farewell.code, ErrorCode::ShuttingDown);
                }
                Some(error) => assert!(error.is_connection(), "{error}"),
            }
        }
    }

    /// Everything that is promised of a server that has just started. From here on it is known
    /// what became of each record.
    fn verify(&mut self, server: &Server) {
        let mut client = server.client();
        let now = Known::of(&mut client);
        self.known.verify(&now);
        let mut seen = Seen::new(&self.keys);
        // Parents have lower numbers than their children.
        for shard in &now.shards {
            read(&mut client, self.stream, shard, &now.shards, &mut seen);
        }
        seen.verify("after a start", &self.logs, &now.shards);
        seen.settle(&mut self.logs);
        self.known = now;
    }
}

/// Reads all of a shard. A closed one says at its end, and only there, what follows.
fn read(
    client: &mut Client,
    stream: StreamUuid,
    shard: &ShardDescription,
    shards: &[ShardDescription],
    seen: &mut Seen,
) {
    let number = shard.number;
    let end = shard.closed.map_or_else(|| tip_of(client, stream, number), |closed| closed.end);
    let mut iterator = client.get_iterator(stream, number, Position::TrimHorizon).unwrap();
    loop {
        let got = client.get(&iterator, 10_000, READ_BYTES_MAX as u32, 0).unwrap();
        let next = got.batches.for_each(|read| seen.take(number, &read)).expect("sound batches");
        assert_eq!((next, seen.next(number)), (got.end, got.end));
        assert!(next <= end, "shard {number} goes on behind its end {end}");
        assert_eq!(got.next_iterator.is_empty(), next == end && !shard.is_open());
        let at_end: Vec<_> = got.children.iter().map(|child| child.number).collect();
        let children = shards.iter().filter(|s| s.parents().any(|parent| parent == number));
        let children: Vec<_> = children.map(|child| child.number).collect();
        if next == end {
            assert_eq!(at_end, children, "what follows shard {number}");
            return;
        }
        assert_eq!(at_end, [], "shard {number} does not end at {next}");
        iterator = got.next_iterator;
    }
}

#[test]
fn a_random_history_with_stops_and_kills_keeps_what_was_acknowledged_and_each_reshard_whole() {
    let seed = seed("history");
    let dir = new_dir();
    let mut history = History::new(&dir.path().join("data"), seed);
    let rounds = rounds();
    for round in 0..rounds {
        let server = history.start();
        println!("round {round}: {} cores, {}", server.client().server().cores, server.recovery());
        history.verify(&server);
        let ending = match history.random.below(8) {
            // A history without the kill that it is about would show little.
            _ if round == rounds / 2 => Ending::KillBusy,
            0..4 => Ending::KillBusy,
            4 => Ending::KillIdle,
            5 | 6 => Ending::StopBusy,
            _ => Ending::StopIdle,
        };
        history.live(server, ending);
        println!(
            "round {round}: {ending:?}; {} shards, {:?}, {} h; without answer: {:?}",
            history.known.shards.len(),
            history.known.mode,
            history.known.retention,
            history.known.unsure,
        );
    }
    let server = history.start();
    history.verify(&server);
    server.stop_clean();
    check_agrees(history.setup.data_dir());
    let server = history.setup.start();
    assert_eq!(server.recovery(), "recovery  clean stop, nothing to replay");
    history.verify(&server);
    let stored: usize = history.logs.iter().map(KeyLog::stored).sum();
    println!("{stored} records in {} shards", history.known.shards.len());
}
