//! What one source says: nothing, or a value, for each option.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::byte_size::ByteSize;
use super::control_rates::ControlRates;
use super::cores::Cores;

/// The options of `serve` as flags (with their environment variables) or as a file gives them.
///
/// The comments are the help that users read.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeLayer {
    /// TOML file with these options as keys (`data_dir`, `listen`, …); flags and environment
    /// override it
    #[arg(long, env = "SHARDWAY_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Directory of all data; created if it does not exist [default: ./shardway-data]
    #[arg(long, env = "SHARDWAY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// CPUs to run on, one core on each [default: all]
    ///
    /// A plain number is a count: `2` takes the first two CPUs that the process may use. With a
    /// comma or a range they are CPU numbers: `0,2-3`. One CPU by its number is `cpu:0`.
    #[arg(long, env = "SHARDWAY_CORES", value_name = "N|LIST")]
    pub cores: Option<Cores>,

    /// Address and port of the native protocol [default: 127.0.0.1:4570]
    #[arg(long, env = "SHARDWAY_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Size of each of a core's four journal files, at least 16MiB [default: 64MiB]
    #[arg(long, env = "SHARDWAY_JOURNAL_FILE_BYTES", value_name = "SIZE")]
    pub journal_file_bytes: Option<ByteSize>,

    /// Memory of a core for recent records, from which consumers at the tip are served, at least
    /// 16MiB [default: 64MiB]
    #[arg(long, env = "SHARDWAY_TAIL_BYTES", value_name = "SIZE")]
    pub tail_bytes: Option<ByteSize>,

    /// Microseconds that an idle core spins before it sleeps, at most 1000000: lower latency for
    /// CPU time [default: 0]
    #[arg(long, env = "SHARDWAY_SPIN_US", value_name = "US")]
    pub spin_us: Option<u64>,

    /// Account in ARNs and error texts, 12 digits [default: 000000000000]
    #[arg(long, env = "SHARDWAY_ACCOUNT", value_name = "DIGITS")]
    pub account: Option<String>,

    /// Region in ARNs and error texts [default: us-east-1]
    #[arg(long, env = "SHARDWAY_REGION", value_name = "NAME")]
    pub region: Option<String>,

    /// Open shards of all streams together, at most; 0 is no limit [default: 20000]
    #[arg(long, env = "SHARDWAY_SHARD_LIMIT", value_name = "N")]
    pub shard_limit: Option<u32>,

    /// On-demand streams, at most; 0 is no limit [default: 50]
    #[arg(long, env = "SHARDWAY_ON_DEMAND_LIMIT", value_name = "N")]
    pub on_demand_limit: Option<u32>,

    /// Registered consumers of a stream, at most; 0 is no limit [default: 20]
    ///
    /// Where it is 20, an account with a commitment may have 50 (see `shardway account`).
    #[arg(long, env = "SHARDWAY_CONSUMER_LIMIT", value_name = "N")]
    pub consumer_limit: Option<u32>,

    /// How often the requests that create, change and list may come: `off` is without a limit,
    /// `aws` enforces the rates of AWS, such as 5 CreateStream a second [default: off]
    ///
    /// Requests that describe and list are answered on every core. Each core allows its share of
    /// the rate, rounded up: with 4 cores 3 of the 10 DescribeStream a second. So a client with one
    /// connection gets less than the rate, and clients on all cores a little more.
    #[arg(
        long,
        env = "SHARDWAY_CONTROL_RATES",
        value_enum,
        value_name = "off|aws",
        hide_possible_values = true
    )]
    pub control_rates: Option<ControlRates>,

    /// What is logged: error, warn, info, debug, trace, or a tracing filter such as
    /// `info,shardway::log=debug` [default: info]
    #[arg(long, env = "SHARDWAY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

impl ServeLayer {
    /// This layer's values where it has them, `below`'s elsewhere.
    #[must_use]
    pub fn over(self, below: ServeLayer) -> ServeLayer {
        ServeLayer {
            config: self.config.or(below.config),
            data_dir: self.data_dir.or(below.data_dir),
            cores: self.cores.or(below.cores),
            listen: self.listen.or(below.listen),
            journal_file_bytes: self.journal_file_bytes.or(below.journal_file_bytes),
            tail_bytes: self.tail_bytes.or(below.tail_bytes),
            spin_us: self.spin_us.or(below.spin_us),
            account: self.account.or(below.account),
            region: self.region.or(below.region),
            shard_limit: self.shard_limit.or(below.shard_limit),
            on_demand_limit: self.on_demand_limit.or(below.on_demand_limit),
            consumer_limit: self.consumer_limit.or(below.consumer_limit),
            control_rates: self.control_rates.or(below.control_rates),
            log: self.log.or(below.log),
        }
    }
}
