//! How long does the server look at the front of received bytes?
//!
//! Resource: CPU of the core, once for each frame. Floor: a CRC-32 of 20 bytes and a search among
//! 28 opcodes, 20 to 40 ns; the payload is not touched, so its size must not matter.

#[path = "subject/put_frame.rs"]
mod put_frame;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::frame::write_frame;
use shardway::wire::{FrameHeader, Opcode};

use put_frame::{decode_put, put_frame};

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
