//! A stream of its own for each run: created before it, deleted behind it.

use std::net::SocketAddr;

use shardway::base::ids::ShardKey;
use shardway::base::stream::StreamOptions;
use shardway::wire::shards::ShardMap;

use crate::failure::Result;
use crate::session::{ServerFacts, Session};
use crate::workload::Workload;

/// A stream that exists as long as this does.
#[derive(Debug)]
pub struct TestStream {
    address: SocketAddr,
    control: Session,
    name: String,
    /// Its shards.
    pub map: ShardMap,
}

impl TestStream {
    /// Creates a stream as `workload` wants it.
    pub fn create(address: SocketAddr, workload: &Workload) -> Result<TestStream> {
        let options = StreamOptions {
            durability: workload.durability,
            limits: workload.limits,
            record_bytes_max: StreamOptions::default()
                .record_bytes_max
                .max(workload.record_bytes as u32 + 64),
            ..StreamOptions::default()
        };
        TestStream::create_with(address, workload.shards, options)
    }

    /// Creates a stream with these options.
    pub fn create_with(
        address: SocketAddr,
        shards: u32,
        options: StreamOptions,
    ) -> Result<TestStream> {
        let mut control = Session::connect(address)?;
        let name = format!("loadgen-{}", uuid::Uuid::new_v4());
        control.create_stream(&name, shards, options)?;
        let map = control.shard_map(&name)?;
        Ok(TestStream { address, control, name, map })
    }

    /// Registers a consumer, so that it may subscribe.
    pub fn register(&mut self, consumer: &str) -> Result<()> {
        self.control.register_consumer(&self.name, consumer)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its server says of itself.
    #[must_use]
    pub fn server(&self) -> &ServerFacts {
        self.control.server()
    }

    /// The `index`th shard.
    #[must_use]
    pub fn shard(&self, index: usize) -> ShardKey {
        ShardKey { stream: self.map.stream, number: self.map.shards[index].number }
    }
}

impl Drop for TestStream {
    fn drop(&mut self) {
        // A failed run may leave the server unable to answer: its own failure is the one to show.
        let _ = self.control.delete_stream(&self.name);
    }
}
