//! What each shard took in during the last seconds, from the reports of its core.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::base::ids::{CoreId, Millis, ShardNumber, StreamUuid};
use crate::base::stream::ShardLoad;

/// A window is about so many slots, each of one report or of several quick ones.
const WINDOW_SLOTS: u64 = 15;
/// Slots are at least 4/5 of their length, so this many always cover a window.
const SLOTS_MAX: usize = 20;
/// Slots of a window from which on its busiest is left out.
const TRIMMED_SLOTS_MIN: usize = 3;

/// A throughput.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    /// Bytes a second.
    pub bytes: u64,
    /// Records a second.
    pub records: u64,
}

/// The windows of all shards with load.
#[derive(Debug)]
pub(super) struct Windows {
    window_ms: u64,
    cores: HashMap<CoreId, Slots>,
    shards: BTreeMap<StreamUuid, BTreeMap<ShardNumber, ShardWindow>>,
}

/// The times that a core's last reports cover.
#[derive(Debug, Default)]
struct Slots {
    reported: Millis,
    /// Number of the first slot.
    first: u64,
    /// Their lengths in ms.
    lengths: VecDeque<u64>,
}

#[derive(Debug)]
struct ShardWindow {
    core: CoreId,
    samples: VecDeque<Sample>,
    busiest: Busiest,
}

/// What a shard took in during one slot.
#[derive(Clone, Copy, Debug)]
struct Sample {
    slot: u64,
    bytes: u64,
    records: u64,
    throttled: bool,
}

/// The highest load of this period and of the one before.
#[derive(Debug, Default)]
pub(super) struct Busiest {
    period: u64,
    now: f64,
    before: f64,
}

/// The newest slots that cover a window, or all.
struct Window {
    first: u64,
    slots: usize,
    ms: u64,
}

impl Windows {
    pub(super) fn new(window_ms: u64) -> Windows {
        assert!(window_ms >= WINDOW_SLOTS, "a slot has a length");
        Windows { window_ms, cores: HashMap::new(), shards: BTreeMap::new() }
    }

    pub(super) fn observe(&mut self, now: Millis, core: CoreId, loads: &[ShardLoad]) {
        let Some(slots) = self.cores.get_mut(&core) else {
            // Nobody knows how long this load took.
            self.cores.insert(core, Slots { reported: now, ..Slots::default() });
            return;
        };
        let slot = slots.report(now, self.window_ms / WINDOW_SLOTS);
        for load in loads {
            let shards = self.shards.entry(load.shard.stream).or_default();
            let window = shards.entry(load.shard.number).or_insert_with(|| ShardWindow::new(core));
            if window.core != core {
                window.core = core;
                window.samples.clear();
            }
            window.add(slot, load);
        }
    }

    /// Forgets the streams that are not wanted.
    pub(super) fn keep_streams(&mut self, mut wanted: impl FnMut(StreamUuid) -> bool) {
        self.shards.retain(|stream, _| wanted(*stream));
    }

    /// Calls `f` with each shard of `stream` that had load, with its rate, whether it was at its
    /// limit in most slots, and its highest loads. Forgets those for which it returns false, and
    /// those whose load is long ago.
    pub(super) fn for_each_shard(
        &mut self,
        stream: StreamUuid,
        now: Millis,
        mut f: impl FnMut(ShardNumber, Rate, bool, &mut Busiest) -> bool,
    ) {
        let Some(shards) = self.shards.get_mut(&stream) else { return };
        shards.retain(|number, shard| {
            let slots = self.cores.get(&shard.core).expect("the core has reported it");
            let (rate, throttled) = shard.rate(slots, self.window_ms, now);
            f(*number, rate, throttled, &mut shard.busiest) && !shard.is_over(slots)
        });
        if shards.is_empty() {
            self.shards.remove(&stream);
        }
    }

    /// Shards that are remembered.
    #[cfg(test)]
    pub(super) fn shards(&self) -> usize {
        self.shards.values().map(BTreeMap::len).sum()
    }
}

impl Slots {
    /// The slot of a report that comes now.
    fn report(&mut self, now: Millis, slot_ms: u64) -> u64 {
        let ms = now.since(self.reported);
        self.reported = now;
        match self.lengths.back_mut() {
            // Reports that have waited together come at one moment, and are the time before it.
            Some(length) if *length < slot_ms * 4 / 5 || ms < slot_ms / 5 => *length += ms,
            _ => self.lengths.push_back(ms),
        }
        if self.lengths.len() > SLOTS_MAX {
            self.lengths.pop_front();
            self.first += 1;
        }
        self.first + self.lengths.len() as u64 - 1
    }

    /// The window that ends now, unless the core has been silent for as long.
    fn window(&self, window_ms: u64, now: Millis) -> Option<Window> {
        if now.since(self.reported) > window_ms {
            return None;
        }
        let (mut slots, mut ms) = (0, 0);
        for length in self.lengths.iter().rev() {
            if ms >= window_ms {
                break;
            }
            slots += 1;
            ms += length;
        }
        let behind = self.first + self.lengths.len() as u64;
        Some(Window { first: behind - slots as u64, slots, ms: ms.max(window_ms) })
    }

    fn length(&self, slot: u64) -> u64 {
        let at = slot.checked_sub(self.first).expect("a window has no older slot");
        self.lengths[at as usize]
    }
}

impl ShardWindow {
    fn new(core: CoreId) -> ShardWindow {
        ShardWindow { core, samples: VecDeque::new(), busiest: Busiest::default() }
    }

    fn add(&mut self, slot: u64, load: &ShardLoad) {
        if self.samples.back().is_none_or(|sample| sample.slot != slot) {
            self.samples.push_back(Sample { slot, bytes: 0, records: 0, throttled: false });
        }
        let sample = self.samples.back_mut().expect("there is one for this slot");
        sample.bytes += load.bytes;
        sample.records += load.records;
        sample.throttled |= load.throttled > 0;
        if self.samples.len() > SLOTS_MAX {
            self.samples.pop_front();
        }
    }

    /// Whether nothing is left that could count.
    fn is_over(&self, slots: &Slots) -> bool {
        let newest = self.samples.back().map(|sample| sample.slot);
        newest.is_none_or(|slot| slot < slots.first)
            && self.busiest.now == 0.0
            && self.busiest.before == 0.0
    }

    /// The average without the busiest slot, and whether most slots had refusals.
    fn rate(&self, slots: &Slots, window_ms: u64, now: Millis) -> (Rate, bool) {
        let Some(window) = slots.window(window_ms, now) else { return (Rate::default(), false) };
        let (mut bytes, mut records) = (Sum::default(), Sum::default());
        let mut throttled = 0;
        for sample in self.samples.iter().rev().take_while(|s| s.slot >= window.first) {
            bytes.add(sample.bytes, sample.slot);
            records.add(sample.records, sample.slot);
            throttled += usize::from(sample.throttled);
        }
        let rate = Rate {
            bytes: bytes.per_second(&window, slots),
            records: records.per_second(&window, slots),
        };
        // A single refusal after a start is not most of anything.
        (rate, throttled * 2 > window.slots.clamp(2, WINDOW_SLOTS as usize))
    }
}

/// What came in a window.
#[derive(Default)]
struct Sum {
    total: u64,
    busiest: u64,
    busiest_slot: u64,
}

impl Sum {
    fn add(&mut self, amount: u64, slot: u64) {
        self.total += amount;
        if amount > self.busiest {
            (self.busiest, self.busiest_slot) = (amount, slot);
        }
    }

    /// The average, without the busiest slot where there are enough others.
    fn per_second(&self, window: &Window, slots: &Slots) -> u64 {
        let (mut amount, mut ms) = (self.total, window.ms);
        if self.busiest > 0 && window.slots >= TRIMMED_SLOTS_MIN {
            amount -= self.busiest;
            ms = ms.saturating_sub(slots.length(self.busiest_slot)).max(1);
        }
        u64::try_from(u128::from(amount) * 1000 / u128::from(ms)).unwrap_or(u64::MAX)
    }
}

impl Busiest {
    /// Notes a load. Returns the highest of at least the last `period_ms`.
    pub(super) fn note(&mut self, load: f64, now: Millis, period_ms: u64) -> f64 {
        let period = now.0 / period_ms;
        if period != self.period {
            self.before = if period == self.period + 1 { self.now } else { 0.0 };
            self.now = 0.0;
            self.period = period;
        }
        self.now = self.now.max(load);
        self.now.max(self.before)
    }
}
