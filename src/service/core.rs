//! Everything that one core owns, below its connections.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Millis, Seq, SessionId, ShardKey, Term};
use crate::base::limits::UNFLUSHED_BYTES_MAX;
use crate::catalog::{ShardView, StreamView, View};
use crate::fanout::{Effects, GetRequest, SeekRequest, Subscriptions};
use crate::log::core_log::CoreLog;
use crate::log::index::SegmentIndex;
use crate::log::journal::JournalSpec;
use crate::log::segment_writer::SegmentWriter;
use crate::log::staging::{ShardSlot, StagedBatch};
use crate::metrics::CoreMetrics;
use crate::quota::ControlRates;
use crate::security::iterator::IteratorKey;
use crate::service::held::HeldPuts;
use crate::service::message::{Message, Outgoing};
use crate::service::pending::PendingPuts;
use crate::service::reshard::Closing;
use crate::shard::{Segments, Shard, ShardOf};

/// What a core is started with.
#[derive(Debug)]
pub struct CoreSpec {
    /// Which.
    pub core: CoreId,
    /// Of how many.
    pub cores: u16,
    /// Where everything is.
    pub data_dir: PathBuf,
    /// Its journal.
    pub journal: JournalSpec,
    /// Recent commits that stay in memory.
    pub tail_bytes: usize,
    /// Signs iterators.
    pub iterator_key: IteratorKey,
    /// The streams at boot.
    pub view: Arc<View>,
    /// The shards at home here, as recovery left them.
    pub shards: Vec<RecoveredShard>,
}

/// A shard as recovery left it: all of its records are in these segments.
#[derive(Debug)]
pub struct RecoveredShard {
    /// Which.
    pub key: ShardKey,
    /// Oldest first, without gap; none is empty.
    pub segments: Vec<SegmentIndex>,
    /// Behind the last record; the next one gets it, also where no record is left.
    pub end: Seq,
    /// When its newest record arrived.
    pub last_arrival: Millis,
}

/// Who hears when a staged batch is durable.
#[derive(Clone, Copy, Debug)]
pub struct PutWaiter {
    /// The connection; `None` when it was answered at staging.
    pub session: Option<SessionId>,
    /// The request.
    pub correlation: u64,
    /// Which part of it.
    pub part: Option<u16>,
    /// Bytes that the core of the connection counts as on their way until it hears; 0 where the
    /// shard is at home on that core.
    pub forwarded: u32,
    /// When the put came to this core, for its latency.
    pub since: Instant,
}

/// A part of a put that waits for room.
#[derive(Debug)]
pub struct ParkedPut {
    pub(super) waiter: PutWaiter,
    pub(super) shard: ShardKey,
    pub(super) batch: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    pub(super) me: CoreId,
    pub(super) term: Term,
    pub(super) data_dir: PathBuf,
    pub(super) iterator_key: IteratorKey,
    pub(super) view: Arc<View>,
    /// The journal side.
    pub log: CoreLog,
    pub(super) shards: Vec<Option<Shard>>,
    pub(super) by_key: HashMap<ShardKey, ShardSlot>,
    pub(super) subscriptions: Subscriptions,
    pub(super) waiting_gets: Vec<GetRequest>,
    /// Subscriptions whose position by time is being looked for.
    pub(super) seeking: Vec<SeekRequest>,
    pub(super) staged_waiters: Vec<PutWaiter>,
    pub(super) in_flight_waiters: Vec<PutWaiter>,
    pub(super) parked: VecDeque<ParkedPut>,
    /// Bytes of batches that other cores have not answered yet.
    pub(super) forwarded_bytes: usize,
    /// Puts for shards that are about to be closed.
    pub(super) held: HeldPuts,
    /// Puts of connections here whose records went to several shards.
    pub(super) pending: PendingPuts,
    pub(super) closing: Closing,
    pub(super) query_rates: ControlRates,
    /// Counts puts that go to whichever shard: the next one's turn.
    pub(super) turns: usize,
    /// Messages for other cores. The runtime takes them.
    pub outgoing: Vec<Outgoing>,
    pub(super) committed: Vec<StagedBatch>,
    pub(super) dirty: Vec<ShardSlot>,
    pub(super) unwritten_bytes: u64,
    /// Why puts are refused although the log works: the disk is full.
    pub(super) refusal: Option<String>,
    pub(super) nonce: u64,
    /// What this turn wants done.
    pub effects: Effects,
    /// Counters of this core.
    pub metrics: CoreMetrics,
}

impl Core {
    /// A core with its shards.
    #[must_use]
    pub fn new(spec: CoreSpec, now: Now) -> Core {
        let mut core = Core {
            me: spec.core,
            term: spec.journal.term,
            data_dir: spec.data_dir,
            iterator_key: spec.iterator_key,
            view: spec.view,
            log: CoreLog::new(spec.journal, spec.tail_bytes),
            shards: Vec::new(),
            by_key: HashMap::new(),
            subscriptions: Subscriptions::default(),
            waiting_gets: Vec::new(),
            seeking: Vec::new(),
            staged_waiters: Vec::new(),
            in_flight_waiters: Vec::new(),
            parked: VecDeque::new(),
            forwarded_bytes: 0,
            held: HeldPuts::default(),
            pending: PendingPuts::default(),
            closing: Closing::default(),
            query_rates: ControlRates::one_of(spec.cores),
            turns: 0,
            outgoing: Vec::new(),
            committed: Vec::new(),
            dirty: Vec::new(),
            unwritten_bytes: 0,
            refusal: None,
            nonce: 0,
            effects: Effects::default(),
            metrics: CoreMetrics::default(),
        };
        let recovered = spec.shards.into_iter().map(|shard| (shard.key, shard)).collect();
        core.open_shards(recovered, now);
        core
    }

    /// Which core this is.
    #[must_use]
    pub fn id(&self) -> CoreId {
        self.me
    }

    /// The key that signs iterators.
    #[must_use]
    pub fn iterator_key(&self) -> &IteratorKey {
        &self.iterator_key
    }

    /// The catalog as this core sees it.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Opens the shards of the view that are at home here, as recovery left them.
    fn open_shards(&mut self, mut recovered: HashMap<ShardKey, RecoveredShard>, now: Now) {
        let view = self.view.clone();
        for stream in view.streams().iter().filter(|stream| stream.require_usable().is_ok()) {
            for shard in stream.shards_at(self.me) {
                let found = recovered.remove(&stream.key(shard.number));
                let slot = self.open_shard(stream, shard, found, now);
                if shard.closed.is_some() {
                    let shard_of = self.shards[slot.0 as usize].as_mut().expect("just opened");
                    // Where recovery found it: a stream that is not durable may have lost some.
                    let end = shard_of.watermarks().durable;
                    shard_of.close(end, stream.children(shard.number));
                }
            }
        }
    }

    /// Opens one shard.
    pub(super) fn open_shard(
        &mut self,
        stream: &StreamView,
        shard: &ShardView,
        found: Option<RecoveredShard>,
        now: Now,
    ) -> ShardSlot {
        let key = stream.key(shard.number);
        let (sealed, end, last_arrival) = found
            .map_or((Vec::new(), Seq::ZERO, Millis(0)), |r| (r.segments, r.end, r.last_arrival));
        let writer = SegmentWriter::start(&self.data_dir, key, self.term, end);
        let of = ShardOf {
            key,
            stream_name: &stream.name,
            account: &self.view.rules().account,
            options: stream.options,
            retention_floor: stream.retention_floor,
        };
        let shard = Shard::new(of, self.term, Segments::new(sealed, writer), last_arrival, now);
        let slot = ShardSlot(self.shards.len() as u32);
        self.by_key.insert(key, slot);
        self.shards.push(Some(shard));
        slot
    }

    /// Posts a message for another core.
    pub(super) fn send(&mut self, to: CoreId, message: Message) {
        self.outgoing.push(Outgoing { to, message });
    }

    /// The slot of a shard at home here.
    pub(super) fn slot(&self, key: ShardKey) -> Result<ShardSlot, ApiError> {
        self.by_key.get(&key).copied().ok_or_else(|| {
            ApiError::not_found(format!("Shard {} of stream {} is gone", key.number, key.stream))
        })
    }

    /// The shard in a slot, unless its stream was deleted.
    pub(super) fn shard(&self, slot: ShardSlot) -> Option<&Shard> {
        self.shards[slot.0 as usize].as_ref()
    }

    pub(super) fn shard_mut(&mut self, slot: ShardSlot) -> Option<&mut Shard> {
        self.shards[slot.0 as usize].as_mut()
    }

    /// The oldest journal file with records that no segment holds for certain.
    #[must_use]
    pub fn oldest_journal_file(&self) -> Option<u64> {
        self.shards.iter().flatten().filter_map(Shard::oldest_journal_file).min()
    }

    /// Whether memory holds so much that no segment has that new puts must wait.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.unwritten_bytes > UNFLUSHED_BYTES_MAX as u64
    }
}
