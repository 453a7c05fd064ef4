//! The bytes of the catalog log.
//!
//! ```text
//! file   magic "SWCATLG1" | salt u32 | CRC-32 of the 12 bytes before
//! frame  payload bytes u32 | CRC-32 of salt, length and payload | payload (CBOR)
//! ```
//! All numbers are little-endian. The first frame is a snapshot of the state, written before the
//! file gets its name, so it is never torn; each further frame is one event. The salt is new for
//! each file, so that no text a client chooses can pass for a frame.

use std::ops::Range;

use crate::base::crc::{crc32, crc32_append};

/// Bytes in front of the first frame.
pub(super) const FILE_HEADER_BYTES: usize = 16;
const FRAME_HEADER_BYTES: usize = 8;
const MAGIC: [u8; 8] = *b"SWCATLG1";

/// The first bytes of a log with this salt.
pub(super) fn file_header(salt: u32) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&salt.to_le_bytes());
    let crc = crc32(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The salt of a log, if it begins as one.
pub(super) fn read_file_header(bytes: &[u8]) -> Option<u32> {
    let header = bytes.get(..FILE_HEADER_BYTES)?;
    let crc = u32_at(header, 12);
    (header[..8] == MAGIC && crc == crc32(&header[..12])).then(|| u32_at(header, 8))
}

/// Appends a frame with this payload.
pub(super) fn write_frame(out: &mut Vec<u8>, salt: u32, payload: &[u8]) {
    assert!(!payload.is_empty(), "zeros behind the log's end must not read as a frame");
    let len = u32::try_from(payload.len()).expect("a catalog is below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&frame_crc(salt, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What a log holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where the payload of each intact frame lies.
    pub(super) payloads: Vec<Range<usize>>,
    /// Behind the last intact frame that has only intact ones before it.
    pub(super) end: usize,
    /// Whether an intact frame lies somewhere behind `end`: then the bytes at `end` were once
    /// whole too, and have changed since.
    pub(super) intact_behind: bool,
}

/// Reads all frames behind the file header.
pub(super) fn scan(bytes: &[u8], salt: u32) -> Scan {
    let (mut payloads, mut end) = (Vec::new(), FILE_HEADER_BYTES);
    while let Some(payload) = frame_at(bytes, salt, end) {
        end = payload.end;
        payloads.push(payload);
    }
    // The bad frame's length may be what is wrong with it, so every later byte may start a frame.
    let intact_behind = (end + 1..bytes.len()).any(|at| frame_at(bytes, salt, at).is_some());
    Scan { payloads, end, intact_behind }
}

/// Where a frame's payload lies in the file.
pub(super) fn frame_offset(payload: &Range<usize>) -> u64 {
    (payload.start - FRAME_HEADER_BYTES) as u64
}

fn frame_at(bytes: &[u8], salt: u32, at: usize) -> Option<Range<usize>> {
    let head = bytes.get(at..at + FRAME_HEADER_BYTES)?;
    let len = u32_at(head, 0) as usize;
    let start = at + FRAME_HEADER_BYTES;
    let payload = bytes.get(start..start + len).filter(|payload| !payload.is_empty())?;
    (u32_at(head, 4) == frame_crc(salt, payload)).then_some(start..start + len)
}

fn frame_crc(salt: u32, payload: &[u8]) -> u32 {
    let len = (payload.len() as u32).to_le_bytes();
    crc32_append(crc32_append(crc32(&salt.to_le_bytes()), &len), payload)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}
