//! Pairs each pushed record with its intended send time.
//!
//! The acknowledgement names a batch's sequences, the push brings them; either may arrive first,
//! as they travel on different connections. Whichever is early waits here.

use std::collections::VecDeque;

/// What became of a pair: which reader, when the batch was meant to leave, when it came, how many
/// records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who received.
    pub reader: u32,
    /// Intended send time.
    pub intended_ns: u64,
    /// Arrival at the reader.
    pub at_ns: u64,
    /// Records.
    pub records: u64,
}

/// The open pairs of one shard.
#[derive(Debug)]
pub struct Pending {
    readers: u64,
    /// Acknowledged and not yet seen by all readers, by sequence.
    sent: VecDeque<Sent>,
    /// Seen and not yet acknowledged.
    early: Vec<Early>,
}

#[derive(Debug)]
struct Sent {
    first: u64,
    end: u64,
    intended_ns: u64,
    /// Records that readers still owe, over all readers.
    left: u64,
}

#[derive(Clone, Copy, Debug)]
struct Early {
    reader: u32,
    first: u64,
    end: u64,
    at_ns: u64,
}

impl Pending {
    /// No open pair; each record is expected by `readers` readers.
    #[must_use]
    pub fn new(readers: u32) -> Pending {
        Pending { readers: u64::from(readers), sent: VecDeque::new(), early: Vec::new() }
    }

    /// The sequences `first .. end` were meant to leave at `intended_ns`.
    pub fn acked(
        &mut self,
        first: u64,
        end: u64,
        intended_ns: u64,
        mut emit: impl FnMut(Delivery),
    ) {
        if self.readers == 0 {
            return;
        }
        let mut left = (end - first) * self.readers;
        let mut still_early = Vec::new();
        self.early.retain(|early| {
            let (from, to) = (early.first.max(first), early.end.min(end));
            if from >= to {
                return true;
            }
            left -= to - from;
            let (reader, at_ns) = (early.reader, early.at_ns);
            emit(Delivery { reader, intended_ns, at_ns, records: to - from });
            // What sticks out on either side belongs to other acknowledgements.
            if early.first < from {
                still_early.push(Early { end: from, ..*early });
            }
            if to < early.end {
                still_early.push(Early { first: to, ..*early });
            }
            false
        });
        self.early.append(&mut still_early);
        if left > 0 {
            let at = self.sent.partition_point(|sent| sent.first < first);
            self.sent.insert(at, Sent { first, end, intended_ns, left });
        }
    }

    /// `reader` got the sequences `first .. end` at `at_ns`.
    pub fn pushed(
        &mut self,
        reader: u32,
        first: u64,
        end: u64,
        at_ns: u64,
        mut emit: impl FnMut(Delivery),
    ) {
        let mut at = self.sent.partition_point(|sent| sent.end <= first);
        let mut next = first;
        while next < end {
            match self.sent.get_mut(at).filter(|sent| sent.first <= next) {
                Some(sent) => {
                    let to = sent.end.min(end);
                    sent.left -= to - next;
                    let (intended_ns, records) = (sent.intended_ns, to - next);
                    emit(Delivery { reader, intended_ns, at_ns, records });
                    (next, at) = (to, at + 1);
                }
                None => {
                    let to = self.sent.get(at).map_or(end, |sent| sent.first.min(end));
                    self.early.push(Early { reader, first: next, end: to, at_ns });
                    next = to;
                }
            }
        }
        while self.sent.front().is_some_and(|sent| sent.left == 0) {
            self.sent.pop_front();
        }
    }

    /// Whether every pair was closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.early.is_empty() && self.sent.iter().all(|sent| sent.left == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(reader: u32, intended_ns: u64, at_ns: u64, records: u64) -> Delivery {
        Delivery { reader, intended_ns, at_ns, records }
    }

    #[test]
    fn a_push_behind_its_ack_is_paired_at_once() {
        let (mut pending, mut out) = (Pending::new(1), vec![]);
        pending.acked(0, 4, 100, |d| out.push(d));
        assert_eq!(out, []);
        pending.pushed(0, 0, 4, 250, |d| out.push(d));
        assert_eq!(out, [delivery(0, 100, 250, 4)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_push_before_its_ack_keeps_its_own_arrival_time() {
        let (mut pending, mut out) = (Pending::new(1), vec![]);
        pending.pushed(0, 0, 4, 250, |d| out.push(d));
        assert!(out.is_empty() && !pending.is_empty());
        pending.acked(0, 4, 100, |d| out.push(d));
        assert_eq!(out, [delivery(0, 100, 250, 4)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn every_reader_is_waited_for() {
        let (mut pending, mut out) = (Pending::new(2), vec![]);
        pending.pushed(1, 0, 2, 30, |d| out.push(d));
        pending.acked(0, 2, 10, |d| out.push(d));
        assert!(!pending.is_empty());
        pending.pushed(0, 0, 2, 40, |d| out.push(d));
        assert_eq!(out, [delivery(1, 10, 30, 2), delivery(0, 10, 40, 2)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn acks_of_other_connections_may_come_out_of_order() {
        let (mut pending, mut out) = (Pending::new(1), vec![]);
        pending.acked(4, 8, 200, |d| out.push(d));
        pending.pushed(0, 0, 8, 300, |d| out.push(d));
        pending.acked(0, 4, 100, |d| out.push(d));
        assert_eq!(out, [delivery(0, 200, 300, 4), delivery(0, 100, 300, 4)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn pushes_and_acks_need_not_be_cut_alike() {
        let (mut pending, mut out) = (Pending::new(1), vec![]);
        pending.pushed(0, 0, 10, 50, |d| out.push(d));
        pending.acked(3, 6, 30, |d| out.push(d));
        pending.acked(0, 3, 10, |d| out.push(d));
        pending.acked(6, 12, 40, |d| out.push(d));
        pending.pushed(0, 10, 12, 60, |d| out.push(d));
        assert_eq!(out.iter().map(|d| d.records).sum::<u64>(), 12);
        assert_eq!(out.last(), Some(&delivery(0, 40, 60, 2)));
        assert!(pending.is_empty());
    }
}
