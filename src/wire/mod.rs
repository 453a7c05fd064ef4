#![doc = include_str!("PROTOCOL.md")]

pub mod codec;
pub mod error;
pub mod frame;
pub mod hello;
pub mod position;
pub mod put;
pub mod read;
pub mod streams;
pub mod subscribe;

pub use codec::{Decode, DecodeError, Reader, Writer};
pub use frame::{FrameError, FrameHeader, Opcode};

#[cfg(test)]
mod tests;
