//! A data dir moves between servers with different numbers of cores.

use std::sync::atomic::Ordering;

use shardway::base::ids::{CoreId, ShardNumber, home_core};
use shardway::wire::hello::ANY_CORE;
use shardway::wire::streams::StreamDescription;

use crate::load::{Load, Shape, Wrote, wait_acked};
use crate::oracle::{Filler, Name, Oracle, read_names, seed};
use crate::process::{Server, Setup, cpus, new_dir, skipped};
use crate::{check_agrees, unlimited};

const SHARDS: u32 = 6;
const SHAPE: Shape = Shape { records_max: 50, bytes_max: 2000, window: 4 };

/// Loads a running server from two connections, then stops the writers.
fn load(server: &Server, stream: &StreamDescription, oracle: &mut Oracle, seed: u64) {
    let load = Load::new(stream, &oracle.filler, SHAPE);
    let start = |id: u32| {
        let known = (0..SHARDS).filter_map(|s| Some((s, oracle.sent.remove(&(id, s))?))).collect();
        let core = if id == 0 { ANY_CORE } else { CoreId(1) };
        load.start(server.client_on(core), id, seed + u64::from(id), known)
    };
    let writers: Vec<_> = (0..2).map(start).collect();
    wait_acked(&load.shared, 3 << 20, &writers);
    load.shared.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        let Wrote { writer, sent, error } = writer.join().expect("a writer's own checks hold");
        assert!(error.is_none(), "{error:?}");
        oracle.learn(writer, sent);
    }
}

fn read_all(server: &Server, stream: &StreamDescription, oracle: &Oracle) -> Vec<Vec<Name>> {
    let mut client = server.client();
    let read = |shard| {
        let names =
            read_names(&mut client, stream.summary.uuid, ShardNumber(shard), &oracle.filler);
        oracle.verify(shard, &names);
        names
    };
    (0..SHARDS).map(read).collect()
}

fn move_between_cores(clean: bool, seed: u64) {
    if cpus().len() < 2 {
        skipped("changing the number of cores", "two cores need two CPUs");
        return;
    }
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let mut oracle = Oracle::new(Filler::new(4096));
    let mut before: Option<(StreamDescription, Vec<Vec<Name>>)> = None;
    for (step, cores) in [1, 2, 1, 2].into_iter().enumerate() {
        let server = setup.clone().cores(cores).start();
        assert_eq!(server.client().server().cores, cores);
        let stream = match before {
            None => server.client().create_stream("moving", SHARDS, unlimited()).unwrap(),
            Some((stream, names)) => {
                let told = server.recovery();
                assert_eq!(told.contains("clean stop, nothing to replay"), clean, "{told}");
                assert_eq!(names, read_all(&server, &stream, &oracle), "sequences stay");
                server.client().describe_stream("moving").unwrap()
            }
        };
        for shard in &stream.shards {
            let key =
                shardway::base::ids::ShardKey { stream: stream.summary.uuid, number: shard.number };
            assert_eq!(shard.home, home_core(key, cores));
        }
        load(&server, &stream, &mut oracle, seed + step as u64 * 2);
        before = Some((stream.clone(), read_all(&server, &stream, &oracle)));
        if clean {
            server.stop_clean();
        } else {
            server.kill();
        }
    }
    let (stream, names) = before.expect("there were steps");
    let server = setup.cores(1).start();
    assert_eq!(names, read_all(&server, &stream, &oracle));
    server.stop_clean();
    check_agrees(&dir.path().join("data"));
}

#[test]
fn the_number_of_cores_may_change_after_a_clean_stop() {
    move_between_cores(true, seed("cores, clean"));
}

#[test]
fn the_number_of_cores_may_change_after_kill_nine() {
    move_between_cores(false, seed("cores, killed"));
}
