#![doc = include_str!("FORMAT.md")]

pub mod checkpoint;
pub mod commit;
pub mod core_log;
pub mod index;
pub mod journal;
pub mod layout;
pub mod reader;
pub mod segment_header;
pub mod segment_writer;
pub mod staging;
