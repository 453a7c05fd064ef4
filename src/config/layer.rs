//! What one source says: nothing, or a value, for each option.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::access::Auth;
use super::byte_size::ByteSize;
use super::control_rates::ControlRates;
use super::cores::Cores;
use super::http_addr::HttpAddr;

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

    /// Address and port of the AWS API without TLS, HTTP/1.1 and HTTP/2, or `off`
    /// [default: 127.0.0.1:4567]
    #[arg(long, env = "SHARDWAY_HTTP", value_name = "ADDR|off")]
    pub http: Option<HttpAddr>,

    /// Address and port of the AWS API with TLS; needs a certificate [default: off]
    #[arg(long, env = "SHARDWAY_HTTPS", value_name = "ADDR")]
    pub https: Option<SocketAddr>,

    /// Address and port of health, metrics for Prometheus and the console, without TLS, or `off`
    /// [default: 127.0.0.1:4571]
    #[arg(long, env = "SHARDWAY_ADMIN", value_name = "ADDR|off")]
    pub admin: Option<HttpAddr>,

    /// Let people put and read records in the console of --admin
    #[arg(
        long,
        env = "SHARDWAY_ADMIN_WRITES",
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub admin_writes: Option<bool>,

    /// Certificate chain for --https, PEM, the server's own certificate first
    #[arg(long, env = "SHARDWAY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key for --tls-cert, PEM
    #[arg(long, env = "SHARDWAY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Make a certificate for --https once and keep it in the data dir, as tls/cert.pem, for
    /// clients to trust
    #[arg(
        long,
        env = "SHARDWAY_TLS_SELF_SIGNED",
        value_name = "true|false",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub tls_self_signed: Option<bool>,

    /// What a request of the AWS API must show: `off` is the form of a signature, by any key;
    /// `sigv4` is a signature by a key of --credentials [default: off]
    #[arg(
        long,
        env = "SHARDWAY_AUTH",
        value_enum,
        value_name = "off|sigv4",
        hide_possible_values = true
    )]
    pub auth: Option<Auth>,

    /// Access keys for --auth sigv4, in the form of ~/.aws/credentials; read again when it changes
    #[arg(long, env = "SHARDWAY_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Listen beyond this machine without authentication
    ///
    /// Everybody who reaches the ports can read, write and delete everything. The native protocol
    /// has no authentication yet.
    #[arg(
        long,
        env = "SHARDWAY_INSECURE",
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub insecure: Option<bool>,

    /// Take StartStreamEncryption and keep its state, although records are not sealed yet
    #[arg(
        long,
        env = "SHARDWAY_ALLOW_UNSEALED_KMS",
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub allow_unsealed_kms: Option<bool>,

    /// Bytes of an HTTP request's head, at most [default: 64KiB]
    #[arg(long, env = "SHARDWAY_HTTP_HEAD_BYTES", value_name = "SIZE")]
    pub http_head_bytes: Option<ByteSize>,

    /// Bytes of an HTTP request's body, at most [default: 16MiB]
    #[arg(long, env = "SHARDWAY_HTTP_BODY_BYTES", value_name = "SIZE")]
    pub http_body_bytes: Option<ByteSize>,

    /// Memory of a core for the bodies of HTTP requests, more of which wait, and as much for
    /// answers that their clients have not taken yet [default: 256MiB]
    #[arg(long, env = "SHARDWAY_HTTP_BODIES_BYTES", value_name = "SIZE")]
    pub http_bodies_bytes: Option<ByteSize>,

    /// HTTP connections of a core, at most [default: 10000]
    #[arg(long, env = "SHARDWAY_HTTP_CONNECTIONS", value_name = "N")]
    pub http_connections: Option<u32>,

    /// Requests at a time on a connection of HTTP/2, at most [default: 10000]
    #[arg(long, env = "SHARDWAY_HTTP_STREAMS", value_name = "N")]
    pub http_streams: Option<u32>,

    /// Seconds for an HTTP request's head to arrive [default: 10]
    #[arg(long, env = "SHARDWAY_HTTP_HEAD_SECONDS", value_name = "S")]
    pub http_head_seconds: Option<u32>,

    /// Seconds without progress before a body, or a client that takes no answer, is given up
    /// [default: 30]
    #[arg(long, env = "SHARDWAY_HTTP_BODY_SECONDS", value_name = "S")]
    pub http_body_seconds: Option<u32>,

    /// Seconds that an unused HTTP connection is kept [default: 120]
    #[arg(long, env = "SHARDWAY_HTTP_IDLE_SECONDS", value_name = "S")]
    pub http_idle_seconds: Option<u32>,

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
            http: self.http.or(below.http),
            https: self.https.or(below.https),
            admin: self.admin.or(below.admin),
            admin_writes: self.admin_writes.or(below.admin_writes),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            tls_self_signed: self.tls_self_signed.or(below.tls_self_signed),
            auth: self.auth.or(below.auth),
            credentials: self.credentials.or(below.credentials),
            insecure: self.insecure.or(below.insecure),
            allow_unsealed_kms: self.allow_unsealed_kms.or(below.allow_unsealed_kms),
            http_head_bytes: self.http_head_bytes.or(below.http_head_bytes),
            http_body_bytes: self.http_body_bytes.or(below.http_body_bytes),
            http_bodies_bytes: self.http_bodies_bytes.or(below.http_bodies_bytes),
            http_connections: self.http_connections.or(below.http_connections),
            http_streams: self.http_streams.or(below.http_streams),
            http_head_seconds: self.http_head_seconds.or(below.http_head_seconds),
            http_body_seconds: self.http_body_seconds.or(below.http_body_seconds),
            http_idle_seconds: self.http_idle_seconds.or(below.http_idle_seconds),
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
