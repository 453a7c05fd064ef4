//! One connection.

use std::collections::HashMap;

use crate::base::ids::{CoreId, SessionId};
use crate::native::inbound::Inbound;
use crate::native::outbound::Outbound;
use crate::net::Socket;

/// A connection of the native protocol.
#[derive(Debug)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) socket: Socket,
    pub(super) greeted: bool,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    /// Requests whose answers are still to come.
    pub(super) in_flight: usize,
    /// Home core of each subscription.
    pub(super) subscriptions: HashMap<u32, CoreId>,
    /// Cores that know of this connection and must hear of its end.
    pub(super) known_to: u64,
    /// Bytes wait that no one looks at until there is room.
    pub(super) stalled: bool,
    /// Subscriptions were told to stop because `outbound` is full.
    pub(super) blocked: bool,
    /// In the list of connections to flush.
    pub(super) dirty: bool,
    /// Waiting for the socket to take more.
    pub(super) wants_write: bool,
    /// What the poller was last told: read, write.
    pub(super) interest: (bool, bool),
    /// Close once everything is sent.
    pub(super) closing: bool,
    /// Declared bytes of the frame that is arriving, held against the core's permit.
    pub(super) permit: usize,
}

impl Session {
    /// A connection that has said nothing yet.
    #[must_use]
    pub fn new(id: SessionId, socket: Socket) -> Session {
        Session {
            id,
            socket,
            greeted: false,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            in_flight: 0,
            subscriptions: HashMap::new(),
            known_to: 0,
            stalled: false,
            blocked: false,
            dirty: false,
            wants_write: false,
            interest: (true, false),
            closing: false,
            permit: 0,
        }
    }
}
