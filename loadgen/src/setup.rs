//! Opens a run's connections, each on the core that owns what it carries.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use shardway::base::ids::CoreId;

use crate::connection::Connection;
use crate::failure::Result;
use crate::load::{CREDIT_BYTES, ShardLoad, Subscription};
use crate::payload::{Pool, partition_keys};
use crate::pending::Pending;
use crate::poll::Poller;
use crate::session::Session;
use crate::stream::TestStream;
use crate::verify::{Acked, ReadVerifier};
use crate::workload::Workload;
use crate::writer::{Route, Writer};

/// Sessions by what they are for; each becomes a connection when all requests are answered.
struct Sessions<K> {
    address: SocketAddr,
    by_key: BTreeMap<K, usize>,
    opened: Vec<Session>,
}

impl<K: Ord> Sessions<K> {
    fn new(address: SocketAddr) -> Sessions<K> {
        Sessions { address, by_key: BTreeMap::new(), opened: Vec::new() }
    }

    /// The session with this key, opened on `core` when first asked for.
    fn get(&mut self, key: K, core: CoreId) -> Result<usize> {
        if let Some(&at) = self.by_key.get(&key) {
            return Ok(at);
        }
        let at = self.opened.len();
        self.opened.push(Session::connect_to_core(self.address, core)?);
        self.by_key.insert(key, at);
        Ok(at)
    }

    fn into_connections(self, poller: &Poller, first: usize) -> Result<Vec<Connection>> {
        let opened = self.opened.into_iter().enumerate();
        opened.map(|(at, session)| session.into_connection(poller, first + at)).collect()
    }
}

/// The pools of all writers, by writer.
#[must_use]
pub fn pools(stream: &TestStream, workload: &Workload) -> Vec<Rc<Pool>> {
    let ranges: Vec<_> = stream.map.shards.iter().map(|shard| shard.range).collect();
    let keys = partition_keys(&ranges);
    let key = |writer: u32| &keys[shard_of(writer, workload)];
    (0..workload.writers).map(|w| Rc::new(Pool::build(w, key(w), workload))).collect()
}

/// The shards, with nothing acknowledged.
#[must_use]
pub fn shards(stream: &TestStream, workload: &Workload) -> Vec<ShardLoad> {
    let shard = |index| {
        let key = stream.shard(index);
        let (acked, pending) = (Acked::new(key.number.0), Pending::new(workload.consumers));
        ShardLoad { key, acked, pending }
    };
    (0..stream.map.shards.len()).map(shard).collect()
}

/// Opens the writers' connections. Writer w uses lane w mod `connections` of its shard's core.
pub fn writers(
    stream: &TestStream,
    workload: &Workload,
    pools: &[Rc<Pool>],
    poller: &Poller,
    connections: &mut Vec<Connection>,
) -> Result<Vec<Writer>> {
    let first = connections.len();
    let mut sessions = Sessions::new(stream.address());
    let mut writers = Vec::with_capacity(pools.len());
    for pool in pools {
        let index = shard_of(pool.writer(), workload);
        let shard = &stream.map.shards[index];
        let lane = pool.writer() % workload.connections;
        let token = first + sessions.get((lane, shard.home), shard.home)?;
        let route = Route {
            stream: stream.map.stream,
            shard: shard.number,
            map_version: stream.map.map_version,
        };
        writers.push(Writer::new(index, token, Rc::clone(pool), route, workload.in_flight));
    }
    connections.extend(sessions.into_connections(poller, first)?);
    Ok(writers)
}

/// Registers the consumers, opens their connections and subscribes each to all shards.
pub fn subscriptions(
    stream: &mut TestStream,
    workload: &Workload,
    pools: &[Rc<Pool>],
    poller: &Poller,
    connections: &mut Vec<Connection>,
) -> Result<Vec<Subscription>> {
    let first = connections.len();
    let mut sessions = Sessions::new(stream.address());
    let mut subscriptions = Vec::new();
    for consumer in 0..workload.consumers {
        let name = consumer_name(consumer);
        stream.register(&name)?;
        for (index, shard) in stream.map.shards.iter().enumerate() {
            let lane = index as u32 % workload.consumer_connections.max(1);
            let at = sessions.get((consumer, lane, shard.home), shard.home)?;
            let id = subscriptions.len() as u32;
            let key = stream.shard(index);
            sessions.opened[at].subscribe(id, key, &name, CREDIT_BYTES)?;
            let verifier = ReadVerifier::new(key, &pools_of_shard(pools, index, workload));
            subscriptions.push(Subscription { consumer, shard: index, verifier, used: 0 });
        }
    }
    connections.extend(sessions.into_connections(poller, first)?);
    Ok(subscriptions)
}

/// What a stalled consumer may be sent before it has no credit: soon used up.
const STALLED_CREDIT: u64 = 64 << 10;

/// Consumers that subscribe to every shard, and whose sockets nobody reads from then on.
pub fn stalled(stream: &mut TestStream, workload: &Workload) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    for consumer in 0..workload.stalled_consumers {
        let name = format!("loadgen-stalled-{consumer}");
        stream.register(&name)?;
        for (index, shard) in stream.map.shards.iter().enumerate() {
            let mut session = Session::connect_to_core(stream.address(), shard.home)?;
            session.subscribe(0, stream.shard(index), &name, STALLED_CREDIT)?;
            sessions.push(session);
        }
    }
    Ok(sessions)
}

/// The pools whose writers write to the `index`th shard.
#[must_use]
pub fn pools_of_shard(pools: &[Rc<Pool>], index: usize, workload: &Workload) -> Vec<Rc<Pool>> {
    let of_shard = pools.iter().filter(|pool| shard_of(pool.writer(), workload) == index);
    of_shard.map(Rc::clone).collect()
}

fn shard_of(writer: u32, workload: &Workload) -> usize {
    (writer % workload.shards) as usize
}

fn consumer_name(consumer: u32) -> String {
    format!("loadgen-{consumer}")
}
