//! Shardway: Kinesis Data Streams that you run yourself. One Linux binary, one pinned thread per
//! core, nothing shared between cores, io_uring and O_DIRECT underneath.
//!
//! - A record that was acknowledged as `durable` is on stable storage: never lost, never reordered
//!   in its shard, never shown before it is durable.
//! - Readers of a shard see one total order, a gap-free prefix of what is durable.
//! - Errors are the API's own, name their cause, and lose nothing.
//!
//! A *core* is one executor on one CPU. Each shard has a *home core*, which alone sequences, stores
//! and serves it. A *batch*, records of one shard behind one header, is the unit of wire, memory
//! and disk.
//!
//! # A put, in visiting order
//!
//! 1. `net` receives into the core's one buffer.
//! 2. `native` finds whole frames there, and lets a frame wait where there is no room for it.
//! 3. `wire` decodes the frame's header and the fields in front of the batch.
//! 4. `record` checks the batch where it lies: lengths, keys, CRC. Nothing is copied.
//! 5. `catalog` says, by the core's view of it, which shard takes the records, and its home core.
//! 6. `mesh` carries an owned batch there, if that is another core: one message per batch.
//! 7. `service` asks the shard, or refuses while the disk is full or the log has failed.
//! 8. `quota` gives the shard's tokens, or the put is refused before anything has changed.
//! 9. `shard` gives the records the next sequences and an arrival time that never steps back.
//! 10. `log` copies the batch behind its stamped header into the next write of the journal.
//! 11. `runtime` has one journal write in flight; what arrives meanwhile is the next one.
//! 12. `disk` writes it with O_DIRECT and O_DSYNC.
//! 13. `service` advances: acknowledgements in order, tail, subscriptions and gets, in one place.
//! 14. `native` puts the answers behind each other, and `net` sends them: one write a connection.
//!
//! # A push, in visiting order
//!
//! 1. `service` finds the position and opens the subscription; its answer goes first.
//! 2. `fanout` takes what the cursor points at, as far as credit, quota and connection allow.
//! 3. `shard` says where that is: in a segment, in memory, or not written yet.
//! 4. `disk` reads segments for it, in a queue of low priority, and `log` picks the batches.
//! 5. `fanout` goes on in memory when it has caught up, and waits at the tip for the next advance.
//! 6. `native` sends every subscriber the same bytes that were written: by reference, and copied
//!    only where they are few or the connection is on another core.
//!
//! Segments are written behind, from memory: `service` chooses what, `runtime` does it, and a
//! journal file is used again once segments hold all of it, synced.
//!
//! # The map
//!
//! Ranks are floors: a module imports only from lower ones, never from its own (`config` lies below
//! `cli`). `tests/tidy.rs` reads the imports, and holds this table against the directories.
//!
//! | rank | module | one responsibility |
//! |---:|---|---|
//! | 0 | `base` | ids, limits with their reasons, errors, clock, aligned sizes, CRC, randomness |
//! | 1 | `record` | the batch: header, checked view, builder, partition key to hash key |
//! | 1 | `reactor` | the executor of a core: tasks, timers, one io_uring and its memory |
//! | 1 | `metrics` | counters and histograms as plain cells of a core; one table of names |
//! | 2 | `wire` | the binary protocol's codec; `PROTOCOL.md` |
//! | 2 | `disk` | the only file I/O of the server: direct for cores, blocking for boot and tools |
//! | 2 | `net` | the only sockets of the server: listen, readiness, receive, vectored send, TLS |
//! | 2 | `mesh` | the only way between cores: a bounded mailbox for each ordered pair |
//! | 2 | `quota` | token buckets and permits |
//! | 2 | `security` | signatures of requests (SigV4), whose keys count, signed shard iterators |
//! | 3 | `log` | journal, segments, index, recovery, check and inspect; `FORMAT.md` |
//! | 3 | `client` | a blocking client of the binary protocol, for commands, loadgen and tests |
//! | 4 | `shard` | a shard on its home core: watermarks, quotas, tail, segments |
//! | 4 | `catalog` | streams and shards; their small durable log; an immutable view for each core |
//! | 5 | `fanout` | subscriptions, each a cursor and credit, and the effects of a turn |
//! | 6 | `service` | what the API does, whoever asks, and the one durable turn (`advance`) |
//! | 7 | `native` | sessions of the binary protocol: frames in, service calls, frames out |
//! | 7 | `gateway` | the AWS API over HTTP: JSON, CBOR and event stream, in front of `service` |
//! | 7 | `admin` | health, metrics for Prometheus and the console, as pages made of reports |
//! | 8 | `runtime` | boot, one core per CPU, the tasks that move it, a stop by gates |
//! | 9 | `config` | what a user chooses: flags, environment and file as one set of options |
//! | 9 | `cli` | the commands, what they print, and their exit codes |
//!
//! # What is absent, and where
//!
//! - No `async` outside of `disk`, `net`, `mesh`, `runtime` and the requests of `gateway`, which
//!   wait for their answers; no executor outside of the first four. Everything else is `&mut self`
//!   and effects, so that a simulator has those four to replace and nothing more.
//! - No clock on the floors from `record` to `native`: the caller passes `now`. Only `base::clock`,
//!   the four and the clients (`client`, `cli`) read one. Random bytes come from `base::rng` alone.
//! - No I/O in `record`, `metrics`, `wire`, `quota`, `security`, `shard`, `fanout` and `service`.
//!   `log` and `catalog` read and write through `disk::blocking`, at boot, in the offline tools and
//!   on threads beside the executors; `native` moves bytes that its sockets already have.
//! - No lock and no shared counter on the data path. Cores share mailboxes, the catalog's immutable
//!   view, and what a stop needs to know.
//! - No queue in a subscription: a slow one holds a cursor and reads from disk again. The bounds of
//!   everything else stand in `base::limits` with their reasons.
//! - No callback upwards: what a floor causes above it is an effect or a message that it returns.
//! - No `unsafe` outside of `disk`, `net`, `mesh`, `runtime` and the tests.

pub mod admin;
pub mod base;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod config;
pub mod disk;
pub mod fanout;
pub mod gateway;
pub mod log;
pub mod mesh;
pub mod metrics;
pub mod native;
pub mod net;
pub mod quota;
pub mod reactor;
pub mod record;
pub mod runtime;
pub mod security;
pub mod service;
pub mod shard;
pub mod wire;
