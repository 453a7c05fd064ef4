//! `Get`: records from an iterator, with long poll.

use std::time::Duration;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{Millis, Seq, SessionId, ShardKey};
use crate::base::limits::{CATCH_UP_READ_BYTES, LONG_POLL_MS_MAX, READ_BYTES_MAX};
use crate::fanout::{Effect, GetRequest, ReadBatches, ReadJob, ReadPurpose, chunk_of};
use crate::log::reader::Wanted;
use crate::log::staging::ShardSlot;
use crate::metrics::{Counter, Histogram};
use crate::service::core::Core;
use crate::shard::ReadSource;

/// What a client asks of a get.
#[derive(Clone, Copy, Debug)]
pub struct GetLimits {
    /// At most so many records.
    pub limit: u32,
    /// At most so many bytes.
    pub bytes_max: u32,
    /// Wait so many ms for the first record.
    pub wait_ms: u32,
}

/// Records of one get at most (AWS).
const GET_RECORDS_MAX: u32 = 10_000;

impl Core {
    /// Answers now, after a read, when a record is durable, or when the wait is over.
    pub fn get(
        &mut self,
        now: Now,
        session: SessionId,
        correlation: u64,
        key: ShardKey,
        from: Seq,
        limits: GetLimits,
    ) -> Result<(), ApiError> {
        let slot = self.slot(key)?;
        if limits.limit == 0 || limits.limit > GET_RECORDS_MAX {
            return Err(ApiError::invalid(format!(
                "a get asks for 1 to {GET_RECORDS_MAX} records, not {}",
                limits.limit
            )));
        }
        let shard = self.shard_mut(slot).expect("an open slot has its shard");
        if let Err(error) = shard.admit_get(now) {
            self.metrics.add(Counter::ReadThrottles, 1);
            return Err(error);
        }
        let marks = shard.watermarks();
        if from > marks.durable {
            return Err(ApiError::invalid("Invalid ShardIterator.".to_owned()));
        }
        let wait = Duration::from_millis(u64::from(limits.wait_ms.min(LONG_POLL_MS_MAX)));
        let request = GetRequest {
            session,
            correlation,
            slot,
            from: from.max(marks.trim),
            limit: limits.limit,
            bytes_max: limits.bytes_max.clamp(1, READ_BYTES_MAX as u32),
            deadline: now.mono + wait,
        };
        self.serve_get(request, now);
        Ok(())
    }

    /// Serves a get from where its records are.
    pub(super) fn serve_get(&mut self, mut request: GetRequest, now: Now) {
        let Some(shard) = self.shard(request.slot) else {
            let error = ApiError::not_found("the stream was deleted");
            self.effects.fail(request.session, request.correlation, error);
            return;
        };
        match shard.source(request.from) {
            ReadSource::Tip if now.mono < request.deadline => self.waiting_gets.push(request),
            ReadSource::Tip | ReadSource::End => self.answer_empty(&request, now),
            ReadSource::Tail => {
                let cutoff = shard.retention_cutoff(now.wall);
                match self.answer_from_tail(&request, cutoff, now) {
                    Ok(()) => {}
                    Err(behind_expired) => {
                        request.from = behind_expired;
                        self.serve_get(request, now);
                    }
                }
            }
            ReadSource::Segment(place) => {
                let wanted = Wanted {
                    from: request.from,
                    not_before: shard.retention_cutoff(now.wall),
                    bytes_max: (request.bytes_max as usize).min(CATCH_UP_READ_BYTES),
                    records_max: u64::from(request.limit),
                };
                let (slot, purpose) = (request.slot, ReadPurpose::Get(request));
                self.effects.reads.push(ReadJob { slot, place, wanted, purpose });
            }
        }
    }

    /// Serves the gets that wait for this shard.
    pub(super) fn serve_waiting(&mut self, slot: ShardSlot, now: Now) {
        let mut i = 0;
        while i < self.waiting_gets.len() {
            let request = &self.waiting_gets[i];
            let has_more = request.slot == slot
                && self.shard(slot).is_none_or(|shard| {
                    request.from < shard.watermarks().durable || shard.is_closed()
                });
            if has_more {
                let request = self.waiting_gets.remove(i);
                self.serve_get(request, now);
            } else {
                i += 1;
            }
        }
    }

    /// Answers every waiting get: the server stops.
    pub fn end_waiting(&mut self, now: Now) {
        for request in std::mem::take(&mut self.waiting_gets) {
            self.answer_empty(&request, now);
        }
    }

    /// Answers the gets whose wait is over.
    pub(super) fn expire_waiting(&mut self, now: Now) {
        let mut i = 0;
        while i < self.waiting_gets.len() {
            if self.waiting_gets[i].deadline <= now.mono {
                let request = self.waiting_gets.remove(i);
                self.answer_empty(&request, now);
            } else {
                i += 1;
            }
        }
    }

    fn answer_empty(&mut self, request: &GetRequest, now: Now) {
        let mark = self.effects.mark();
        let shard = self.shard(request.slot).expect("a waiting get has its shard");
        let behind_ms = shard.behind_ms(request.from, Millis(0));
        self.metrics.record(Histogram::IteratorAgeMicros, 0);
        self.answer_get(request, mark, behind_ms, request.from, request.from, now);
    }

    /// `arrival`: of the last record that a get returns.
    fn count_age(&mut self, now: Now, arrival: Millis) {
        let age_ms = now.wall.since(arrival);
        self.metrics.record(Histogram::IteratorAgeMicros, age_ms.saturating_mul(1000));
    }

    /// Answers from memory; `Err(seq)` if everything up to `seq` has expired.
    fn answer_from_tail(
        &mut self,
        request: &GetRequest,
        cutoff: Millis,
        now: Now,
    ) -> Result<(), Seq> {
        let mark = self.effects.mark();
        let shard = self.shards[request.slot.0 as usize].as_ref().expect("just looked up");
        let (mut bytes, mut next, mut first, mut arrival) = (0, request.from, None, Millis(0));
        for batch in shard.tail_from(request.from) {
            if batch.arrival < cutoff {
                next = batch.end();
                continue;
            }
            if first.is_some() && bytes + batch.bytes > request.bytes_max {
                break;
            }
            let start = *first.get_or_insert(next.max(batch.base));
            let limit = start.plus(u64::from(request.limit));
            bytes += batch.bytes;
            arrival = batch.arrival;
            next = batch.end().min(limit);
            self.effects.chunks.push(chunk_of(batch));
            if next == limit {
                break;
            }
        }
        let first = first.ok_or(next)?;
        let behind_ms = shard.behind_ms(next, arrival);
        self.metrics.add(Counter::TailHits, 1);
        self.count_age(now, arrival);
        self.answer_get(request, mark, behind_ms, first, next, now);
        Ok(())
    }

    /// A read for a get is done.
    pub(super) fn get_read_done(
        &mut self,
        mut request: GetRequest,
        outcome: Result<ReadBatches, Seq>,
        now: Now,
    ) {
        match outcome {
            Ok(read) if self.shard(request.slot).is_some() => {
                let mark = self.effects.mark();
                self.effects.chunks.push(read.chunk);
                let shard = self.shard(request.slot).expect("just checked");
                let behind_ms = shard.behind_ms(read.next, read.arrival);
                self.count_age(now, read.arrival);
                self.answer_get(&request, mark, behind_ms, read.first, read.next, now);
            }
            Ok(_) => self.serve_get(request, now),
            Err(skip_to) => {
                request.from = request.from.max(skip_to);
                self.serve_get(request, now);
            }
        }
    }

    fn answer_get(
        &mut self,
        request: &GetRequest,
        mark: u32,
        behind_ms: u64,
        first: Seq,
        end: Seq,
        now: Now,
    ) {
        let chunks = self.effects.since(mark);
        let bytes: usize = self.effects.chunks(chunks).iter().map(|chunk| chunk.len()).sum();
        let shard = self.shard_mut(request.slot).expect("an answered get has its shard");
        shard.quota_out.spend(now.mono, bytes as u64);
        // At the end of a closed shard there is no next iterator, but children.
        let children = match shard.source(end) {
            ReadSource::End => Some(shard.children().to_vec()),
            _ => None,
        };
        let iterator = match children {
            None => Some(self.iterator(now, request.slot, end)),
            Some(_) => None,
        };
        let children = children.unwrap_or_default();
        self.metrics.add(Counter::Gets, 1);
        self.metrics.add(Counter::RecordsOut, end.since(first));
        self.metrics.add(Counter::BytesOut, bytes as u64);
        let (session, correlation) = (request.session, request.correlation);
        self.effects.list.push(Effect::GetDone {
            session,
            correlation,
            iterator,
            children,
            behind_ms,
            first,
            end,
            chunks,
        });
    }
}
