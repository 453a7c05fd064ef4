//! Rank 2: the only way between cores: a bounded mailbox for each ordered pair of them.
//!
//! A core's mailboxes wake it through one eventfd, which it watches with its sockets. A wake is
//! sent only to a core that said it would look no more before it sleeps.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_queue::ArrayQueue;

use crate::base::ids::CoreId;
use crate::base::limits::MAILBOX_MESSAGES;

/// One core's end of the mesh.
#[derive(Debug)]
pub struct Endpoint<T> {
    me: CoreId,
    bell: Arc<Bell>,
    /// By sender.
    inboxes: Vec<Arc<ArrayQueue<T>>>,
    /// By receiver.
    outboxes: Vec<(Arc<ArrayQueue<T>>, Arc<Bell>)>,
}

#[derive(Debug)]
struct Bell {
    eventfd: OwnedFd,
    /// Rung and not yet heard: further rings would say nothing new.
    rung: AtomicBool,
}

/// Endpoints for `cores` cores, in their order.
pub fn connect<T>(cores: u16) -> io::Result<Vec<Endpoint<T>>> {
    let bells = (0..cores).map(|_| Bell::new().map(Arc::new)).collect::<io::Result<Vec<_>>>()?;
    let boxes: Vec<Vec<Arc<ArrayQueue<T>>>> = (0..cores)
        .map(|_| (0..cores).map(|_| Arc::new(ArrayQueue::new(MAILBOX_MESSAGES))).collect())
        .collect();
    let endpoint = |me: u16| Endpoint {
        me: CoreId(me),
        bell: bells[usize::from(me)].clone(),
        inboxes: boxes.iter().map(|from| from[usize::from(me)].clone()).collect(),
        outboxes: boxes[usize::from(me)].iter().cloned().zip(bells.iter().cloned()).collect(),
    };
    Ok((0..cores).map(endpoint).collect())
}

impl<T> Endpoint<T> {
    /// Whose end this is.
    #[must_use]
    pub fn core(&self) -> CoreId {
        self.me
    }

    /// Number of cores.
    #[must_use]
    pub fn cores(&self) -> u16 {
        u16::try_from(self.outboxes.len()).expect("cores are counted in 16 bits")
    }

    /// Posts a message. A full mailbox gives it back: the sender keeps it and tries again later.
    pub fn send(&self, to: CoreId, message: T) -> Result<(), T> {
        let (outbox, bell) = &self.outboxes[usize::from(to.0)];
        outbox.push(message)?;
        bell.ring();
        Ok(())
    }

    /// Takes the next message of `from`.
    #[must_use]
    pub fn receive(&self, from: CoreId) -> Option<T> {
        self.inboxes[usize::from(from.0)].pop()
    }

    /// Whether a message waits.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.inboxes.iter().any(|inbox| !inbox.is_empty())
    }

    /// Wakes this core itself, once it has gone round its executor.
    pub fn ring_self(&self) {
        self.bell.ring();
    }

    /// Makes the next message ring again. Call it before a round of [`Endpoint::receive`].
    pub fn listen(&self) {
        self.bell.hear();
    }
}

/// Becomes readable when a message arrives.
impl<T> AsFd for Endpoint<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.eventfd.as_fd()
    }
}

impl Bell {
    fn new() -> io::Result<Bell> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        Ok(Bell { eventfd: unsafe { OwnedFd::from_raw_fd(fd) }, rung: AtomicBool::new(false) })
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let one = 1u64;
            // SAFETY: an eventfd takes 8 bytes. It cannot be full: it counts single rings.
            unsafe { libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
        }
    }

    fn hear(&self) {
        let mut count = 0u64;
        // SAFETY: an eventfd gives 8 bytes.
        unsafe { libc::read(self.eventfd.as_raw_fd(), (&raw mut count).cast(), 8) };
        // After the read: a message posted in between rings again. The fence keeps the receives
        // that follow behind the store, or a message could come between them and not ring.
        self.rung.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_a_full_mailbox_gives_them_back() {
        let ends = connect::<usize>(2).unwrap();
        for i in 0..MAILBOX_MESSAGES {
            ends[0].send(CoreId(1), i).unwrap();
        }
        assert_eq!(ends[0].send(CoreId(1), 7), Err(7));
        let got: Vec<_> = std::iter::from_fn(|| ends[1].receive(CoreId(0))).collect();
        assert_eq!(got, (0..MAILBOX_MESSAGES).collect::<Vec<_>>());
        assert_eq!(ends[1].receive(CoreId(1)), None);
    }

    #[test]
    fn no_message_is_missed_between_listening_and_receiving() {
        let mut ends = connect::<u64>(2).unwrap();
        let receiver = ends.pop().unwrap();
        let sender = ends.pop().unwrap();
        let thread = std::thread::spawn(move || {
            for i in 0..100_000 {
                while sender.send(CoreId(1), i).is_err() {
                    std::hint::spin_loop();
                }
            }
        });
        let mut next = 0;
        while next < 100_000 {
            let mut fd =
                libc::pollfd { fd: receiver.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd that outlives the call.
            let n = unsafe { libc::poll(&mut fd, 1, 10_000) };
            assert_eq!(n, 1, "a message was posted and no bell rang, at {next}");
            receiver.listen();
            while let Some(i) = receiver.receive(CoreId(0)) {
                assert_eq!(i, next);
                next += 1;
            }
        }
        thread.join().unwrap();
    }
}
