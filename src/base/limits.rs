//! Every limit of the server, derived where it can be and asserted when it is compiled.
//!
//! Numbers with a source in the AWS documentation keep the AWS meaning; the others say why.

use crate::base::aligned::BLOCK;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ---- Records and batches ------------------------------------------------------------------

/// Partition key: at most 256 Unicode characters (AWS API, `PartitionKey`).
pub const KEY_CHARS_MAX: usize = 256;
/// The same in UTF-8 bytes.
pub const KEY_BYTES_MAX: usize = KEY_CHARS_MAX * 4;
/// Default largest record, data and key together (AWS: `MaxRecordSizeInKiB` 1024).
pub const RECORD_BYTES_DEFAULT: usize = MIB;
/// Largest value a stream may set (AWS: 10240 KiB).
pub const RECORD_BYTES_MAX: usize = 10 * MIB;
/// Records in one put (AWS: `PutRecords`).
pub const PUT_RECORDS_MAX: usize = 500;
/// Data and keys in one put (AWS: 10 MiB).
pub const PUT_BYTES_MAX: usize = 10 * MIB;
/// Bytes of a batch body: the data and keys of a full put, and each record's own framing.
pub const BATCH_BODY_BYTES_MAX: usize =
    PUT_BYTES_MAX + PUT_RECORDS_MAX * (RECORD_HEADER_BYTES + EXPLICIT_HASH_KEY_BYTES);
/// Fixed part in front of each record: lengths and flags.
pub const RECORD_HEADER_BYTES: usize = 8;
/// An explicit hash key, when a record has one.
pub const EXPLICIT_HASH_KEY_BYTES: usize = 16;
/// The batch header: one for client part and stamped part.
pub const BATCH_HEADER_BYTES: usize = 128;
/// A batch, header and body.
pub const BATCH_BYTES_MAX: usize = BATCH_HEADER_BYTES + BATCH_BODY_BYTES_MAX;

// ---- Frames -------------------------------------------------------------------------------

/// The header of every frame.
pub const FRAME_HEADER_BYTES: usize = 24;
/// Payload of a frame: a full put and its routing fields. Larger answers are cut into frames.
pub const FRAME_PAYLOAD_MAX: usize = BATCH_BYTES_MAX + 512;
/// Payload of a frame that carries no batch: names, shard maps and listings.
pub const CONTROL_PAYLOAD_MAX: usize = 4 * MIB;
/// Bytes of batches in one push or get answer, unless a single batch is larger.
pub const READ_BYTES_MAX: usize = MIB;
/// The longest wait of a long poll, in ms; also bounds what a vanished client can hold.
pub const LONG_POLL_MS_MAX: u32 = 30_000;
/// Requests of one connection that may wait for their answers.
pub const CONNECTION_IN_FLIGHT_MAX: usize = 4096;
/// Subscriptions of one connection.
pub const CONNECTION_SUBSCRIPTIONS_MAX: usize = 4096;
/// Answers waiting for a client that does not read; above it, its requests wait too.
pub const CONNECTION_OUT_BYTES_MAX: usize = 4 * MIB;

// ---- HTTP ---------------------------------------------------------------------------------

/// Bytes of a request's head. Session tokens of AWS have a few KiB; nothing else is large.
pub const HTTP_HEAD_BYTES: usize = 64 * KIB;
/// Bytes of a request's body: a full put is 14 MiB where its data is base64.
pub const HTTP_BODY_BYTES: usize = 16 * MIB;
/// Bodies that a core holds or waits for: some of the largest at a time, thousands of others.
pub const HTTP_BODIES_BYTES: usize = 256 * MIB;
/// Connections of a core.
pub const HTTP_CONNECTIONS: usize = 10_000;
/// Requests at a time on a connection of HTTP/2: the KCL keeps one open for each shard.
pub const HTTP_STREAMS: u32 = 10_000;
/// Bytes that a client of HTTP/2 may send before a request's body is looked at.
pub const HTTP_STREAM_WINDOW: u32 = MIB as u32;
/// The same for all requests of a connection: more than one, so that none blocks the others.
pub const HTTP_CONNECTION_WINDOW: u32 = 4 * MIB as u32;
/// Payload of a frame of HTTP/2: a record of common size, its base64 and JSON, in one.
pub const HTTP_FRAME_BYTES: u32 = 64 * KIB as u32;
/// Receive and send buffer of a connection, when it moves much.
pub const HTTP_BUFFER_BYTES: usize = 256 * KIB;
/// From the first byte of a request's head to its last.
pub const HTTP_HEAD_SECONDS: u64 = 10;
/// A body that brings less than [`HTTP_PROGRESS_BYTES`] in this time is given up, and so is a
/// client that takes nothing of an answer.
pub const HTTP_BODY_SECONDS: u64 = 30;
/// See [`HTTP_BODY_SECONDS`].
pub const HTTP_PROGRESS_BYTES: usize = 16 * KIB;
/// An unused connection is kept for this long. More than the minute after which load balancers
/// and SDKs drop theirs, so that none sends a request into a connection that closes.
pub const HTTP_IDLE_SECONDS: u64 = 120;

// ---- Names --------------------------------------------------------------------------------

/// Stream and consumer names (AWS API: 1 … 128 of `[a-zA-Z0-9_.-]`).
pub const NAME_BYTES_MAX: usize = 128;
/// Shards of one stream in one call (AWS: `UpdateShardCount` target).
pub const STREAM_SHARDS_MAX: usize = 10_000;
/// Retention (AWS: 24 h default, 24 … 8760 h).
pub const RETENTION_HOURS_DEFAULT: u32 = 24;
/// See [`RETENTION_HOURS_DEFAULT`].
pub const RETENTION_HOURS_MAX: u32 = 8760;
/// An iterator's life (AWS: 300 s).
pub const ITERATOR_LIFE_MS: u64 = 300_000;
/// Consumers of one stream (AWS: 20).
pub const CONSUMERS_MAX: usize = 20;
/// The same while the account's commitment holds (AWS: On-demand Advantage).
pub const CONSUMERS_COMMITTED_MAX: usize = 50;

// ---- Control plane (AWS: "Quotas and limits", reference §3.5 – §3.9) ------------------------

/// A day, over which changes of mode and scalings are counted.
pub const DAY_MS: u64 = 24 * 3_600_000;
/// Streams that are being created at a time (AWS).
pub const STREAMS_CREATING_MAX: usize = 5;
/// Scalings of a stream by request in 24 hours (AWS: `UpdateShardCount`).
pub const SCALINGS_PER_DAY: usize = 10;
/// Changes of a stream's mode in 24 hours (AWS: `UpdateStreamMode`).
pub const MODE_CHANGES_PER_DAY: usize = 2;
/// Times that a stream's encryption is started in 24 hours, and that it is stopped (AWS:
/// `StartStreamEncryption`).
pub const ENCRYPTION_CHANGES_PER_DAY: usize = 25;
/// Bytes of a resource policy (AWS: 20 KB).
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// Shards of a new on-demand stream (AWS: 4 MB/s of writes).
pub const ON_DEMAND_SHARDS: u32 = 4;
/// Warm throughput of a stream in MiB/s (AWS: 10 GB/s): what the most shards together take.
pub const WARM_MIB_MAX: u32 = STREAM_SHARDS_MAX as u32;
/// Days whose highest throughput counts for an on-demand stream (AWS).
pub const PEAK_DAYS: u32 = 30;
/// The account's commitment holds for this long at least (AWS).
pub const COMMITMENT_MS_MIN: u64 = DAY_MS;
/// Tags of a stream or consumer (AWS).
pub const TAGS_MAX: usize = 50;
/// Characters of a tag's key, at least 1 (AWS).
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value (AWS).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// On the AWS API a shard's creation time, in seconds, leads its sequence numbers: a child's is
/// later by this, so that its numbers come behind its parents'.
pub const CHILD_CREATED_LATER_MS: u64 = 1000;

// ---- Quotas of the `aws` profile (AWS: "Quotas and limits") --------------------------------

/// Bytes a second into a shard.
pub const SHARD_IN_BYTES: u64 = MIB as u64;
/// Records a second into a shard.
pub const SHARD_IN_RECORDS: u64 = 1000;
/// Burst of a shard for large records: 10 MiB, refilled at 1 MiB/s.
pub const SHARD_IN_BURST_BYTES: u64 = 10 * MIB as u64;
/// Bytes a second out of a shard, to all callers of get together, and to each consumer.
pub const SHARD_OUT_BYTES: u64 = 2 * MIB as u64;
/// Gets a second from a shard.
pub const SHARD_READS: u64 = 5;

// ---- Signatures (AWS: Signature Version 4) --------------------------------------------------

/// How long a signature is good, and how far clocks may differ, in seconds (AWS: 5 minutes).
pub const SIGNATURE_WINDOW_S: u64 = 300;
/// Headers that one signature may cover. Clients sign about ten; each is looked up among all.
pub const SIGNED_HEADERS_MAX: usize = 128;
/// Keys of the day that a core remembers, 200 to 300 bytes each: one for each user and region.
pub const SIGNING_KEYS_MAX: usize = 1024;
/// A file of credentials: thousands of users.
pub const CREDENTIALS_FILE_BYTES_MAX: u64 = MIB as u64;

// ---- Journal and segments -----------------------------------------------------------------

/// Journal files of a core. Four: one written, one being freed, two to absorb a burst.
pub const JOURNAL_FILES: u64 = 4;
/// Default size of a journal file.
pub const JOURNAL_FILE_BYTES: u64 = 64 * MIB as u64;
/// Smallest that holds a checkpoint and the largest batch.
pub const JOURNAL_FILE_BYTES_MIN: u64 = 16 * MIB as u64;
/// A commit is filled up to this; only a single larger batch makes a larger one.
pub const COMMIT_BYTES_MAX: usize = MIB;
/// Write-behind pieces: larger ones double the commit's p99 (measured, design §3.5).
pub const SEGMENT_WRITE_BYTES: usize = 256 * KIB;
/// A segment file is sealed at this size.
pub const SEGMENT_BYTES: u64 = 64 * MIB as u64;
/// One sync of a segment for this much write-behind.
pub const SEGMENT_SYNC_BYTES: u64 = 64 * MIB as u64;
/// One sparse index entry for each of these.
pub const INDEX_INTERVAL_BYTES: u64 = 32 * KIB as u64;
/// A catch-up read.
pub const CATCH_UP_READ_BYTES: usize = 256 * KIB;

// ---- Memory of a core ---------------------------------------------------------------------

/// Recent durable batches kept for push and near-tip reads, over all shards of a core.
pub const TAIL_BYTES: usize = 64 * MIB;
/// Staged or durable bytes that no segment holds yet; above it, new puts wait in their sockets.
pub const UNFLUSHED_BYTES_MAX: usize = 96 * MIB;
/// Puts that wait on a core while their shards close, in bytes; above it, new puts wait in their
/// sockets. What a core takes in from loopback in 10 ms, twice.
pub const HELD_BYTES_MAX: usize = 32 * MIB;
/// Batches that connections of a core have sent to shards of other cores and that are not answered;
/// above it, new puts wait in their sockets. Wherever they are, in mailboxes or in front of a disk
/// that cannot keep up, so much of every core is all there is. As much as may be held.
pub const FORWARDED_BYTES_MAX: usize = HELD_BYTES_MAX;
/// The receive buffer of a core, and what one connection may bring in a turn.
pub const RECEIVE_BYTES: usize = MIB;
/// Frames that are still arriving, over all connections of a core.
pub const PARTIAL_FRAMES_BYTES_MAX: usize = 64 * MIB;
/// Catch-up reads in flight on a core.
pub const CATCH_UP_READS_MAX: usize = 16;
/// Messages from one core that wait for another.
pub const MAILBOX_MESSAGES: usize = 1024;

// ---- Host ---------------------------------------------------------------------------------

/// Rings and registered buffers need this much lockable memory, per core.
pub const MEMLOCK_BYTES_MIN: u64 = 512 * KIB as u64;
/// Files and sockets; below it a few hundred clients exhaust the process.
pub const NOFILE_MIN: u64 = 1024;

const _: () = assert!(BATCH_BYTES_MAX < u32::MAX as usize, "lengths are 32 bits on the wire");
const _: () = assert!(FRAME_PAYLOAD_MAX > BATCH_BYTES_MAX, "a full put fits a frame");
const _: () =
    assert!(HTTP_BODY_BYTES > PUT_BYTES_MAX / 3 * 4 + MIB, "a full put fits a body as JSON");
const _: () = assert!(HTTP_BODIES_BYTES >= 4 * HTTP_BODY_BYTES, "large bodies pass each other");
const _: () = assert!(COMMIT_BYTES_MAX.is_multiple_of(BLOCK), "commits are whole blocks");
const _: () = assert!(
    JOURNAL_FILE_BYTES_MIN as usize > BATCH_BYTES_MAX + 2 * MIB,
    "the largest batch and a checkpoint fit one journal file"
);
const _: () = assert!(
    UNFLUSHED_BYTES_MAX as u64 <= (JOURNAL_FILES - 1) * JOURNAL_FILE_BYTES,
    "what memory may hold unflushed, the journal can hold too"
);
const _: () =
    assert!(PARTIAL_FRAMES_BYTES_MAX > FRAME_PAYLOAD_MAX, "one full put can always arrive");
