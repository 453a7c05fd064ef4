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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::task::{Remote, TaskId};
    use super::*;

    const TURN: Duration = Duration::from_micros(20);

    fn task(queue: QueueId) -> Arc<Header> {
        let bell = File::open("/dev/null").unwrap().into();
        let id = TaskId { slot: 0, generation: 0 };
        Header::ready(id, queue, Arc::new(Remote::new(bell)))
    }

    /// Lets each of these queues have a task that is always ready; the turns of each.
    fn turns<const N: usize>(queues: &mut Queues, ids: [QueueId; N], of: usize) -> [usize; N] {
        ids.iter().for_each(|id| queues.push(task(*id)));
        let mut turns = [0; N];
        for _ in 0..of {
            let (queue, ready) = queues.next().unwrap();
            assert_eq!(ready, 1);
            let task = queues.pop(queue).unwrap();
            queues.push(task);
            if queues.others_wait(queue) {
                queues.charge(queue, TURN);
            }
            turns[ids.iter().position(|id| *id == queue).unwrap()] += 1;
        }
        ids.iter().for_each(|id| drop(queues.pop(*id)));
        turns
    }

    #[test]
    fn a_queue_with_a_tenth_of_the_shares_gets_a_tenth_of_the_turns() {
        let mut queues = Queues::new();
        let (many, few) = (queues.add(1000), queues.add(100));
        let [of_many, of_few] = turns(&mut queues, [many, few], 1100);
        assert!((990..=1010).contains(&of_many), "{of_many} against {of_few}");
    }

    #[test]
    fn a_queue_that_was_idle_has_saved_nothing_up_and_lost_nothing() {
        let mut queues = Queues::new();
        let (steady, late) = (queues.add(100), queues.add(100));
        let other = queues.add(100);
        turns(&mut queues, [steady, other], 10_000);
        let [of_steady, of_late] = turns(&mut queues, [steady, late], 100);
        assert!((49..=51).contains(&of_late), "{of_late} against {of_steady}");
        // Alone it pays nothing, and so it has not fallen behind either.
        turns(&mut queues, [late], 10_000);
        let [of_steady, of_late] = turns(&mut queues, [steady, late], 100);
        assert!((49..=51).contains(&of_late), "{of_late} against {of_steady}");
    }
}
