//! A put as it arrives.

use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::record::BatchBuilder;
use shardway::wire::frame::write_frame_with_body;
use shardway::wire::put::Put;
use shardway::wire::{Decode, FrameHeader, Opcode};

/// A put of so many records of 1,000 bytes.
#[must_use]
pub fn put_frame(records: usize) -> Vec<u8> {
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

/// What a server looks at before it takes the batch.
#[must_use]
pub fn decode_put(frame: &[u8]) -> usize {
    let (head, payload) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().expect("a whole frame");
    let header = FrameHeader::decode(head).expect("a good frame");
    let put = Put::decode(payload).expect("a good put");
    header.payload_bytes as usize + put.batch.len()
}
