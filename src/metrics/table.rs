//! The one table of metric names. A metric is a variant here, its line below, and nothing else.

/// How a metric is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name, in the form that Prometheus wants: unit last, counters end in `_total`.
    pub name: &'static str,
    /// What one of it is.
    pub unit: Unit,
    /// One sentence for a person.
    pub help: &'static str,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Microseconds.
    Micros,
}

/// Only grows.
#[expect(missing_docs, reason = "the help in the table says what each one is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    RecordsIn,
    BytesIn,
    RecordsOut,
    BytesOut,
    PutThrottles,
    ReadThrottles,
    RefusedPuts,
    Commits,
    CommitBytes,
    TailHits,
    CatchUpReads,
    CatchUpBytes,
    PushRecords,
    PushBytes,
    SessionsOpened,
    StalledSessions,
    ProtocolErrors,
    MeshMessages,
    ForwardedRequests,
    JournalFilesRecycled,
    SegmentBytes,
    SegmentsDeleted,
}

/// Goes up and down.
#[expect(missing_docs, reason = "the help in the table says what each one is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Gauge {
    Sessions,
    Subscriptions,
    Shards,
    TailBytes,
    UnflushedBytes,
    PartialFrameBytes,
}

/// A distribution.
#[expect(missing_docs, reason = "the help in the table says what each one is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Histogram {
    CommitMicros,
    CommitBatches,
    PutMicros,
    PushMicros,
    CatchUpMicros,
    /// Write-behind.
    SegmentWriteMicros,
    /// Write-behind.
    SegmentSyncMicros,
}

impl Counter {
    /// Every counter, in the order of their cells.
    pub const ALL: [Counter; 22] = {
        use Counter::*;
        [
            RecordsIn,
            BytesIn,
            RecordsOut,
            BytesOut,
            PutThrottles,
            ReadThrottles,
            RefusedPuts,
            Commits,
            CommitBytes,
            TailHits,
            CatchUpReads,
            CatchUpBytes,
            PushRecords,
            PushBytes,
            SessionsOpened,
            StalledSessions,
            ProtocolErrors,
            MeshMessages,
            ForwardedRequests,
            JournalFilesRecycled,
            SegmentBytes,
            SegmentsDeleted,
        ]
    };

    /// Its line of the table.
    #[must_use]
    pub const fn metric(self) -> Metric {
        use Unit::{Bytes, Count};
        let (name, unit, help) = match self {
            Counter::RecordsIn => ("shardway_in_records_total", Count, "Records acknowledged."),
            Counter::BytesIn => ("shardway_in_bytes_total", Bytes, "Data and keys acknowledged."),
            Counter::RecordsOut => {
                ("shardway_get_records_total", Count, "Records returned by gets.")
            }
            Counter::BytesOut => ("shardway_get_bytes_total", Bytes, "Batches that gets returned."),
            Counter::PutThrottles => {
                ("shardway_put_throttles_total", Count, "Batches above a shard's rate.")
            }
            Counter::ReadThrottles => {
                ("shardway_get_throttles_total", Count, "Gets above a shard's rate.")
            }
            Counter::RefusedPuts => (
                "shardway_refused_puts_total",
                Count,
                "Puts refused for want of memory, journal or disk; nothing of them was stored.",
            ),
            Counter::Commits => ("shardway_commits_total", Count, "Journal writes."),
            Counter::CommitBytes => {
                ("shardway_commit_bytes_total", Bytes, "Journal writes, padded.")
            }
            Counter::TailHits => ("shardway_tail_hits_total", Count, "Reads from memory."),
            Counter::CatchUpReads => {
                ("shardway_catch_up_reads_total", Count, "Reads from segments.")
            }
            Counter::CatchUpBytes => {
                ("shardway_catch_up_bytes_total", Bytes, "Read from segments.")
            }
            Counter::PushRecords => {
                ("shardway_push_records_total", Count, "Records pushed to subscriptions.")
            }
            Counter::PushBytes => {
                ("shardway_push_bytes_total", Bytes, "Batches pushed to subscriptions.")
            }
            Counter::SessionsOpened => {
                ("shardway_sessions_opened_total", Count, "Connections that said hello.")
            }
            Counter::StalledSessions => (
                "shardway_stalled_sessions_total",
                Count,
                "Times a connection was not read because its client does not read its answers.",
            ),
            Counter::ProtocolErrors => {
                ("shardway_protocol_errors_total", Count, "Connections closed for a bad frame.")
            }
            Counter::MeshMessages => {
                ("shardway_mesh_messages_total", Count, "Messages sent to other cores.")
            }
            Counter::ForwardedRequests => (
                "shardway_forwarded_requests_total",
                Count,
                "Requests that arrived at another core than their shard's home.",
            ),
            Counter::JournalFilesRecycled => {
                ("shardway_journal_files_recycled_total", Count, "Journal files used again.")
            }
            Counter::SegmentBytes => {
                ("shardway_segment_bytes_total", Bytes, "Bytes written to segment files.")
            }
            Counter::SegmentsDeleted => {
                ("shardway_segments_deleted_total", Count, "Segments whose retention had ended.")
            }
        };
        Metric { name, unit, help }
    }
}

impl Gauge {
    /// Every gauge, in the order of their cells.
    pub const ALL: [Gauge; 6] = {
        use Gauge::*;
        [Sessions, Subscriptions, Shards, TailBytes, UnflushedBytes, PartialFrameBytes]
    };

    /// Its line of the table.
    #[must_use]
    pub const fn metric(self) -> Metric {
        use Unit::{Bytes, Count};
        let (name, unit, help) = match self {
            Gauge::Sessions => ("shardway_sessions", Count, "Open connections."),
            Gauge::Subscriptions => ("shardway_subscriptions", Count, "Open subscriptions."),
            Gauge::Shards => ("shardway_shards", Count, "Shards whose home this is."),
            Gauge::TailBytes => {
                ("shardway_tail_bytes", Bytes, "Recent durable batches held in memory.")
            }
            Gauge::UnflushedBytes => {
                ("shardway_unflushed_bytes", Bytes, "Accepted batches that no segment holds yet.")
            }
            Gauge::PartialFrameBytes => {
                ("shardway_partial_frame_bytes", Bytes, "Memory of frames that still arrive.")
            }
        };
        Metric { name, unit, help }
    }
}

impl Histogram {
    /// Every histogram, in the order of their cells.
    pub const ALL: [Histogram; 7] = {
        use Histogram::*;
        [
            CommitMicros,
            CommitBatches,
            PutMicros,
            PushMicros,
            CatchUpMicros,
            SegmentWriteMicros,
            SegmentSyncMicros,
        ]
    };

    /// Its line of the table.
    #[must_use]
    pub const fn metric(self) -> Metric {
        use Unit::{Count, Micros};
        let (name, unit, help) = match self {
            Histogram::CommitMicros => {
                ("shardway_commit_us", Micros, "From the issue of a journal write to its end.")
            }
            Histogram::CommitBatches => {
                ("shardway_commit_batches", Count, "Batches in one journal write.")
            }
            Histogram::PutMicros => {
                ("shardway_put_us", Micros, "From a put's last byte in to its answer out.")
            }
            Histogram::PushMicros => {
                ("shardway_push_us", Micros, "From a batch's arrival to its push.")
            }
            Histogram::CatchUpMicros => {
                ("shardway_catch_up_us", Micros, "One read from a segment file.")
            }
            Histogram::SegmentWriteMicros => {
                ("shardway_segment_write_us", Micros, "One piece of write-behind.")
            }
            Histogram::SegmentSyncMicros => {
                ("shardway_segment_sync_us", Micros, "One sync of a segment file.")
            }
        };
        Metric { name, unit, help }
    }
}
