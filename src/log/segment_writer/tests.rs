use super::*;
use crate::base::aligned::BLOCK;
use crate::base::ids::{ShardNumber, StreamUuid};
use crate::base::limits::SEGMENT_WRITE_BYTES;
use crate::base::rng::SplitMix64;

const NOW: Millis = Millis(1_700_000_000_000);

fn key() -> ShardKey {
    ShardKey { stream: StreamUuid([9; 16]), number: ShardNumber(4) }
}

fn writer() -> SegmentWriter {
    SegmentWriter::start(Path::new("/data"), key(), Term(3), Seq(100))
}

/// Batches from sequence 100 on, and the bytes of all of them, one behind the other.
struct Batches {
    all: Vec<MemoryBatch>,
    bytes: Vec<u8>,
    rng: SplitMix64,
}

impl Batches {
    fn new(seed: u64) -> Batches {
        Batches { all: Vec::new(), bytes: Vec::new(), rng: SplitMix64::new(seed) }
    }

    fn end(&self) -> Seq {
        self.all.last().map_or(Seq(100), MemoryBatch::end)
    }

    fn add(&mut self, bytes: usize) {
        // Somewhere inside of its commit, as behind its header and other batches.
        let offset = 128 + self.rng.below(1000) as usize;
        let mut buffer = WriteBuf::alloc(offset + bytes);
        self.rng.fill(&mut buffer.bytes_mut()[..offset + bytes]);
        self.bytes.extend_from_slice(&buffer.bytes()[offset..offset + bytes]);
        let whole = buffer.bytes().len();
        self.all.push(MemoryBatch {
            base: self.end(),
            count: 1 + self.rng.below(500) as u32,
            arrival: NOW,
            buffer: buffer.freeze(whole),
            offset: offset as u32,
            bytes: bytes as u32,
            since: std::time::Instant::now(),
        });
    }

    fn plan(&self, writer: &mut SegmentWriter) -> Option<SegmentWrite> {
        let first = self.all.partition_point(|batch| batch.end() <= writer.written());
        writer.plan(NOW, SEGMENT_WRITE_BYTES, self.all[first..].iter())
    }

    /// Plans and completes one piece.
    fn write(&self, writer: &mut SegmentWriter, file: &mut File) -> bool {
        let Some(write) = self.plan(writer) else { return false };
        file.write(&write);
        writer.complete(&write);
        true
    }
}

/// A segment file as the disk has it.
#[derive(Default)]
struct File(Vec<u8>);

impl File {
    /// Writes a piece: aligned, without hole, and nothing but padding changes.
    fn write(&mut self, write: &SegmentWrite) {
        let (at, bytes) = (write.offset as usize, &*write.buffer);
        assert!(at.is_multiple_of(BLOCK) && bytes.len().is_multiple_of(BLOCK), "at {at}");
        assert!(!bytes.is_empty() && bytes.len() <= SEGMENT_WRITE_BYTES);
        assert_eq!(write.creates, self.0.is_empty());
        assert!(at <= self.0.len(), "a hole before {at}");
        let old = &self.0[at..];
        assert!(old.len() <= bytes.len(), "a write ends before what was written");
        // The last block of a file is padded with zeros; all else must come again as it was.
        let content = old.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        assert!(old[..content] == bytes[..content], "the block at {at} has changed");
        self.0.truncate(at);
        self.0.extend_from_slice(bytes);
    }
}

#[test]
fn the_first_piece_makes_the_file_and_starts_with_its_header() {
    let (mut writer, mut batches) = (writer(), Batches::new(1));
    assert!(batches.plan(&mut writer).is_none(), "nothing to write is no piece");
    batches.add(200);
    let write = batches.plan(&mut writer).unwrap();
    assert!(write.creates && writer.is_writing());
    assert_eq!((write.offset, write.buffer.len()), (0, 2 * BLOCK));
    let header = SegmentHeader::decode(&write.buffer).unwrap();
    let expected = SegmentHeader { shard: key(), base: Seq(100), term: Term(3), created: NOW };
    assert_eq!(header, expected);
    assert_eq!(write.buffer[BLOCK..BLOCK + 200], batches.bytes);
    assert!(write.buffer[BLOCK + 200..].iter().all(|byte| *byte == 0), "padding is zero");
    assert_eq!(write.path, writer.path());
    assert_eq!(writer.written(), Seq(100), "what is on its way is not written");
    writer.complete(&write);
    assert_eq!((writer.written(), writer.unsynced_bytes()), (batches.end(), 200));
    writer.synced();
    assert_eq!(writer.unsynced_bytes(), 0);
}

#[test]
fn a_partial_block_is_written_again_with_the_same_bytes_in_front() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(2), File::default());
    batches.add(BLOCK + 200);
    assert!(batches.write(&mut writer, &mut file));
    batches.add(300);
    let write = batches.plan(&mut writer).unwrap();
    assert!(!write.creates);
    assert_eq!((write.offset, write.buffer.len()), (2 * BLOCK as u64, BLOCK));
    assert_eq!(write.buffer[..500], batches.bytes[BLOCK..]);
    file.write(&write);
}

#[test]
fn a_batch_that_ends_with_a_block_leaves_no_partial_one() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(3), File::default());
    batches.add(BLOCK);
    assert!(batches.write(&mut writer, &mut file));
    batches.add(150);
    let write = batches.plan(&mut writer).unwrap();
    assert_eq!((write.offset, &write.buffer[..150]), (2 * BLOCK as u64, &batches.bytes[BLOCK..]));
}

#[test]
fn a_batch_larger_than_a_piece_spans_pieces_and_counts_when_it_is_whole() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(4), File::default());
    batches.add(2 * SEGMENT_WRITE_BYTES + 1000);
    for piece in 0..2 {
        assert!(batches.write(&mut writer, &mut file));
        assert_eq!((writer.written(), writer.index().len()), (Seq(100), 0), "after piece {piece}");
        assert_eq!(file.0.len(), (piece + 1) * SEGMENT_WRITE_BYTES);
    }
    assert!(batches.write(&mut writer, &mut file));
    assert_eq!((writer.written(), writer.index().len()), (batches.end(), 1));
    assert_eq!(file.0[BLOCK..BLOCK + batches.bytes.len()], batches.bytes);
    assert!(!batches.write(&mut writer, &mut file));
}

#[test]
fn a_piece_that_failed_halfway_is_written_again_as_it_was() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(5), File::default());
    for _ in 0..2 {
        batches.add(5000);
        let write = batches.plan(&mut writer).unwrap();
        file.write(&write);
        if !write.creates {
            file.write(&write);
        }
        writer.complete(&write);
        assert_eq!(file.0[BLOCK..BLOCK + batches.bytes.len()], batches.bytes);
    }
}

#[test]
fn a_sealed_segment_ends_where_the_next_begins() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(6), File::default());
    batches.add(BLOCK + 77);
    assert!(batches.write(&mut writer, &mut file));
    let first_path = writer.path();
    let sealed = writer.seal();
    let sealed = sealed.index;
    assert_eq!((sealed.base(), sealed.end()), (Seq(100), batches.end()));
    assert_eq!(sealed.end_offset(), (2 * BLOCK + 77) as u64);
    assert_eq!((writer.written(), writer.created_at()), (batches.end(), Millis(0)));
    let base = batches.end();
    batches.add(90);
    let write = batches.plan(&mut writer).unwrap();
    assert!(write.creates && write.offset == 0 && write.path != first_path);
    assert_eq!(SegmentHeader::decode(&write.buffer).unwrap().base, base);
    let rest = &batches.bytes[BLOCK + 77..];
    assert_eq!(write.buffer[BLOCK..BLOCK + 90], *rest, "no byte of the last segment's block");
}

#[test]
#[should_panic(expected = "sealed between batches")]
fn a_segment_is_never_sealed_inside_of_a_batch() {
    let (mut writer, mut batches, mut file) = (writer(), Batches::new(7), File::default());
    batches.add(SEGMENT_WRITE_BYTES);
    assert!(batches.write(&mut writer, &mut file));
    let _ = writer.seal();
}

#[test]
fn a_segment_takes_no_batch_that_starts_behind_its_size() {
    let (mut writer, mut batches) = (writer(), Batches::new(8));
    let mib = 1024 * 1024;
    batches.add(mib);
    let first = batches.all[0].clone();
    for _ in 1..=(SEGMENT_BYTES as usize / mib) {
        batches.all.push(MemoryBatch { base: batches.end(), ..first.clone() });
    }
    while let Some(write) = batches.plan(&mut writer) {
        assert!(!writer.is_full(), "a full segment has no next piece");
        writer.complete(&write);
    }
    // The header is 4 KiB, so the batch that ends the segment starts 4 KiB before the size.
    assert!(writer.is_full());
    assert_eq!(writer.index().end_offset(), SEGMENT_BYTES + BLOCK as u64);
    assert_eq!(writer.written(), batches.all[batches.all.len() - 2].end());
}

/// Random batches in random pieces: the file is the header and the batches.
#[test]
fn the_file_is_the_header_and_all_batches_whatever_the_pieces() {
    for seed in 0..24 {
        let (mut writer, mut batches) = (writer(), Batches::new(seed));
        let (mut file, mut rng) = (File::default(), SplitMix64::new(1000 + seed));
        for _ in 0..60 {
            for _ in 0..rng.below(4) {
                // Small ones mostly, some of more than a piece, some that end with a block.
                let bytes = match rng.below(12) {
                    0 => 200_000 + rng.below(400_000),
                    1 => BLOCK as u64 * (1 + rng.below(3)),
                    _ => 129 + rng.below(6000),
                };
                batches.add(bytes as usize);
            }
            for _ in 0..rng.below(3) {
                batches.write(&mut writer, &mut file);
            }
        }
        while batches.write(&mut writer, &mut file) {}
        assert_eq!(writer.written(), batches.end(), "seed {seed}");
        let end = BLOCK + batches.bytes.len();
        assert!(file.0[BLOCK..end] == batches.bytes, "seed {seed}: other bytes than the batches'");
        assert_eq!(writer.index().end_offset(), end as u64, "seed {seed}");
        check_index(writer.index(), &batches);
    }
}

/// Every batch is found from the index entry before it.
fn check_index(index: &SegmentIndex, batches: &Batches) {
    let mut offset = BLOCK as u64;
    for batch in &batches.all {
        let entry = index.at_or_before(batch.base).unwrap();
        assert!(entry.seq <= batch.base && entry.offset <= offset);
        assert_eq!(entry.seq == batch.base, entry.offset == offset, "an entry starts with a batch");
        offset += u64::from(batch.bytes);
    }
}
