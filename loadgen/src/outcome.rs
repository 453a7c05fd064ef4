//! What a verified run measured.

use crate::cpu::CpuSeries;
use crate::latency::{Latencies, Percentiles};
use crate::load::{Tally, Window};
use crate::series::Series;
use crate::workload::Workload;

/// What a verified run measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Measured time.
    pub seconds: f64,
    /// Acknowledged in the measured time, a second.
    pub records_per_s: f64,
    /// Their data, in MB (10^6 bytes) a second.
    pub mb_per_s: f64,
    /// Batches that the server refused.
    pub refused_batches: u64,
    /// Batches of an open loop that were never sent, as the server fell too far behind.
    pub unsent_batches: u64,
    /// The most batches without an answer at once.
    pub open_batches_max: u64,
    /// Those without one at the end of the measured time.
    pub backlog_batches: u64,
    /// Share of the measured time in which the load generator had something to do, in %.
    pub busy_percent: f64,
    /// CPU time of the server for each of the measured records, in us, where it can be read.
    pub server_cpu_us_per_record: Option<f64>,
    /// Intended send to acknowledgement.
    pub ack: Option<Percentiles>,
    /// Intended send to arrival, all consumers merged.
    pub push: Option<Percentiles>,
    /// The same for each consumer.
    pub push_by_consumer: Vec<Percentiles>,
    /// Records that were read and found right, over all readers.
    pub verified_records: u64,
    /// How the read-back went, when nobody read along.
    pub read_back: Option<ReadBack>,
    /// Push, or else ack, of the first sixth of a long run.
    pub first_sixth: Option<Percentiles>,
    /// And of the last.
    pub last_sixth: Option<Percentiles>,
    /// Second by second.
    pub series: Series,
    /// What the CPUs did meanwhile.
    pub cpu: CpuSeries,
}

/// Reading a run's records again, from the first on.
#[derive(Clone, Copy, Debug)]
pub struct ReadBack {
    /// Records read.
    pub records: u64,
    /// Their data.
    pub bytes: u64,
    /// Time.
    pub seconds: f64,
}

impl Outcome {
    /// The numbers of a run whose verification has passed.
    #[must_use]
    pub fn of(
        workload: &Workload,
        window: Window,
        tally: Tally,
        read_back: Option<ReadBack>,
        cpu: CpuSeries,
    ) -> Outcome {
        let seconds = window.end_ns.saturating_sub(window.start_ns) as f64 / 1e9;
        let records_per_s = if seconds > 0.0 { tally.window_records as f64 / seconds } else { 0.0 };
        let mut push = Latencies::new();
        tally.push.iter().for_each(|consumer| push.merge(consumer));
        Outcome {
            seconds,
            records_per_s,
            mb_per_s: records_per_s * workload.record_bytes as f64 / 1e6,
            refused_batches: tally.refused_batches,
            unsent_batches: tally.abandoned_batches,
            open_batches_max: tally.open_batches_max,
            backlog_batches: tally.backlog_batches,
            busy_percent: if seconds > 0.0 { tally.busy_ns as f64 / 1e7 / seconds } else { 0.0 },
            server_cpu_us_per_record: tally.server_cpu_us_per_record(),
            ack: tally.ack.percentiles(),
            push: push.percentiles(),
            push_by_consumer: tally.push.iter().filter_map(Latencies::percentiles).collect(),
            verified_records: tally.read_records + read_back.map_or(0, |r| r.records),
            read_back,
            first_sixth: tally.sixths.as_ref().and_then(|sixths| sixths[0].percentiles()),
            last_sixth: tally.sixths.as_ref().and_then(|sixths| sixths[1].percentiles()),
            series: tally.series.finish(window),
            cpu,
        }
    }

    /// Whether an open loop at `rate` was kept up with: nothing refused, nothing left over, and
    /// the acknowledged rate is the offered one within 1 %.
    #[must_use]
    pub fn sustained(&self, rate: f64) -> bool {
        self.refused_batches == 0 && self.unsent_batches == 0 && self.records_per_s >= 0.99 * rate
    }

    /// What was left without an answer when the measured time ended, as seconds of the load.
    #[must_use]
    pub fn backlog_s(&self, batch_records: u32, rate: f64) -> f64 {
        self.backlog_batches as f64 * f64::from(batch_records) / rate
    }
}
