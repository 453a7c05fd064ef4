//! Frames that wait for the socket, written many at a time without being copied together.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::Opcode;
use shardway::wire::Writer;
use shardway::wire::frame::{write_frame, write_frame_with_body};
use shardway::wire::put::{PUT_PREFIX_BYTES, Put};

use crate::payload::Pool;

/// Frame header and put prefix: all that is new about a put.
const HEAD_BYTES: usize = FRAME_HEADER_BYTES + PUT_PREFIX_BYTES;
/// Slices of one vectored write: 32 puts, well below IOV_MAX.
const SLICES: usize = 64;

/// Frames on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Frame>,
    /// Bytes of the first frame that are gone.
    sent: usize,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Frame {
    Control(Box<[u8]>),
    Put { head: [u8; HEAD_BYTES], pool: Rc<Pool>, n: u64 },
}

impl Frame {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Frame::Control(bytes) => [bytes, &[]],
            Frame::Put { head, pool, n } => [head, pool.batch(*n)],
        }
    }

    fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

impl Outbox {
    /// Queues a frame without a batch.
    pub fn control(
        &mut self,
        opcode: Opcode,
        correlation: u64,
        payload: impl FnOnce(&mut Writer<'_>),
    ) {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, opcode, correlation, payload);
        self.queue.push_back(Frame::Control(bytes.into()));
    }

    /// Queues the `n`th batch of `pool`. `put` says where it goes; its own batch is not read.
    pub fn put(&mut self, correlation: u64, put: &Put<'_>, pool: &Rc<Pool>, n: u64) {
        self.scratch.clear();
        let body_bytes = pool.batch(n).len();
        write_frame_with_body(&mut self.scratch, Opcode::Put, correlation, body_bytes, |w| {
            put.write_prefix(w);
        });
        let head = self.scratch[..].try_into().expect("header and prefix have a fixed size");
        self.queue.push_back(Frame::Put { head, pool: Rc::clone(pool), n });
    }

    /// Whether everything is gone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Writes until everything is gone or the socket is full.
    pub fn flush(&mut self, to: &mut impl Write) -> io::Result<()> {
        while !self.queue.is_empty() {
            let written = match self.write_once(to) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.advance(written);
        }
        Ok(())
    }

    fn write_once(&self, to: &mut impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut skip) = (0, self.sent);
        'frames: for frame in &self.queue {
            for part in frame.parts() {
                let rest = &part[skip.min(part.len())..];
                skip = skip.saturating_sub(part.len());
                if rest.is_empty() {
                    continue;
                }
                if count == SLICES {
                    break 'frames;
                }
                slices[count] = IoSlice::new(rest);
                count += 1;
            }
        }
        to.write_vectored(&slices[..count])
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        while let Some(len) = self.queue.front().map(Frame::len).filter(|&len| len <= self.sent) {
            self.sent -= len;
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;
    use shardway::base::ids::{ShardNumber, StreamUuid};
    use shardway::wire::Decode;

    /// A socket that takes a few bytes at a time.
    struct Narrow {
        out: Vec<u8>,
        step: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.step);
            self.out.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn frames_leave_whole_and_in_order_through_a_narrow_socket() {
        let workload = Workload { batch_records: 3, record_bytes: 100, ..Workload::default() };
        let pool = Rc::new(Pool::build(1, "k", &workload));
        let (stream, shard) = (StreamUuid([1; 16]), ShardNumber(2));
        for step in [1, 13, 64, 1_000_000] {
            let mut outbox = Outbox::default();
            for n in 0..5 {
                let put = Put { stream, shard, map_version: 3, batch: &[] };
                outbox.put(n, &put, &pool, n);
            }
            let mut socket = Narrow { out: vec![], step };
            outbox.flush(&mut socket).expect("it takes everything");
            assert!(outbox.is_empty());
            let mut inbox = crate::inbox::Inbox::default();
            let mut rest = &socket.out[..];
            inbox.fill(&mut rest).expect("a slice can be read");
            for n in 0..5 {
                let (header, range) = inbox.next_frame().expect("valid").expect("whole");
                assert_eq!((header.opcode, header.correlation), (Opcode::Put, n));
                let put = Put::decode(inbox.payload(range)).expect("a put");
                assert_eq!(put.batch, pool.batch(n));
            }
        }
    }
}
