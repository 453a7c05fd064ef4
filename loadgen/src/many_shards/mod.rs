//! 10,000 shards on one server: how long it takes to start, how fast a page of `ListShards` comes,
//! and how much memory it needs.
//!
//! The server is a process of its own (`shardway serve`, beside this program unless said
//! otherwise), so that its memory is its own ([`server_process`]). Streams are created, every shard
//! gets a record, pages of 1,000 shards are asked for again and again; then the server is stopped
//! and started, written to again, killed and started. A start is the time from the call of the
//! program to the line that says it is ready. Memory is the highest resident set of the process in
//! any of its lives. At the end every shard must have its two records. Targets: start <= 5 s, also
//! behind a kill; page <= 10 ms, p99; memory <= 1 GB.

mod records;
mod report;

use std::path::{Path, PathBuf};

use shardway::base::stream::{Durability, StreamOptions};
use shardway::client::{Client, ConnectOptions};
use shardway::wire::shards::{ListShards, ShardFilter, ShardMap};
use tempfile::TempDir;

pub use report::ManyShards;

use crate::clock::now_ns;
use crate::failure::{Failure, Result};
use crate::latency::Latencies;
use crate::pin::Cpus;
use crate::progress::Progress;
use crate::server_process::{self, ServerProcess};
use report::Life;

/// Shards of a page (AWS: 1,000).
const PAGE: u32 = 1_000;
/// Every page is asked for so often, in each of the server's lives that list.
const ROUNDS: usize = 20;
/// A server that creates a large stream may take its time.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Debug)]
pub struct ManyShardsOptions {
    /// The server's program; none is the one beside this.
    pub program: Option<PathBuf>,
    /// Streams.
    pub streams: u32,
    /// Shards of all streams together.
    pub shards: u32,
    /// When puts are acknowledged.
    pub durability: Durability,
}

impl ManyShardsOptions {
    fn check(&self) -> Result<()> {
        if self.streams == 0 || !self.shards.is_multiple_of(self.streams) || self.shards == 0 {
            return Err(Failure::Usage("--shards is a multiple of --streams, above 0".to_owned()));
        }
        Ok(())
    }
}

/// Runs the whole course. The calling thread is not pinned: the server would inherit it.
pub fn measure(
    options: &ManyShardsOptions,
    dir: &Path,
    cpus: Cpus,
    progress: &Progress,
) -> Result<ManyShards> {
    options.check()?;
    let program = server_process::program(options.program.as_deref())?;
    let data_dir = TempDir::with_prefix_in("shardway-many-", dir)
        .map_err(|e| Failure::Usage(format!("no temporary data dir can be made here: {e}")))?;
    let course = Course { options, program, data_dir: data_dir.path(), cpu: cpus.other, progress };
    course.run()
}

struct Course<'a> {
    options: &'a ManyShardsOptions,
    program: PathBuf,
    data_dir: &'a Path,
    cpu: usize,
    progress: &'a Progress,
}

impl Course<'_> {
    fn run(&self) -> Result<ManyShards> {
        let mut pages = Latencies::new();
        let (server, mut client) = self.start("starting an empty server")?;
        let mut first = Life::new("empty", &server)?;
        first.timed("create", || self.create(&mut client))?;
        let maps = self.maps(&mut client)?;
        first.timed("write one record a shard", || records::write(&mut client, &maps, 0))?;
        self.list(&mut client, &maps, &mut pages)?;
        first.memory(&server)?;
        drop(client);
        first.stop(server)?;

        let (server, mut client) = self.start("starting behind a clean stop")?;
        let mut second = Life::new("behind a clean stop", &server)?;
        self.list(&mut client, &maps, &mut pages)?;
        second.timed("write one record a shard", || records::write(&mut client, &maps, 1))?;
        second.memory(&server)?;
        drop(client);
        server.kill();

        let (server, mut client) = self.start("starting behind a kill")?;
        let mut third = Life::new("behind a kill", &server)?;
        self.progress.stage("reading every shard");
        let read = third.timed("read every shard", || records::verify(&mut client, &maps, 2))?;
        third.memory(&server)?;
        drop(client);
        third.stop(server)?;
        Ok(ManyShards::of(self.options, [first, second, third], &pages, read))
    }

    fn start(&self, what: &str) -> Result<(ServerProcess, Client)> {
        self.progress.stage(what);
        let server = ServerProcess::start(&self.program, self.data_dir, self.cpu, "off")?;
        let client_name = concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned();
        let options = ConnectOptions { client_name, timeout: TIMEOUT, ..ConnectOptions::default() };
        let client = Client::connect(&server.address().to_string(), options)?;
        Ok((server, client))
    }

    fn create(&self, client: &mut Client) -> Result<()> {
        let (streams, shards) = (self.options.streams, self.options.shards);
        let options =
            StreamOptions { durability: self.options.durability, ..StreamOptions::default() };
        for n in 0..streams {
            self.progress.show("creating streams", n.into());
            client.create_stream(&name(n), shards / streams, options)?;
        }
        Ok(())
    }

    fn maps(&self, client: &mut Client) -> Result<Vec<ShardMap>> {
        (0..self.options.streams).map(|n| Ok(client.shard_map(&name(n))?)).collect()
    }

    /// Asks for every page of every stream, and for what is on them.
    fn list(&self, client: &mut Client, maps: &[ShardMap], pages: &mut Latencies) -> Result<()> {
        self.progress.stage("listing shards");
        for (n, map) in (0..ROUNDS).flat_map(|_| (0..).zip(maps)) {
            let (name, filter, mut after) = (name(n), ShardFilter::FromTrimHorizon, None);
            let mut listed = Vec::new();
            loop {
                let request = ListShards { name: &name, filter, after, limit: PAGE };
                let start = now_ns();
                let page = client.list_shards(&request)?;
                pages.record(now_ns() - start, 1);
                after = page.shards.last().map(|shard| shard.number);
                listed.extend(page.shards);
                if !page.more {
                    break;
                }
            }
            if listed != map.shards {
                let (listed, known) = (listed.len(), map.shards.len());
                let what = format!("{listed} shards are listed, {known} are in the map, or others");
                return Err(Failure::Protocol(what));
            }
        }
        Ok(())
    }
}

fn name(n: u32) -> String {
    format!("many-{n:05}")
}
