//! New shards are known to every core before anybody is told of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, ShardNumber};
use shardway::base::stream::Position;
use shardway::client::{Client, ClientError, Incoming};
use shardway::wire::reshard::Reshard;
use shardway::wire::shards::{ListShards, ShardFilter};

use crate::process::{HANG, Setup, cpus, new_dir, skipped};
use crate::unlimited;

const ROUNDS: usize = 60;
const STREAM: &str = "s";

/// Lists ten thousand shards again and again: the core is slow to see what is new.
fn keep_busy(mut client: Client, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let filter = ShardFilter::FromTrimHorizon;
    let list = ListShards { name: "big", filter, after: None, limit: 10_000 };
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            client.list_shards(&list).unwrap();
        }
    })
}

#[test]
fn children_are_found_on_every_core_as_soon_as_a_reader_is_told_of_them() {
    if cpus().len() < 2 {
        return skipped("a quick core and a slow one", "two cores need two CPUs");
    }
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).cores(2).start();
    let mut admin = server.client_on(CoreId(0));
    admin.create_stream("big", 8000, unlimited()).unwrap();
    let stream = admin.create_stream(STREAM, 64, unlimited()).unwrap().summary.uuid;
    let stop = Arc::new(AtomicBool::new(false));
    let busy = (0..4).map(|_| keep_busy(server.client_on(CoreId(1)), stop.clone()));
    let busy: Vec<_> = busy.collect();
    let mut other = server.client_on(CoreId(1));
    let mut early = 0;
    for round in 0..ROUNDS {
        let map = admin.shard_map(STREAM).unwrap();
        let parent = map.shards.iter().find(|shard| shard.home == CoreId(0)).copied().unwrap();
        let child = ShardNumber(map.shards.iter().map(|s| s.number.0).max().unwrap() + 1);
        let mut reader = server.client_on(CoreId(0));
        let at = reader.get_iterator(stream, parent.number, Position::TrimHorizon).unwrap();
        reader.send_get(&at, 100, 1 << 20, 30_000).unwrap();
        let told = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| match reader.next_event(HANG).unwrap() {
                Some(Incoming::Fetched { answer, .. }) => {
                    let children: Vec<_> = answer.children.iter().map(|c| c.number).collect();
                    assert_eq!(children, [child, ShardNumber(child.0 + 1)]);
                    told.store(true, Ordering::SeqCst);
                }
                other => panic!("{other:?}"),
            });
            scope.spawn(|| {
                let split = Reshard::Split { shard: parent.number, at: None };
                server.client_on(CoreId(0)).reshard_stream(STREAM, split).unwrap();
            });
            loop {
                let told = told.load(Ordering::SeqCst);
                match other.get_iterator(stream, child, Position::TrimHorizon) {
                    Ok(_) if told => break,
                    Ok(_) => early += 1,
                    Err(ClientError::Api(error)) if error.code == ErrorCode::ResourceNotFound => {
                        assert!(!told, "round {round}: a reader was told, and then: {error}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(early > 0, "it is known for a while before anybody is told");
}
