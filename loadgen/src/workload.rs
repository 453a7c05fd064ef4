//! What a run sends. The canonical values come first: a number without options means these.

use std::time::Duration;

use shardway::base::limits::{PUT_RECORDS_MAX, RECORD_HEADER_BYTES};
use shardway::base::stream::{Durability, ShardLimits};

use crate::arrival::Arrival;
use crate::failure::{Failure, Result};
use crate::payload::STAMP_BYTES;

/// Data of a record.
pub const RECORD_BYTES: usize = 1024;
/// Records of a batch where throughput is the question.
pub const BATCH_RECORDS: u32 = 256;
/// Batches in flight where throughput is the question and no search was asked for.
pub const BATCHES_IN_FLIGHT: u32 = 4;
/// Writers, and connections, of the "many writers" scenario.
pub const MANY_WRITERS: u32 = 64;
/// Records a second of a shard at its quota.
pub const QUOTA_RECORDS: u32 = 1000;
/// Records of a batch of a shard at its quota: a producer that lingers 10 ms.
pub const QUOTA_BATCH_RECORDS: u32 = 10;
/// Connections, each way, of the "shards at quota" scenario.
pub const QUOTA_CONNECTIONS: u32 = 8;
/// Not measured: caches, pools and the server's first journal file settle.
pub const WARMUP: Duration = Duration::from_secs(1);
/// Measured.
pub const DURATION: Duration = Duration::from_secs(5);
/// Seed of payloads and of random arrivals.
pub const SEED: u64 = 0x5348_4152_4457_4159;
/// Batches that an open-loop writer may have in flight before the rest waits here. The wait
/// counts: latency starts at the intended time. Below the server's 4096 of a connection.
pub const OPEN_LOOP_IN_FLIGHT: u32 = 1024;

/// What a run sends, to how many readers, for how long.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Shards of the stream.
    pub shards: u32,
    /// Data bytes of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: u32,
    /// Independent writers; writer w writes to shard w mod `shards`.
    pub writers: u32,
    /// Connections that the writers share.
    pub connections: u32,
    /// Batches that each writer keeps (closed loop) or may have (open loop) in flight.
    pub in_flight: u32,
    /// Records a second over all writers; none is a closed loop.
    pub rate: Option<f64>,
    /// How an open loop spaces its batches.
    pub arrival: Arrival,
    /// Exponent of Zipf's law by which an open loop chooses writers; none takes turns.
    pub skew: Option<f64>,
    /// An end before that of the time: so many records acknowledged.
    pub records_max: Option<u64>,
    /// Consumers, each of which reads every shard.
    pub consumers: u32,
    /// Connections of each consumer.
    pub consumer_connections: u32,
    /// Consumers that subscribe to every shard and then read nothing.
    pub stalled_consumers: u32,
    /// The stream's durability.
    pub durability: Durability,
    /// The stream's limits.
    pub limits: ShardLimits,
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub duration: Duration,
    /// Seed of payloads and arrivals.
    pub seed: u64,
}

impl Default for Workload {
    fn default() -> Workload {
        Workload {
            shards: 1,
            record_bytes: RECORD_BYTES,
            batch_records: 1,
            writers: 1,
            connections: 1,
            in_flight: 1,
            rate: None,
            arrival: Arrival::Constant,
            skew: None,
            records_max: None,
            consumers: 0,
            consumer_connections: 1,
            stalled_consumers: 0,
            durability: Durability::Durable,
            limits: ShardLimits::OFF,
            warmup: WARMUP,
            duration: DURATION,
            seed: SEED,
        }
    }
}

impl Workload {
    /// Many writers with one record each in flight: group commit's question.
    #[must_use]
    pub fn many_writers() -> Workload {
        let (writers, connections) = (MANY_WRITERS, MANY_WRITERS);
        Workload { writers, connections, ..Workload::default() }
    }

    /// One writer with large batches: the highest rate of one shard.
    #[must_use]
    pub fn one_shard() -> Workload {
        let (batch_records, in_flight) = (BATCH_RECORDS, BATCHES_IN_FLIGHT);
        Workload { batch_records, in_flight, ..Workload::default() }
    }

    /// `self` at `rate` records a second, open loop, read by `consumers`.
    #[must_use]
    pub fn pushed(&self, rate: f64, consumers: u32) -> Workload {
        Workload { rate: Some(rate), in_flight: OPEN_LOOP_IN_FLIGHT, consumers, ..self.clone() }
    }

    /// `shards` shards at 1,000 records and about 1 MB a second each, with a consumer each.
    #[must_use]
    pub fn quota_shards(shards: u32) -> Workload {
        Workload {
            shards,
            writers: shards,
            connections: QUOTA_CONNECTIONS.min(shards),
            consumer_connections: QUOTA_CONNECTIONS.min(shards),
            batch_records: QUOTA_BATCH_RECORDS,
            ..Workload::default()
        }
        .pushed(f64::from(shards) * f64::from(QUOTA_RECORDS), 1)
    }

    /// Data bytes of a batch, without keys and framing.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.record_bytes * self.batch_records as usize
    }

    /// Refuses what cannot run, before anything is sent.
    pub fn check(&self) -> Result<()> {
        let usage = |what: String| Err(Failure::Usage(what));
        if self.record_bytes < STAMP_BYTES {
            return usage(format!("--record-bytes is at least {STAMP_BYTES}: each is numbered"));
        }
        if self.batch_records == 0 || self.batch_records as usize > PUT_RECORDS_MAX {
            return usage(format!("--batch-records is 1 to {PUT_RECORDS_MAX}"));
        }
        let batch = self.batch_records as usize * (self.record_bytes + RECORD_HEADER_BYTES + 16);
        if batch > shardway::base::limits::PUT_BYTES_MAX {
            return usage("a batch is at most 10 MiB: fewer or smaller records".to_owned());
        }
        if self.shards == 0 || self.connections == 0 || self.in_flight == 0 {
            return usage("--shards, --connections and --in-flight are at least 1".to_owned());
        }
        if self.writers < self.shards {
            return usage(format!("{} shards need as many --writers", self.shards));
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return usage("--rate is above 0".to_owned());
        }
        if self.skew.is_some_and(|exponent| !(0.0..=10.0).contains(&exponent)) {
            return usage("the exponent of a skew is 0 to 10".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canonical_workload_can_run() {
        for workload in [
            Workload::default(),
            Workload::many_writers(),
            Workload::one_shard(),
            Workload::default().pushed(100.0, 20),
            Workload::quota_shards(150),
        ] {
            workload.check().expect("a canonical workload is valid");
        }
    }

    #[test]
    fn a_shard_at_its_quota_stays_below_the_byte_quota() {
        let key_bytes_max = 16;
        let bytes = QUOTA_RECORDS as usize * (RECORD_BYTES + key_bytes_max);
        assert!(bytes as u64 <= ShardLimits::AWS.in_bytes);
    }

    #[test]
    fn a_shard_without_writer_is_refused() {
        let workload = Workload { shards: 4, writers: 3, ..Workload::default() };
        assert!(workload.check().is_err());
    }
}
