//! One subscription, and the requests that share its way of reading.

use std::time::{Duration, Instant};

use crate::base::clock::Now;
use crate::base::ids::{Millis, Seq, SessionId, ShardNumber, StreamUuid};
use crate::base::limits::{CATCH_UP_READ_BYTES, READ_BYTES_MAX};
use crate::disk::dma::Chunk;
use crate::fanout::effects::{Effect, Effects, ReadJob, ReadPurpose};
use crate::log::reader::Wanted;
use crate::log::segment_writer::MemoryBatch;
use crate::log::staging::ShardSlot;
use crate::quota::ShardOut;
use crate::shard::{ReadSource, Shard};

/// Place and generation of a subscription among those of its shard's home core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// A get that waits for records or for a read.
#[derive(Clone, Debug, PartialEq)]
pub struct GetRequest {
    /// Who asked.
    pub session: SessionId,
    /// The request.
    pub correlation: u64,
    /// Whose records.
    pub slot: ShardSlot,
    /// The next record wanted.
    pub from: Seq,
    /// At most so many records.
    pub limit: u32,
    /// At most so many bytes.
    pub bytes_max: u32,
    /// Answer empty at this time.
    pub deadline: Instant,
}

/// A position by time that waits for a read.
#[derive(Clone, Debug, PartialEq)]
pub struct SeekRequest {
    /// Who asked.
    pub session: SessionId,
    /// The request.
    pub correlation: u64,
    /// Whose records.
    pub slot: ShardSlot,
    /// A subscription to open at what is found; without one the answer is an iterator.
    pub subscribe: Option<NewSubscription>,
}

/// What a client chose when it subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// Its own number of it.
    pub wire_id: u32,
    /// The consumer.
    pub consumer: String,
    /// Bytes it accepts.
    pub credit: u64,
}

/// What a round of pushes has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pumped {
    /// Nothing can be sent now.
    Waits,
    /// There is more to send.
    More,
    /// The shard is closed and everything was sent.
    Ended,
}

/// A cursor with credit.
#[derive(Debug)]
pub struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) session: SessionId,
    pub(super) slot: ShardSlot,
    pub(super) stream: StreamUuid,
    pub(super) new: NewSubscription,
    pub(super) cursor: Seq,
    /// Bytes still accepted. The last batch of a push may overdraw it; then nothing more goes out
    /// until the client has granted more than that.
    pub(super) credit: i64,
    pub(super) quota: ShardOut,
    /// A read is on its way.
    pub(super) reading: bool,
    /// Its connection has enough to send already.
    pub(super) blocked: bool,
    /// It has had everything that there was, and has not read from disk since.
    pub(super) live: bool,
    /// Credit or quota has held it up since its last push.
    pub(super) held_up: bool,
    /// When the last record that was pushed had arrived.
    pub(super) last_arrival: Option<Millis>,
    /// How long the last push had waited that came while it was live.
    pub(super) last_wait: Option<Duration>,
}

/// How a subscription is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// The shard.
    pub shard: ShardNumber,
    /// The consumer.
    pub consumer: String,
    /// It gets records as they become durable.
    pub live: bool,
    /// Records that it has not been sent.
    pub lag_records: u64,
    /// How far the last record that it was sent is behind the newest, in ms; `None` if it has to
    /// catch up and has not been sent any yet.
    pub lag_ms: Option<u64>,
    /// From the arrival of its last live push to the push.
    pub last_wait: Option<Duration>,
    /// Bytes that it accepts.
    pub credit: i64,
}

impl Subscription {
    /// Sends what credit, quota and connection allow, up to [`PUSHES_PER_PUMP`]: in between its
    /// connection says whether it takes that much.
    pub(super) fn pump(&mut self, shard: &Shard, now: Now, effects: &mut Effects) -> Pumped {
        for _ in 0..PUSHES_PER_PUMP {
            if self.reading || self.blocked {
                return Pumped::Waits;
            }
            let source = shard.source(self.cursor);
            if source == ReadSource::End {
                // Costs no credit: the client has taken everything else.
                return Pumped::Ended;
            }
            if source == ReadSource::Tip {
                self.live = true;
                return Pumped::Waits;
            }
            if self.credit <= 0 || self.quota.available(now.mono) == 0 {
                if !std::mem::replace(&mut self.held_up, true) {
                    let by_credit = self.credit <= 0;
                    effects.held_up.credit += u64::from(by_credit);
                    effects.held_up.quota += u64::from(!by_credit);
                }
                return Pumped::Waits;
            }
            match source {
                ReadSource::Tip | ReadSource::End => return Pumped::Waits,
                ReadSource::Tail => self.push_tail(shard, now, effects),
                ReadSource::Segment(place) => {
                    let wanted = Wanted {
                        from: self.cursor,
                        not_before: shard.retention_cutoff(now.wall),
                        bytes_max: CATCH_UP_READ_BYTES.min(self.credit as usize),
                        records_max: u64::from(u32::MAX),
                    };
                    self.reading = true;
                    effects.held_up.tail_misses += u64::from(std::mem::take(&mut self.live));
                    let purpose = ReadPurpose::Push(self.id);
                    effects.reads.push(ReadJob { slot: self.slot, place, wanted, purpose });
                }
            }
        }
        Pumped::More
    }

    /// How it is doing.
    pub(super) fn stats(&self, shard: &Shard) -> SubscriptionStats {
        let lag_records = shard.watermarks().durable.0.saturating_sub(self.cursor.0);
        let behind = self.last_arrival.map(|arrival| shard.behind_ms(self.cursor, arrival));
        SubscriptionStats {
            shard: shard.key().number,
            consumer: self.new.consumer.clone(),
            live: self.live,
            lag_records,
            lag_ms: if lag_records == 0 { Some(0) } else { behind },
            last_wait: self.last_wait,
            credit: self.credit,
        }
    }

    /// One push of batches in memory.
    fn push_tail(&mut self, shard: &Shard, now: Now, effects: &mut Effects) {
        let cutoff = shard.retention_cutoff(now.wall);
        let bytes_max = READ_BYTES_MAX.min(self.credit as usize);
        let (mark, mut bytes, mut first, mut arrival) = (effects.mark(), 0, None, Millis(0));
        let mut since = now.mono;
        for batch in shard.tail_from(self.cursor) {
            if batch.arrival < cutoff {
                self.cursor = batch.end();
                continue;
            }
            if first.is_some() && bytes + batch.bytes as usize > bytes_max {
                break;
            }
            if first.is_none() {
                (first, since) = (Some(self.cursor.max(batch.base)), batch.since);
            }
            bytes += batch.bytes as usize;
            arrival = batch.arrival;
            self.cursor = batch.end();
            effects.chunks.push(chunk_of(batch));
        }
        if let Some(first) = first {
            let behind_ms = shard.behind_ms(self.cursor, arrival);
            let waited = self.live.then(|| now.mono.saturating_duration_since(since));
            let pushed = Pushed { bytes, first, arrival, behind_ms, from_memory: true, waited };
            self.push(now, mark, pushed, effects);
        }
    }

    /// Batches that were read from disk.
    pub(super) fn push_read(
        &mut self,
        shard: &Shard,
        now: Now,
        read: ReadBatches,
        effects: &mut Effects,
    ) {
        let (mark, bytes) = (effects.mark(), read.chunk.len());
        effects.chunks.push(read.chunk);
        self.cursor = read.next;
        let behind_ms = shard.behind_ms(self.cursor, read.arrival);
        let (first, arrival) = (read.first, read.arrival);
        let pushed = Pushed { bytes, first, arrival, behind_ms, from_memory: false, waited: None };
        self.push(now, mark, pushed, effects);
    }

    /// Pushes the chunks since `mark`. They end at the cursor.
    fn push(&mut self, now: Now, mark: u32, pushed: Pushed, effects: &mut Effects) {
        let Pushed { bytes, first, arrival, behind_ms, from_memory, waited } = pushed;
        self.held_up = false;
        self.last_arrival = Some(arrival);
        self.last_wait = waited.or(self.last_wait);
        self.credit -= bytes as i64;
        self.quota.spend(now.mono, bytes as u64);
        effects.list.push(Effect::Push {
            session: self.session,
            subscription: self.new.wire_id,
            first,
            end: self.cursor,
            behind_ms,
            chunks: effects.since(mark),
            from_memory,
            waited,
        });
    }
}

/// What there is to say about a push; see [`Effect::Push`].
struct Pushed {
    bytes: usize,
    first: Seq,
    arrival: Millis,
    behind_ms: u64,
    from_memory: bool,
    waited: Option<Duration>,
}

/// Pushes, each of a MiB or one batch, before the connection is asked.
const PUSHES_PER_PUMP: usize = 2;

/// What a read from a segment brought.
#[derive(Debug)]
pub struct ReadBatches {
    /// The batches.
    pub chunk: Chunk,
    /// First record that belongs to the answer.
    pub first: Seq,
    /// Behind the last.
    pub next: Seq,
    /// When the last arrived.
    pub arrival: Millis,
}

/// A batch in memory as bytes to send.
#[must_use]
pub fn chunk_of(batch: &MemoryBatch) -> Chunk {
    Chunk::written(batch.buffer.clone(), batch.offset as usize, batch.bytes as usize)
}
