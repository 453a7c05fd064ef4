//! Everything that one core owns, below its connections.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Millis, Seq, SessionId, ShardKey, Term};
use crate::base::limits::UNFLUSHED_BYTES_MAX;
use crate::catalog::View;
use crate::fanout::{Effects, GetRequest, Subscriptions};
use crate::log::core_log::CoreLog;
use crate::log::index::SegmentIndex;
use crate::log::journal::JournalSpec;
use crate::log::segment_writer::SegmentWriter;
use crate::log::staging::{ShardSlot, StagedBatch};
use crate::metrics::CoreMetrics;
use crate::security::iterator::IteratorKey;
use crate::shard::{Segments, Shard};

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
    pub(super) seeking: Vec<(SessionId, u32)>,
    pub(super) staged_waiters: Vec<PutWaiter>,
    pub(super) in_flight_waiters: Vec<PutWaiter>,
    pub(super) parked: VecDeque<ParkedPut>,
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

    /// Opens every shard of the view that is at home here and not open yet.
    pub(super) fn open_shards(
        &mut self,
        mut recovered: HashMap<ShardKey, RecoveredShard>,
        now: Now,
    ) {
        let view = self.view.clone();
        for stream in view.streams() {
            for shard in stream.shards.iter().filter(|shard| shard.home == self.me) {
                let key = stream.key(shard.number);
                if self.by_key.contains_key(&key) || stream.require_usable().is_err() {
                    continue;
                }
                let found = recovered.remove(&key);
                let (sealed, end, last_arrival) = found
                    .map_or((Vec::new(), Seq::ZERO, Millis(0)), |r| {
                        (r.segments, r.end, r.last_arrival)
                    });
                let writer = SegmentWriter::start(&self.data_dir, key, self.term, end);
                let segments = Segments::new(sealed, writer);
                let (name, options) = (&stream.name, stream.options);
                let shard = Shard::new(key, name, options, self.term, segments, last_arrival, now);
                self.by_key.insert(key, ShardSlot(self.shards.len() as u32));
                self.shards.push(Some(shard));
            }
        }
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

    /// Number of shards at home here.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.by_key.len()
    }

    /// Number of open subscriptions to them.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }
}
