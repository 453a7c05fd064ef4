#![doc = include_str!("FORMAT.md")]

pub mod check;
pub mod checkpoint;
pub mod commit;
pub mod damage;
pub mod identity;
pub mod index;
pub mod inspect;
pub mod journal_chain;
pub mod journal_scan;
pub mod layout;
pub mod offline;
pub mod prepare;
pub mod progress;
pub mod recovery;
pub mod segment_header;
pub mod segment_scan;
