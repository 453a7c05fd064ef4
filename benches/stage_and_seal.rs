//! What does a commit cost the core, apart from the disk?
//!
//! Resource: memory bandwidth, and CPU for headers. Floor: one copy of the batches (5 to 10 GB/s
//! out of cache), and for each batch a CRC-32 of 124 bytes and one of 4. A commit below 256 KiB is
//! copied once more, into a buffer of its own size.
//!
//! A larger one takes its buffer along, and the next buffer of 1 MiB is fresh memory here, outside
//! of an executor: its page faults are most of what is measured then (1.5 GB/s). On a core, buffers
//! come from the ring's registered memory.

#[path = "subject/commit.rs"]
mod commit;

use criterion::{BenchmarkId, Criterion, Throughput};

use commit::{batch, commit, log};

fn stage_and_seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("stage_and_seal");
    for (batches, records, data) in [(1, 1, 1024), (64, 1, 1024), (1, 256, 1024), (3, 256, 1024)] {
        let bytes = batch(records, data);
        group.throughput(Throughput::Bytes(bytes.len() as u64 * batches));
        let (mut log, mut done) = (log(), Vec::new());
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
