//! The helper thread of a core, for what would block it: directories, catalog writes.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use super::executor;

type Job = Box<dyn FnOnce() + Send>;

/// Ends when its core does, after what it was given.
#[derive(Debug)]
pub(super) struct Helper(mpsc::Sender<Job>);

impl Helper {
    pub(super) fn start(core: &str) -> io::Result<Helper> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let name = format!("{core}-files");
        thread::Builder::new().name(name).spawn(move || jobs.into_iter().for_each(|job| job()))?;
        Ok(Helper(sender))
    }

    pub(super) fn give(&self, job: Job) {
        self.0.send(job).expect("the helper lives as long as its core");
    }
}

/// What came of a job, and who waits for it.
struct Slot<R> {
    result: Option<thread::Result<R>>,
    waiting: Option<Waker>,
}

/// Runs `work` on the helper thread of this core. Jobs are done one after the other. A panic
/// there is one here.
pub async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let slot = Arc::new(Mutex::new(Slot { result: None, waiting: None }));
    let done = slot.clone();
    executor::give_helper(Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut slot = done.lock().unwrap_or_else(PoisonError::into_inner);
        slot.result = Some(result);
        if let Some(waker) = slot.waiting.take() {
            waker.wake();
        }
    }));
    let result = poll_fn(|cx| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = slot.result.take() {
            return Poll::Ready(result);
        }
        slot.waiting = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
    result.unwrap_or_else(|panic| resume_unwind(panic))
}
