//! Readers of a whole stream, through all of its reshards: one polls ([`polling`]), another is
//! pushed to ([`pushing`]). Here is what they have in common: which shards are read when, and what
//! was read.

mod goal;
pub mod polling;
pub mod pushing;

use std::sync::Arc;
use std::time::Duration;
use std::{collections::BTreeMap, net::SocketAddr};

use shardway::base::ids::{Seq, ShardNumber, StreamUuid};
use shardway::client::lineage::{Lineage, StartAt};
use shardway::client::{Batches, Client, ConnectOptions};
use shardway::record::HashRange;
use shardway::wire::shards::{ChildShard, ListShards, ShardDescription, ShardFilter};

use crate::failure::Result;
use crate::keyed::{Keys, Reading};
pub use goal::Goal;

/// Shards of a page; more than a stream that is followed ever has.
const PAGE: u32 = 10_000;
/// Resharding a large stream may take a while.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is read, and where.
#[derive(Clone, Debug)]
pub struct Source {
    /// The server.
    pub address: SocketAddr,
    /// The stream's name.
    pub name: String,
    /// Its identity.
    pub uuid: StreamUuid,
    /// What its records are.
    pub keys: Arc<Keys>,
    /// How many there are.
    pub goal: Arc<Goal>,
}

impl Source {
    /// A connection.
    pub fn connect(&self) -> Result<Client> {
        let client_name = concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned();
        let options = ConnectOptions { client_name, timeout: TIMEOUT, ..ConnectOptions::default() };
        Ok(Client::connect(&self.address.to_string(), options)?)
    }

    fn list(&self, client: &mut Client) -> Result<Vec<ShardDescription>> {
        let filter = ShardFilter::FromTrimHorizon;
        let request = ListShards { name: &self.name, filter, after: None, limit: PAGE };
        Ok(client.list_shards(&request)?.shards)
    }
}

/// One reader.
#[derive(Debug)]
pub struct Follower {
    source: Source,
    lineage: Lineage,
    ranges: BTreeMap<ShardNumber, HashRange>,
    /// What was read.
    pub reading: Reading,
}

impl Follower {
    /// A reader that starts with the oldest records.
    pub fn start(who: &'static str, source: &Source, client: &mut Client) -> Result<Follower> {
        let listing = source.list(client)?;
        Ok(Follower {
            source: source.clone(),
            lineage: Lineage::new(&listing, StartAt::TrimHorizon),
            ranges: listing.iter().map(|shard| (shard.number, shard.range)).collect(),
            reading: Reading::new(who, Arc::clone(&source.keys)),
        })
    }

    /// The next shard to open, if there is one now.
    pub fn next_ready(&mut self) -> Option<ShardNumber> {
        let shard = self.lineage.next_ready()?.shard;
        self.reading.open(shard, self.ranges[&shard]);
        Some(shard)
    }

    /// Takes the next records of a shard.
    pub fn take(&mut self, shard: ShardNumber, batches: &Batches) -> Result<()> {
        Ok(self.reading.take(shard, batches)?)
    }

    /// The server says that a closed shard ends here, and where its records go on.
    pub fn ended(
        &mut self,
        shard: ShardNumber,
        end: Seq,
        children: &[ChildShard],
        client: &mut Client,
    ) -> Result<()> {
        self.reading.ended(shard, end)?;
        self.ranges.extend(children.iter().map(|child| (child.number, child.range)));
        self.lineage.ended(shard, children);
        if self.lineage.needs_listing() {
            let listing = self.source.list(client)?;
            self.ranges.extend(listing.iter().map(|shard| (shard.number, shard.range)));
            self.lineage.relisted(&listing);
        }
        Ok(())
    }
}
