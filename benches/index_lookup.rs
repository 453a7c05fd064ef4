//! How long does it take to find a place in a segment?
//!
//! Resource: CPU and cache of the core, once for each catch-up read and each iterator by time.
//! Floor: a binary search over the 2,048 entries of a full segment, 11 steps, 10 to 30 ns while
//! the index is in cache. Push is what writes it: one entry for 32 KiB, a few ns a batch.

#[path = "subject/full_index.rs"]
mod full_index;

use std::hint::black_box;

use criterion::Criterion;
use shardway::base::ids::{Millis, Seq};
use shardway::base::rng::SplitMix64;
use shardway::log::index::SegmentIndex;

use full_index::full;

fn index_lookup(c: &mut Criterion) {
    let index = full();
    let records = index.end().0;
    let mut group = c.benchmark_group("index_lookup");
    let mut rng = SplitMix64::new(1);
    group.bench_function("by sequence", |b| {
        b.iter(|| index.at_or_before(black_box(Seq(rng.below(records)))));
    });
    group.bench_function("by time", |b| {
        b.iter(|| {
            index.before_time(black_box(Millis(1_700_000_000_000 + rng.below(records / 10))))
        });
    });
    let saved = index.encode();
    group.bench_function("load saved", |b| b.iter(|| SegmentIndex::decode(black_box(&saved))));
    group.bench_function("push all", |b| b.iter(full));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    index_lookup(&mut criterion);
    criterion.final_summary();
}
