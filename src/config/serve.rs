//! The options of `serve` after all sources have spoken: no units left to read, bounds checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

use super::access::AccessOptions;
use super::byte_size::ByteSize;
use super::control_rates::ControlRates;
use super::cores::Cores;
use super::http::HttpOptions;
use super::layer::ServeLayer;
use crate::base::aligned::BLOCK;
use crate::base::limits::{JOURNAL_FILE_BYTES, JOURNAL_FILE_BYTES_MIN, TAIL_BYTES};
use crate::catalog::Rules;

/// What a server runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// Directory of all data.
    pub data_dir: PathBuf,
    /// CPUs to run on.
    pub cores: Cores,
    /// Address of the native protocol.
    pub listen: SocketAddr,
    /// The AWS API.
    pub http: HttpOptions,
    /// Who may use it.
    pub access: AccessOptions,
    /// Size of a journal file: whole blocks.
    pub journal_file_bytes: u64,
    /// Recent batches that a core keeps in memory.
    pub tail_bytes: u64,
    /// How long an idle core spins before it sleeps.
    pub spin: Duration,
    /// What holds for all streams.
    pub rules: Rules,
    /// A valid tracing filter.
    pub log: String,
}

/// Options that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("config file {path}: {source}")]
    Read {
        /// As given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file says something that does not exist.
    #[error("config file {path}, line {line}: {message}")]
    Syntax {
        /// As given.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Options that do not go together, or not alone.
    #[error("{0}")]
    Contradiction(String),
    /// A value outside its bounds.
    #[error("{option} is {value}; it must be {bounds}")]
    Bounds {
        /// The option's name.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        bounds: String,
    },
}

impl ServeOptions {
    /// Options from flags and environment, which clap has merged, over the file that they name.
    pub fn load(flags: ServeLayer) -> Result<ServeOptions, ConfigError> {
        let file = match &flags.config {
            Some(path) => read_file(path)?,
            None => ServeLayer::default(),
        };
        Self::resolve(flags.over(file))
    }

    /// Fills in the defaults and checks the bounds.
    pub fn resolve(layer: ServeLayer) -> Result<ServeOptions, ConfigError> {
        let rules = resolve_rules(&layer)?;
        let http = HttpOptions::resolve(&layer)?;
        let listen = layer.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4570)));
        let access = AccessOptions::resolve(&layer, listen, &http)?;
        let journal_file_bytes = layer.journal_file_bytes.unwrap_or(ByteSize(JOURNAL_FILE_BYTES));
        let tail_bytes = layer.tail_bytes.unwrap_or(ByteSize(TAIL_BYTES as u64));
        let spin_us = layer.spin_us.unwrap_or(0);
        let log = layer.log.unwrap_or_else(|| "info".to_owned());
        size_between(
            "journal_file_bytes",
            journal_file_bytes,
            JOURNAL_FILE_BYTES_MIN,
            JOURNAL_FILE_BYTES_MAX,
        )?;
        check(journal_file_bytes.0.is_multiple_of(BLOCK as u64), || ConfigError::Bounds {
            option: "journal_file_bytes",
            value: journal_file_bytes.to_string(),
            bounds: format!("a multiple of {BLOCK} bytes"),
        })?;
        size_between("tail_bytes", tail_bytes, TAIL_BYTES_MIN, TAIL_BYTES_MAX)?;
        check(spin_us <= SPIN_US_MAX, || ConfigError::Bounds {
            option: "spin_us",
            value: spin_us.to_string(),
            bounds: format!("at most {SPIN_US_MAX}"),
        })?;
        check_filter(&log)?;
        Ok(ServeOptions {
            data_dir: layer.data_dir.unwrap_or_else(|| PathBuf::from("./shardway-data")),
            cores: layer.cores.unwrap_or_default(),
            listen,
            http,
            access,
            journal_file_bytes: journal_file_bytes.0,
            tail_bytes: tail_bytes.0,
            spin: Duration::from_micros(spin_us),
            rules,
            log,
        })
    }
}

fn resolve_rules(layer: &ServeLayer) -> Result<Rules, ConfigError> {
    let default = Rules::default();
    let account = layer.account.clone().unwrap_or(default.account);
    let region = layer.region.clone().unwrap_or(default.region);
    let digits = account.len() == ACCOUNT_DIGITS && account.bytes().all(|b| b.is_ascii_digit());
    check(digits, || ConfigError::Bounds {
        option: "account",
        value: format!("`{account}`"),
        bounds: format!("{ACCOUNT_DIGITS} digits"),
    })?;
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let named = (1..=REGION_BYTES_MAX).contains(&region.len()) && region.bytes().all(letter);
    check(named, || ConfigError::Bounds {
        option: "region",
        value: format!("`{region}`"),
        bounds: format!("1 to {REGION_BYTES_MAX} lower-case letters, digits or `-`"),
    })?;
    Ok(Rules {
        account,
        region,
        shards_max: layer.shard_limit.unwrap_or(default.shards_max),
        on_demand_max: layer.on_demand_limit.unwrap_or(default.on_demand_max),
        consumers_max: layer.consumer_limit.unwrap_or(default.consumers_max),
        control_rates: layer.control_rates.unwrap_or_default() == ControlRates::Aws,
    })
}

fn read_file(path: &Path) -> Result<ServeLayer, ConfigError> {
    let named = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: named.clone(), source })?;
    parse_file(&named, &text)
}

/// Parses the text of a config file that is called `path` in errors.
pub(super) fn parse_file(path: &str, text: &str) -> Result<ServeLayer, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| {
            1 + text.as_bytes()[..span.start].iter().filter(|b| **b == b'\n').count()
        }),
        message: error.message().replace('\n', " "),
    })
}

pub(super) fn check(holds: bool, error: impl FnOnce() -> ConfigError) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(error()) }
}

pub(super) fn size_between(
    option: &'static str,
    size: ByteSize,
    min: u64,
    max: u64,
) -> Result<(), ConfigError> {
    check((min..=max).contains(&size.0), || ConfigError::Bounds {
        option,
        value: size.to_string(),
        bounds: format!("between {} and {}", ByteSize(min), ByteSize(max)),
    })
}

fn check_filter(log: &str) -> Result<(), ConfigError> {
    EnvFilter::try_new(log).map(drop).map_err(|error| ConfigError::Bounds {
        option: "log",
        value: format!("`{log}`"),
        bounds: format!("a level or a tracing filter ({error})"),
    })
}

/// Above it a boot writes zeros for minutes: surely a slip of the unit.
const JOURNAL_FILE_BYTES_MAX: u64 = 16 << 30;
/// The largest batch fits with room to spare.
const TAIL_BYTES_MIN: u64 = 16 << 20;
/// Above it surely a slip of the unit.
const TAIL_BYTES_MAX: u64 = 1 << 40;
/// As on AWS: ARNs and clients rely on it.
const ACCOUNT_DIGITS: usize = 12;
/// Twice the longest name of a region on AWS.
const REGION_BYTES_MAX: usize = 32;
/// A core that spins longer than this never sleeps under any load worth the name.
const SPIN_US_MAX: u64 = 1_000_000;
const _: () = assert!(
    TAIL_BYTES_MIN as usize > crate::base::limits::BATCH_BYTES_MAX,
    "the smallest tail holds the largest batch"
);
