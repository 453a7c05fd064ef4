//! The turn of a core: take what is ready, serve it, send what follows from it.

use std::rc::Rc;

use crate::base::clock::Now;
use crate::base::ids::{CoreId, ShardKey};
use crate::base::limits::CATCH_UP_READS_MAX;
use crate::metrics::Counter;
use crate::net::{Listener, Ready, Streams, Token};
use crate::runtime::admin::ADMIN;
use crate::runtime::http::{HTTP, HTTPS};
use crate::runtime::reads::start_read;
use crate::runtime::state::{CoreState, Domain, Phase};
use crate::service::core::PutWaiter;
use crate::service::{Core, Envelope, Message, Outgoing};
use crate::wire::shards::ShardCounts;

/// The listener's token.
pub const LISTENER: Token = Token(0);
/// The mesh's token.
pub const MESH: Token = Token(1);
/// The stop bell's token.
pub const STOP: Token = Token(2);

/// Connections accepted in one turn: a storm of them must not starve those that are there.
const ACCEPTS_PER_TURN: usize = 64;
/// Messages taken from one core in one turn.
const MESSAGES_PER_TURN: usize = 256;

/// Serves sockets and mesh until the core is done.
pub async fn serve(state: Rc<CoreState>) -> std::io::Result<()> {
    let mut ready: Vec<Ready> = Vec::new();
    loop {
        // Ends the turn even when more is ready: on its way round the executor submits the
        // writes that this turn has staged and takes completions, for one ring entry.
        // The poller is borrowed across the wait, and shared only for `&self` calls meanwhile.
        wait_ready(&state).await?;
        if state.phase.get() == Phase::Done {
            return Ok(());
        }
        state.poller.borrow_mut().take(&mut ready)?;
        let now = Now::read();
        let mut domain = state.domain.borrow_mut();
        // Before anybody else: a large put that waits for an empty commit would wait for ever.
        state.resume_stalled(&mut domain, now);
        for event in &ready {
            state.on_ready(&mut domain, now, event);
        }
        state.finish_turn(&mut domain, now);
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "`take` is called by this task only")]
async fn wait_ready(state: &CoreState) -> std::io::Result<()> {
    let poller = state.poller.borrow();
    poller.wait().await
}

impl CoreState {
    fn on_ready(&self, domain: &mut Domain, now: Now, event: &Ready) {
        match event.token {
            LISTENER => self.accept(domain),
            MESH => self.receive_mail(domain, now),
            STOP => self.bell.hear(),
            HTTP | HTTPS => self.http.accept(&self.poller.borrow(), event.token),
            ADMIN => {
                if let Some(admin) = &self.admin {
                    admin.accept(self);
                }
            }
            // Its task runs right behind this turn.
            token if Streams::owns(token) => self.http.streams().ready(event),
            _ => {
                let Domain { core, sessions, .. } = domain;
                sessions.ready(core, &self.poller.borrow(), now, event);
            }
        }
    }

    fn accept(&self, domain: &mut Domain) {
        let listener = self.listener.borrow();
        let Some(listener) = listener.as_ref() else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                // One more would leave no descriptors for segments; the client sees a reset.
                Ok(Some(socket)) if domain.sessions.len() >= self.sessions_max => drop(socket),
                Ok(Some(socket)) => {
                    domain.core.metrics.add(Counter::SessionsOpened, 1);
                    if let Err(error) = domain.sessions.open(&self.poller.borrow(), socket) {
                        tracing::warn!(%error, "a new connection cannot be watched");
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "connections cannot be accepted for a moment");
                    return self.stop_listening(listener);
                }
            }
        }
    }

    /// The listener stays readable while accepting fails: looking at it again would spin.
    fn stop_listening(&self, listener: &Listener) {
        let paused = self.poller.borrow().set(listener, LISTENER, false, false);
        self.listener_paused.set(paused.is_ok());
    }

    /// Looks at a listener that was left alone.
    pub fn listen_again(&self) {
        if self.listener_paused.replace(false)
            && let Some(listener) = self.listener.borrow().as_ref()
        {
            let resumed = self.poller.borrow().set(listener, LISTENER, true, false);
            self.listener_paused.set(resumed.is_err());
        }
    }

    fn receive_mail(&self, domain: &mut Domain, now: Now) {
        self.mesh.listen();
        let mut more = false;
        for from in (0..self.mesh.cores()).map(CoreId) {
            for taken in 0.. {
                if taken == MESSAGES_PER_TURN {
                    more = true;
                    break;
                }
                let Some(envelope) = self.mesh.receive(from) else { break };
                domain.core.metrics.add(Counter::MeshMessages, 1);
                self.on_envelope(domain, now, envelope);
            }
        }
        if more {
            self.mesh.ring_self();
        }
    }

    fn on_envelope(&self, domain: &mut Domain, now: Now, envelope: Envelope) {
        if envelope.view > domain.core.view().version() {
            // Its sender's later ones have that version at least: they stay in order.
            self.early.borrow_mut().push_back(envelope);
            return;
        }
        self.on_message(domain, now, envelope.message);
    }

    /// Looks at the messages that have waited for the view that was just installed.
    fn take_early(&self, domain: &mut Domain, now: Now) {
        for envelope in self.early.take() {
            self.on_envelope(domain, now, envelope);
        }
    }

    fn on_message(&self, domain: &mut Domain, now: Now, message: Message) {
        let Domain { core, sessions, exchange } = domain;
        match message {
            Message::Handover { socket, hello, received } => {
                let handed = (socket, hello, received);
                let adopted = sessions.adopt(core, &self.poller.borrow(), now, handed);
                if let Err(error) = adopted {
                    tracing::warn!(%error, "a handed-over connection cannot be watched");
                }
            }
            Message::Put { session, correlation, part, shard, batch } => {
                let bytes = batch.len();
                let waiter = PutWaiter::forwarded(session, correlation, part, bytes, now.mono);
                self.take_put(core, now, waiter, shard, batch);
            }
            Message::PutDone { session, correlation, part, run, message, bytes } => {
                core.forwarded_done(bytes);
                core.settle_put(session, correlation, part, run, message);
            }
            Message::Shard(request) => core.serve(now, request),
            Message::Frame { session, bytes } if session.is_exchange() => {
                exchange.frame(session, bytes);
            }
            Message::Frame { session, bytes } => sessions.frame(session, &bytes),
            Message::SessionClosed(session) => core.session_closed(session),
            Message::SessionBlocked { session, blocked } => core.session_blocked(session, blocked),
            Message::Control(request) => {
                self.control.borrow_mut().push_back(request);
                self.control_due.notify();
            }
            Message::ControlDone { session, outcome, .. } if session.is_exchange() => {
                exchange.control_done(session, outcome);
            }
            Message::ControlDone { session, correlation, outcome } => {
                sessions.control_done(session, correlation, &outcome);
            }
            Message::ViewChanged(view) => {
                let version = view.version();
                core.install_view(now, view);
                let message = Message::ViewInstalled { core: self.mesh.core(), version };
                core.outgoing.push(Outgoing { to: CoreId(0), message });
                self.take_early(domain, now);
            }
            Message::StopWrites(reason) => core.log.fail(reason),
            Message::Fence { attempt, shards } => core.fence(attempt, &shards),
            Message::Drained { attempt, shard, end, arrival } => {
                self.drained.borrow_mut().note(attempt, shard, (end, arrival));
                self.control_due.notify();
            }
            Message::Loads { core, loads } => self.loads.borrow_mut().push((core, loads)),
            Message::Ask { from, ticket, question } => {
                self.answer(core, sessions, now, (from, ticket, &question));
            }
            Message::Told { ticket, core, report } => {
                self.questions.borrow_mut().told(ticket, core, report);
            }
            Message::ShardStats { session, correlation, stream, after } => {
                let counts = ShardCounts::page(core.shard_stats(now, stream), after);
                sessions.shard_stats(session, correlation, &counts);
            }
            Message::ViewInstalled { version, .. } => {
                let (newest, cores) = self.installs.get();
                if version == newest {
                    self.installs.set((newest, cores + 1));
                    self.control_due.notify();
                }
            }
        }
    }

    /// Records that came in on another core.
    fn take_put(&self, core: &mut Core, now: Now, waiter: PutWaiter, to: ShardKey, batch: Vec<u8>) {
        if self.phase.get() >= Phase::Flushing {
            core.refuse_put(waiter, to, &batch);
        } else {
            core.put_or_park(now, waiter, to, batch);
        }
    }

    /// Delivers answers, pumps readers, sends, and starts what is due.
    pub fn finish_turn(&self, domain: &mut Domain, now: Now) {
        let Domain { core, sessions, exchange } = domain;
        core.finish_turn(now);
        // What is sent may make room for more; each round does strictly less.
        for _ in 0..4 {
            let answered = !core.effects.list.is_empty();
            sessions.deliver(core);
            if !core.effects.list.is_empty() {
                exchange.deliver(core);
            }
            if exchange.waits_for_room() && core.has_room(1) {
                exchange.wake_for_room();
            }
            sessions.flush_dirty(core, &self.poller.borrow());
            if sessions.has_stalled() && core.has_room(1) {
                sessions.resume(core, &self.poller.borrow(), now);
            }
            core.finish_turn(now);
            if core.effects.list.is_empty() && !(answered && sessions.has_stalled()) {
                break;
            }
        }
        self.start_reads(core);
        if core.has_dirty() {
            self.mesh.ring_self();
        }
        if !core.log.is_idle() {
            self.commit_due.notify();
        }
        self.send_mail(domain);
    }

    fn resume_stalled(&self, domain: &mut Domain, now: Now) {
        let Domain { core, sessions, .. } = domain;
        if sessions.has_stalled() && core.has_room(1) {
            sessions.resume(core, &self.poller.borrow(), now);
        }
    }

    fn start_reads(&self, core: &mut Core) {
        let mut reads = self.reads.borrow_mut();
        reads.extend(core.effects.reads.drain(..));
        while self.reads_running.get() < CATCH_UP_READS_MAX
            && let Some(job) = reads.pop_front()
        {
            self.reads_running.set(self.reads_running.get() + 1);
            start_read(job);
        }
    }

    fn send_mail(&self, domain: &mut Domain) {
        let Domain { core, sessions, .. } = domain;
        let mut outbox = self.outbox.borrow_mut();
        let view = core.view().version();
        for Outgoing { to, message } in sessions.outgoing.drain(..).chain(core.outgoing.drain(..)) {
            outbox.push(to, Envelope { view, message });
        }
        outbox.post(&self.mesh);
    }
}
