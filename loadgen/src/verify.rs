//! Whether readers get what was acknowledged: order, gaps, payloads, and one hash chain a shard.
//!
//! Two chains run over each shard's payload hashes in sequence order: one fed by acknowledgements,
//! one by what each reader reads. They must meet at the same end with the same value.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use shardway::base::ids::{Seq, ShardKey};
use shardway::record::{BatchHeader, BatchView};
use xxhash_rust::xxh3::xxh3_64;

use crate::payload::{Pool, payload_hash, read_stamp};

/// How something read differs from what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where.
    pub shard: u32,
    /// Sequence at which it showed.
    pub seq: u64,
    /// What.
    pub kind: Kind,
}

/// The kinds of difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sequences were left out; this one was expected.
    Gap(u64),
    /// A sequence came again; this one was expected.
    Repeated(u64),
    /// Two acknowledgements name the same sequence.
    AckedTwice,
    /// The batch's own checks fail.
    Batch(String),
    /// The bytes are not those that the writer sent.
    Payload,
    /// No writer of this run sent it to this shard.
    Foreign,
    /// A writer's records are not in the order in which it sent them.
    WriterOrder {
        /// Whose.
        writer: u32,
        /// Batches that are missing or moved, beyond those that the server refused.
        batches: u64,
    },
    /// The reader's end is not the end of what was acknowledged.
    End(u64),
    /// Same records, different chain.
    Chain,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}, sequence {}: ", self.shard, self.seq)?;
        match &self.kind {
            Kind::Gap(expected) => write!(f, "gap, {expected} was expected next"),
            Kind::Repeated(expected) => write!(f, "came again, {expected} was expected next"),
            Kind::AckedTwice => f.write_str("acknowledged twice"),
            Kind::Batch(why) => write!(f, "invalid batch: {why}"),
            Kind::Payload => f.write_str("payload changed"),
            Kind::Foreign => f.write_str("record that nobody sent to this shard"),
            Kind::WriterOrder { writer, batches } => {
                write!(f, "records of writer {writer} out of order ({batches} batches)")
            }
            Kind::End(acked) => write!(f, "the reader ends here, acknowledged are {acked}"),
            Kind::Chain => f.write_str("hash chains of acknowledged and read records differ"),
        }
    }
}

/// A running hash over payload hashes, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(u64);

impl Chain {
    /// Appends a record.
    pub fn extend(&mut self, hash: u64) {
        let mut link = [0; 16];
        link[..8].copy_from_slice(&self.0.to_le_bytes());
        link[8..].copy_from_slice(&hash.to_le_bytes());
        self.0 = xxh3_64(&link);
    }
}

/// What the server acknowledged for one shard.
#[derive(Debug)]
pub struct Acked {
    shard: u32,
    next: u64,
    chain: Chain,
    /// Acknowledged behind a hole: another connection's answer is still on its way.
    ahead: BTreeMap<u64, (Rc<Pool>, u64)>,
}

impl Acked {
    /// Nothing yet.
    #[must_use]
    pub fn new(shard: u32) -> Acked {
        Acked { shard, next: 0, chain: Chain::default(), ahead: BTreeMap::new() }
    }

    /// The `n`th batch of `pool` has the sequences from `base` on.
    pub fn add(&mut self, base: u64, pool: &Rc<Pool>, n: u64) -> Result<(), Mismatch> {
        let twice = Mismatch { shard: self.shard, seq: base, kind: Kind::AckedTwice };
        if base < self.next {
            return Err(twice);
        }
        if base > self.next {
            let before = self.ahead.insert(base, (Rc::clone(pool), n));
            return if before.is_some() { Err(twice) } else { Ok(()) };
        }
        self.fold(pool, n);
        while let Some(first) = self.ahead.first_entry().filter(|e| *e.key() <= self.next) {
            let (base, (pool, n)) = first.remove_entry();
            if base < self.next {
                return Err(Mismatch { seq: base, ..twice });
            }
            self.fold(&pool, n);
        }
        Ok(())
    }

    fn fold(&mut self, pool: &Pool, n: u64) {
        let hashes = pool.batch_hashes(n);
        hashes.iter().for_each(|&hash| self.chain.extend(hash));
        self.next += hashes.len() as u64;
    }

    /// Behind the last acknowledged sequence. Once no put is in flight, a hole is a mistake.
    pub fn end(&self) -> Result<u64, Mismatch> {
        match self.ahead.first_key_value() {
            None => Ok(self.next),
            Some((&seq, _)) => Err(Mismatch { shard: self.shard, seq, kind: Kind::Gap(self.next) }),
        }
    }
}

/// What one reader reads from one shard.
#[derive(Debug)]
pub struct ReadVerifier {
    shard: ShardKey,
    next: u64,
    chain: Chain,
    writers: Vec<WriterOrder>,
    /// Index of the writer of the last record: the next is most likely the same's.
    last: usize,
    bytes: u64,
}

/// The order of one writer's records in a shard.
#[derive(Debug)]
struct WriterOrder {
    pool: Rc<Pool>,
    next_counter: u64,
    /// Batches that were expected and did not come: refused by the server, or lost.
    skipped: u64,
}

/// A batch as a reader saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First record that was new.
    pub first: u64,
    /// How many were new.
    pub records: u64,
}

impl ReadVerifier {
    /// A reader at the start of `shard`, to which the writers of `pools` write.
    #[must_use]
    pub fn new(shard: ShardKey, pools: &[Rc<Pool>]) -> ReadVerifier {
        let mut writers: Vec<_> = pools
            .iter()
            .map(|pool| WriterOrder { pool: Rc::clone(pool), next_counter: 0, skipped: 0 })
            .collect();
        writers.sort_by_key(|writer| writer.pool.writer());
        ReadVerifier { shard, next: 0, chain: Chain::default(), writers, last: 0, bytes: 0 }
    }

    /// The sequence that must come next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Data bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Checks stored batches, one behind the other, of which records below `first` are old.
    pub fn batches(
        &mut self,
        mut bytes: &[u8],
        first: u64,
        mut seen: impl FnMut(Seen),
    ) -> Result<(), Mismatch> {
        while !bytes.is_empty() {
            let header = BatchHeader::decode_client(bytes)
                .map_err(|e| self.mismatch(self.next, Kind::Batch(e.to_string())))?;
            let Some((batch, rest)) = bytes.split_at_checked(header.batch_bytes()) else {
                let kind = Kind::Batch("it is cut off".to_owned());
                return Err(self.mismatch(self.next, kind));
            };
            seen(self.batch(batch, first)?);
            bytes = rest;
        }
        Ok(())
    }

    fn batch(&mut self, bytes: &[u8], first: u64) -> Result<Seen, Mismatch> {
        let view = BatchView::check_stamped(bytes)
            .map_err(|e| self.mismatch(self.next, Kind::Batch(e.to_string())))?;
        let stamp = view.header().stamp;
        if stamp.shard != self.shard {
            return Err(self.mismatch(stamp.base.0, Kind::Foreign));
        }
        let start = self.next;
        for record in view.records().skip_while(|record| record.seq < Seq(first)) {
            self.record(record.seq.0, record.data)?;
        }
        Ok(Seen { first: start, records: self.next - start })
    }

    fn record(&mut self, seq: u64, data: &[u8]) -> Result<(), Mismatch> {
        if seq != self.next {
            let kind = if seq > self.next { Kind::Gap } else { Kind::Repeated };
            return Err(self.mismatch(seq, kind(self.next)));
        }
        let hash = payload_hash(data);
        let (writer, counter) = read_stamp(data).ok_or(self.mismatch(seq, Kind::Payload))?;
        let at = self.writer(writer).ok_or(self.mismatch(seq, Kind::Foreign))?;
        let order = &mut self.writers[at];
        if order.pool.record_hash(counter) != Some(hash) {
            return Err(self.mismatch(seq, Kind::Payload));
        }
        if let Err(batches) = order.follow(counter) {
            return Err(self.mismatch(seq, Kind::WriterOrder { writer, batches }));
        }
        self.chain.extend(hash);
        self.next += 1;
        self.bytes += data.len() as u64;
        Ok(())
    }

    fn writer(&mut self, writer: u32) -> Option<usize> {
        if self.writers.get(self.last).is_none_or(|w| w.pool.writer() != writer) {
            self.last = self.writers.binary_search_by_key(&writer, |w| w.pool.writer()).ok()?;
        }
        Some(self.last)
    }

    /// The end of the run: everything acknowledged was read, nothing else, in the same order.
    /// `refused` tells for a writer how many of its batches the server refused.
    pub fn finish(&self, acked: &Acked, refused: impl Fn(u32) -> u64) -> Result<(), Mismatch> {
        let end = acked.end()?;
        if self.next != end {
            return Err(self.mismatch(self.next, Kind::End(end)));
        }
        for order in &self.writers {
            let (writer, refused) = (order.pool.writer(), refused(order.pool.writer()));
            // Refused batches at the very end, or a whole round of the pool, leave no trace.
            if order.skipped > refused {
                let batches = order.skipped - refused;
                return Err(self.mismatch(self.next, Kind::WriterOrder { writer, batches }));
            }
        }
        if self.chain != acked.chain {
            return Err(self.mismatch(self.next, Kind::Chain));
        }
        Ok(())
    }

    fn mismatch(&self, seq: u64, kind: Kind) -> Mismatch {
        Mismatch { shard: self.shard.number.0, seq, kind }
    }
}

impl WriterOrder {
    /// Takes a writer's next record. It is the one behind the last, or, as refused batches leave
    /// holes, the first of a later batch; anything else is the error.
    fn follow(&mut self, counter: u64) -> Result<(), u64> {
        let cycle = self.pool.cycle();
        let distance = (counter + cycle - self.next_counter) % cycle;
        let records = u64::from(self.pool.batch_records());
        let in_batch = self.next_counter % records;
        if distance > 0 && (in_batch != 0 || !distance.is_multiple_of(records)) {
            return Err(distance.div_ceil(records));
        }
        self.skipped += distance / records;
        self.next_counter = (counter + 1) % cycle;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
