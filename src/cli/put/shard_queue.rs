//! The batches of one shard on their way: which may be sent, and what a refusal holds back.
//!
//! Pure: the caller sends, and passes the time. Two rules keep order: batches in flight together
//! share no partition key, and once a batch was refused nothing else is sent before it, and from
//! then on only one batch at a time.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::cli::pause::Backoff;
use crate::record::HashKey;

/// A finished batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u32,
    /// Of its records' data.
    pub(super) data_bytes: u64,
    /// Hashes of its partition keys, each once.
    keys: Vec<u64>,
    /// When the server refused it first.
    pub(super) refused_at: Option<Instant>,
}

impl Batch {
    pub(super) fn new(bytes: Vec<u8>, records: u32, data_bytes: u64, mut keys: Vec<u64>) -> Batch {
        keys.sort_unstable();
        keys.dedup();
        Batch { bytes, records, data_bytes, keys, refused_at: None }
    }
}

/// A batch that was sent.
#[derive(Debug)]
struct Sent {
    correlation: u64,
    /// `None` once it is answered.
    batch: Option<Batch>,
    /// What of it goes again.
    again: Option<Batch>,
}

/// The batches of one shard.
#[derive(Debug)]
pub(super) struct ShardQueue {
    window: usize,
    waiting: VecDeque<Batch>,
    /// In the order in which they were sent.
    sent: VecDeque<Sent>,
    keys: HashSet<u64>,
    backoff: Backoff,
    resume_at: Option<Instant>,
}

impl ShardQueue {
    pub(super) fn new(window: usize, seed: u64) -> ShardQueue {
        ShardQueue {
            window,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            keys: HashSet::new(),
            backoff: Backoff::new(seed),
            resume_at: None,
        }
    }

    /// A batch behind all others.
    pub(super) fn push(&mut self, batch: Batch) {
        self.waiting.push_back(batch);
    }

    /// The batch that may be sent now.
    pub(super) fn sendable(&self, now: Instant) -> Option<&Batch> {
        let batch = self.waiting.front()?;
        let held_back = self.sent.len() >= self.window
            || self.sent.iter().any(|sent| sent.again.is_some())
            || self.resume_at.is_some_and(|at| now < at)
            || batch.keys.iter().any(|key| self.keys.contains(key));
        (!held_back).then_some(batch)
    }

    /// The sendable batch was sent.
    pub(super) fn sent(&mut self, correlation: u64) {
        let batch = self.waiting.pop_front().expect("a batch was sendable");
        self.keys.extend(&batch.keys);
        self.sent.push_back(Sent { correlation, batch: Some(batch), again: None });
    }

    /// The batch that was sent with this correlation, once.
    pub(super) fn answered(&mut self, correlation: u64) -> Option<Batch> {
        let sent = self.sent.iter_mut().find(|sent| sent.correlation == correlation)?;
        sent.batch.take()
    }

    /// Nothing of the answered batch goes again.
    pub(super) fn settle(&mut self, correlation: u64, batch: &Batch) {
        self.release(&batch.keys);
        self.sent.retain(|sent| sent.correlation != correlation);
        if self.sent.iter().all(|sent| sent.again.is_none()) {
            self.resume_at = None;
            self.backoff.reset();
        }
        self.requeue();
    }

    /// The answered batch was refused, wholly or in part: `rest` goes again, before anything that
    /// was not sent yet.
    pub(super) fn refuse(&mut self, correlation: u64, batch: &Batch, rest: Batch, now: Instant) {
        self.release(&batch.keys);
        let rest = Batch { refused_at: Some(batch.refused_at.unwrap_or(now)), ..rest };
        let sent = self.sent.iter_mut().find(|sent| sent.correlation == correlation);
        sent.expect("an answered batch was sent").again = Some(rest);
        if self.resume_at.is_none_or(|at| at <= now) {
            self.resume_at = Some(now + self.backoff.step());
        }
        self.window = 1;
        self.requeue();
    }

    /// Once nothing is in flight any more, the refused batches stand in front in their old order.
    fn requeue(&mut self) {
        if self.sent.iter().any(|sent| sent.again.is_none()) {
            return;
        }
        for sent in self.sent.drain(..).rev() {
            self.waiting.push_front(sent.again.expect("all that is left was refused"));
        }
    }

    fn release(&mut self, keys: &[u64]) {
        for key in keys {
            self.keys.remove(key);
        }
    }

    /// When a batch that waits only for time may be sent.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.waiting.is_empty() || !self.sent.is_empty() { None } else { self.resume_at }
    }
}

/// Tells partition keys apart well enough: a collision only makes a batch wait for another.
pub(super) fn key_tag(hash: HashKey) -> u64 {
    hash.0 as u64
}

/// Whether a batch that was refused at `now` may be tried again.
pub(super) fn may_retry(batch: &Batch, now: Instant, retry_for: Duration) -> bool {
    batch.refused_at.is_none_or(|first| now < first + retry_for)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(name: u8, keys: &[u64]) -> Batch {
        Batch::new(vec![name], 1, 1, keys.to_vec())
    }

    /// Sends what may be sent, with correlations equal to the batches' names.
    fn send_all(queue: &mut ShardQueue, now: Instant) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Some(batch) = queue.sendable(now) {
            let name = batch.bytes[0];
            queue.sent(u64::from(name));
            sent.push(name);
        }
        sent
    }

    fn store(queue: &mut ShardQueue, name: u8) {
        let batch = queue.answered(u64::from(name)).unwrap();
        queue.settle(u64::from(name), &batch);
    }

    fn refuse(queue: &mut ShardQueue, name: u8, now: Instant) {
        let batch = queue.answered(u64::from(name)).unwrap();
        queue.refuse(u64::from(name), &batch, batch.clone(), now);
    }

    fn queue(window: usize, batches: &[Batch]) -> ShardQueue {
        let mut queue = ShardQueue::new(window, 1);
        batches.iter().cloned().for_each(|batch| queue.push(batch));
        queue
    }

    #[test]
    fn a_window_of_batches_is_in_flight() {
        let now = Instant::now();
        let mut queue = queue(2, &[batch(1, &[1]), batch(2, &[2]), batch(3, &[3])]);
        assert_eq!(send_all(&mut queue, now), [1, 2]);
        store(&mut queue, 2);
        assert_eq!(send_all(&mut queue, now), [3]);
        store(&mut queue, 1);
        store(&mut queue, 3);
        assert!(queue.waiting.is_empty() && queue.sent.is_empty() && queue.keys.is_empty());
    }

    #[test]
    fn batches_that_share_a_key_follow_each_other() {
        let now = Instant::now();
        let mut queue = queue(8, &[batch(1, &[1, 2, 2]), batch(2, &[3]), batch(3, &[2])]);
        assert_eq!(send_all(&mut queue, now), [1, 2]);
        store(&mut queue, 2);
        assert!(send_all(&mut queue, now).is_empty(), "3 waits for 1, with which it shares key 2");
        store(&mut queue, 1);
        assert_eq!(send_all(&mut queue, now), [3]);
    }

    #[test]
    fn with_one_in_flight_nothing_overtakes_a_refused_batch() {
        let mut now = Instant::now();
        let mut queue = queue(1, &[batch(1, &[1]), batch(2, &[2])]);
        let mut stored = Vec::new();
        for refusals in [3, 1] {
            for _ in 0..refusals {
                let sent = send_all(&mut queue, now);
                refuse(&mut queue, sent[0], now);
                assert!(send_all(&mut queue, now).is_empty(), "it waits");
                now = queue.wake_at().unwrap();
            }
            let sent = send_all(&mut queue, now);
            store(&mut queue, sent[0]);
            stored.extend(sent);
        }
        assert_eq!(stored, [1, 2]);
    }

    #[test]
    fn refused_batches_go_again_in_their_old_order_before_everything_else() {
        let now = Instant::now();
        let names = [1, 2, 3, 4, 5].map(|n| batch(n, &[u64::from(n)]));
        let mut queue = queue(4, &names);
        assert_eq!(send_all(&mut queue, now), [1, 2, 3, 4]);
        refuse(&mut queue, 3, now);
        store(&mut queue, 2);
        refuse(&mut queue, 1, now);
        assert_eq!(queue.wake_at(), None, "4 is still out");
        store(&mut queue, 4);
        let mut later = queue.wake_at().unwrap();
        assert!(later > now);
        for name in [1, 3, 5] {
            assert_eq!(send_all(&mut queue, later), [name], "one at a time after a refusal");
            store(&mut queue, name);
            later += Duration::from_micros(1);
        }
    }

    #[test]
    fn what_is_left_of_a_batch_remembers_when_it_was_refused_first() {
        let first = Instant::now();
        let mut queue = queue(1, &[batch(1, &[1])]);
        send_all(&mut queue, first);
        refuse(&mut queue, 1, first);
        let second = queue.wake_at().unwrap();
        send_all(&mut queue, second);
        refuse(&mut queue, 1, second);
        send_all(&mut queue, second + Duration::from_secs(2));
        let batch = queue.answered(1).unwrap();
        assert_eq!(batch.refused_at, Some(first));
        let patience = Duration::from_secs(5);
        assert!(may_retry(&batch, first + Duration::from_secs(4), patience));
        assert!(!may_retry(&batch, first + patience, patience));
    }
}
