//! A starting position: one byte of kind, eight of sequence or time.

use super::codec::{DecodeError, Reader, Writer};
use crate::base::ids::{Millis, Seq};
use crate::base::stream::Position;

/// Bytes of a position.
pub const POSITION_BYTES: usize = 9;

/// Writes a position.
pub fn write_position(w: &mut Writer<'_>, position: Position) {
    let (kind, value) = match position {
        Position::TrimHorizon => (0, 0),
        Position::Latest => (1, 0),
        Position::AtSequence(seq) => (2, seq.0),
        Position::AfterSequence(seq) => (3, seq.0),
        Position::AtTimestamp(time) => (4, time.0),
    };
    w.u8(kind).u64(value);
}

/// Reads a position.
pub fn read_position(r: &mut Reader<'_>) -> Result<Position, DecodeError> {
    let kind = r.u8("position kind")?;
    let value = r.u64("position value")?;
    if (kind == 2 || kind == 3) && value > Seq::MAX.0 {
        return Err(DecodeError::Value("position value"));
    }
    match (kind, value) {
        (0, 0) => Ok(Position::TrimHorizon),
        (1, 0) => Ok(Position::Latest),
        (0 | 1, _) => Err(DecodeError::Value("position value")),
        (2, seq) => Ok(Position::AtSequence(Seq(seq))),
        (3, seq) => Ok(Position::AfterSequence(Seq(seq))),
        (4, time) => Ok(Position::AtTimestamp(Millis(time))),
        _ => Err(DecodeError::Value("position kind")),
    }
}
