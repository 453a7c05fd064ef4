//! A commit, from the first batch to the memory that it frees.

use std::hint::black_box;

use shardway::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use shardway::log::core_log::{CoreLog, NoCommit};
use shardway::log::journal::JournalSpec;
use shardway::log::staging::{ShardSlot, StagedBatch};
use shardway::record::{BatchBuilder, Stamp};

/// A client's batch of so many records of `data` bytes.
#[must_use]
pub fn batch(records: usize, data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push("customer-1", None, &vec![b'x'; data]).expect("the batch has room");
    }
    builder.finish().to_vec()
}

/// Stages the batch so often and completes the commit, as if the disk took no time.
pub fn commit(log: &mut CoreLog, batch: &[u8], times: u64, done: &mut Vec<StagedBatch>) {
    let shard = ShardKey { stream: StreamUuid([1; 16]), number: ShardNumber(0) };
    for i in 0..times {
        let stamp = Stamp { shard, term: Term(1), base: Seq(i), arrival: Millis(1) };
        log.stage(ShardSlot(0), black_box(batch), 1, &stamp, true).expect("the commit has room");
    }
    loop {
        match log.begin_commit(|| None) {
            Ok(write) => {
                black_box(write);
                log.complete_commit(done);
                log.trim_memory(|_| true);
                return;
            }
            Err(NoCommit::NextFile) => {
                log.begin_file(&[]);
                log.complete_commit(done);
            }
            Err(other) => unreachable!("every file is free: {other:?}"),
        }
    }
}

/// The log of a core, with nothing in it.
#[must_use]
pub fn log() -> CoreLog {
    let (core, term, file_bytes) = (CoreId(0), Term(1), 64 * 1024 * 1024);
    CoreLog::new(JournalSpec { core, term, salt: 1, files: 4, file_bytes }, 0)
}
