//! Rank 2: the only sockets.
//!
//! A core waits for all of its sockets with one epoll set, and for that set with one poll in its
//! io_uring. A connection then costs no task, no timer and no ring entry: with 64 writers of
//! single records this is what the core has time for (`tuning/net-readiness.md`).

pub mod iovecs;
pub mod listener;
pub mod poller;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod tls_stream;

pub use iovecs::IoVecs;
pub use listener::Listener;
pub use poller::{Edges, Poller, Ready, Token};
pub use socket::{Received, Sent, Socket};
pub use stream::{Stream, Streams};
pub use tls::{SelfSigned, TlsError, TlsServer};
pub use tls_stream::TlsStream;
