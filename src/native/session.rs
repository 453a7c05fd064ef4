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
    /// The client sends no more: close when everything is answered.
    pub(super) finished: bool,
    /// Goes to that core, with the correlation of its hello and the bytes behind it.
    pub(super) handover: Option<(CoreId, u64, Vec<u8>)>,
    /// Subscribes on their way: correlation and the client's number.
    pub(super) subscribing: Vec<(u64, u32)>,
    /// Gets on their way.
    pub(super) gets: Vec<u64>,
    /// The permit that a large frame waits for, in bytes.
    pub(super) wants_permit: usize,
    /// The error that ends the connection, once what was asked before it is answered. Nothing more
    /// is read.
    pub(super) last_words: Option<Vec<u8>>,
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
            finished: false,
            handover: None,
            subscribing: Vec::new(),
            gets: Vec::new(),
            wants_permit: 0,
            last_words: None,
            permit: 0,
        }
    }
    /// Whether it takes no more requests.
    #[must_use]
    pub(super) fn is_ending(&self) -> bool {
        self.closing || self.last_words.is_some()
    }

    /// Ends the connection with this error, behind the answers that are still to come.
    pub(super) fn end_with(&mut self, error: Vec<u8>) {
        self.last_words = Some(error);
        self.end_if_answered();
    }

    /// Says the last words once there is nothing more to answer.
    pub(super) fn end_if_answered(&mut self) {
        if self.in_flight == 0
            && let Some(error) = self.last_words.take()
        {
            self.outbound.frames(|out| out.extend_from_slice(&error));
            self.closing = true;
        }
    }
}
