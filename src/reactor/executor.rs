//! The loop of a core.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::blocking::Helper;
use super::buffers::Pool;
use super::queue::{QueueId, Queues};
use super::ring::Ring;
use super::task::{Header, Outcome, Remote, Task, TaskId};
use super::timers::Timers;

/// Tasks of one queue that run before the others are looked at.
const TASKS_PER_TURN: usize = 64;
/// While tasks are ready, the ring is visited this often.
const VISIT_EVERY: Duration = Duration::from_micros(100);
/// An idle core wakes up at least this often.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// How a core runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of its thread.
    pub name: String,
    /// The CPU that it has; `None` is any.
    pub cpu: Option<usize>,
    /// Bytes of memory that its ring knows, resident from the start.
    pub memory: usize,
    /// How long it looks for work before it sleeps.
    pub spin: Duration,
}

type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A place for a task.
struct Slot {
    generation: u64,
    /// `None` while it runs, and when the place is free.
    future: Option<TaskFuture>,
}

#[derive(Default)]
struct Tasks {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

/// A core, for what runs on it.
struct Core {
    // The ring is dropped first: the kernel forgets memory before it is given back.
    ring: RefCell<Ring>,
    tasks: RefCell<Tasks>,
    queues: RefCell<Queues>,
    timers: RefCell<Timers>,
    remote: Arc<Remote>,
    helper: Helper,
    pool: Rc<Pool>,
    spin: Duration,
}

thread_local! {
    /// The core whose thread this is.
    static CORE: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// Something of this thread's core; `None` elsewhere, and when the thread ends.
fn with_core<R>(look: impl FnOnce(&Core) -> R) -> Option<R> {
    CORE.try_with(|core| core.borrow().as_deref().map(look)).ok().flatten()
}

fn on_core<R>(look: impl FnOnce(&Core) -> R) -> R {
    with_core(look).expect("this runs on a core")
}

pub(super) fn with_ring<R>(act: impl FnOnce(&mut Ring) -> R) -> Option<R> {
    with_core(|core| act(&mut core.ring.borrow_mut()))
}

pub(super) fn with_timers<R>(act: impl FnOnce(&mut Timers) -> R) -> Option<R> {
    with_core(|core| act(&mut core.timers.borrow_mut()))
}

pub(super) fn pool() -> Option<Rc<Pool>> {
    with_core(|core| core.pool.clone())
}

pub(super) fn give_helper(job: Box<dyn FnOnce() + Send>) {
    on_core(|core| core.helper.give(job));
}

/// False if the task is another core's.
pub(super) fn make_ready(task: &Arc<Header>, of: &Arc<Remote>) -> bool {
    with_core(|core| {
        let own = Arc::ptr_eq(&core.remote, of);
        if own {
            core.queues.borrow_mut().push(task.clone());
        }
        own
    }) == Some(true)
}

pub(super) fn cancel(id: TaskId) {
    // Dropped when nothing is borrowed: it may do anything.
    drop(on_core(|core| core.tasks.borrow_mut().remove(id)));
}

/// Makes a queue of this core. The main queue has 1000 shares.
#[must_use]
pub fn queue(shares: u32) -> QueueId {
    on_core(|core| core.queues.borrow_mut().add(shares))
}

/// Starts a task in the main queue.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    spawn_into(QueueId::MAIN, future)
}

/// Starts a task. It runs when those that are ready before it have run.
pub fn spawn_into<T: 'static>(
    queue: QueueId,
    future: impl Future<Output = T> + 'static,
) -> Task<T> {
    let outcome = Outcome::pending();
    let told = outcome.clone();
    let future = Box::pin(async move { told.set(future.await) });
    let id = on_core(|core| {
        let header = core.tasks.borrow_mut().add(future, queue, &core.remote);
        let id = header.id;
        core.queues.borrow_mut().push(header);
        id
    });
    Task { id, outcome }
}

/// Starts a core: a thread that ends with its first task, which `main` makes there.
pub fn start<F>(
    settings: Settings,
    main: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>>
where
    F: Future<Output = ()> + 'static,
{
    let (started, starts) = mpsc::channel();
    let thread = thread::Builder::new().name(settings.name.clone()).spawn(move || {
        match Core::new(&settings) {
            Ok(core) => {
                CORE.set(Some(Rc::new(core)));
                // Whoever started it may be gone; it runs all the same.
                let _ = started.send(Ok(()));
                run(main);
            }
            Err(error) => drop(started.send(Err(error))),
        }
    })?;
    match starts.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("its thread has ended")),
    }
}

fn run<F: Future<Output = ()> + 'static>(main: impl FnOnce() -> F) {
    let core = CORE.with_borrow(|core| core.clone().expect("it was just set"));
    // A panic leaves tasks, buffers and ring as they are: the kernel may still write there.
    let core = ManuallyDrop::new(core);
    let main = pin!(spawn(main()));
    core.run_until(|| main.outcome.is_over());
    core.end();
    CORE.set(None);
    drop(ManuallyDrop::into_inner(core));
}

impl Core {
    fn new(settings: &Settings) -> io::Result<Core> {
        if let Some(cpu) = settings.cpu {
            pin_to(cpu)?;
        }
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        let remote = Arc::new(Remote::new(unsafe { OwnedFd::from_raw_fd(fd) }));
        let ring = Ring::new(remote.bell())?;
        let pool = Pool::new(settings.memory);
        // Some limits of locked memory are small: then writes pin pages one by one.
        let _ = ring.register(&pool);
        Ok(Core {
            ring: RefCell::new(ring),
            tasks: RefCell::default(),
            queues: RefCell::new(Queues::new()),
            timers: RefCell::default(),
            remote,
            helper: Helper::start(&settings.name)?,
            pool,
            spin: settings.spin,
        })
    }

    fn run_until(&self, over: impl Fn() -> bool) {
        let mut woken = Vec::new();
        let mut idle_since = Instant::now();
        while !over() {
            let now = Instant::now();
            self.wake_due(now);
            let (worked, now) = self.run_ready(now);
            if worked {
                idle_since = now;
            }
            let idle = self.queues.borrow().is_empty() && !over();
            let wait = if idle { self.time_to_sleep(idle_since, now) } else { None };
            self.ring.borrow_mut().visit(wait, &mut woken);
            woken.drain(..).for_each(Waker::wake);
            for task in self.remote.take() {
                self.queues.borrow_mut().push(task);
            }
        }
    }

    /// `None` is not at all.
    fn time_to_sleep(&self, idle_since: Instant, now: Instant) -> Option<Duration> {
        if now < idle_since + self.spin {
            return None;
        }
        let due = self.timers.borrow().earliest();
        let time = due.map_or(SLEEP_MAX, |at| at.saturating_duration_since(now).min(SLEEP_MAX));
        (!time.is_zero()).then_some(time)
    }

    fn wake_due(&self, now: Instant) {
        while let Some(waker) = { self.timers.borrow_mut().take_due(now) } {
            waker.wake();
        }
    }

    /// Runs tasks until none is ready or the ring is due. Whether there was one, and the time then.
    fn run_ready(&self, start: Instant) -> (bool, Instant) {
        let mut before = start;
        let mut worked = false;
        loop {
            let Some((queue, ready)) = self.queues.borrow_mut().next() else { break };
            for _ in 0..ready.min(TASKS_PER_TURN) {
                let task = self.queues.borrow_mut().pop(queue);
                self.run_task(&task.expect("so many are ready"));
            }
            let now = Instant::now();
            if self.queues.borrow().others_wait(queue) {
                self.queues.borrow_mut().charge(queue, now - before);
            }
            (before, worked) = (now, true);
            if now - start >= VISIT_EVERY {
                break;
            }
        }
        (worked, before)
    }

    fn run_task(&self, header: &Arc<Header>) {
        header.begin();
        let Some(mut future) = self.tasks.borrow_mut().take(header.id) else { return };
        let waker = Waker::from(header.clone());
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        // Dropped when nothing is borrowed.
        drop(match polled {
            Poll::Ready(()) => self.tasks.borrow_mut().remove(header.id),
            Poll::Pending => self.tasks.borrow_mut().put_back(header.id, future),
        });
    }

    /// Drops all tasks, and waits until the kernel has finished with their memory.
    fn end(&self) {
        let futures = self.tasks.borrow_mut().take_all();
        drop(futures);
        let mut woken = Vec::new();
        while self.ring.borrow().in_flight() > 0 {
            self.ring.borrow_mut().cancel_all();
            self.ring.borrow_mut().visit(Some(Duration::from_millis(10)), &mut woken);
            woken.clear();
        }
    }
}

impl Tasks {
    fn add(&mut self, future: TaskFuture, queue: QueueId, remote: &Arc<Remote>) -> Arc<Header> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, future: None });
            self.slots.len() - 1
        });
        let place = &mut self.slots[slot];
        let id = TaskId { slot, generation: place.generation };
        let header = Header::ready(id, queue, remote.clone());
        place.future = Some(future);
        header
    }

    fn slot(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot).filter(|slot| slot.generation == id.generation)
    }

    /// `None` if it has ended.
    fn take(&mut self, id: TaskId) -> Option<TaskFuture> {
        self.slot(id)?.future.take()
    }

    /// Gives it back if it was cancelled meanwhile.
    fn put_back(&mut self, id: TaskId, future: TaskFuture) -> Option<TaskFuture> {
        match self.slot(id) {
            Some(slot) => {
                slot.future = Some(future);
                None
            }
            None => Some(future),
        }
    }

    fn remove(&mut self, id: TaskId) -> Option<TaskFuture> {
        let slot = self.slot(id)?;
        slot.generation += 1;
        let future = slot.future.take();
        self.free.push(id.slot);
        future
    }

    fn take_all(&mut self) -> Vec<TaskFuture> {
        self.slots.iter_mut().filter_map(|slot| slot.future.take()).collect()
    }
}

/// Gives this thread one CPU.
fn pin_to(cpu: usize) -> io::Result<()> {
    // SAFETY: an all-zero set is an empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours; a number that is too large panics.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set lives through the call; 0 is this thread.
    let set = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
