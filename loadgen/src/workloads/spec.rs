//! A workload as a TOML file says it.

use std::time::Duration;

use serde::Deserialize;
use shardway::base::stream::{Durability, ShardLimits};

use crate::arrival::Arrival;
use crate::workload::{OPEN_LOOP_IN_FLIGHT, RECORD_BYTES, Workload};

/// Connections of a stream with many shards, unless the file says otherwise.
const CONNECTIONS_MAX: u32 = 64;

/// A workload file. Unknown fields are refused: a misspelt one would silently mean its default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name: that of the file.
    #[serde(skip)]
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// What happens beside the load.
    #[serde(default)]
    pub kind: Kind,
    /// The stream.
    #[serde(default)]
    pub stream: Stream,
    /// What is written.
    #[serde(default)]
    pub load: Load,
    /// Who reads along.
    #[serde(default)]
    pub consumers: Consumers,
    /// How long.
    #[serde(default)]
    pub time: Time,
    /// Of kind `catch-up`.
    pub catch_up: Option<CatchUp>,
    /// Of kind `stalled`.
    pub stalled: Option<Stalled>,
    /// Of kind `reshard`.
    pub reshard: Option<Reshard>,
}

/// What happens beside the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing.
    #[default]
    Steady,
    /// One reader takes everything behind it.
    Drain,
    /// A reader replays a backlog.
    CatchUp,
    /// Consumers have stopped reading.
    Stalled,
    /// Shards are split and merged.
    Reshard,
    /// Nothing, but for so long that the end is compared with the beginning.
    Soak,
}

/// The stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// Shards.
    pub shards: u32,
    /// What they admit.
    pub limits: Limits,
    /// When puts are acknowledged.
    pub durability: Promise,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream { shards: 1, limits: Limits::Off, durability: Promise::Durable }
    }
}

/// What shards admit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limits {
    /// Everything.
    Off,
    /// What AWS gives a shard.
    Aws,
}

/// When puts are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Promise {
    /// On stable storage.
    Durable,
    /// Written without a sync.
    Written,
    /// In memory.
    Memory,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: u32,
    /// Writers; one a shard unless said otherwise.
    pub writers: Option<u32>,
    /// Connections that they share.
    pub connections: Option<u32>,
    /// Batches that each writer of a closed loop keeps in flight.
    pub in_flight: Option<u32>,
    /// Records a second, or a share of what a closed loop reaches; none is a closed loop.
    pub rate: Option<Rate>,
    /// Spacing of the batches.
    pub arrival: Arrival,
    /// Exponent of Zipf's law by which writers are chosen; none takes turns.
    pub skew: Option<f64>,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            record_bytes: RECORD_BYTES,
            batch_records: 1,
            writers: None,
            connections: None,
            in_flight: None,
            rate: None,
            arrival: Arrival::Constant,
            skew: None,
        }
    }
}

/// What an open loop offers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RateText")]
pub enum Rate {
    /// Records a second.
    Records(f64),
    /// Share of what a closed loop reaches.
    Share(f64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RateText {
    Number(f64),
    Text(String),
}

impl TryFrom<RateText> for Rate {
    type Error = String;

    fn try_from(text: RateText) -> Result<Rate, String> {
        let rate = match text {
            RateText::Number(rate) => Rate::Records(rate),
            RateText::Text(text) => text.parse()?,
        };
        let (Rate::Records(value) | Rate::Share(value)) = rate;
        if value.is_finite() && value > 0.0 { Ok(rate) } else { Err("a rate is above 0".into()) }
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let number = |text: &str| {
            let wanted = || format!("`{text}` is neither records a second nor a share such as 50%");
            text.trim().parse::<f64>().map_err(|_| wanted())
        };
        match text.strip_suffix('%') {
            Some(share) => Ok(Rate::Share(number(share)? / 100.0)),
            None => Ok(Rate::Records(number(text)?)),
        }
    }
}

/// Who reads along.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consumers {
    /// How many; several numbers run in turn.
    pub count: Counts,
    /// Connections of each.
    pub connections: u32,
}

impl Default for Consumers {
    fn default() -> Consumers {
        Consumers { count: Counts::One(0), connections: 1 }
    }
}

/// A number, or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Counts {
    /// One run.
    One(u32),
    /// A run for each.
    Many(Vec<u32>),
}

impl Counts {
    /// One after the other.
    #[must_use]
    pub fn all(&self) -> &[u32] {
        match self {
            Counts::One(n) => std::slice::from_ref(n),
            Counts::Many(all) => all,
        }
    }
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// Seconds before the measured ones.
    pub warmup_s: f64,
    /// Measured seconds.
    pub duration_s: f64,
}

impl Default for Time {
    fn default() -> Time {
        Time { warmup_s: 1.0, duration_s: 10.0 }
    }
}

impl Time {
    /// Before the measured time.
    #[must_use]
    pub fn warmup(&self) -> Duration {
        Duration::from_secs_f64(self.warmup_s)
    }

    /// The measured time.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration_s)
    }
}

/// Of kind `catch-up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchUp {
    /// What is replayed, 10^6 bytes. More than the server keeps in memory, so that it is read from
    /// disk.
    pub backlog_mb: u64,
}

/// Of kind `stalled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stalled {
    /// How many have stopped.
    pub consumers: u32,
}

/// Of kind `reshard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshard {
    /// Reshards that are asked for.
    pub reshards: u32,
}

impl Spec {
    /// From the text of a file with this name.
    pub fn parse(name: &str, text: &str) -> Result<Spec, String> {
        let mut spec: Spec = toml::from_str(text).map_err(|e| format!("{name}: {e}"))?;
        name.clone_into(&mut spec.name);
        spec.check().map_err(|why| format!("{name}: {why}"))?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), String> {
        let Spec { kind, load, .. } = self;
        let open_kind = matches!(kind, Kind::CatchUp | Kind::Stalled | Kind::Soak);
        if open_kind && load.rate.is_none() {
            return Err("this kind compares latencies: it needs load.rate".to_owned());
        }
        if load.skew.is_some() && load.rate.is_none() {
            return Err("load.skew needs load.rate: in a closed loop every writer is busy".into());
        }
        if load.in_flight.is_some() && load.rate.is_some() {
            return Err("load.in_flight is of a closed loop, load.rate of an open one".to_owned());
        }
        if *kind == Kind::Drain && self.consumers.count.all() != [0] {
            return Err("kind drain reads behind the load: consumers.count is 0".to_owned());
        }
        for (of, given) in [
            (Kind::CatchUp, self.catch_up.is_some()),
            (Kind::Stalled, self.stalled.is_some()),
            (Kind::Reshard, self.reshard.is_some()),
        ] {
            if given != (*kind == of) {
                let how = if given { "is only for" } else { "is missing for" };
                return Err(format!("the table of its own {how} kind {of:?}"));
            }
        }
        if *kind == Kind::Reshard && !self.is_a_reshard() {
            return Err("kind reshard starts with 4 shards, has two readers and runs until its \
                        script ends: of stream and load it takes durability, sizes, writers and \
                        a rate in records/s only"
                .to_owned());
        }
        let seconds = [self.time.warmup_s, self.time.duration_s];
        if !seconds.iter().all(|s| (0.0..=86_400.0).contains(s)) {
            return Err("times are 0 to 86,400 seconds".to_owned());
        }
        if self.consumers.count.all().is_empty() {
            return Err("consumers.count is a number, or several".to_owned());
        }
        self.workload(Some(1.0)).check().map_err(|failure| failure.to_string())
    }

    /// Whether it says only what the script of a reshard leaves open.
    fn is_a_reshard(&self) -> bool {
        let Load { rate, arrival, skew, .. } = &self.load;
        self.stream.shards == 1
            && self.stream.limits == Limits::Off
            && self.consumers == Consumers::default()
            && (*arrival, *skew) == (Arrival::Constant, None)
            && !matches!(rate, Some(Rate::Share(_)))
    }

    /// The load at `rate` records a second, or closed, without consumers.
    #[must_use]
    pub fn workload(&self, rate: Option<f64>) -> Workload {
        let Spec { stream, load, consumers, .. } = self;
        let writers = load.writers.unwrap_or(stream.shards);
        let closed = Workload {
            shards: stream.shards,
            record_bytes: load.record_bytes,
            batch_records: load.batch_records,
            writers,
            connections: load.connections.unwrap_or(writers.min(CONNECTIONS_MAX)),
            in_flight: load.in_flight.unwrap_or(1),
            arrival: load.arrival,
            consumer_connections: consumers.connections,
            durability: match stream.durability {
                Promise::Durable => Durability::Durable,
                Promise::Written => Durability::Written,
                Promise::Memory => Durability::Memory,
            },
            limits: match stream.limits {
                Limits::Off => ShardLimits::OFF,
                Limits::Aws => ShardLimits::AWS,
            },
            ..Workload::default()
        };
        match rate {
            None => closed,
            Some(rate) => Workload {
                rate: Some(rate),
                in_flight: OPEN_LOOP_IN_FLIGHT,
                skew: load.skew,
                ..closed
            },
        }
    }
}
