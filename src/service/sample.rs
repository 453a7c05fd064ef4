//! What a core counts, with the gauges as they are now.

use crate::base::limits::JOURNAL_FILES;
use crate::metrics::{CoreMetrics, Gauge};
use crate::service::core::Core;

impl Core {
    /// A copy of the core's counters and distributions, and a look at its gauges. Costs a walk over
    /// its shards.
    #[must_use]
    pub fn sample(&self) -> CoreMetrics {
        let mut sample = self.metrics.clone();
        let shards = || self.shards.iter().flatten();
        let parked: usize = self.parked.iter().map(|put| put.batch.len()).sum();
        let stored: u64 = shards().map(|shard| shard.segments.bytes()).sum();
        let files: usize = shards().map(|shard| shard.segments.sealed_len() + 1).sum();
        let used = self.log.files_in_use(self.oldest_journal_file());
        let refuses = self.refusal.is_some() || self.log.failure().is_some();
        let gauges = [
            (Gauge::Subscriptions, self.subscriptions.len() as u64),
            (Gauge::Shards, shards().count() as u64),
            (Gauge::TailBytes, self.log.resident_bytes() as u64),
            (Gauge::ParkedBytes, parked as u64),
            (Gauge::HeldBytes, self.held.bytes() as u64),
            (Gauge::ForwardedBytes, self.forwarded_bytes as u64),
            (Gauge::UnflushedBytes, self.unwritten_bytes),
            (Gauge::JournalFilesUsed, used),
            (Gauge::JournalFiles, JOURNAL_FILES),
            (Gauge::SegmentFiles, files as u64),
            (Gauge::StoredBytes, stored),
            (Gauge::RefusingCores, u64::from(refuses)),
        ];
        for (gauge, value) in gauges {
            sample.set_gauge(gauge, value);
        }
        sample
    }
}
