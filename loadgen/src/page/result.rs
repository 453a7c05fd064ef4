//! A result file, as far as a page shows it. What a file does not have stays empty; what the fields
//! mean is in `loadgen/RESULTS.md`.

#![allow(missing_docs, reason = "the fields of RESULTS.md")]

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::report::SCHEMA_VERSION;

/// One invocation. See `loadgen/RESULTS.md`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResultFile {
    pub schema_version: u32,
    pub tool: String,
    pub command: Vec<String>,
    pub started_unix_ms: u64,
    pub host: Host,
    pub server: Option<Server>,
    pub server_git_revision: Option<String>,
    pub endpoint: Option<String>,
    pub floor: Option<Floor>,
    pub rows: Vec<Row>,
    pub ceilings: Vec<Ceiling>,
    pub life: Option<Life>,
    pub quota: Vec<Section>,
    pub cost: Vec<Section>,
    pub many_shards: Option<Section>,
    pub subscriptions: Option<Section>,
    pub verdict: Option<Verdict>,
    pub complete: bool,
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Host {
    pub cpu: Option<String>,
    pub cpus: u32,
    pub kernel: Option<String>,
    pub memory_kib: Option<u64>,
    pub steal_during_run_percent: Option<f64>,
    pub governor: Option<String>,
    pub clock_source: Option<String>,
    pub disk: Option<Disk>,
    pub optimised: bool,
    pub git_revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Disk {
    pub name: String,
    pub file_system: Option<String>,
    pub mount_options: Option<String>,
    pub write_cache: Option<String>,
    pub fua: Option<String>,
    pub scheduler: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Server {
    pub release: String,
    pub cores: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Floor {
    pub disk: Vec<DiskFloor>,
    pub loopback: LoopbackFloor,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskFloor {
    pub bytes: u64,
    pub write: Latencies,
    pub mb_per_s: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoopbackFloor {
    pub round_trip: Latencies,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Verdict {
    pub text: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Life {
    pub records: u64,
    pub pauses: Option<Latencies>,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Section {
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ceiling {
    pub scenario: String,
    pub records_per_s: f64,
    pub records_per_s_and_shard: f64,
    pub records_per_s_and_core: Option<f64>,
    pub mb_per_s: f64,
    pub confirmed: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    pub scenario: String,
    pub protocol: String,
    pub durability: Option<String>,
    pub open_loop: bool,
    pub shards: u32,
    pub record_bytes: u64,
    pub batch_records: u32,
    pub writers: u32,
    pub batches_in_flight: u32,
    pub bytes_in_flight_max: u64,
    pub consumers: u32,
    pub offered_records_per_s: Option<f64>,
    pub arrival: Option<String>,
    pub sustained: Option<bool>,
    pub seconds: f64,
    pub records_per_s: f64,
    pub mb_per_s: f64,
    pub refused_batches: u64,
    pub loadgen_busy_percent: f64,
    pub ack: Option<Latencies>,
    pub push: Option<Latencies>,
    pub series: Series,
    pub cpu: Cpu,
    pub read_back_mb_per_s: Option<f64>,
    pub floor_ratios: Vec<Ratio>,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latencies {
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub p9999_ns: u64,
    pub max_ns: u64,
    pub hdr: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Series {
    pub seconds: Vec<f64>,
    pub ack: Track,
    pub push: Track,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Track {
    pub records_per_s: Vec<f64>,
    pub p50_ns: Vec<Option<u64>>,
    pub p99_ns: Vec<Option<u64>>,
    pub max_ns: Vec<Option<u64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cpu {
    pub from_s: Vec<f64>,
    pub cpus: Vec<CpuTrack>,
    pub steal_percent: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CpuTrack {
    pub cpu: u32,
    pub role: Option<String>,
    pub busy_percent: Vec<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ratio {
    pub what: String,
    pub ratio: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Target {
    pub what: String,
    pub value: f64,
    pub limit: f64,
    pub at_most: bool,
    pub met: bool,
}

impl ResultFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<ResultFile> {
        let text =
            fs::read_to_string(path).map_err(Failure::io(format!("reading {}", path.display())))?;
        ResultFile::parse(&text).map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))
    }

    /// From the text of a file.
    pub fn parse(text: &str) -> std::result::Result<ResultFile, String> {
        let file: ResultFile =
            serde_json::from_str(text).map_err(|e| format!("not a result file: {e}"))?;
        match file.schema_version {
            0 => Err("not a result file: it has no schema_version".to_owned()),
            version if version > SCHEMA_VERSION => Err(format!(
                "schema version {version} is newer than this program, which knows {SCHEMA_VERSION}"
            )),
            _ => Ok(file),
        }
    }
}

impl ResultFile {
    /// Every target, with the name of what it is about.
    #[must_use]
    pub fn targets(&self) -> Vec<(&str, &Target)> {
        let of = |name, targets| std::iter::repeat(name).zip::<&Vec<Target>>(targets);
        let rows = self.rows.iter().flat_map(|row| of(row.scenario.as_str(), &row.targets));
        let life = self.life.iter().flat_map(|life| of("life", &life.targets));
        let sections = [
            ("quota", self.quota.iter().collect::<Vec<_>>()),
            ("cost", self.cost.iter().collect()),
            ("many shards", self.many_shards.iter().collect()),
            ("subscriptions", self.subscriptions.iter().collect()),
        ];
        let sections = sections.into_iter().flat_map(|(name, sections)| {
            sections.into_iter().flat_map(move |section| of(name, &section.targets))
        });
        rows.chain(life).chain(sections).collect()
    }
}

impl Latencies {
    /// The whole distribution, where the file has it.
    #[must_use]
    pub fn histogram(&self) -> Option<Histogram<u64>> {
        let bytes = STANDARD.decode(&self.hdr).ok()?;
        Deserializer::new().deserialize(&mut &bytes[..]).ok()
    }
}

impl Row {
    /// How long records took to where they were wanted: to consumers, or else to storage.
    #[must_use]
    pub fn latencies(&self) -> Option<&Latencies> {
        self.push.as_ref().or(self.ack.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_or_of_the_future_is_refused_in_words() {
        let why = |text| ResultFile::parse(text).expect_err("refused");
        assert!(why("{}").contains("no schema_version"));
        assert!(why("[").contains("not a result file"));
        assert!(why("{\"schema_version\": 99}").contains("newer than this program"));
        assert!(ResultFile::parse("{\"schema_version\": 1, \"rows\": []}").is_ok());
    }
}
