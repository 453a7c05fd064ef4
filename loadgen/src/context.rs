//! What all runs of one invocation share.

use std::cell::RefCell;
use std::net::SocketAddr;

use crate::cpu::Parts;
use crate::progress::Progress;
use crate::session::ServerFacts;

/// What all runs of one invocation share.
pub struct Context {
    /// The server.
    pub address: SocketAddr,
    /// Look at the sockets without sleeping: the core is ours, and a sleeping virtual CPU takes
    /// tens of microseconds to wake, which the latencies would contain.
    pub spin: bool,
    /// Who runs on which CPU.
    pub parts: Parts,
    /// Where progress is shown.
    pub progress: Progress,
    server: RefCell<Option<ServerFacts>>,
}

impl Context {
    /// A context for runs against `address`.
    #[must_use]
    pub fn new(address: SocketAddr, spin: bool, parts: Parts, progress: Progress) -> Context {
        Context { address, spin, parts, progress, server: RefCell::new(None) }
    }

    /// Keeps what the server said of itself, for the report.
    pub fn note_server(&self, facts: &ServerFacts) {
        *self.server.borrow_mut() = Some(facts.clone());
    }

    /// What the server said of itself.
    #[must_use]
    pub fn server(&self) -> Option<ServerFacts> {
        self.server.borrow().clone()
    }
}
