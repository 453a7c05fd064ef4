//! Ready tasks by purpose: each queue has a share of the CPU where several want it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::task::Header;

/// A queue of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueId(pub(super) u8);

impl QueueId {
    /// The one that every core has, with as many shares as one made with 1000.
    pub const MAIN: QueueId = QueueId(0);
}

#[derive(Debug)]
struct Queue {
    ready: VecDeque<Arc<Header>>,
    shares: u32,
    /// CPU time that its tasks had, in nanoseconds of a queue with one share.
    used: u64,
}

/// All queues of a core.
#[derive(Debug)]
pub(super) struct Queues {
    list: Vec<Queue>,
    ready: usize,
    /// What the queue that ran last had used when it was its turn. It only grows.
    turn: u64,
}

impl Queues {
    pub(super) fn new() -> Queues {
        let mut queues = Queues { list: Vec::new(), ready: 0, turn: 0 };
        queues.add(1000);
        queues
    }

    pub(super) fn add(&mut self, shares: u32) -> QueueId {
        assert!(shares > 0, "a queue without shares would never run");
        let id = u8::try_from(self.list.len()).expect("a core has few queues");
        self.list.push(Queue { ready: VecDeque::new(), shares, used: self.turn });
        QueueId(id)
    }

    /// Whether no task is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    pub(super) fn push(&mut self, task: Arc<Header>) {
        let queue = &mut self.list[usize::from(task.queue().0)];
        // Who did not want the CPU has not saved it up.
        queue.used = queue.used.max(self.turn);
        queue.ready.push_back(task);
        self.ready += 1;
    }

    /// The queue that is next, of those with ready tasks: the one that has had least.
    pub(super) fn next(&mut self) -> Option<(QueueId, usize)> {
        let busy = self.list.iter().enumerate().filter(|(_, queue)| !queue.ready.is_empty());
        let (at, queue) = busy.min_by_key(|(_, queue)| queue.used)?;
        self.turn = queue.used;
        Some((QueueId(at as u8), queue.ready.len()))
    }

    pub(super) fn pop(&mut self, from: QueueId) -> Option<Arc<Header>> {
        let task = self.list[usize::from(from.0)].ready.pop_front()?;
        self.ready -= 1;
        Some(task)
    }

    /// Whether anybody waits beside this queue.
    pub(super) fn others_wait(&self, queue: QueueId) -> bool {
        self.ready > self.list[usize::from(queue.0)].ready.len()
    }

    pub(super) fn charge(&mut self, queue: QueueId, time: Duration) {
        let queue = &mut self.list[usize::from(queue.0)];
        queue.used += time.as_nanos() as u64 * 1000 / u64::from(queue.shares);
    }
}
