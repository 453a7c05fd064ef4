//! HTTP/1.1 and HTTP/2, for whoever answers requests.
//!
//! One [`Front`] for each core. It speaks with its clients through hyper, and bounds what they may
//! cost: heads, bodies, connections, time. A [`Handler`] sees whole requests. Time comes from the
//! core's tick by [`Front::sweep`]: no connection and no request sets a timer of the executor.
//!
//! What a connection says first decides its protocol: HTTP/2 begins with a preface that is no
//! request of HTTP/1.1. So one port serves both, with or without TLS and whatever ALPN said.

mod body;
mod connection;
mod entry;
mod exchange;
mod front;
mod handler;
mod io;
mod limits;
mod memory;
mod request;
mod response;
mod timers;

pub use front::{Front, Host};
pub use handler::{Admission, Handler, Refusal};
pub use io::Transport;
pub use limits::Limits;
pub use memory::Held;
pub use request::{Head, Payload, Request};
pub use response::{Aborted, ChunkSource, Response, ResponseBody};

#[cfg(test)]
mod tests;
