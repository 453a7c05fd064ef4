//! The bytes of every message, pinned. They were written down from `PROTOCOL.md` by another
//! program, so that the document, the encoder and the decoder are held against each other. A change
//! here is a new protocol version.

#[path = "wire_golden/lies.rs"]
mod lies;
#[path = "wire_golden/messages.rs"]
mod messages;
#[path = "wire_golden/pinned.rs"]
mod pinned_bytes;

use messages::{Message, choices, pinned};
use pinned_bytes::{CHOICES, PINNED};
use shardway::base::error::ErrorCode;
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::frame::write_frame;
use shardway::wire::{FrameHeader, Opcode};

const CORRELATION: u64 = 0x1122_3344_5566_7788;

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every pinned message with its bytes.
fn all() -> Vec<(Opcode, Vec<u8>, Message)> {
    let of_opcodes = PINNED.iter().map(|(opcode, hex)| (*opcode, from_hex(hex), pinned(*opcode)));
    let others = CHOICES.iter().zip(choices());
    of_opcodes.chain(others.map(|((opcode, hex), m)| (*opcode, from_hex(hex), m))).collect()
}

#[test]
fn every_opcode_is_pinned_once() {
    let pinned: Vec<_> = PINNED.iter().map(|(opcode, _)| *opcode).collect();
    assert_eq!(pinned, Opcode::ALL);
    assert_eq!(CHOICES.len(), choices().len());
}

#[test]
fn every_message_is_written_as_pinned() {
    for (opcode, bytes, message) in all() {
        let mut frame = Vec::new();
        write_frame(&mut frame, opcode, CORRELATION, message.write);
        assert_eq!(to_hex(&frame), to_hex(&bytes), "{opcode:?}");
    }
}

#[test]
fn every_pinned_message_is_read_as_it_was_meant() {
    for (opcode, bytes, message) in all() {
        let (header, payload) = bytes.split_first_chunk().unwrap();
        let payload_bytes = payload.len() as u32;
        let expected = FrameHeader { opcode, payload_bytes, correlation: CORRELATION };
        assert_eq!(FrameHeader::decode(header), Ok(expected), "{opcode:?}");
        assert_eq!((message.is_read_from)(payload.to_vec().leak()), Ok(true), "{opcode:?}");
    }
}

#[test]
fn error_codes_keep_their_numbers() {
    let numbers: Vec<_> = ErrorCode::ALL.iter().map(|code| (*code as u16, code.name())).collect();
    let pinned = [
        (1, "InvalidArgumentException"),
        (2, "ResourceNotFoundException"),
        (3, "ResourceInUseException"),
        (4, "LimitExceededException"),
        (5, "ProvisionedThroughputExceededException"),
        (6, "ExpiredIteratorException"),
        (7, "AccessDeniedException"),
        (8, "InternalFailure"),
        (9, "ValidationException"),
        (10, "ProtocolError"),
        (11, "ShuttingDown"),
    ];
    assert_eq!(numbers, pinned);
}
