//! The frame that is still arriving on a connection.
//!
//! Bytes are received into one buffer per core, and whole frames are served right there. Only a
//! frame that is cut off at its end is kept, and a large one then receives its rest in place. A
//! thousand idle connections hold no buffer.

use crate::base::limits::{FRAME_HEADER_BYTES, PARTIAL_FRAMES_BYTES_MAX};
use crate::wire::{FrameError, FrameHeader};

/// See the module.
#[derive(Debug, Default)]
pub struct Inbound {
    bytes: Vec<u8>,
}

/// What is at the front of received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A whole frame of so many bytes, header included.
    Frame(FrameHeader, usize),
    /// Its first bytes; so many are needed in all (as far as is known).
    Partial(usize),
}

impl Inbound {
    /// Bytes kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Keeps bytes behind those that are kept.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The kept bytes; they are no longer kept.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Puts a taken buffer back without its first `used` bytes.
    pub fn put_back(&mut self, mut bytes: Vec<u8>, used: usize) {
        debug_assert!(self.bytes.is_empty(), "a taken buffer returns to an empty place");
        if used == bytes.len() {
            bytes.clear();
        } else {
            bytes.drain(..used);
        }
        if bytes.is_empty() && bytes.capacity() > KEEP_CAPACITY {
            return;
        }
        self.bytes = bytes;
    }

    /// The kept bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffer of the kept bytes, to receive behind them.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// Looks at the front of `bytes`.
pub fn front(bytes: &[u8]) -> Result<Front, FrameError> {
    let Some(header) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
        return Ok(Front::Partial(FRAME_HEADER_BYTES));
    };
    let header = FrameHeader::decode(header)?;
    let frame_bytes = FRAME_HEADER_BYTES + header.payload_bytes as usize;
    if bytes.len() < frame_bytes {
        return Ok(Front::Partial(frame_bytes));
    }
    Ok(Front::Frame(header, frame_bytes))
}

/// An empty buffer up to this size stays with its connection for the next cut frame.
const KEEP_CAPACITY: usize = 4096;

const _: () = assert!(PARTIAL_FRAMES_BYTES_MAX > KEEP_CAPACITY);
