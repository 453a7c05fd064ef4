//! Capacity on demand: how many shards an on-demand stream needs, from what it takes in.
//!
//! AWS, in the developer guide ("Choose the data stream capacity mode") and in "Quotas and limits":
//!
//! - A stream is ready for double the highest write throughput of the last 30 days, at once.
//! - What is above is throttled until the stream has grown. AWS takes up to 15 minutes for it;
//!   here it is the length of a window.
//! - A shard that takes more than 500 KB/s is split.
//! - One partition key stays in one shard, whatever that costs it.
//! - Warm throughput is there from the moment when it is set.
//!
//! Pure: [`OnDemand::observe`] takes what the cores report, and [`OnDemand::decide`] says what
//! should change. The peaks live in the catalog, so that a new [`OnDemand`] knows what an old one
//! knew; everything else is forgotten with it, and only delays what it would have done.

mod growth;
mod layout;
mod trials;
mod window;

use std::collections::{BTreeMap, HashSet};

use super::state::{PeakDay, State, StreamRecord};
use crate::base::ids::{CoreId, Millis, ShardNumber, StreamUuid};
use crate::base::limits::{ON_DEMAND_SHARDS, PEAK_DAYS, SHARD_IN_BYTES, SHARD_IN_RECORDS};
use crate::base::stream::{ShardLimits, ShardLoad, StreamMode, StreamStatus};
use crate::wire::reshard::Reshard;
use growth::{Capacity, Load};
use layout::Layout;
use trials::Trials;
use window::{Rate, Windows};

const DAY_MS: u64 = 86_400_000;

/// What should be done with an on-demand stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A day's highest write throughput is to be kept in the catalog.
    Peak {
        /// Whose.
        stream: StreamUuid,
        /// Days since the Unix epoch.
        day: u32,
        /// Bytes a second.
        bytes_per_s: u64,
        /// Records a second.
        records_per_s: u64,
    },
    /// The shards are to be changed.
    Reshard {
        /// The stream's name.
        name: String,
        /// How.
        reshard: Reshard,
    },
}

/// Windows, thresholds and pauses.
#[derive(Clone, Debug, PartialEq)]
pub struct OnDemandOptions {
    /// Throughput is an average over this time, in ms. Its busiest second does not count, so that
    /// a burst is no peak.
    pub window_ms: u64,
    /// A shard above this part of its limit is split (AWS: 500 KB/s of 1 MB/s).
    pub hot: f64,
    /// Two neighbours that stay together below this part of one shard's limit are merged. Less
    /// than half of [`OnDemandOptions::hot`], so that nothing is split and merged in turn.
    pub cold: f64,
    /// The stream is ready for the highest throughput of 30 days times this (AWS: double).
    pub headroom: u64,
    /// A stream does not become smaller (AWS: a new stream takes 4 MB/s, in 4 shards).
    pub shards_min: u32,
    /// Hot shards are split until there are so many times the shards that the peak asks for.
    pub splits_max: u32,
    /// Shards are merged when they were cold, and none had changed, for this long, in ms.
    pub merge_after_ms: u64,
    /// And when the mode was not switched for this long, in ms. A provisioned stream's peaks are
    /// not known: a day shows what its owner had provisioned it for.
    pub switched_ms: u64,
    /// A part of one split's load, on one of the two sides, with which it did not help.
    pub lopsided: f64,
    /// The pause after a split that did not help, in ms; doubled by each that follows. AWS splits
    /// within 15 minutes: that is room for four tries, or a sixteenth of the shard's keys.
    pub lopsided_pause_ms: u64,
    /// A reshard that was decided and did not happen is decided again after this time, in ms;
    /// doubled by each time, up to [`OnDemandOptions::merge_after_ms`].
    pub retry_ms: u64,
}

impl Default for OnDemandOptions {
    fn default() -> OnDemandOptions {
        OnDemandOptions {
            window_ms: 15_000,
            hot: 0.5,
            cold: 0.25,
            headroom: 2,
            shards_min: ON_DEMAND_SHARDS,
            splits_max: 4,
            merge_after_ms: 15 * 60_000,
            switched_ms: DAY_MS,
            lopsided: 0.9,
            lopsided_pause_ms: 60_000,
            retry_ms: 30_000,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct OnDemand {
    options: OnDemandOptions,
    windows: Windows,
    streams: BTreeMap<StreamUuid, Scaled>,
}

/// What is remembered of an on-demand stream.
#[derive(Debug)]
struct Scaled {
    layout: Layout,
    trials: Trials,
    /// The highest throughput of the day.
    high: PeakDay,
    /// What of it was decided to be kept.
    kept: PeakDay,
    /// When it was first seen here, or its shards last changed.
    changed: Millis,
    /// A reshard was decided, and is waited for until then.
    pending: Option<Millis>,
    /// Reshards that were waited for in vain, one after the other.
    refused: u32,
    /// When to look for cold shards again.
    look: Millis,
}

impl OnDemand {
    /// A scaler that has observed nothing.
    #[must_use]
    pub fn new(options: OnDemandOptions) -> OnDemand {
        assert!(options.cold < options.hot, "what a merge makes is not split again");
        let windows = Windows::new(options.window_ms);
        OnDemand { options, windows, streams: BTreeMap::new() }
    }

    /// Takes a core's report, about once a second, also of no load. It covers the time since the
    /// core's previous one; the first is only a beginning.
    pub fn observe(&mut self, now: Millis, core: CoreId, loads: &[ShardLoad]) {
        self.windows.observe(now, core, loads);
    }

    /// What should change now: at most one reshard of each stream.
    ///
    /// The caller need not do it, but tells of each reshard that it has done
    /// ([`OnDemand::resharded`]). Streams that are being changed otherwise it leaves out by itself.
    pub fn decide(&mut self, state: &State, now: Millis) -> Vec<Decision> {
        let on_demand = |s: &&StreamRecord| s.options.mode == StreamMode::OnDemand;
        let known: HashSet<_> =
            state.streams.values().filter(on_demand).map(|stream| stream.uuid).collect();
        self.windows.keep_streams(|uuid| known.contains(&uuid));
        self.streams.retain(|uuid, _| known.contains(uuid));
        let mut decisions = Vec::new();
        for stream in state.streams.values().filter(on_demand) {
            if stream.status == StreamStatus::Active {
                self.decide_stream(stream, now, &mut decisions);
            }
        }
        decisions
    }

    /// A reshard was done. What its parents took in is forgotten, and the pauses begin.
    pub fn resharded(&mut self, stream: StreamUuid, now: Millis) {
        if let Some(scaled) = self.streams.get_mut(&stream) {
            scaled.restart(now);
        }
    }

    fn decide_stream(&mut self, stream: &StreamRecord, now: Millis, decisions: &mut Vec<Decision>) {
        let options = &self.options;
        let scaled = self.streams.entry(stream.uuid).or_insert_with(|| Scaled::new(stream, now));
        scaled.follow(stream, now);
        let capacity = Capacity::of(&stream.options.limits);
        let (total, load) = measure(&mut self.windows, options, stream, &capacity, now);
        decisions.extend(scaled.peak(stream, total, &capacity, now));
        if scaled.waits(options, now) {
            return;
        }
        for number in load.hot(options) {
            let share = scaled.layout.share_of_split(number, |n| load.now(n));
            scaled.trials.judge(number, share, options, now);
        }
        scaled.trials.forget_cooled(now, |number| load.recent(number) > options.hot);
        if let Some(reshard) = scaled.choose(options, stream, &capacity, &load, now) {
            scaled.pending = Some(Millis(now.0 + scaled.patience(options)));
            if let Reshard::Split { shard, .. } = reshard {
                scaled.trials.splitting(shard);
            }
            decisions.push(Decision::Reshard { name: stream.name.clone(), reshard });
        }
    }
}

impl Scaled {
    fn new(stream: &StreamRecord, now: Millis) -> Scaled {
        let none = PeakDay { day: 0, bytes_per_s: 0, records_per_s: 0 };
        Scaled {
            layout: Layout::of(stream),
            trials: Trials::default(),
            high: none,
            kept: none,
            changed: now,
            pending: None,
            refused: 0,
            look: now,
        }
    }

    /// Takes over the shards of `stream`, if they have changed.
    fn follow(&mut self, stream: &StreamRecord, now: Millis) {
        if self.layout.is_of(stream) {
            return;
        }
        let layout = Layout::of(stream);
        // Shards that expire change the map too, but not the layout.
        if !self.layout.same_shards(&layout) {
            self.trials.follow(&layout);
            self.restart(now);
        }
        self.layout = layout;
    }

    fn restart(&mut self, now: Millis) {
        self.changed = now;
        self.pending = None;
        self.refused = 0;
    }

    /// Whether a reshard is still waited for.
    fn waits(&mut self, options: &OnDemandOptions, now: Millis) -> bool {
        match self.pending {
            // A clock that stepped back does not prolong it.
            Some(until) if now < until && until.since(now) <= self.patience(options) => true,
            Some(_) => {
                self.pending = None;
                self.refused += 1;
                false
            }
            None => false,
        }
    }

    fn patience(&self, options: &OnDemandOptions) -> u64 {
        (options.retry_ms << self.refused.min(16)).min(options.merge_after_ms)
    }

    /// Raises the day's peak to `total`, and says so when it is worth an entry of the catalog.
    fn peak(
        &mut self,
        stream: &StreamRecord,
        total: Rate,
        capacity: &Capacity,
        now: Millis,
    ) -> Option<Decision> {
        let day = day_of(now);
        let none = PeakDay { day, bytes_per_s: 0, records_per_s: 0 };
        let stored = stream.peaks.iter().copied().find(|p| p.day == day).unwrap_or(none);
        for peak in [&mut self.high, &mut self.kept] {
            *peak = if peak.day == day { highest(*peak, stored) } else { stored };
        }
        let PeakDay { bytes_per_s, records_per_s, .. } = &mut self.high;
        *bytes_per_s = total.bytes.max(*bytes_per_s);
        *records_per_s = total.records.max(*records_per_s);
        let PeakDay { day, bytes_per_s, records_per_s } = self.high;
        if !is_worth_keeping(self.kept.bytes_per_s, bytes_per_s, capacity.bytes)
            && !is_worth_keeping(self.kept.records_per_s, records_per_s, capacity.records)
        {
            return None;
        }
        self.kept = self.high;
        Some(Decision::Peak { stream: stream.uuid, day, bytes_per_s, records_per_s })
    }

    /// The highest throughput that counts.
    fn peak_of_30_days(&self, stream: &StreamRecord, now: Millis) -> Rate {
        let counts = |peak: &&PeakDay| peak.day + PEAK_DAYS > day_of(now);
        let peak = stream.peaks.iter().filter(counts).copied().fold(self.high, highest);
        Rate { bytes: peak.bytes_per_s, records: peak.records_per_s }
    }

    fn choose(
        &mut self,
        options: &OnDemandOptions,
        stream: &StreamRecord,
        capacity: &Capacity,
        load: &Load,
        now: Millis,
    ) -> Option<Reshard> {
        let warm = capacity.shards_for_warm(stream.options.warm_mib);
        let peak = self.peak_of_30_days(stream, now);
        let need = capacity.shards_for(peak, options.headroom).max(warm);
        let situation = growth::Situation { options, layout: &self.layout, load, need, warm };
        let grown = situation.grow(|shard| self.trials.is_paused(shard, now));
        if grown.is_some() || !self.may_merge(options, stream, now) {
            return grown;
        }
        let shrunk = situation.shrink();
        if shrunk.is_none() {
            // Loads that have just changed count for long: there is no hurry to look again.
            self.look = Millis(now.0 + options.window_ms);
        }
        shrunk
    }

    fn may_merge(&self, options: &OnDemandOptions, stream: &StreamRecord, now: Millis) -> bool {
        let switched = stream.mode_changes.iter().max();
        now.since(self.changed) >= options.merge_after_ms
            && switched.is_none_or(|at| now.since(*at) >= options.switched_ms)
            && self.look <= now
    }
}

impl Capacity {
    /// What one shard takes by its limits. One without a limit counts as a shard of AWS.
    fn of(limits: &ShardLimits) -> Capacity {
        let or_aws = |limit, aws| if limit == 0 { aws } else { limit };
        Capacity {
            bytes: or_aws(limits.in_bytes, SHARD_IN_BYTES),
            records: or_aws(limits.in_records, SHARD_IN_RECORDS),
        }
    }
}

/// What the stream takes in, and what each of its shards does as a part of its limit.
fn measure(
    windows: &mut Windows,
    options: &OnDemandOptions,
    stream: &StreamRecord,
    capacity: &Capacity,
    now: Millis,
) -> (Rate, Load) {
    let mut total = Rate::default();
    let mut load = Load::default();
    let is_open = |number: ShardNumber| stream.shard(number).is_some_and(|shard| shard.open);
    windows.for_each_shard(stream.uuid, now, |number, rate, throttled, busiest| {
        if !is_open(number) {
            return false;
        }
        total.bytes += rate.bytes;
        total.records += rate.records;
        // Refusing in most seconds is being at the limit, however little came through.
        let part = if throttled { 1.0 } else { 0.0 };
        let part = capacity.part(rate).max(part);
        let recent = busiest.note(part, now, options.merge_after_ms);
        load.add(number, part, recent);
        true
    });
    (total, load)
}

fn day_of(now: Millis) -> u32 {
    u32::try_from(now.0 / DAY_MS).unwrap_or(u32::MAX - PEAK_DAYS)
}

fn highest(one: PeakDay, other: PeakDay) -> PeakDay {
    PeakDay {
        day: one.day,
        bytes_per_s: one.bytes_per_s.max(other.bytes_per_s),
        records_per_s: one.records_per_s.max(other.records_per_s),
    }
}

/// A peak is kept when it has grown by 5 %, and by a hundredth of what a shard takes: less changes
/// no number of shards, and would fill the catalog's log.
fn is_worth_keeping(kept: u64, now: u64, shard: u64) -> bool {
    now > kept && now - kept >= (kept / 20).max(shard / 100)
}

#[cfg(test)]
mod tests;
