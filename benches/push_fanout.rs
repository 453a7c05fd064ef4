//! What does one more subscriber of a shard cost, for each commit?
//!
//! Resource: CPU of the core, once for each commit and subscription. Floor: a look at credit and
//! quota and one effect, about 50 ns, and a reference count for each batch, 10 to 20 ns. No byte is
//! copied, so the size of the records must not matter, and 20 subscribers cost 20 times one.

#[path = "subject/subscribed_shard.rs"]
mod subscribed_shard;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};

use subscribed_shard::SubscribedShard;

/// Subscribers, and bytes of a commit.
const LOADS: [(u32, usize); 5] = [(1, 8192), (1, 1 << 20), (5, 8192), (20, 8192), (20, 1 << 20)];

fn push_fanout(c: &mut Criterion) {
    let mut group = c.benchmark_group("push_fanout");
    for (subscribers, commit_bytes) in LOADS {
        group.throughput(Throughput::Elements(u64::from(subscribers)));
        let mut shard = SubscribedShard::new(subscribers, commit_bytes);
        let load = format!("{subscribers} of commits of {} KiB", commit_bytes / 1024);
        group.bench_function(BenchmarkId::from_parameter(load), |b| {
            b.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    shard.append();
                    let started = Instant::now();
                    shard.push(subscribers);
                    spent += started.elapsed();
                    shard.trim();
                }
                spent
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    push_fanout(&mut criterion);
    criterion.final_summary();
}
