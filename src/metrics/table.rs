//! The one table of metric names. A metric is a line here and nothing else.
//!
//! Names, units and types are those that Prometheus recommends
//! (<https://prometheus.io/docs/practices/naming/>): base units, unit last, counters end in
//! `_total`. Labels have constant values only; the core is no label, unless the line says so.

/// How a metric is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name as Prometheus sees it. Lines that differ in their label only share it, and stand
    /// behind each other.
    pub name: &'static str,
    /// What one of it is.
    pub unit: Unit,
    /// One sentence for a person.
    pub help: &'static str,
    /// A label with its value, `pool="tail"`; empty without.
    pub label: &'static str,
    /// Each core's value is of interest, not only their sum.
    pub per_core: bool,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Microseconds. Shown in seconds.
    Micros,
}

const fn of(unit: Unit, name: &'static str, help: &'static str) -> Metric {
    Metric { name, unit, help, label: "", per_core: false }
}

const fn count(name: &'static str, help: &'static str) -> Metric {
    of(Unit::Count, name, help)
}

const fn bytes(name: &'static str, help: &'static str) -> Metric {
    of(Unit::Bytes, name, help)
}

const fn micros(name: &'static str, help: &'static str) -> Metric {
    of(Unit::Micros, name, help)
}

/// One pool of the memory that grows with what clients do.
const fn pool(label: &'static str) -> Metric {
    let help = "Memory in use, by pool.";
    Metric { label, ..of(Unit::Bytes, "shardway_memory_bytes", help) }
}

impl Metric {
    const fn per_core(self) -> Metric {
        Metric { per_core: true, ..self }
    }
}

/// An enum whose variants are cells, and its lines of the table.
macro_rules! cells {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident => $metric:expr,)* }) => {
        $(#[$doc])*
        #[expect(missing_docs, reason = "the help in the table says what each one is")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $kind {
            $($variant,)*
        }

        impl $kind {
            /// All of them, in the order of their cells.
            pub const ALL: &'static [$kind] = &[$($kind::$variant,)*];

            /// Its line of the table.
            #[must_use]
            pub const fn metric(self) -> Metric {
                match self {
                    $($kind::$variant => $metric,)*
                }
            }
        }
    };
}

cells! {
    /// Only grows.
    Counter {
        RecordsIn => count("shardway_in_records_total", "Records accepted from puts."),
        BytesIn => bytes("shardway_in_bytes_total", "Data and keys accepted from puts."),
        PutThrottles => count("shardway_put_throttles_total", "Batches above a shard's rate."),
        ThrottledRecords => count(
            "shardway_put_throttled_records_total",
            "Records of the batches above a shard's rate.",
        ),
        RefusedPuts => count(
            "shardway_refused_puts_total",
            "Puts refused for want of memory, journal or disk; nothing of them was stored.",
        ),
        Gets => count("shardway_gets_total", "Gets answered with or without records."),
        RecordsOut => count("shardway_get_records_total", "Records returned by gets."),
        BytesOut => bytes("shardway_get_bytes_total", "Batches that gets returned."),
        ReadThrottles => count(
            "shardway_get_throttles_total",
            "Gets, and iterators asked for, above a shard's rate.",
        ),
        TailHits => count("shardway_tail_hits_total", "Gets and pushes served from memory."),
        CatchUpReads => count("shardway_catch_up_reads_total", "Reads from segments."),
        CatchUpBytes => bytes("shardway_catch_up_bytes_total", "Read from segments."),
        SubscriptionsOpened => {
            count("shardway_subscriptions_opened_total", "Subscriptions that have begun.")
        },
        PushRecords => count("shardway_push_records_total", "Records pushed to subscriptions."),
        PushBytes => bytes("shardway_push_bytes_total", "Batches pushed to subscriptions."),
        CreditStalls => count(
            "shardway_credit_stalls_total",
            "Times a subscription had records waiting and its client accepted no more bytes.",
        ),
        PushThrottles => count(
            "shardway_push_throttles_total",
            "Times a subscription had records waiting and had used up its consumer's rate.",
        ),
        TailMisses => count(
            "shardway_tail_misses_total",
            "Times a subscription that was live fell so far behind that it reads from disk again.",
        ),
        Commits => count("shardway_commits_total", "Journal writes."),
        CommitBytes => bytes("shardway_commit_bytes_total", "Journal writes, padded."),
        JournalFilesRecycled => {
            count("shardway_journal_files_recycled_total", "Journal files used again.")
        },
        SegmentBytes => bytes("shardway_segment_bytes_total", "Bytes written to segment files."),
        SegmentsDeleted => {
            count("shardway_segments_deleted_total", "Segments whose retention had ended.")
        },
        SessionsOpened => {
            count("shardway_sessions_opened_total", "Native connections that were accepted.")
        },
        StalledSessions => count(
            "shardway_stalled_sessions_total",
            "Times a connection was not read for want of room, or because its client does not \
             read its answers.",
        ),
        ProtocolErrors => {
            count("shardway_protocol_errors_total", "Connections closed for a bad frame.")
        },
        MeshMessages => count("shardway_mesh_messages_total", "Messages from other cores."),
        ForwardedRequests => count(
            "shardway_forwarded_requests_total",
            "Requests that arrived at another core than their shard's home.",
        ),
        ReactorStalls => count(
            "shardway_reactor_stalls_total",
            "Ticks of a core that came more than 10 ms late: something has kept it busy.",
        ).per_core(),
        CpuMicros => micros(
            "shardway_core_cpu_seconds_total",
            "CPU time of a core's thread. A core that spins is always busy.",
        ).per_core(),
    }
}

cells! {
    /// Goes up and down. Looked at when somebody asks.
    Gauge {
        Sessions => count("shardway_sessions", "Open native connections."),
        HttpConnections => count("shardway_http_connections", "Open HTTP connections."),
        Subscriptions => count("shardway_subscriptions", "Open subscriptions."),
        Shards => count("shardway_shards", "Shards, by home core; closed ones too.").per_core(),
        TailBytes => pool("pool=\"tail\""),
        ParkedBytes => pool("pool=\"parked_puts\""),
        HeldBytes => pool("pool=\"held_puts\""),
        PartialFrameBytes => pool("pool=\"partial_frames\""),
        AnswerBytes => pool("pool=\"native_answers\""),
        HttpBodyBytes => pool("pool=\"http_bodies\""),
        HttpAnswerBytes => pool("pool=\"http_answers\""),
        ForwardedBytes => bytes(
            "shardway_forwarded_bytes",
            "Batches that other cores have not answered yet.",
        ),
        UnflushedBytes => {
            bytes("shardway_unflushed_bytes", "Accepted batches that no segment holds yet.")
        },
        JournalFilesUsed => count(
            "shardway_journal_files_used",
            "Journal files with records that no segment holds for certain.",
        ).per_core(),
        JournalFiles => count("shardway_journal_files", "Journal files.").per_core(),
        SegmentFiles => count("shardway_segment_files", "Segment files."),
        StoredBytes => bytes("shardway_stored_bytes", "Size of all segment files."),
        RefusingCores => count(
            "shardway_refusing_cores",
            "Cores that refuse puts because the disk is full or the log has failed.",
        ),
    }
}

cells! {
    /// A distribution.
    Histogram {
        PutMicros => micros(
            "shardway_put_seconds",
            "From a put's arrival on its shard's home core to its acknowledgement.",
        ),
        PutBatchRecords => count("shardway_put_batch_records", "Records in an accepted batch."),
        PutBatchBytes => bytes("shardway_put_batch_bytes", "Size of an accepted batch."),
        CommitQueueMicros => micros(
            "shardway_commit_queue_seconds",
            "From the arrival of a commit's first put to the issue of its write.",
        ),
        CommitMicros => {
            micros("shardway_commit_seconds", "From the issue of a journal write to its end.")
        },
        CommitBatches => count("shardway_commit_batches", "Batches in one journal write."),
        CommitWriteBytes => bytes("shardway_commit_write_bytes", "Size of a journal write."),
        PushMicros => micros(
            "shardway_push_seconds",
            "From the arrival of a push's first batch to the push, where the subscription is live.",
        ),
        PushBehindMicros => micros(
            "shardway_push_behind_seconds",
            "How far behind the shard's newest record a subscription is after a push.",
        ),
        IteratorAgeMicros => micros(
            "shardway_get_iterator_age_seconds",
            "Age of the last record that a get returned; 0 where it returned none.",
        ),
        CatchUpMicros => micros("shardway_catch_up_seconds", "One read from a segment file."),
        SegmentWriteMicros => {
            micros("shardway_segment_write_seconds", "One piece of write-behind.")
        },
        SegmentSyncMicros => {
            micros("shardway_segment_sync_seconds", "One sync of a segment file.")
        },
        TickDelayMicros => micros(
            "shardway_tick_delay_seconds",
            "How late a core's regular tick came: what has kept it busy takes so long at least.",
        ),
    }
}

impl Histogram {
    /// Where the buckets that Prometheus sees end: each counts the values below it, and the next
    /// lower ones. All of them are ends of cells, so that the counts are exact.
    #[must_use]
    pub const fn bounds(self) -> &'static [u64] {
        match (self, self.metric().unit) {
            (Histogram::PushBehindMicros | Histogram::IteratorAgeMicros, _) => &AGE_BOUNDS,
            (_, Unit::Micros) => &LATENCY_BOUNDS,
            (_, Unit::Bytes) => &BYTES_BOUNDS,
            (_, Unit::Count) => &COUNT_BOUNDS,
        }
    }
}

/// 16 us to 67 s; two in a power of two where commits and pushes are.
const LATENCY_BOUNDS: [u64; 29] = [
    16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288,
    16384, 32768, 65536, 131_072, 262_144, 524_288, 1_048_576, 2_097_152, 4_194_304, 8_388_608,
    67_108_864,
];
/// 1 ms to 6 days: readers may be as old as the retention.
const AGE_BOUNDS: [u64; 15] = powers(10, 2);
/// 1 to 131,071.
const COUNT_BOUNDS: [u64; 17] = powers(1, 1);
/// 128 B to 16 MiB.
const BYTES_BOUNDS: [u64; 18] = powers(7, 1);

/// 2^first, and each next one 2^step times as much.
const fn powers<const N: usize>(first: u32, step: u32) -> [u64; N] {
    let mut all = [0; N];
    let mut i = 0;
    while i < N {
        all[i] = 1 << (first + step * i as u32);
        i += 1;
    }
    all
}

/// What the requests over HTTP of one count have asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum HttpClass {
    /// PutRecord, PutRecords.
    Put,
    /// GetRecords, GetShardIterator.
    Get,
    /// SubscribeToShard.
    Subscribe,
    /// What describes and lists.
    List,
    /// What changes streams, shards, consumers, tags and policies.
    Change,
    /// What is no operation of this server.
    Unknown,
}

/// How requests over HTTP were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum HttpStatus {
    /// 200 to 399.
    Success,
    /// 400 to 499: the client's mistake, or a throttle.
    Client,
    /// 500 and above.
    Server,
}

impl HttpClass {
    /// All of them, with their label values.
    pub const ALL: [(HttpClass, &'static str); 6] = [
        (HttpClass::Put, "put"),
        (HttpClass::Get, "get"),
        (HttpClass::Subscribe, "subscribe"),
        (HttpClass::List, "list"),
        (HttpClass::Change, "change"),
        (HttpClass::Unknown, "unknown"),
    ];
}

impl HttpStatus {
    /// All of them, with their label values.
    pub const ALL: [(HttpStatus, &'static str); 3] =
        [(HttpStatus::Success, "2xx"), (HttpStatus::Client, "4xx"), (HttpStatus::Server, "5xx")];

    /// That of a status code.
    #[must_use]
    pub const fn of(code: u16) -> HttpStatus {
        match code {
            500.. => HttpStatus::Server,
            400.. => HttpStatus::Client,
            _ => HttpStatus::Success,
        }
    }
}
