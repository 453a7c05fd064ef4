//! kill -9 in the middle of load, again and again.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use shardway::base::ids::{CoreId, ShardNumber};
use shardway::base::rng::SplitMix64;
use shardway::base::stream::{ShardLimits, StreamOptions};
use shardway::wire::hello::ANY_CORE;
use shardway::wire::streams::StreamDescription;

use crate::load::{Load, Shape, Wrote, wait_acked};
use crate::oracle::{Filler, Oracle, Sent, read_names, seed};
use crate::process::{Server, Setup, cpus, new_dir};
use crate::{check_agrees, unlimited};

const WRITERS: u32 = 4;
const SHARDS: u32 = 4;
/// All files of a core's journal in these tests.
const RING_BYTES: u64 = 4 * (16 << 20);

/// Rounds: 8, or SHARDWAY_TEST_CRASH_ROUNDS.
fn rounds() -> u64 {
    let given = std::env::var("SHARDWAY_TEST_CRASH_ROUNDS").ok();
    given.map_or(8, |text| text.parse().expect("a number of rounds"))
}

/// A stream under load whose server is killed.
struct Crashes {
    setup: Setup,
    random: SplitMix64,
    oracle: Oracle,
    stream: StreamDescription,
}

impl Crashes {
    fn new(dir: &Path, seed: u64) -> Crashes {
        let setup = Setup::new(dir);
        let server = setup.start();
        let options = StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() };
        let stream = server.client().create_stream("load", SHARDS, options).unwrap();
        server.kill();
        let oracle = Oracle::new(Filler::new(128 << 10));
        Crashes { setup, random: SplitMix64::new(seed), oracle, stream }
    }

    /// A different mix each time: from single small records to batches of half a megabyte.
    fn shape(&mut self) -> Shape {
        let (records_max, bytes_max) = match self.random.below(4) {
            0 => (1, 200),
            1 => (100, 1000),
            2 => (8, 120_000),
            _ => (400, 2500),
        };
        Shape { records_max, bytes_max, window: 1 + self.random.below(12) as usize }
    }

    fn writers(&mut self, server: &Server, load: &Load) -> Vec<thread::JoinHandle<Wrote>> {
        let start = |id: u32| {
            // Some land on the home core of their shards, some never do.
            let core = if id.is_multiple_of(2) { ANY_CORE } else { CoreId((id / 2) as u16) };
            let known: BTreeMap<u32, Sent> =
                (0..SHARDS).filter_map(|s| Some((s, self.oracle.sent.remove(&(id, s))?))).collect();
            load.start(server.client_on(core), id, self.random.next_u64(), known)
        };
        (0..WRITERS).map(start).collect()
    }

    /// Load, and the end of the server once `bytes` are acknowledged and a moment more has gone.
    fn crash(&mut self, server: Server, shape: Shape, bytes: u64) {
        let load = Load::new(&self.stream, &self.oracle.filler, shape);
        let writers = self.writers(&server, &load);
        wait_acked(&load.shared, bytes, &writers);
        thread::sleep(Duration::from_micros(self.random.below(5000)));
        server.kill();
        for writer in writers {
            let Wrote { writer, sent, error } = writer.join().expect("a writer's own checks hold");
            let error = error.expect("the server went away under it");
            assert!(error.is_connection(), "writer {writer} was refused: {error}");
            self.oracle.learn(writer, sent);
        }
    }

    /// Starts that are killed as well, at any moment, and one that is left to finish.
    fn restart(&mut self, setup: &Setup) -> Server {
        for _ in 0..self.random.below(3) {
            let server = setup.spawn();
            thread::sleep(Duration::from_micros(self.random.below(60_000)));
            server.kill();
        }
        setup.start()
    }

    fn verify(&mut self, server: &Server) {
        let mut client = server.client();
        for shard in 0..SHARDS {
            let number = ShardNumber(shard);
            let names =
                read_names(&mut client, self.stream.summary.uuid, number, &self.oracle.filler);
            self.oracle.verify(shard, &names);
        }
    }
}

#[test]
fn every_acknowledged_record_survives_kill_nine_and_none_is_invented() {
    let seed = seed("kill nine");
    let dir = new_dir();
    let mut crashes = Crashes::new(&dir.path().join("data"), seed);
    let rounds = rounds();
    let cores_max = cpus().len().min(2) as u64;
    let mut server = crashes.setup.start();
    for round in 0..rounds {
        // One round goes round the ring; it must not depend on chance.
        let wraps = round == rounds / 2;
        let shape = if wraps {
            Shape { records_max: 400, bytes_max: 2500, window: 8 }
        } else {
            crashes.shape()
        };
        let bytes =
            if wraps { 2 * RING_BYTES + RING_BYTES / 4 } else { crashes.random.below(2 << 20) };
        println!("round {round}: {shape:?}, killed after {bytes} bytes; {}", server.recovery());
        let name = format!("round-{round}");
        let made = server.client().create_stream(&name, 1, unlimited()).unwrap();
        crashes.crash(server, shape, bytes);
        let cores = 1 + crashes.random.below(cores_max) as u16;
        let setup = crashes.setup.clone().cores(cores);
        server = crashes.restart(&setup);
        crashes.verify(&server);
        assert_eq!(server.client().describe_stream(&name).unwrap().summary.uuid, made.summary.uuid);
    }
    server.stop_clean();
    check_agrees(crashes.setup.data_dir());
    println!("{} acknowledged records in {rounds} rounds", crashes.oracle.acked());
    let server = crashes.setup.start();
    assert_eq!(server.recovery(), "recovery  clean stop, nothing to replay");
    crashes.verify(&server);
}
