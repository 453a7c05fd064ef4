//! What does it cost to understand a PutRecords of the AWS API?
//!
//! Resource: CPU of the core, once for each record. Floor: finding the end of each string and
//! decoding its base64, which is all that the bytes of an ordinary request need; 250,000 records
//! a second leave a record of 1 KB 4 us for everything. Beside it: the tree and the exact checks,
//! which every other request takes, and the way out, which every answer with records takes.

#[path = "subject/put_records.rs"]
mod put_records;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use shardway::base::ids::{Millis, Seq, ShardNumber};
use shardway::gateway::base64_data::{decode_to, encode_to};
use shardway::gateway::check;
use shardway::gateway::encode::Encoder;
use shardway::gateway::model::Operation;
use shardway::gateway::names::sequence_number::{Origin, SequenceNumber};
use shardway::gateway::value::Format;

use put_records::{DATA, RECORDS, body, data, decode_fast};

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("put_records");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for format in Format::ALL {
        let body = body(format);
        let mut out = Vec::with_capacity(2 * RECORDS * DATA);
        let name = |what: &str| BenchmarkId::new(what, format!("{format:?} {RECORDS} x {DATA} B"));
        group.bench_function(name("fast"), |b| {
            b.iter(|| {
                decode_fast(format, black_box(&body), &mut out);
                out.len()
            });
        });
        group.bench_function(name("exact"), |b| {
            b.iter(|| check::input(Operation::PutRecords, format, black_box(&body)).is_ok());
        });
    }
    let mut text = Vec::new();
    encode_to(&data(), &mut text);
    let mut out = Vec::with_capacity(2 * RECORDS * DATA);
    group.bench_function("floor: base64", |b| {
        b.iter(|| {
            out.clear();
            for _ in 0..RECORDS {
                decode_to(black_box(&text), &mut out).expect("it is base64");
            }
            out.len()
        });
    });
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("get_records");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let data = data();
    let origin = Origin { shard: ShardNumber(7), created: Millis(1_700_000_000_000) };
    for format in Format::ALL {
        let mut out = Vec::with_capacity(2 * RECORDS * DATA);
        group.bench_function(format!("{format:?} {RECORDS} x {DATA} B"), |b| {
            b.iter(|| {
                out.clear();
                Encoder::new(format, &mut out).list(|e| {
                    for i in 0..RECORDS as u64 {
                        let arrival = Millis(1_700_000_100_000 + i);
                        let number = SequenceNumber::of_record(origin, Seq(i), arrival);
                        e.map(|e| {
                            e.key("SequenceNumber").digits(&number.digits());
                            e.key("ApproximateArrivalTimestamp").time(arrival);
                            e.key("Data").blob(black_box(&data));
                            e.key("PartitionKey").text("customer-17");
                        });
                    }
                });
                out.len()
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decode(&mut criterion);
    encode(&mut criterion);
    criterion.final_summary();
}
