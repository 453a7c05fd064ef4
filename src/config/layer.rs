//! What one source says: nothing, or a value, for each option.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::byte_size::ByteSize;
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
            log: self.log.or(below.log),
        }
    }
}
