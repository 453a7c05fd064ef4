//! What does it cost to check a client's batch before anything believes it?
//!
//! Resource: CPU of the core, once for each byte of every put. Floor: the CRC-32 of the body, at
//! 10 to 30 GB/s in cache; beside it the walk over the records, 5 to 10 ns each, which is what
//! small records pay.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use shardway::base::crc::crc32;
use shardway::base::limits::BATCH_HEADER_BYTES;
use shardway::record::{BatchBuilder, BatchView};

fn batch(records: usize, data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for i in 0..records {
        let key = format!("customer-{i}");
        builder.push(&key, None, &vec![b'x'; data]).expect("the batch has room");
    }
    builder.finish().to_vec()
}

fn batch_check(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch_check");
    for (records, data) in [(1, 100), (500, 16), (100, 1024), (256, 1024), (1, 1024 * 1024)] {
        let bytes = batch(records, data);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let load = format!("{records} x {data} B");
        group.bench_with_input(BenchmarkId::new("check", &load), &bytes, |b, bytes| {
            b.iter(|| BatchView::check_client(black_box(bytes)).is_ok());
        });
        group.bench_with_input(BenchmarkId::new("floor: CRC", &load), &bytes, |b, bytes| {
            b.iter(|| crc32(black_box(&bytes[BATCH_HEADER_BYTES..])));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    batch_check(&mut criterion);
    criterion.final_summary();
}
