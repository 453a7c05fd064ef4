//! A server of its own in each test, on loopback, with time that the test moves.

mod body_memory;
mod connections;
mod deadlines;
mod framing;
mod http1;
mod http2;
mod raw;
mod raw_http2;
mod server;
mod stopping;
mod tls;
