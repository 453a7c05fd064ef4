//! A wake for every core each 10 ms, from outside.
//!
//! glommio-ng 0.12 may put a core to sleep although it has runnable tasks: when the CQE of its
//! preemption timer arrives between its look at the rings and its look at its queues, it takes
//! "preempted" for "nothing to do" (`run_task_queues`). Nothing inside the core can help then, for
//! nothing inside runs. A foreign wake does, and a core that is awake pays nothing for it.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(10);

/// Where a core leaves its waker.
#[derive(Debug, Default)]
pub struct Pulse {
    /// The last wake was heard: the next one may be sent.
    heard: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The task of a core that hears its pulse. Never ends.
pub async fn pulsed(pulse: Arc<Pulse>) {
    poll_fn(|cx| {
        *pulse.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        pulse.heard.store(true, Ordering::Release);
        Poll::<()>::Pending
    })
    .await;
}

/// The thread that sends them. Ends when it is dropped.
#[derive(Debug)]
pub struct Heart {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Starts to wake the cores of these pulses.
    pub fn start(pulses: Vec<Arc<Pulse>>) -> io::Result<Heart> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("heart".to_owned()).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                pulses.iter().for_each(|pulse| pulse.send());
            }
        })?;
        Ok(Heart { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only waits and wakes: it cannot have panicked.
            let _ = thread.join();
        }
    }
}

impl Pulse {
    fn send(&self) {
        if self.heard.swap(false, Ordering::AcqRel) {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
