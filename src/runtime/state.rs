//! What the tasks of a core share.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::ids::{CoreId, Millis, Seq, ShardKey, StreamUuid};
use crate::base::stream::ShardLoad;
use crate::fanout::ReadJob;
use crate::gateway::exchange::Exchange;
use crate::mesh::Endpoint;
use crate::native::Sessions;
use crate::net::{Listener, Poller};
use crate::runtime::admin::Admin;
use crate::runtime::http::Http;
use crate::runtime::notify::Notify;
use crate::runtime::outbox::Outbox;
use crate::runtime::questions::Questions;
use crate::security::Credentials;
use crate::service::{ControlRequest, Core, Envelope};

/// Everything of one core.
#[derive(Debug)]
pub struct CoreState {
    /// The domain: shards, log, subscriptions, connections.
    pub domain: RefCell<Domain>,
    /// Readiness of its sockets.
    pub poller: RefCell<Poller>,
    /// Its listener, until the stop.
    pub listener: RefCell<Option<Listener>>,
    /// Its HTTP connections.
    pub http: Http,
    /// The admin port, on core 0, if there is one.
    pub admin: Option<Admin>,
    /// Questions to all cores that are not answered in full.
    pub questions: RefCell<Questions>,
    /// Its end of the mesh.
    pub mesh: Endpoint<Envelope>,
    /// Something is staged, or room in the ring was made.
    pub commit_due: Notify,
    /// Write-behind may have work.
    pub behind_due: Notify,
    /// Messages for other cores.
    pub outbox: RefCell<Outbox>,
    /// Reads that wait for others to finish.
    pub reads: RefCell<VecDeque<ReadJob>>,
    /// Reads in flight.
    pub reads_running: Cell<usize>,
    /// Requests over HTTP have begun a turn.
    pub gateway_due: Notify,
    /// Changes of the catalog, on core 0.
    pub control: RefCell<VecDeque<ControlRequest>>,
    /// There are some.
    pub control_due: Notify,
    /// One is being made: the stop waits for it.
    pub control_busy: Cell<bool>,
    /// Deleted streams whose files are gone, or could not be removed, on core 0.
    pub removed: RefCell<Vec<(StreamUuid, bool)>>,
    /// Deleted streams whose files are being removed, on core 0: the stop waits for them.
    pub removals: Cell<usize>,
    /// It is time to look after the streams, on core 0.
    pub upkeep_due: Cell<bool>,
    /// Ends of the shards that a reshard closes, on core 0.
    pub drained: RefCell<DrainedShards>,
    /// What on-demand shards have taken in, on core 0.
    pub loads: RefCell<Vec<(CoreId, Vec<ShardLoad>)>>,
    /// Messages of cores that have a newer view already: they wait until this core has it too.
    pub early: RefCell<VecDeque<Envelope>>,
    /// Cores that have installed the newest view, on core 0.
    pub installs: Cell<(u64, u16)>,
    /// What all cores share with whoever started them.
    pub shared: Arc<Shared>,
    /// Its own stop bell.
    pub bell: StopBell,
    /// Where the core is in its stop.
    pub phase: Cell<Phase>,
    /// This core is among the drained ones.
    pub counted_drained: Cell<bool>,
    /// The listener is left alone until the next tick: accepting has failed.
    pub listener_paused: Cell<bool>,
    /// Segments that write-behind keeps open.
    pub open_segments_max: usize,
    /// Connections that this core serves.
    pub sessions_max: usize,
    /// The data dir.
    pub data_dir: PathBuf,
}

/// The domain of a core.
#[derive(Debug)]
pub struct Domain {
    /// Shards, log, subscriptions.
    pub core: Core,
    /// Connections.
    pub sessions: Sessions,
    /// Requests over HTTP.
    pub exchange: Exchange,
}

/// Ends of the shards that a reshard closes: behind the last record, and when that arrived.
#[derive(Debug, Default)]
pub struct DrainedShards {
    /// Version of the view that announced it. What belongs to another one comes too late.
    attempt: u64,
    ends: HashMap<ShardKey, (Seq, Millis)>,
}

impl DrainedShards {
    /// A reshard begins: nothing is known yet.
    pub fn begin(&mut self, attempt: u64) {
        *self = DrainedShards { attempt, ends: HashMap::new() };
    }

    /// A shard has said where it ends.
    pub fn note(&mut self, attempt: u64, shard: ShardKey, end: (Seq, Millis)) {
        if attempt == self.attempt {
            self.ends.insert(shard, end);
        }
    }

    /// Those that have said it.
    #[must_use]
    pub fn ends(&self) -> &HashMap<ShardKey, (Seq, Millis)> {
        &self.ends
    }
}

/// A core's way from serving to stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// In use.
    Serving,
    /// Requests in flight are answered, new ones refused.
    Draining,
    /// Nothing is staged; segments take what is left.
    Flushing,
    /// Everything is in segments.
    Done,
}

/// What all cores share with whoever started them.
#[derive(Debug, Default)]
pub struct Shared {
    /// Stop in order.
    pub stop: AtomicBool,
    /// Cores that have no more requests in flight.
    pub drained: AtomicU16,
    /// A core ended with records that no segment has: the next boot must replay.
    pub unclean: AtomicBool,
    /// The keys that count for the AWS API.
    credentials: Mutex<Arc<Credentials>>,
    /// Why the server failed; the first reason counts.
    failure: Mutex<Option<String>>,
}

impl Shared {
    /// These keys count from now on.
    pub fn set_credentials(&self, credentials: Arc<Credentials>) {
        *self.credentials.lock().unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    /// The keys that count.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records a failure, after which the server stops without draining.
    pub fn fail(&self, reason: &str) {
        tracing::error!(%reason, "the log has failed: no more writes are acknowledged");
        self.note_failure(reason);
    }

    /// Records a failure and logs nothing.
    pub fn note_failure(&self, reason: &str) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| reason.to_owned());
    }

    /// Why the server failed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An eventfd by which another thread asks a core to look at [`Shared`].
#[derive(Debug)]
pub struct StopBell(OwnedFd);

impl StopBell {
    /// A silent bell.
    pub fn new() -> io::Result<StopBell> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        Ok(StopBell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// A second handle of it.
    pub fn try_clone(&self) -> io::Result<StopBell> {
        self.0.try_clone().map(StopBell)
    }

    /// Rings it.
    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: an eventfd takes 8 bytes.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Silences it.
    pub fn hear(&self) {
        let mut count = 0u64;
        // SAFETY: an eventfd gives 8 bytes.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl AsFd for StopBell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl CoreState {
    /// Whether the log has failed, here or on another core.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.shared.failure().is_some()
    }

    /// A write of this core's log failed: nothing more is acknowledged, reads go on until the
    /// process ends.
    pub fn fail(&self, reason: &str) {
        self.domain.borrow_mut().core.log.fail(reason.to_owned());
        self.shared.fail(reason);
    }

    /// Ends the connections of the admin port.
    pub fn abort_admin(&self) {
        if let Some(admin) = &self.admin {
            admin.abort();
        }
    }

    /// Whether the stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ShardNumber;

    #[test]
    fn the_end_of_a_shard_counts_for_the_reshard_that_asked_for_it_only() {
        let shard = |n| ShardKey { stream: StreamUuid([3; 16]), number: ShardNumber(n) };
        let mut drained = DrainedShards::default();
        drained.begin(7);
        drained.note(7, shard(0), (Seq(5), Millis(9)));
        assert_eq!(drained.ends()[&shard(0)], (Seq(5), Millis(9)));
        drained.begin(9);
        drained.note(7, shard(1), (Seq(6), Millis(9)));
        assert!(drained.ends().is_empty(), "what was given up comes late");
        drained.note(9, shard(1), (Seq(8), Millis(9)));
        assert_eq!(drained.ends().len(), 1);
    }
}
