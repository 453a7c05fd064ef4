//! Runs the tasks of HTTP/2 on the load generator's own thread, between two looks at the sockets.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks of one thread. Clones share them.
#[derive(Clone, Default)]
pub struct Executor {
    tasks: Rc<RefCell<Tasks>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Tasks {
    places: Vec<Place>,
    free: Vec<usize>,
}

struct Place {
    /// None while it runs, and when it has ended.
    task: Option<Task>,
    call: Arc<Call>,
}

/// The places of tasks that can go on, in the order in which they were woken.
#[derive(Default)]
struct Woken(Mutex<VecDeque<usize>>);

/// What wakes a task.
struct Call {
    place: usize,
    /// It already stands among the woken.
    called: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.called.swap(true, Ordering::AcqRel) {
            self.woken.0.lock().expect("nobody panics with it").push_back(self.place);
        }
    }
}

impl Executor {
    /// Adds a task; it first runs with the next [`Executor::run`].
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let place = tasks.free.pop().unwrap_or(tasks.places.len());
        let woken = Arc::clone(&self.woken);
        let call = Arc::new(Call { place, called: AtomicBool::new(false), woken });
        call.wake_by_ref();
        let new = Place { task: Some(Box::pin(task)), call };
        if place == tasks.places.len() {
            tasks.places.push(new);
        } else {
            tasks.places[place] = new;
        }
    }

    /// Runs tasks until each waits for something.
    pub fn run(&self) {
        while let Some(place) = self.next() {
            let mut tasks = self.tasks.borrow_mut();
            let Place { task, call } = &mut tasks.places[place];
            let Some(mut taken) = task.take() else { continue };
            call.called.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(call));
            // It may spawn others.
            drop(tasks);
            let ended = taken.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let mut tasks = self.tasks.borrow_mut();
            if ended {
                tasks.free.push(place);
            } else {
                tasks.places[place].task = Some(taken);
            }
        }
    }

    fn next(&self) -> Option<usize> {
        self.woken.0.lock().expect("nobody panics with it").pop_front()
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executor({} places)", self.tasks.borrow().places.len())
    }
}

/// Runs hyper's tasks.
impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    #[test]
    fn a_task_runs_when_it_is_woken_and_at_no_other_time() {
        let (executor, runs) = (Executor::default(), Rc::new(Cell::new(0)));
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        let (counted, kept) = (Rc::clone(&runs), Rc::clone(&waker));
        executor.spawn(poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            *kept.borrow_mut() = Some(cx.waker().clone());
            if counted.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        executor.run();
        executor.run();
        assert_eq!(runs.get(), 1);
        let wake = || waker.borrow().as_ref().expect("it has run").wake_by_ref();
        wake();
        wake();
        executor.run();
        assert_eq!(runs.get(), 2, "two calls before it runs are one");
        wake();
        executor.run();
        wake();
        executor.run();
        assert_eq!(runs.get(), 3, "it has ended");
    }

    #[test]
    fn a_task_may_wake_itself_and_start_others_in_the_place_of_one_that_ended() {
        let (executor, log) = (Executor::default(), Rc::new(RefCell::new(Vec::new())));
        let (spawner, outer) = (executor.clone(), Rc::clone(&log));
        let mut first = true;
        executor.spawn(poll_fn(move |cx| {
            if std::mem::take(&mut first) {
                outer.borrow_mut().push("again");
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let inner = Rc::clone(&outer);
            spawner.spawn(async move { inner.borrow_mut().push("inner") });
            outer.borrow_mut().push("done");
            Poll::Ready(())
        }));
        executor.run();
        let last = Rc::clone(&log);
        executor.spawn(async move { last.borrow_mut().push("last") });
        executor.run();
        assert_eq!(*log.borrow(), ["again", "done", "inner", "last"]);
        assert_eq!(executor.tasks.borrow().places.len(), 2);
    }
}
