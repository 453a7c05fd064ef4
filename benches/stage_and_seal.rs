//! What does a commit cost the core, apart from the disk?
//!
//! Resource: memory bandwidth, and CPU for headers. Floor: one copy of the batches (5 to 10 GB/s
//! out of cache), and for each batch a CRC-32 of 124 bytes and one of 4. A commit below 256 KiB is
//! copied once more, into a buffer of its own size.
//!
//! A larger one takes its buffer along, and the next buffer of 1 MiB is fresh memory here, outside
//! of an executor: its page faults are most of what is measured then (1.5 GB/s). On a core, buffers
//! come from the ring's registered memory.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use shardway::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use shardway::log::core_log::{CoreLog, NoCommit};
use shardway::log::journal::JournalSpec;
use shardway::log::staging::{ShardSlot, StagedBatch};
use shardway::record::{BatchBuilder, Stamp};

fn batch(records: usize, data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push("customer-1", None, &vec![b'x'; data]).expect("the batch has room");
    }
    builder.finish().to_vec()
}

/// Stages the batch so often and completes the commit, as if the disk took no time.
fn commit(log: &mut CoreLog, batch: &[u8], times: u64, done: &mut Vec<StagedBatch>) {
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

fn stage_and_seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("stage_and_seal");
    for (batches, records, data) in [(1, 1, 1024), (64, 1, 1024), (1, 256, 1024), (3, 256, 1024)] {
        let bytes = batch(records, data);
        group.throughput(Throughput::Bytes(bytes.len() as u64 * batches));
        let spec = JournalSpec {
            core: CoreId(0),
            term: Term(1),
            salt: 1,
            files: 4,
            file_bytes: 64 * 1024 * 1024,
        };
        let (mut log, mut done) = (CoreLog::new(spec, 0), Vec::new());
        let load = format!("{batches} x {records} x {data} B");
        group.bench_with_input(BenchmarkId::from_parameter(load), &bytes, |b, bytes| {
            b.iter(|| commit(&mut log, bytes, batches, &mut done));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    stage_and_seal(&mut criterion);
    criterion.final_summary();
}
