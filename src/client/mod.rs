//! Rank 3: a blocking client of the binary protocol, over `std::net`.
//!
//! For commands, load generators and tests: one connection, requests one by one or pipelined,
//! pushes as they come. It checks what it receives: frame headers, batch CRCs, dense sequences.

mod answers;
mod connection;
mod error;
mod incoming;
pub mod lineage;
mod requests;

pub use answers::{Batches, Fetched, PutAnswer, ReadRecord};
pub use connection::{Client, ConnectOptions, ServerInfo};
pub use error::ClientError;
pub use incoming::{Ended, Incoming, Pushed};

#[cfg(test)]
mod tests;
