//! Received bytes, cut into frames where they lie.

use std::io::{self, Read};
use std::ops::Range;

use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::FrameHeader;

use crate::failure::{Failure, Result};

/// Room for one read.
const READ_BYTES: usize = 256 << 10;

/// Bytes that arrived and were not yet consumed.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// Reads once, as much as there is room for. 0 is the end of the connection.
    pub fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        self.make_room();
        let n = from.read(&mut self.bytes[self.end..])?;
        self.end += n;
        Ok(n)
    }

    /// Whether the last `fill` could have read more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.end < self.bytes.len()
    }

    /// The next whole frame: its header, and where its payload lies.
    pub fn next_frame(&mut self) -> Result<Option<(FrameHeader, Range<usize>)>> {
        let Some(head) = self.bytes[self.start..self.end].first_chunk::<FRAME_HEADER_BYTES>()
        else {
            return Ok(None);
        };
        let header = FrameHeader::decode(head).map_err(|e| Failure::Protocol(e.to_string()))?;
        let payload = self.start + FRAME_HEADER_BYTES;
        let end = payload + header.payload_bytes as usize;
        if end > self.end {
            return Ok(None);
        }
        self.start = end;
        Ok(Some((header, payload..end)))
    }

    /// A payload, valid until the next `fill`.
    #[must_use]
    pub fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// What has arrived and was not taken.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes the next `n` bytes of what has arrived.
    pub fn take(&mut self, n: usize) -> &[u8] {
        assert!(n <= self.end - self.start, "only what has arrived can be taken");
        self.start += n;
        &self.bytes[self.start - n..self.start]
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() - self.end >= READ_BYTES / 2 {
            return;
        }
        // Moving the tail of one frame now and then is cheaper than reading in small pieces.
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.len() - self.end < READ_BYTES / 2 {
            self.bytes.resize((self.bytes.len() * 2).max(READ_BYTES), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardway::wire::Opcode;
    use shardway::wire::frame::write_frame;

    fn frames(sizes: &[usize]) -> Vec<u8> {
        let mut out = vec![];
        for (i, &size) in sizes.iter().enumerate() {
            let payload = vec![i as u8; size];
            write_frame(&mut out, Opcode::Push, i as u64, |w| {
                w.bytes(&payload);
            });
        }
        out
    }

    #[test]
    fn frames_are_whole_however_the_bytes_arrive() {
        let sizes = [0, 1, 5_000, 300_000, 3, 700_000, 10];
        let bytes = frames(&sizes);
        for step in [1, 7, 1_000, 100_000, usize::MAX] {
            if step == 1 && bytes.len() > 2_000_000 {
                continue;
            }
            let (mut inbox, mut found) = (Inbox::default(), vec![]);
            for chunk in bytes.chunks(step.min(bytes.len())) {
                let mut chunk = chunk;
                while !chunk.is_empty() {
                    inbox.fill(&mut chunk).expect("a slice can be read");
                    while let Some((header, range)) = inbox.next_frame().expect("valid") {
                        let payload = inbox.payload(range);
                        assert!(payload.iter().all(|&b| u64::from(b) == header.correlation));
                        found.push(payload.len());
                    }
                }
            }
            assert_eq!(found, sizes, "in steps of {step}");
        }
    }

    #[test]
    fn lost_framing_is_an_error() {
        let mut bytes = frames(&[10]);
        bytes[1] ^= 1;
        let mut inbox = Inbox::default();
        inbox.fill(&mut &bytes[..]).expect("a slice can be read");
        assert!(inbox.next_frame().is_err());
    }
}
