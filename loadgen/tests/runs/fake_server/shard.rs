//! A shard: its batches, and who waits for them.

use std::rc::Rc;
use std::time::Instant;

use shardway::base::clock::wall_now;
use shardway::base::error::ErrorCode;
use shardway::base::ids::{Millis, Seq, ShardKey, Term};
use shardway::base::limits::READ_BYTES_MAX;
use shardway::quota::ShardIn;
use shardway::record::{BatchView, Stamp, stamp_in_place};
use shardway::wire::Opcode;
use shardway::wire::frame::write_frame_with_body;
use shardway::wire::put::PutRun;
use shardway::wire::read::GetAnswer;
use shardway::wire::shards::{ChildShard, ShardDescription};
use shardway::wire::subscribe::{Credit, Push, ShardEnded};

use super::requests::iterator;
use super::{Fault, Out, send};

pub struct Shard {
    pub key: ShardKey,
    pub about: ShardDescription,
    pub batches: Vec<Box<[u8]>>,
    pub next: u64,
    pub quota: ShardIn,
    pub subscriptions: Vec<Subscription>,
    pub waiting: Vec<Waiting>,
    /// Told to readers at the end of a closed shard.
    pub children: Vec<ChildShard>,
    puts: u64,
    held_back: Option<Box<[u8]>>,
}

pub struct Subscription {
    pub id: u32,
    pub out: Out,
    pub cursor: usize,
    pub credit: i64,
}

/// A get that waits for its first record.
pub struct Waiting {
    pub correlation: u64,
    pub out: Out,
    pub from: Seq,
    pub until: Instant,
}

impl Shard {
    pub fn new(key: ShardKey, about: ShardDescription, quota: ShardIn) -> Shard {
        Shard {
            key,
            about,
            batches: Vec::new(),
            next: 0,
            quota,
            subscriptions: Vec::new(),
            waiting: Vec::new(),
            children: Vec::new(),
            puts: 0,
            held_back: None,
        }
    }

    pub fn put(&mut self, batch: &[u8], fault: Fault) -> PutRun {
        let view = BatchView::check_client(batch).expect("a valid batch");
        let count = view.header().count;
        self.puts += 1;
        let shard = self.key.number;
        let bytes = u64::from(view.quota_bytes());
        let throttled = fault == Fault::Throttled && self.puts.is_multiple_of(10);
        if throttled || !self.quota.try_take(Instant::now(), count, bytes) {
            let outcome = Err(ErrorCode::ProvisionedThroughputExceeded);
            return PutRun { shard, count, outcome, arrival: Millis(0) };
        }
        let base = Seq(self.next);
        let strikes = self.puts == 20;
        match fault {
            Fault::Lost if strikes => self.next += u64::from(count),
            Fault::Late if strikes => self.held_back = Some(batch.into()),
            Fault::Replaced if strikes => self.store(&self.batches[0].clone()),
            _ => self.store(batch),
        }
        if self.puts == 60
            && let Some(late) = self.held_back.take()
        {
            self.store(&late);
        }
        // Pushed before the put is answered: the client must cope with either order.
        self.pump();
        PutRun { shard, count, outcome: Ok(base), arrival: Millis(0) }
    }

    /// Stores a batch at the end.
    pub fn store(&mut self, batch: &[u8]) {
        let mut bytes = batch.to_vec();
        let (shard, base) = (self.key, Seq(self.next));
        stamp_in_place(&mut bytes, &Stamp { shard, term: Term(1), base, arrival: wall_now() });
        self.next = BatchView::check_stamped(&bytes).expect("just stamped").header().end().0;
        self.batches.push(bytes.into());
    }

    /// Takes the last batch away.
    pub fn lose_last(&mut self) {
        if let Some(last) = self.batches.pop() {
            self.next = base(&last).0;
        }
    }

    pub fn grant(&mut self, credit: Credit, out: &Out) {
        for subscription in &mut self.subscriptions {
            let ours = Rc::ptr_eq(&subscription.out, out);
            if ours && subscription.id == credit.subscription {
                subscription.credit += credit.bytes as i64;
            }
        }
        self.pump();
    }

    /// Gives readers what there is.
    pub fn pump(&mut self) {
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        subscriptions.retain_mut(|subscription| {
            self.push(subscription);
            let ended = !self.about.is_open() && subscription.cursor == self.batches.len();
            if ended {
                let (subscription, out) = (subscription.id, &subscription.out);
                let children = self.children.clone();
                let news = ShardEnded { subscription, end: Seq(self.next), children };
                send(out, Opcode::ShardEnded, 0, |w| news.write(w));
            }
            !ended
        });
        self.subscriptions = subscriptions;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|get| !self.answer(get));
        self.waiting = waiting;
    }

    fn push(&self, subscription: &mut Subscription) {
        while subscription.credit > 0
            && let Some(batch) = self.batches.get(subscription.cursor)
        {
            subscription.cursor += 1;
            subscription.credit -= batch.len() as i64;
            let (id, first) = (subscription.id, base(batch));
            let push = Push { subscription: id, first, behind_ms: 0, batches: &[] };
            let mut frame = Vec::new();
            write_frame_with_body(&mut frame, Opcode::Push, 0, batch.len(), |w| {
                push.write_prefix(w);
            });
            let mut out = subscription.out.borrow_mut();
            out.extend(&frame);
            out.extend(batch.iter());
        }
    }

    /// Answers a get, if there is something to say.
    fn answer(&self, get: &Waiting) -> bool {
        let at = self.batches.partition_point(|batch| base(batch) < get.from);
        let (mut bytes, mut end) = (Vec::new(), get.from);
        for batch in &self.batches[at..] {
            if !bytes.is_empty() && bytes.len() + batch.len() > READ_BYTES_MAX {
                break;
            }
            bytes.extend_from_slice(batch);
            end = BatchView::check_stamped(batch).expect("stored").header().end();
        }
        let ended = !self.about.is_open() && end.0 == self.next;
        if bytes.is_empty() && !ended && Instant::now() < get.until {
            return false;
        }
        let next = iterator(self.key.stream, self.key.number, end);
        let answer = GetAnswer {
            next_iterator: if ended { &[] } else { &next },
            behind_ms: 0,
            first: get.from,
            end,
            children: if ended { self.children.clone() } else { Vec::new() },
            batches: &bytes,
        };
        send(&get.out, Opcode::GetAnswer, get.correlation, |w| {
            answer.write_prefix(w);
            w.bytes(&bytes);
        });
        true
    }
}

fn base(batch: &[u8]) -> Seq {
    BatchView::check_stamped(batch).expect("stored").header().stamp.base
}
