//! All connections of a core.

use std::io;
use std::os::fd::AsFd;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, SessionId};
use crate::base::limits::{
    CONNECTION_OUT_BYTES_MAX, FRAME_HEADER_BYTES, PARTIAL_FRAMES_BYTES_MAX, RECEIVE_BYTES,
};
use crate::metrics::{CoreMetrics, Counter, Gauge};
use crate::native::dispatch::Step;
use crate::native::inbound::{Front, front};
use crate::native::outbound::Flushed;
use crate::native::session::Session;
use crate::net::{Poller, Ready, Received, Socket, Token};
use crate::service::{Core, Message, Outgoing};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::{Opcode, write_frame};

/// See the module.
#[derive(Debug)]
pub struct Sessions {
    pub(super) me: CoreId,
    pub(super) cores: u16,
    /// Identity of the data dir, told to clients.
    pub(super) server: [u8; 16],
    places: Vec<Place>,
    free: Vec<u32>,
    scratch: Vec<u8>,
    dirty: Vec<u32>,
    stalled: Vec<u32>,
    permits_used: usize,
    /// Messages for other cores. The runtime takes them.
    pub outgoing: Vec<Outgoing>,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    session: Option<Box<Session>>,
}

/// Receives of unread bytes before a connection is closed.
const READ_AWAY_MAX: usize = 16;
/// A hello, with its header.
const HELLO_FRAME_MAX: usize = 1024 + FRAME_HEADER_BYTES;

/// The first token that belongs to a connection; the runtime keeps those below.
pub const FIRST_TOKEN: u64 = 16;

impl Sessions {
    /// No connections yet.
    #[must_use]
    pub fn new(me: CoreId, cores: u16, server: [u8; 16]) -> Sessions {
        Sessions {
            me,
            cores,
            server,
            places: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; RECEIVE_BYTES],
            dirty: Vec::new(),
            stalled: Vec::new(),
            permits_used: 0,
            outgoing: Vec::new(),
            stopping: false,
        }
    }

    /// Number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Looks at the gauges of connections.
    pub fn sample(&self, metrics: &mut CoreMetrics) {
        let sessions = self.places.iter().filter_map(|place| place.session.as_ref());
        let answers: usize = sessions.map(|session| session.outbound.waiting()).sum();
        metrics.set_gauge(Gauge::Sessions, self.len() as u64);
        metrics.set_gauge(Gauge::PartialFrameBytes, self.permits_used as u64);
        metrics.set_gauge(Gauge::AnswerBytes, answers as u64);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a new connection.
    pub fn open(&mut self, poller: &Poller, socket: Socket) -> io::Result<SessionId> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        place.generation += 1;
        let id = SessionId { core: self.me, index, generation: place.generation };
        if let Err(error) = poller.add(&socket, token(id)) {
            self.free.push(index);
            return Err(error);
        }
        place.session = Some(Box::new(Session::new(id, socket)));
        Ok(id)
    }

    /// Takes a connection over from another core: answers its hello, serves what it has sent.
    pub fn adopt(
        &mut self,
        core: &mut Core,
        poller: &Poller,
        now: Now,
        handed: (Socket, u64, Vec<u8>),
    ) -> io::Result<()> {
        let (socket, hello, received) = handed;
        let id = self.open(poller, socket)?;
        let mut session = self.take(id).expect("it was just opened");
        self.greet(&mut session, hello);
        self.serve_bytes(core, now, &mut session, &received);
        self.settle(core, poller, session);
        Ok(())
    }

    /// The connection behind a token is ready.
    pub fn ready(&mut self, core: &mut Core, poller: &Poller, now: Now, event: &Ready) {
        let Some(mut session) = self.take(id_of(self.me, event.token)) else { return };
        if session.wants_write {
            self.flush(core, &mut session);
        }
        let reads = !session.stalled && !session.finished && !session.is_ending();
        if event.readable && reads {
            self.receive(core, now, &mut session);
        } else if event.broken {
            // Nobody looks at what it sent, and it will be reported again and again.
            session.outbound = super::outbound::Outbound::default();
            session.wants_write = false;
            session.closing = true;
        }
        self.settle(core, poller, session);
    }

    /// Receives and serves what one turn allows.
    fn receive(&mut self, core: &mut Core, now: Now, session: &mut Session) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = self.receive_into(core, now, session, &mut scratch);
        self.scratch = scratch;
        if outcome.is_err() {
            session.closing = true;
            // Whoever has reset the connection will not read what is left.
            session.outbound = super::outbound::Outbound::default();
        }
    }

    fn receive_into(
        &mut self,
        core: &mut Core,
        now: Now,
        session: &mut Session,
        scratch: &mut [u8],
    ) -> io::Result<()> {
        let mut budget = RECEIVE_BYTES;
        let mut kept = 0;
        if !session.inbound.is_empty() {
            if session.inbound.len() > scratch.len() / 2 || self.is_large(session) {
                return self.receive_large(core, now, session);
            }
            let bytes = session.inbound.take();
            kept = bytes.len();
            scratch[..kept].copy_from_slice(&bytes);
            session.inbound.put_back(bytes, kept);
        }
        loop {
            let received = session.socket.receive(&mut scratch[kept..])?;
            let Received::Bytes(n) = received else {
                session.finished |= received == Received::Closed;
                break;
            };
            let filled = kept + n;
            let used = self.serve_bytes_in(core, now, session, &scratch[..filled]);
            scratch.copy_within(used..filled, 0);
            kept = filled - used;
            budget = budget.saturating_sub(n);
            // A short read means that the socket is empty: asking again would only confirm it.
            let drained = filled < scratch.len();
            let waits = session.stalled || session.is_ending();
            if waits || budget == 0 || drained || kept == filled {
                break;
            }
        }
        session.inbound.keep(&scratch[..kept]);
        Ok(())
    }

    /// Whether the kept bytes start a frame that does not fit the core's receive buffer.
    fn is_large(&self, session: &Session) -> bool {
        matches!(front(session.inbound.bytes()), Ok(Front::Partial(n)) if n > RECEIVE_BYTES / 2)
    }

    /// Receives the rest of a large frame where it is kept, once there is a permit for its size.
    fn receive_large(
        &mut self,
        core: &mut Core,
        now: Now,
        session: &mut Session,
    ) -> io::Result<()> {
        let Ok(Front::Partial(frame_bytes)) = front(session.inbound.bytes()) else {
            return self.serve_kept(core, now, session);
        };
        if session.permit == 0 {
            if self.permits_used + frame_bytes > PARTIAL_FRAMES_BYTES_MAX {
                session.wants_permit = frame_bytes;
                self.stall(core, session);
                return Ok(());
            }
            session.wants_permit = 0;
            session.permit = frame_bytes;
            self.permits_used += frame_bytes;
        }
        let received = session.socket.receive_behind(session.inbound.bytes_mut(), frame_bytes)?;
        session.finished |= received == Received::Closed;
        if session.inbound.len() == frame_bytes {
            return self.serve_kept(core, now, session);
        }
        Ok(())
    }

    /// Serves whole frames among the kept bytes.
    fn serve_kept(&mut self, core: &mut Core, now: Now, session: &mut Session) -> io::Result<()> {
        let bytes = session.inbound.take();
        let used = self.serve_bytes_in(core, now, session, &bytes);
        session.inbound.put_back(bytes, used);
        if used > 0 {
            self.release_permit(session);
        }
        Ok(())
    }

    fn release_permit(&mut self, session: &mut Session) {
        self.permits_used -= std::mem::take(&mut session.permit);
    }

    /// Serves received bytes and keeps what is left.
    fn serve_bytes(&mut self, core: &mut Core, now: Now, session: &mut Session, bytes: &[u8]) {
        let used = self.serve_bytes_in(core, now, session, bytes);
        session.inbound.keep(&bytes[used..]);
    }

    /// Serves the whole frames at the front of `bytes`; returns how many bytes they had.
    fn serve_bytes_in(
        &mut self,
        core: &mut Core,
        now: Now,
        session: &mut Session,
        bytes: &[u8],
    ) -> usize {
        let mut used = 0;
        while !session.is_ending() {
            // Answers that nobody takes must not grow with what is asked.
            if session.outbound.waiting() >= CONNECTION_OUT_BYTES_MAX {
                self.stall(core, session);
                return used;
            }
            let (header, frame_bytes) = match front(&bytes[used..]) {
                Ok(Front::Frame(header, frame_bytes)) => (header, frame_bytes),
                Ok(Front::Partial(frame_bytes)) => {
                    if !session.greeted && frame_bytes > HELLO_FRAME_MAX {
                        self.refuse(core, session, 0, "the first frame must be a hello");
                        return bytes.len();
                    }
                    return used;
                }
                Err(error) => {
                    self.refuse(core, session, 0, &error.to_string());
                    return bytes.len();
                }
            };
            let frame = &bytes[used..used + frame_bytes];
            match self.serve_frame(core, now, session, &header, frame, &bytes[used + frame_bytes..])
            {
                Step::Next => used += frame_bytes,
                Step::HandedOver => return bytes.len(),
                Step::Later => {
                    self.stall(core, session);
                    return used;
                }
            }
        }
        used
    }

    /// Answers a breach of the protocol: the error behind all answers, then the end of the
    /// connection.
    pub(super) fn refuse(&self, core: &mut Core, session: &mut Session, id: u64, why: &str) {
        core.metrics.add(Counter::ProtocolErrors, 1);
        let error = ApiError::new(ErrorCode::Protocol, why);
        let mut frame = Vec::new();
        write_frame(&mut frame, Opcode::Error, id, |w| ErrorFrame::of(&error, true).write(w));
        session.end_with(frame);
    }

    fn stall(&mut self, core: &mut Core, session: &mut Session) {
        if !session.stalled {
            core.metrics.add(Counter::StalledSessions, 1);
            session.stalled = true;
            self.stalled.push(session.id.index);
        }
    }

    /// Serves connections that waited for room, as long as there is some.
    pub fn resume(&mut self, core: &mut Core, poller: &Poller, now: Now) {
        let mut waiting = std::mem::take(&mut self.stalled);
        for index in waiting.drain(..) {
            let generation = self.places[index as usize].generation;
            let id = SessionId { core: self.me, index, generation };
            let Some(mut session) = self.take(id) else { continue };
            let no_permit = self.permits_used + session.wants_permit > PARTIAL_FRAMES_BYTES_MAX;
            let no_taker = session.outbound.waiting() > CONNECTION_OUT_BYTES_MAX / 2;
            if no_permit || no_taker {
                self.stalled.push(index);
                self.places[index as usize].session = Some(session);
                continue;
            }
            session.stalled = false;
            if self.serve_kept(core, now, &mut session).is_err() {
                session.closing = true;
            }
            self.settle(core, poller, session);
        }
        if self.stalled.is_empty() {
            // Keeps the allocation.
            self.stalled = waiting;
        }
    }

    /// Whether connections wait for room.
    #[must_use]
    pub fn has_stalled(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// Takes a session out of its place while it is worked on.
    pub(super) fn take(&mut self, id: SessionId) -> Option<Box<Session>> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            return None;
        }
        place.session.take()
    }

    /// The session, if it is still there.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let place = self.places.get_mut(id.index as usize)?;
        let session = place.session.as_deref_mut()?;
        (place.generation == id.generation).then_some(session)
    }

    /// Puts a session back where it was, or closes it when it is done.
    fn settle(&mut self, core: &mut Core, poller: &Poller, mut session: Box<Session>) {
        if session.handover.is_some() {
            return self.hand_over(poller, session);
        }
        // A client that has gone must not be kept by its long polls: they are dropped.
        session.closing |= session.finished && session.in_flight <= session.gets.len();
        if session.closing {
            self.flush(core, &mut session);
            if session.outbound.waiting() == 0 || !session.wants_write {
                return self.close(core, session);
            }
        }
        let read = !session.stalled
            && !session.finished
            && !session.is_ending()
            && session.outbound.waiting() < CONNECTION_OUT_BYTES_MAX;
        let interest = (read, session.wants_write);
        if interest != session.interest {
            let (read, write) = interest;
            if poller.set(&session.socket, token(session.id), read, write).is_err() {
                return self.close(core, session);
            }
            session.interest = interest;
        }
        let index = session.id.index;
        if session.outbound.waiting() > 0 && !session.wants_write && !session.dirty {
            session.dirty = true;
            self.dirty.push(index);
        }
        self.places[index as usize].session = Some(session);
    }

    /// A frame was written for this session: it is flushed at the end of the turn.
    pub(super) fn touch(&mut self, id: SessionId) {
        let Some(session) = self.get_mut(id) else { return };
        if !session.dirty {
            session.dirty = true;
            self.dirty.push(id.index);
        }
    }

    /// Sends what this turn has written: one vectored write for each connection.
    pub fn flush_dirty(&mut self, core: &mut Core, poller: &Poller) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            let generation = self.places[index as usize].generation;
            let id = SessionId { core: self.me, index, generation };
            let Some(mut session) = self.take(id) else { continue };
            session.dirty = false;
            self.flush(core, &mut session);
            self.settle(core, poller, session);
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    fn flush(&mut self, core: &mut Core, session: &mut Session) {
        match session.outbound.flush(&session.socket) {
            Ok(Flushed::All) => session.wants_write = false,
            Ok(Flushed::Waiting) => session.wants_write = true,
            Err(_) => {
                session.outbound = super::outbound::Outbound::default();
                session.wants_write = false;
                session.closing = true;
            }
        }
        let waiting = session.outbound.waiting();
        let blocked = if session.blocked {
            waiting > CONNECTION_OUT_BYTES_MAX / 2
        } else {
            waiting > CONNECTION_OUT_BYTES_MAX
        };
        if blocked != session.blocked {
            session.blocked = blocked;
            self.tell_blocked(core, session, blocked);
        }
    }

    /// Tells every core that knows of this connection whether it has enough to send.
    pub(super) fn tell_blocked(&mut self, core: &mut Core, session: &Session, blocked: bool) {
        for to in (0..self.cores).filter(|c| session.known_to & (1 << c) != 0).map(CoreId) {
            if to == self.me {
                core.session_blocked(session.id, blocked);
            } else {
                let message = Message::SessionBlocked { session: session.id, blocked };
                self.outgoing.push(Outgoing { to, message });
            }
        }
    }

    pub(super) fn close(&mut self, core: &mut Core, mut session: Box<Session>) {
        self.read_away(&session);
        self.release_permit(&mut session);
        core.forget_puts(session.id);
        for to in (0..self.cores).filter(|c| session.known_to & (1 << c) != 0).map(CoreId) {
            if to == self.me {
                core.session_closed(session.id);
            } else {
                let message = Message::SessionClosed(session.id);
                self.outgoing.push(Outgoing { to, message });
            }
        }
        // The generation makes every later event and answer of this connection miss.
        self.places[session.id.index as usize].generation += 1;
        self.free.push(session.id.index);
    }

    /// Closing a socket with unread bytes resets the connection, and the client might not see the
    /// error that it was sent last.
    fn read_away(&mut self, session: &Session) {
        for _ in 0..READ_AWAY_MAX {
            match session.socket.receive(&mut self.scratch) {
                Ok(Received::Bytes(_)) => {}
                _ => return,
            }
        }
    }

    /// Gives a socket away to the core that its client wants.
    fn hand_over(&mut self, poller: &Poller, mut session: Box<Session>) {
        let (to, hello, received) = session.handover.take().expect("only then it is called");
        self.places[session.id.index as usize].generation += 1;
        self.free.push(session.id.index);
        let Session { socket, .. } = *session;
        // The registration would outlive this core's descriptor: the other core has the socket.
        if poller.remove(&socket).is_ok() {
            let message = Message::Handover { socket, hello, received };
            self.outgoing.push(Outgoing { to, message });
        }
    }

    /// No new requests: those in flight are answered, then every connection is closed.
    pub fn begin_stop(&mut self, core: &mut Core, poller: &Poller) {
        self.stopping = true;
        for index in 0..self.places.len() {
            let Some(mut session) = self.places[index].session.take() else { continue };
            if session.in_flight == 0 {
                self.say_goodbye(&mut session);
            }
            self.settle(core, poller, session);
        }
    }

    /// Whether requests are refused because the server stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    fn say_goodbye(&self, session: &mut Session) {
        let error = ApiError::new(ErrorCode::ShuttingDown, "the server is stopping");
        session.outbound.frames(|out| {
            write_frame(out, Opcode::Error, 0, |w| ErrorFrame::of(&error, true).write(w));
        });
        session.closing = true;
    }

    /// A request of this session was answered; a stopping server closes after the last one.
    pub(super) fn answered(stopping: bool, session: &mut Session) {
        session.in_flight = session.in_flight.saturating_sub(1);
        if stopping && session.in_flight == 0 {
            session.closing = true;
        }
        session.end_if_answered();
    }
}

fn token(id: SessionId) -> Token {
    Token((u64::from(id.generation) << 32) | (FIRST_TOKEN + u64::from(id.index)))
}

fn id_of(core: CoreId, token: Token) -> SessionId {
    let index = (token.0 & u64::from(u32::MAX)) - FIRST_TOKEN;
    SessionId { core, index: index as u32, generation: (token.0 >> 32) as u32 }
}

impl AsFd for Session {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
