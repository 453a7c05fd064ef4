//! Answers that own their bytes.

use crate::base::error::ErrorCode;
use crate::base::ids::{Millis, Seq, ShardNumber};
use crate::record::{BatchHeader, BatchView, RecordRef};
use crate::wire::put::PutRun;
use crate::wire::read::GetAnswer;
use crate::wire::shards::ChildShard;
use crate::wire::{Decode, DecodeError, put};

/// What became of each record of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutAnswer {
    /// One for each shard that got records.
    pub runs: Vec<PutRun>,
    /// The first failure's sentence; empty without one.
    pub message: String,
    /// For each record the index of its run; empty when there is one run.
    pub run_of: Vec<u16>,
}

impl PutAnswer {
    pub(super) fn decode(payload: &[u8]) -> Result<PutAnswer, DecodeError> {
        let put::PutAnswer { runs, message, run_of } = put::PutAnswer::decode(payload)?;
        Ok(PutAnswer { runs, message: message.to_owned(), run_of })
    }

    /// Whether every record was stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.runs.iter().all(|run| run.outcome.is_ok())
    }

    /// Number of records that the answer speaks of.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.count)).sum()
    }

    /// For each record of the request, in order: its shard, and its sequence or why not.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(ShardNumber, Result<Seq, ErrorCode>)> {
        let mut taken = vec![0u64; self.runs.len()];
        let mut outcome = |run: usize| {
            let nth = taken[run];
            taken[run] += 1;
            let run = &self.runs[run];
            (run.shard, run.outcome.map(|base| base.plus(nth)))
        };
        if self.run_of.is_empty() {
            return (0..self.runs[0].count).map(|_| outcome(0)).collect();
        }
        self.run_of.iter().map(|&run| outcome(usize::from(run))).collect()
    }
}

/// The answer to a get.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Continues behind `end`; empty when the shard is closed and read to its end.
    pub next_iterator: Vec<u8>,
    /// How far the reader is behind the newest record, in ms; 0 at the tip.
    pub behind_ms: u64,
    /// The first position that the answer covers.
    pub first: Seq,
    /// Behind the last.
    pub end: Seq,
    /// Where the records go on, once a closed shard is read to its end; empty before that.
    pub children: Vec<ChildShard>,
    /// The records from `first` to `end`.
    pub batches: Batches,
}

impl Fetched {
    pub(super) fn decode(payload: Vec<u8>) -> Result<Fetched, DecodeError> {
        let answer = GetAnswer::decode(&payload)?;
        let GetAnswer { behind_ms, first, end, .. } = answer;
        let next_iterator = answer.next_iterator.to_vec();
        let start = payload.len() - answer.batches.len();
        let children = answer.children;
        let batches = Batches { payload, start, first, end: Some(end) };
        Ok(Fetched { next_iterator, behind_ms, first, end, children, batches })
    }
}

/// A record with what its batch says about it.
#[derive(Clone, Copy, Debug)]
pub struct ReadRecord<'a> {
    /// The shard that holds it.
    pub shard: ShardNumber,
    /// When it arrived.
    pub arrival: Millis,
    /// Key, data and sequence.
    pub record: RecordRef<'a>,
}

/// Stored batches as they came over the wire, and which of their records are meant.
#[derive(Clone, Debug)]
pub struct Batches {
    payload: Vec<u8>,
    start: usize,
    first: Seq,
    end: Option<Seq>,
}

impl Batches {
    /// The batches in `payload[start..]`, all records from `first` on.
    pub(super) fn from_push(payload: Vec<u8>, start: usize, first: Seq) -> Batches {
        Batches { payload, start, first, end: None }
    }

    /// Bytes of the batches: what a push takes from its subscription's credit.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.payload.len() - self.start) as u64
    }

    /// Whether there is no batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// The whole batches, each checked as it is reached. After an error there is nothing more.
    #[must_use]
    pub fn views(&self) -> Views<'_> {
        Views { rest: &self.payload[self.start..], next: None }
    }

    /// Calls `each` for the records that are meant, in order, and returns where they end.
    /// `Err` says what is wrong with the bytes; records before the fault have been passed on.
    pub fn for_each(&self, mut each: impl FnMut(ReadRecord<'_>)) -> Result<Seq, String> {
        let mut reached = self.first;
        for view in self.views() {
            let view = view?;
            let stamp = view.header().stamp;
            for record in view.records() {
                if record.seq < self.first || self.end.is_some_and(|end| record.seq >= end) {
                    continue;
                }
                if record.seq != reached {
                    return Err(format!("record {reached} is missing before {}", record.seq));
                }
                reached = reached.plus(1);
                each(ReadRecord { shard: stamp.shard.number, arrival: stamp.arrival, record });
            }
        }
        match self.end {
            Some(end) if end != reached => {
                Err(format!("the records end at {reached} and were promised up to {end}"))
            }
            _ => Ok(reached),
        }
    }
}

/// Iterator over checked batches; see [`Batches::views`].
#[derive(Clone, Debug)]
pub struct Views<'a> {
    rest: &'a [u8],
    next: Option<Seq>,
}

impl<'a> Views<'a> {
    fn take(&mut self) -> Result<BatchView<'a>, String> {
        let header = BatchHeader::decode_stamped(self.rest).map_err(|e| e.to_string())?;
        let (batch, rest) = self
            .rest
            .split_at_checked(header.batch_bytes())
            .ok_or_else(|| format!("a batch of {} bytes is cut off", header.batch_bytes()))?;
        let view = BatchView::check_stamped(batch).map_err(|e| e.to_string())?;
        if self.next.is_some_and(|next| next != header.stamp.base) {
            return Err(format!("batch {} does not follow the one before", header.stamp.base));
        }
        self.next = Some(header.end());
        self.rest = rest;
        Ok(view)
    }
}

impl<'a> Iterator for Views<'a> {
    type Item = Result<BatchView<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}
