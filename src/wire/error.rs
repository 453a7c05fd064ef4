//! `Error`: the answer to a request that failed.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::error::{ApiError, ErrorCode};

/// An error frame. With correlation 0 and `closes` set it answers no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFrame<'a> {
    /// Which.
    pub code: ErrorCode,
    /// Whether the server closes the connection behind it.
    pub closes: bool,
    /// Why, for a person.
    pub message: &'a str,
}

impl<'a> ErrorFrame<'a> {
    /// The frame for `error`.
    #[must_use]
    pub fn of(error: &'a ApiError, closes: bool) -> ErrorFrame<'a> {
        ErrorFrame { code: error.code, closes, message: &error.message }
    }

    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.code as u16).u8(u8::from(self.closes)).text(self.message);
    }
}

impl<'a> Decode<'a> for ErrorFrame<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ErrorFrame {
            code: ErrorCode::from_wire(r.u16("code")?).ok_or(DecodeError::Value("code"))?,
            closes: r.flag("closes")?,
            message: r.text("message")?,
        })
    }
}
