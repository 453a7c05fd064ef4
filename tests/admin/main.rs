//! The admin port of a real server: health, metrics, and what `tuning/prometheus` makes of them.

#![allow(clippy::print_stderr, reason = "a failed test shows it")]

#[allow(dead_code, reason = "it is for tests of all kinds")]
#[path = "../support/process.rs"]
mod process;

mod console;
mod http;
mod metrics;
mod names;
mod promtool;

use shardway::base::ids::ShardNumber;
use shardway::base::stream::{ShardLimits, StreamOptions};
use shardway::client::Client;
use shardway::wire::streams::StreamDescription;

use process::{Server, Setup, new_dir};

/// A server of two cores with an admin port, and its directory.
struct Observed {
    server: Server,
    admin: String,
    _dir: tempfile::TempDir,
}

impl Observed {
    fn start() -> Observed {
        Observed::with(|setup| setup)
    }

    fn with(options: impl FnOnce(Setup) -> Setup) -> Observed {
        let dir = new_dir();
        let setup = Setup::new(&dir.path().join("data")).cores(2).flag("--admin", "127.0.0.1:0");
        let server = options(setup).start();
        let admin = server.admin_addr();
        Observed { server, admin, _dir: dir }
    }

    fn page(&self, path: &str) -> http::Answer {
        http::get(&self.admin, path)
    }

    /// The metrics as they are now.
    fn scrape(&self) -> String {
        let answer = self.page("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}

/// A stream of one shard without limits.
fn stream(client: &mut Client) -> StreamDescription {
    let options = StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() };
    client.create_stream("watched", 1, options).expect("a new stream")
}

const FIRST: ShardNumber = ShardNumber(0);
