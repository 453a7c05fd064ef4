//! Whether readers get what was acknowledged: which records, in which order, with which bytes.
//!
//! Sequence numbers of a foreign Kinesis are not dense, so gaps do not show by themselves. Each
//! writer's records in a shard have a hash chain over sequence numbers and payloads: one is fed by
//! answers, one by what a reader reads. They must have the same length and the same value, which
//! holds only if the same records came with the same numbers in the order in which they were sent.
//! A reader also sees sequence numbers ascend, and payloads and partition keys that were sent.

use std::fmt;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xxhash_rust::xxh3::xxh3_64;

use super::model::Record;
use super::pool::Pool;
use super::stream::HttpShard;
use crate::payload::{payload_hash, read_stamp};
use crate::verify::Chain;

/// How what was read differs from what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMismatch {
    /// In which shard.
    pub shard: String,
    /// The record, where it is one.
    pub sequence_number: Option<String>,
    /// What.
    pub kind: Kind,
}

/// The kinds of difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The sequence number is not above the one before, which is this.
    Order(String),
    /// The bytes are not those that were sent.
    Payload,
    /// The partition key is not the one that was sent.
    PartitionKey,
    /// Nobody of this run sent it to this shard.
    Foreign,
    /// It came behind later records of its writer.
    WriterOrder(u32),
    /// So many records of a writer were acknowledged, and so many read.
    Count(u32, u64, u64),
    /// Same number of records of this writer, but others, or in another order.
    Chain(u32),
}

impl fmt::Display for HttpMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shard)?;
        if let Some(number) = &self.sequence_number {
            write!(f, ", sequence number {number}")?;
        }
        f.write_str(": ")?;
        match &self.kind {
            Kind::Order(last) => write!(f, "came behind {last}"),
            Kind::Payload => f.write_str("payload changed"),
            Kind::PartitionKey => f.write_str("partition key changed"),
            Kind::Foreign => f.write_str("record that nobody sent to this shard"),
            Kind::WriterOrder(writer) => {
                write!(f, "came again, or behind later records of writer {writer}")
            }
            Kind::Count(writer, acked, read) => {
                write!(f, "{acked} records of writer {writer} were acknowledged, {read} read")
            }
            Kind::Chain(writer) => write!(
                f,
                "records of writer {writer} have other numbers or another order than acknowledged"
            ),
        }
    }
}

/// The records of each writer in each shard.
#[derive(Clone, Debug)]
pub struct Ledger {
    shards: usize,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    records: u64,
    chain: Chain,
}

impl Ledger {
    /// No records.
    #[must_use]
    pub fn new(writers: usize, shards: usize) -> Ledger {
        Ledger { shards, cells: vec![Cell::default(); writers * shards] }
    }

    /// The next record of a writer in a shard.
    pub fn add(&mut self, writer: u32, shard: usize, sequence_number: &str, hash: u64) {
        let cell = &mut self.cells[writer as usize * self.shards + shard];
        cell.records += 1;
        cell.chain.extend(xxh3_64(sequence_number.as_bytes()));
        cell.chain.extend(hash);
    }

    /// Finds a writer whose records were read otherwise than acknowledged.
    pub fn compare(&self, read: &Ledger, shards: &[HttpShard]) -> Result<(), HttpMismatch> {
        for (at, (acked, read)) in self.cells.iter().zip(&read.cells).enumerate() {
            if acked == read {
                continue;
            }
            let writer = (at / self.shards) as u32;
            let kind = if acked.records == read.records {
                Kind::Chain(writer)
            } else {
                Kind::Count(writer, acked.records, read.records)
            };
            let shard = shards[at % self.shards].id.clone();
            return Err(HttpMismatch { shard, sequence_number: None, kind });
        }
        Ok(())
    }
}

/// A reader of all shards.
#[derive(Debug)]
pub struct Reader {
    pools: Rc<[Rc<Pool>]>,
    shards: Rc<[HttpShard]>,
    /// The last sequence number of each shard.
    last: Vec<String>,
    /// For each writer and shard: behind the last record, counted from the run's first.
    next: Vec<u64>,
    ledger: Ledger,
    data: Vec<u8>,
    bytes: u64,
}

/// Whose record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The writer.
    pub writer: u32,
    /// The number of its batch, counted from the run's first.
    pub batch: u64,
}

impl Reader {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new(pools: &Rc<[Rc<Pool>]>, shards: &Rc<[HttpShard]>) -> Reader {
        Reader {
            pools: Rc::clone(pools),
            shards: Rc::clone(shards),
            last: vec![String::new(); shards.len()],
            next: vec![0; pools.len() * shards.len()],
            ledger: Ledger::new(pools.len(), shards.len()),
            data: Vec::new(),
            bytes: 0,
        }
    }

    /// Data bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was read.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes the next record of a shard. `sent` tells how many batches a writer has sent.
    pub fn take(
        &mut self,
        shard: usize,
        record: &Record<'_>,
        sent: impl Fn(u32) -> u64,
    ) -> Result<Seen, HttpMismatch> {
        let number = record.sequence_number.as_ref();
        let last = &mut self.last[shard];
        let id = &self.shards[shard].id;
        let mismatch = |kind| HttpMismatch {
            shard: id.clone(),
            sequence_number: Some(number.to_owned()),
            kind,
        };
        if (number.len(), number) <= (last.len(), last.as_str()) {
            return Err(mismatch(Kind::Order(last.clone())));
        }
        last.clear();
        last.push_str(number);
        self.data.clear();
        let decoded = STANDARD.decode_vec(record.data.as_bytes(), &mut self.data);
        let stamp = decoded.ok().and_then(|()| read_stamp(&self.data));
        let (writer, counter) = stamp.ok_or_else(|| mismatch(Kind::Payload))?;
        let pool = self.pools.get(writer as usize).ok_or_else(|| mismatch(Kind::Foreign))?;
        let hash = payload_hash(&self.data);
        if pool.record_hash(counter) != Some(hash) {
            return Err(mismatch(Kind::Payload));
        }
        if pool.shard_of(counter) != shard {
            return Err(mismatch(Kind::Foreign));
        }
        if record.partition_key != self.shards[shard].key {
            return Err(mismatch(Kind::PartitionKey));
        }
        // Refused records leave holes: it is the next of these bytes.
        let next = &mut self.next[writer as usize * self.shards.len() + shard];
        let cycle = pool.cycle();
        let absolute = *next + (counter + cycle - *next % cycle) % cycle;
        let batch = absolute / pool.batch_records() as u64;
        if batch >= sent(writer) {
            return Err(mismatch(Kind::WriterOrder(writer)));
        }
        *next = absolute + 1;
        self.ledger.add(writer, shard, number, hash);
        self.bytes += self.data.len() as u64;
        Ok(Seen { writer, batch })
    }
}

#[cfg(test)]
mod tests;
