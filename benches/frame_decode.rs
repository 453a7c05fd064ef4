//! How long does the server look at the front of received bytes?
//!
//! Resource: CPU of the core, once for each frame. Floor: a CRC-32 of 20 bytes and a search among
//! 28 opcodes, 20 to 40 ns; the payload is not touched, so its size must not matter.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::record::BatchBuilder;
use shardway::wire::frame::{write_frame, write_frame_with_body};
use shardway::wire::put::Put;
use shardway::wire::{Decode, FrameHeader, Opcode};

fn put_frame(records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push("key", None, &[b'x'; 1000]).expect("a batch has room for 500 records");
    }
    let batch = builder.finish();
    let put = Put { stream: StreamUuid([1; 16]), shard: ShardNumber(0), map_version: 1, batch };
    let mut frame = Vec::new();
    write_frame_with_body(&mut frame, Opcode::Put, 7, batch.len(), |w| put.write_prefix(w));
    frame.extend_from_slice(batch);
    frame
}

fn decode_put(frame: &[u8]) -> usize {
    let (head, payload) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a whole frame");
    let header = FrameHeader::decode(head).expect("a good frame");
    let put = Put::decode(payload).expect("a good put");
    header.payload_bytes as usize + put.batch.len()
}

fn frame_decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_decode");
    group.throughput(Throughput::Elements(1));
    let mut ping = Vec::new();
    write_frame(&mut ping, Opcode::Ping, 7, |_| {});
    let head: [u8; FRAME_HEADER_BYTES] = ping[..].try_into().expect("a ping is only a header");
    group.bench_function("header", |b| b.iter(|| FrameHeader::decode(black_box(&head))));
    for records in [1, 500] {
        let frame = put_frame(records);
        let name = format!("put of {records} KiB");
        group.bench_function(name, |b| b.iter(|| decode_put(black_box(&frame))));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    frame_decode(&mut criterion);
    criterion.final_summary();
}
