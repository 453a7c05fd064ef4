//! What a writer sends: bodies built and hashed before the clock starts.
//!
//! Base64 and JSON of a body cost this tool more than sending it, and hashing it for the signature
//! as much again; none of that is the server's. A writer goes round its pool, as with the native
//! protocol. Record i of a batch of writer w goes to shard (w + i) modulo the number of shards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shardway::base::rng::SplitMix64;
use shardway::security::BodyHash;

use super::stream::HttpShard;
use crate::payload::{STAMP_BYTES, payload_hash, write_stamp};
use crate::workload::Workload;

/// Batches of a pool at most.
const BATCHES: usize = 64;
/// All pools together; large batches get fewer.
const POOLS_BYTES_MAX: usize = 64 << 20;

/// What puts records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One record a request.
    PutRecord,
    /// A batch a request.
    PutRecords,
}

impl Operation {
    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::PutRecord => "PutRecord",
            Operation::PutRecords => "PutRecords",
        }
    }
}

/// The batches of one writer.
#[derive(Debug)]
pub struct Pool {
    /// Whose it is.
    pub writer: u32,
    /// What puts it.
    pub operation: Operation,
    batch_records: usize,
    shards: usize,
    batches: Vec<Batch>,
    hashes: Vec<u64>,
}

/// The body of a request.
#[derive(Debug)]
pub struct Batch {
    /// The body.
    pub body: Box<[u8]>,
    /// Its SHA-256, which the signature covers.
    pub sha256: [u8; 32],
}

impl Pool {
    /// Builds the pool of `writer` for a stream.
    #[must_use]
    pub fn build(
        writer: u32,
        operation: Operation,
        stream: &str,
        shards: &[HttpShard],
        workload: &Workload,
    ) -> Pool {
        let of_writer = POOLS_BYTES_MAX / workload.writers as usize;
        let count = (of_writer / (workload.batch_bytes() / 3 * 4)).clamp(3, BATCHES);
        let batch_records = workload.batch_records as usize;
        let (batches, hashes) = (Vec::with_capacity(count), Vec::new());
        let mut pool =
            Pool { writer, operation, batch_records, shards: shards.len(), batches, hashes };
        let mut rng = SplitMix64::new(workload.seed ^ (u64::from(writer) << 32));
        let mut data = vec![0; workload.record_bytes];
        for _ in 0..count {
            let mut body = format!("{{\"StreamName\":\"{stream}\",");
            body += if operation == Operation::PutRecords { "\"Records\":[" } else { "" };
            for at in 0..batch_records {
                rng.fill(&mut data[STAMP_BYTES..]);
                write_stamp(&mut data, writer, pool.hashes.len() as u64);
                pool.hashes.push(payload_hash(&data));
                let key = &shards[pool.shard_at(at)].key;
                body += match (operation, at) {
                    (Operation::PutRecord, _) => "",
                    (Operation::PutRecords, 0) => "{",
                    (Operation::PutRecords, _) => ",{",
                };
                body += "\"Data\":\"";
                STANDARD.encode_string(&data, &mut body);
                body += &format!("\",\"PartitionKey\":\"{key}\"}}");
            }
            body += if operation == Operation::PutRecords { "]}" } else { "" };
            let body = body.into_bytes().into_boxed_slice();
            pool.batches.push(Batch { sha256: BodyHash::of(&body), body });
        }
        pool
    }

    /// Number of batches before the first comes again.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Number of records before the first comes again.
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// Records of each batch.
    #[must_use]
    pub fn batch_records(&self) -> usize {
        self.batch_records
    }

    /// Where in the pool the writer's `n`th batch is.
    #[must_use]
    pub fn slot(&self, n: u64) -> usize {
        (n % self.batches.len() as u64) as usize
    }

    /// The batch in a slot.
    #[must_use]
    pub fn batch(&self, slot: usize) -> &Batch {
        &self.batches[slot]
    }

    /// Payload hashes of a slot's records.
    #[must_use]
    pub fn batch_hashes(&self, slot: usize) -> &[u64] {
        &self.hashes[slot * self.batch_records..][..self.batch_records]
    }

    /// Payload hash of the record with this counter.
    #[must_use]
    pub fn record_hash(&self, counter: u64) -> Option<u64> {
        self.hashes.get(usize::try_from(counter).ok()?).copied()
    }

    /// The shard of the record at this place of a batch.
    #[must_use]
    pub fn shard_at(&self, at: usize) -> usize {
        (self.writer as usize + at) % self.shards
    }

    /// The shard of the record with this counter.
    #[must_use]
    pub fn shard_of(&self, counter: u64) -> usize {
        self.shard_at((counter % self.batch_records as u64) as usize)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::payload::read_stamp;
    use serde_json::Value;

    pub fn shards(count: usize) -> Vec<HttpShard> {
        let shard = |n| HttpShard { id: format!("shardId-{n:012}"), key: format!("k{n}") };
        (0..count).map(shard).collect()
    }

    pub fn pool(writer: u32, operation: Operation, batch_records: u32, count: usize) -> Pool {
        let workload = Workload { record_bytes: 40, batch_records, ..Workload::default() };
        Pool::build(writer, operation, "orders", &shards(count), &workload)
    }

    fn check(pool: &Pool, record: &Value, counter: u64) {
        let data = STANDARD.decode(record["Data"].as_str().expect("text")).expect("base64");
        assert_eq!(read_stamp(&data), Some((pool.writer, counter)));
        assert_eq!(pool.record_hash(counter), Some(payload_hash(&data)));
        assert_eq!(record["PartitionKey"], format!("k{}", pool.shard_of(counter)));
    }

    #[test]
    fn bodies_are_requests_of_the_api() {
        let many = pool(7, Operation::PutRecords, 5, 3);
        for slot in 0..many.len() {
            let batch = many.batch(slot);
            assert_eq!(batch.sha256, BodyHash::of(&batch.body));
            let body: Value = serde_json::from_slice(&batch.body).expect("JSON");
            assert_eq!(body["StreamName"], "orders");
            let records = body["Records"].as_array().expect("a list");
            assert_eq!(records.len(), 5);
            for (at, record) in (0..).zip(records) {
                check(&many, record, slot as u64 * 5 + at);
            }
        }
        let single = pool(1, Operation::PutRecord, 1, 2);
        let body: Value = serde_json::from_slice(&single.batch(2).body).expect("JSON");
        assert_eq!(
            (&body["StreamName"], body.as_object().map(|o| o.len())),
            (&"orders".into(), Some(3))
        );
        check(&single, &body, 2);
    }
}
