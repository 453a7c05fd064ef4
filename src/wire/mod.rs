#![doc = include_str!("PROTOCOL.md")]

pub mod account;
pub mod alter;
pub mod codec;
pub mod consumers;
pub mod error;
pub mod frame;
pub mod hello;
pub mod position;
pub mod put;
pub mod read;
pub mod reshard;
pub mod shards;
pub mod streams;
pub mod subscribe;
pub mod tags;

pub use codec::{Decode, DecodeError, Reader, Writer};
pub use frame::{FrameError, FrameHeader, Opcode};

#[cfg(test)]
mod tests;
