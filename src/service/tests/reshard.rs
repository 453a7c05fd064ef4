//! Some cores and the mail between them: what happens while shards close.

use std::collections::VecDeque;

use super::*;
use crate::base::rng::SplitMix64;
use crate::catalog::{Passing, ShardRecord};
use crate::record::{HashKey, HashRange};
use crate::service::put_records::PutRequest;
use crate::wire::shards::ShardFilter;

pub(super) const CORES: u16 = 3;

/// Some cores of one server, and the mailboxes of each pair.
pub(super) struct Cores {
    pub(super) cores: Vec<Core>,
    mail: Vec<Vec<VecDeque<Message>>>,
    /// What core 0 was told of the newest attempt to close shards.
    pub(super) drained: Vec<(ShardNumber, Seq)>,
    /// Version of the view that announced it.
    attempt: Option<u64>,
    pub(super) now: Now,
    pub(super) state: State,
    pub(super) view: Arc<View>,
    pub(super) passing: Passing,
}

impl Cores {
    pub(super) fn new(shards: u32) -> Cores {
        Self::with_tail(shards, usize::MAX)
    }

    /// Cores that keep so many bytes of recent commits in memory.
    pub(super) fn with_tail(shards: u32, tail_bytes: usize) -> Cores {
        let now = Now { wall: WALL, mono: Instant::now() };
        let mut state = State::new([1; 32]);
        let stream = StreamRecord::new("orders", UUID, WALL, shards, options());
        state.streams.insert("orders".to_owned(), stream);
        let view = Arc::new(View::of(&state, CORES, Arc::default()));
        let core = |core| {
            let core = CoreId(core);
            let file_bytes = 64 * 1024 * 1024;
            let spec = CoreSpec {
                core,
                cores: CORES,
                data_dir: PathBuf::from("/data"),
                journal: JournalSpec { core, term: Term(1), salt: 5, files: 4, file_bytes },
                tail_bytes,
                iterator_key: IteratorKey::new(&[1; 32]),
                view: view.clone(),
                shards: Vec::new(),
            };
            Core::new(spec, now)
        };
        let mailboxes = || (0..CORES).map(|_| VecDeque::new()).collect();
        Cores {
            cores: (0..CORES).map(core).collect(),
            mail: (0..CORES).map(|_| mailboxes()).collect(),
            drained: Vec::new(),
            attempt: None,
            now,
            state,
            view,
            passing: Passing::default(),
        }
    }

    /// A view of what is in `state` and `passing` for all cores to install.
    pub(super) fn next_view(&mut self) {
        self.view = Arc::new(self.view.next(&self.state, "orders", &self.passing));
        self.attempt = match self.attempt {
            _ if self.passing.closing.is_empty() => None,
            None => Some(self.view.version()),
            begun => begun,
        };
    }

    pub(super) fn install(&mut self, core: u16) {
        self.cores[usize::from(core)].install_view(self.now, self.view.clone());
        self.post(core);
    }

    /// What a core has for others goes into its mailboxes.
    pub(super) fn post(&mut self, from: u16) {
        let from = usize::from(from);
        self.cores[from].finish_turn(self.now);
        for Outgoing { to, message } in std::mem::take(&mut self.cores[from].outgoing) {
            self.mail[from][usize::from(to.0)].push_back(message);
        }
    }

    pub(super) fn put(&mut self, core: u16, correlation: u64, shard: ShardNumber, keys: &[u128]) {
        self.put_by(1, core, correlation, shard, keys);
    }

    /// A put of a client that goes by this version of the shard map.
    fn put_by(
        &mut self,
        map_version: u64,
        core: u16,
        correlation: u64,
        shard: ShardNumber,
        keys: &[u128],
    ) {
        let mut builder = BatchBuilder::new();
        for key in keys {
            let data = correlation.to_le_bytes();
            builder.push("key", Some(HashKey(*key)), &data).unwrap();
        }
        let bytes = builder.finish().to_vec();
        let batch = BatchView::check_client(&bytes).unwrap();
        let session = SessionId { core: CoreId(core), index: 1, generation: 1 };
        let request =
            PutRequest { session, correlation, stream: UUID, shard, map_version, batch: &batch };
        self.cores[usize::from(core)].submit_put(self.now, &request).unwrap();
        self.post(core);
    }

    /// The next message from one core to another is looked at, if there is one and the receiver
    /// has the sender's view (all of them do in these tests unless they say so).
    pub(super) fn deliver(&mut self, from: u16, to: u16) -> bool {
        let Some(message) = self.mail[usize::from(from)][usize::from(to)].pop_front() else {
            return false;
        };
        let core = &mut self.cores[usize::from(to)];
        match message {
            Message::Put { session, correlation, part, shard, batch } => {
                let waiter = {
                    let (bytes, since) = (batch.len(), self.now.mono);
                    PutWaiter::forwarded(session, correlation, part, bytes, since)
                };
                core.put_or_park(self.now, waiter, shard, batch);
            }
            Message::PutDone { session, correlation, part, run, message, bytes } => {
                core.forwarded_done(bytes);
                core.settle_put(session, correlation, part, run, message);
            }
            Message::Fence { attempt, shards } => core.fence(attempt, &shards),
            Message::Drained { attempt, shard, end, .. } => {
                if Some(attempt) == self.attempt {
                    self.drained.push((shard.number, end));
                }
            }
            other => panic!("{other:?}"),
        }
        self.post(to);
        true
    }

    fn commit(&mut self, core: u16) {
        while self.cores[usize::from(core)].begin_commit().is_ok() {
            self.cores[usize::from(core)].advance(self.now);
        }
        self.post(core);
    }

    /// Everything that is on its way arrives, and everything staged becomes durable.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for from in 0..CORES {
                self.commit(from);
                for to in 0..CORES {
                    moved |= self.deliver(from, to);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// What the clients were told of their puts: for each put shards, counts and outcomes.
    pub(super) fn answers(&mut self) -> Vec<(u64, Vec<PutRun>)> {
        let mut all = Vec::new();
        for core in &mut self.cores {
            for effect in core.effects.list.drain(..) {
                match effect {
                    Effect::PutDone { correlation, run, .. } => all.push((correlation, vec![run])),
                    Effect::PutInPartsDone { correlation, runs, .. } => {
                        all.push((correlation, runs));
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// Shard 0 of one is about to be closed.
    fn begin_close(&mut self, numbers: &[u32]) {
        let keys = numbers.iter().map(|n| ShardKey { stream: UUID, number: ShardNumber(*n) });
        self.passing.closing.extend(keys);
        self.next_view();
    }

    /// Shard `number` is closed where it said, and two children take its place. Nobody is told.
    fn split(&mut self, number: u32) {
        let end = self.drained.iter().find(|(n, _)| n.0 == number).unwrap().1;
        self.passing.closing.clear();
        self.passing.before.insert(UUID, self.view.by_uuid(UUID).unwrap().clone());
        let stream = self.state.streams.get_mut("orders").unwrap();
        let next = stream.next_number();
        let parent = stream.shards.iter_mut().find(|s| s.number.0 == number).unwrap();
        (parent.open, parent.closed_at, parent.end) = (false, Some(WALL), Some(end));
        let HashRange { start, end } = parent.range;
        let middle = start.0 + (end.0 - start.0) / 2;
        let parent = *parent;
        for (i, range) in [
            HashRange { start, end: HashKey(middle) },
            HashRange { start: HashKey(middle + 1), end },
        ]
        .into_iter()
        .enumerate()
        {
            let number = ShardNumber(next + i as u32);
            let parent = ShardRecord { parent: Some(parent.number), ..parent };
            let born = ShardRecord { open: true, closed_at: None, end: None, ..parent };
            stream.shards.push(ShardRecord { number, range, ..born });
        }
        stream.map_version += 1;
        self.next_view();
    }

    /// The children are there for everybody.
    fn show(&mut self) {
        self.passing.before.clear();
        self.next_view();
    }

    pub(super) fn home_of(&self, number: u32) -> u16 {
        self.view.by_uuid(UUID).unwrap().shard(ShardNumber(number)).unwrap().home.0
    }

    fn install_all(&mut self) {
        (0..CORES).for_each(|core| self.install(core));
    }

    /// The shard's records in order, as the payloads say which put they came from.
    fn records(&self, number: u32) -> Vec<(u64, HashKey)> {
        let key = ShardKey { stream: UUID, number: ShardNumber(number) };
        let home = self.view.by_uuid(UUID).unwrap().shard(key.number).unwrap().home;
        let core = &self.cores[usize::from(home.0)];
        let shard = core.shard(core.slot(key).unwrap()).unwrap();
        let mut all = Vec::new();
        for batch in shard.tail_from(Seq(0)) {
            let chunk = crate::fanout::chunk_of(batch);
            let view = BatchView::check_stamped(&chunk).unwrap();
            for record in view.records() {
                let put = u64::from_le_bytes(record.data.try_into().unwrap());
                all.push((put, record.explicit_hash_key.unwrap()));
            }
        }
        all
    }
}

const LOW: u128 = 1;
const HIGH: u128 = u128::MAX - 1;

#[test]
fn a_put_for_a_closing_shard_waits_and_goes_to_the_children() {
    let mut w = Cores::new(1);
    w.put(1, 1, ShardNumber(0), &[LOW, HIGH]);
    w.settle();
    assert_eq!(w.answers().len(), 1);
    w.begin_close(&[0]);
    for core in 0..CORES {
        w.install(core);
    }
    w.put(1, 2, ShardNumber(0), &[LOW, HIGH, LOW]);
    w.put(2, 3, ShardNumber::ANY, &[HIGH]);
    w.settle();
    assert_eq!(w.answers(), [], "they wait");
    assert_eq!(w.drained, [(ShardNumber(0), Seq(2))]);
    w.split(0);
    for core in 0..CORES {
        w.install(core);
    }
    w.settle();
    let run = |shard, count, base| PutRun {
        shard: ShardNumber(shard),
        count,
        outcome: Ok(Seq(base)),
        arrival: WALL,
    };
    let mut answers = w.answers();
    answers.sort_by_key(|(correlation, _)| *correlation);
    assert_eq!(answers[0], (2, vec![run(1, 2, 0), run(2, 1, 0)]));
    assert_eq!(answers[1], (3, vec![run(2, 1, 1)]));
    // A client that routes by the old map is served all the same.
    w.put(0, 4, ShardNumber(0), &[LOW]);
    w.settle();
    assert_eq!(w.answers(), [(4, vec![run(1, 1, 2)])]);
}

#[test]
fn a_shard_says_where_it_ends_only_behind_what_was_on_its_way() {
    let mut w = Cores::new(1);
    let home = w.view.by_uuid(UUID).unwrap().shards[0].home.0;
    let other = (home + 1) % CORES;
    // On its way while the fences of all cores are sent.
    w.put(other, 1, ShardNumber(0), &[LOW]);
    w.begin_close(&[0]);
    for core in 0..CORES {
        w.install(core);
    }
    for from in (0..CORES).filter(|from| *from != other) {
        while w.deliver(from, home) {}
    }
    w.commit(home);
    w.commit(0);
    while w.deliver(home, 0) {}
    assert_eq!(w.drained, [], "a core has not sent its fence");
    assert!(w.deliver(other, home), "its put");
    assert!(w.deliver(other, home), "its fence");
    while w.deliver(home, 0) {}
    assert_eq!(w.drained, [], "the put is staged and not durable");
    w.settle();
    assert_eq!(w.drained, [(ShardNumber(0), Seq(1))]);
}

#[test]
fn a_reshard_that_is_given_up_lets_the_puts_go_on_where_they_were() {
    let mut w = Cores::new(2);
    w.begin_close(&[0]);
    for core in 0..CORES {
        w.install(core);
    }
    w.put(0, 1, ShardNumber::ANY, &[LOW, HIGH]);
    w.put(1, 2, ShardNumber(1), &[HIGH]);
    w.settle();
    let others: Vec<u64> = w.answers().into_iter().map(|(correlation, _)| correlation).collect();
    assert_eq!(others, [2], "other shards go on");
    w.passing.closing.clear();
    w.next_view();
    for core in 0..CORES {
        w.install(core);
    }
    w.settle();
    assert_eq!(w.answers()[0].0, 1);
    // And it can be tried again.
    w.drained.clear();
    w.begin_close(&[0]);
    for core in 0..CORES {
        w.install(core);
    }
    w.settle();
    assert_eq!(w.drained, [(ShardNumber(0), Seq(1))]);
}

#[test]
fn a_fence_of_a_reshard_that_was_given_up_does_not_count_for_the_next() {
    let mut w = Cores::new(1);
    let home = w.home_of(0);
    let (other, third) = ((home + 1) % CORES, (home + 2) % CORES);
    w.begin_close(&[0]);
    w.install_all();
    while w.deliver(third, home) {}
    // The fence of `other` is still in its mailbox when core 0 gives up.
    w.passing.closing.clear();
    w.next_view();
    w.install_all();
    assert!(w.deliver(other, home), "the late fence");
    // Again. `other` is slow to install the view, and sends a put meanwhile.
    w.begin_close(&[0]);
    w.install(home);
    w.install(third);
    while w.deliver(third, home) {}
    w.put(other, 1, ShardNumber(0), &[LOW]);
    w.settle();
    assert_eq!(w.drained, [], "a core has not installed the view yet, and sends puts");
    w.install(other);
    w.settle();
    assert_eq!(w.drained, [(ShardNumber(0), Seq(1))]);
}

#[test]
fn the_end_of_a_shard_whose_reshard_was_given_up_does_not_count_for_the_next() {
    let mut w = Cores::new(1);
    let home = w.home_of(0);
    w.begin_close(&[0]);
    w.install_all();
    for from in 0..CORES {
        while w.deliver(from, home) {}
    }
    w.passing.closing.clear();
    w.next_view();
    w.install_all();
    w.put(home, 1, ShardNumber(0), &[LOW]);
    w.begin_close(&[0]);
    while w.deliver(home, 0) {}
    assert_eq!(w.drained, [], "what it said before the put");
    w.install_all();
    w.settle();
    assert_eq!(w.drained, [(ShardNumber(0), Seq(1))]);
}

#[test]
fn nobody_is_told_of_new_shards_before_every_core_knows_them() {
    let mut w = Cores::new(1);
    w.put(1, 1, ShardNumber(0), &[LOW, HIGH]);
    w.settle();
    let home = w.home_of(0);
    let reader = SessionId { core: CoreId(home), index: 9, generation: 1 };
    let limits = GetLimits { limit: 10, bytes_max: u32::MAX, wait_ms: 1000 };
    w.cores[usize::from(home)].get(w.now, reader, 9, KEY, Seq(2), limits).unwrap();
    w.answers();
    w.begin_close(&[0]);
    w.install_all();
    w.settle();
    w.split(0);
    w.install_all();
    w.settle();
    let told = |w: &Cores| {
        let stream = w.view.by_uuid(UUID).unwrap();
        let list = stream.list_shards(ShardFilter::FromTrimHorizon, None, 100, WALL).unwrap();
        let (map, summary) = (stream.shard_map(), stream.summary());
        assert_eq!(stream.describe(None, 100).unwrap().shards, list.shards);
        assert_eq!(map.map_version, summary.map_version);
        assert_eq!(map.shards.len() as u32, summary.open_shards);
        assert_eq!(w.view.account(WALL).open_shards, summary.open_shards);
        (list.shards.len(), summary.map_version, stream.children(ShardNumber(0)).len())
    };
    assert_eq!(told(&w), (1, 1, 0), "every core knows the children, and none tells");
    let got = |w: &mut Cores| {
        let effects = &mut w.cores[usize::from(home)].effects.list;
        effects.drain(..).find_map(|effect| match effect {
            Effect::GetDone { children, .. } => Some(children.len()),
            _ => None,
        })
    };
    assert_eq!(got(&mut w), None, "the reader at the end waits");
    let stats = |w: &mut Cores| {
        let now = w.now;
        w.cores.iter_mut().map(|core| core.shard_stats(now, UUID).len()).sum::<usize>()
    };
    assert_eq!(stats(&mut w), 1);
    // Whoever knows them all the same, from the answer to a put, is served.
    w.put_by(2, 0, 2, ShardNumber(2), &[HIGH]);
    w.settle();
    assert_eq!(w.answers()[0].1[0].outcome, Ok(Seq(0)));
    let child = usize::from(w.home_of(1));
    let key = ShardKey { stream: UUID, number: ShardNumber(1) };
    w.cores[child].get(w.now, reader, 10, key, Seq(0), GetLimits { wait_ms: 0, ..limits }).unwrap();
    w.cores[child].effects.list.clear();
    w.show();
    w.install_all();
    w.settle();
    assert_eq!(told(&w), (3, 2, 2));
    assert_eq!(got(&mut w), Some(2), "the long poll ends");
    assert_eq!(stats(&mut w), 3);
}

#[test]
fn a_put_by_a_newer_map_than_that_of_its_core_goes_where_its_hash_keys_do() {
    let mut w = Cores::new(1);
    w.begin_close(&[0]);
    w.install_all();
    w.settle();
    w.split(0);
    w.put_by(2, 1, 1, ShardNumber(2), &[HIGH]);
    w.settle();
    assert_eq!(w.answers(), [], "its core is still to hear of the children");
    w.install_all();
    w.settle();
    let answers = w.answers();
    assert_eq!((answers[0].0, answers[0].1[0].shard), (1, ShardNumber(2)));
}

#[test]
fn readers_of_a_closed_shard_are_told_its_children_behind_the_last_record() {
    let mut w = world_of(1, options(), usize::MAX, 64 * 1024 * KIB as u64);
    w.put(1, 2);
    w.commit();
    w.subscribe(7, Position::TrimHorizon).unwrap();
    w.get(3, 2, 1000);
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [Put(1, 2, Ok(Seq(0))), Subscribed(Seq(0)), Push(7, Seq(0))]);
    let key = KEY;
    let passing = Passing { closing: [key].into(), ..Passing::default() };
    w.spread(&passing);
    w.core.finish_turn(w.now);
    let drained = w.core.outgoing.drain(..).next().unwrap().message;
    assert!(matches!(drained, Message::Drained { end: Seq(2), .. }), "{drained:?}");
    assert_eq!(w.said(), [], "it may still stay open");
    let stream = w.state.streams.get_mut("orders").unwrap();
    let parent = &mut stream.shards[0];
    (parent.open, parent.closed_at, parent.end) = (false, Some(WALL), Some(Seq(2)));
    let child = ShardRecord { number: ShardNumber(1), parent: Some(ShardNumber(0)), ..*parent };
    stream.shards.push(ShardRecord { open: true, closed_at: None, end: None, ..child });
    w.install();
    w.core.finish_turn(w.now);
    let said = w.said();
    assert!(said.contains(&ShardEnded(7, Seq(2), vec![1])), "{said:?}");
    assert!(said.contains(&Got(3, Seq(2), Seq(2))), "a long poll ends: {said:?}");
    // Whoever comes later gets the records, then the end.
    w.get(4, 0, 0);
    let Effect::GetDone { iterator, children, end, .. } = &w.core.effects.list[0] else { panic!() };
    assert_eq!((iterator, children.len(), *end), (&None, 1, Seq(2)));
    w.said();
    w.iterator(5, Position::Latest).unwrap();
    assert_eq!(w.said(), [Iterator(5, Seq(2))]);
}

/// Whatever the order in which cores install views and mail arrives: nothing is lost, nothing is
/// stored twice, and the puts of one connection keep their order for every hash key.
#[test]
fn puts_keep_their_order_for_each_key_through_splits_in_any_interleaving() {
    for seed in 0..300 {
        let mut rng = SplitMix64::new(seed);
        let mut w = Cores::new(1 + (seed % 3) as u32);
        let keys: Vec<u128> = (0..8).map(|i| i * (u128::MAX / 8) + 5).collect();
        let (mut sent, mut correlation) = (Vec::new(), 0u64);
        let mut answered = Vec::new();
        for _ in 0..4 {
            let open: Vec<_> = (w.view.by_uuid(UUID).unwrap().shards.iter())
                .filter(|s| s.is_open())
                .map(|s| s.number.0)
                .collect();
            let victim = open[rng.below(open.len() as u64) as usize];
            w.drained.clear();
            // 0: nobody closes yet; 1: closing is spread; 2: the children are; 3: they are shown.
            for phase in 0..4 {
                match phase {
                    1 => w.begin_close(&[victim]),
                    2 => {
                        while w.drained.is_empty() {
                            w.settle();
                        }
                        w.split(victim);
                    }
                    3 => w.show(),
                    _ => {}
                }
                let mut waiting: Vec<u16> = (0..CORES).collect();
                for _ in 0..40 {
                    match rng.below(10) {
                        0..4 => {
                            correlation += 1;
                            let core = rng.below(u64::from(CORES)) as u16;
                            let n = 1 + rng.below(3) as usize;
                            let of: Vec<u128> =
                                (0..n).map(|_| keys[rng.below(8) as usize]).collect();
                            sent.push((core, correlation, of.clone()));
                            w.put(core, correlation, ShardNumber::ANY, &of);
                        }
                        4..6 if phase > 0 && !waiting.is_empty() => {
                            // Children are known everywhere before mail for them is looked at.
                            let at = rng.below(waiting.len() as u64) as usize;
                            let core = waiting.swap_remove(at);
                            w.install(core);
                        }
                        6..9 if phase != 2 || waiting.is_empty() => {
                            let from = rng.below(u64::from(CORES)) as u16;
                            w.deliver(from, rng.below(u64::from(CORES)) as u16);
                        }
                        _ => w.commit(rng.below(u64::from(CORES)) as u16),
                    }
                }
                if phase > 0 {
                    waiting.into_iter().for_each(|core| w.install(core));
                }
                answered.extend(w.answers());
            }
        }
        w.settle();
        answered.extend(w.answers());
        let stored: u32 = answered.iter().flat_map(|(_, runs)| runs).map(|run| run.count).sum();
        let records: usize = sent.iter().map(|(_, _, keys)| keys.len()).sum();
        assert_eq!(stored as usize, records, "seed {seed}");
        assert_eq!(answered.len(), sent.len(), "seed {seed}: each put is answered once");
        check_order(&w, &sent, &keys, seed);
    }
}

/// Parents before children, each shard in order: what a reader sees of each key of each core.
fn check_order(w: &Cores, sent: &[(u16, u64, Vec<u128>)], keys: &[u128], seed: u64) {
    let shards = &w.view.by_uuid(UUID).unwrap().shards;
    let all: Vec<(u64, HashKey)> = shards.iter().flat_map(|s| w.records(s.number.0)).collect();
    for core in 0..CORES {
        for key in keys {
            let of_core = |put: u64| sent.iter().any(|(c, n, _)| *c == core && *n == put);
            let seen: Vec<u64> = (all.iter().filter(|(put, k)| k.0 == *key && of_core(*put)))
                .map(|(put, _)| *put)
                .collect();
            let expected: Vec<u64> = (sent.iter().filter(|(c, ..)| *c == core))
                .flat_map(|(_, put, of)| of.iter().filter(|k| *k == key).map(|_| *put))
                .collect();
            assert_eq!(seen, expected, "seed {seed}, core {core}, key {key:x}");
        }
    }
}
