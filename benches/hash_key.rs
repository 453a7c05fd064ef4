//! What does it cost to find the shard of a record?
//!
//! Resource: CPU of the core, once for each record that comes with a partition key. Floor: MD5 of
//! one block of 64 bytes, 64 rounds that each wait for the one before: about 100 ns at 2.5 GHz, for
//! any key of up to 55 bytes, and once more for each further 64. The comparison with the ranges of
//! the shards is a binary search and hardly shows.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use shardway::record::hash_key::{HashKey, HashRange};

fn hash_key(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash_key");
    group.throughput(Throughput::Elements(1));
    for bytes in [8, 55, 56, 256] {
        let key = vec![b'k'; bytes];
        group.bench_with_input(BenchmarkId::new("hash, key bytes", bytes), &key, |b, key| {
            b.iter(|| HashKey::of_partition_key(black_box(key)));
        });
    }
    for shards in [1, 1_000] {
        let ranges = HashRange::split_evenly(shards);
        let key = HashKey::of_partition_key(b"customer-17");
        group.bench_with_input(BenchmarkId::new("route, shards", shards), &ranges, |b, ranges| {
            b.iter(|| ranges.partition_point(|range| range.end < black_box(key)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    hash_key(&mut criterion);
    criterion.final_summary();
}
