//! Makes an event part of the state. The same events always give the same state.

use super::event::{Alteration, Event, PlannedShard};
use super::state::{ConsumerRecord, PeakDay, ShardRecord, State, StreamRecord};
use crate::base::ids::{Millis, Seq, ShardNumber};
use crate::base::limits::{
    CHILD_CREATED_LATER_MS, ENCRYPTION_CHANGES_PER_DAY, MODE_CHANGES_PER_DAY, PEAK_DAYS,
    SCALINGS_PER_DAY,
};
use crate::base::stream::StreamStatus;

impl State {
    /// Makes `event` part of the state. It must fit ([`State::check`]): what was decided against
    /// this state always does.
    pub fn apply(&mut self, event: &Event) {
        if let Err(misfit) = self.check(event) {
            panic!("an event is applied to the state it was decided for, but {misfit}");
        }
        match event {
            Event::StreamCreated { name, uuid, created, shards, options, tags } => {
                let mut stream = StreamRecord::new(name, *uuid, *created, *shards, *options);
                stream.tags.clone_from(tags);
                self.streams.insert(name.clone(), stream);
            }
            Event::StreamRemoved { name, .. } => {
                self.streams.remove(name);
            }
            Event::AccountChanged { account } => self.account = *account,
            event => {
                let name = event.stream().expect("all other events change a stream");
                let stream = self.streams.get_mut(name).expect("the event was checked");
                stream.apply(event);
            }
        }
        self.version += 1;
    }
}

impl StreamRecord {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::StreamDeleted { .. } => self.status = StreamStatus::Deleting,
            Event::StreamAltered { at, alteration, .. } => self.alter(*at, alteration),
            Event::Resharded { at, scaling, parents, children, .. } => {
                if *scaling {
                    remember(&mut self.scalings, *at, SCALINGS_PER_DAY);
                }
                self.reshard(*at, parents, children);
            }
            Event::ShardsExpired { shards, .. } => {
                // An older log does not know it, and the last shards may be among the expired.
                self.next_number = self.next_number();
                self.shards.retain(|shard| shards.binary_search(&shard.number).is_err());
                self.map_version += 1;
            }
            Event::EndsMoved { ends, .. } => self.set_ends(ends),
            Event::ConsumerRegistered { consumer, created, tags, .. } => {
                let (created, tags) = (*created, tags.clone());
                let record = ConsumerRecord { created, tags, policy: None };
                self.consumers.insert(consumer.clone(), record);
            }
            Event::ConsumerDeregistered { consumer, .. } => {
                self.consumers.remove(consumer);
            }
            Event::ConsumerTagged { consumer, tags, .. } => {
                let record = self.consumers.get_mut(consumer).expect("the event was checked");
                record.tags.clone_from(tags);
            }
            Event::PeakObserved { peak, .. } => self.observe(*peak),
            Event::StreamCreated { .. }
            | Event::StreamRemoved { .. }
            | Event::AccountChanged { .. } => unreachable!("they change more than a stream"),
        }
    }

    fn alter(&mut self, at: Millis, alteration: &Alteration) {
        match alteration {
            Alteration::Retention { hours, floor } => {
                self.options.retention_hours = *hours;
                self.retention_floor = *floor;
            }
            Alteration::Limits(limits) => self.options.limits = *limits,
            Alteration::RecordBytesMax(bytes) => self.options.record_bytes_max = *bytes,
            Alteration::Mode { mode, warm_mib } => {
                if *mode != self.options.mode {
                    remember(&mut self.mode_changes, at, MODE_CHANGES_PER_DAY);
                }
                self.options.mode = *mode;
                self.options.warm_mib = *warm_mib;
            }
            Alteration::WarmThroughput(mib) => self.options.warm_mib = *mib,
            Alteration::Distribution(distribution) => self.options.distribution = *distribution,
            Alteration::Metrics(metrics) => self.metrics = *metrics,
            Alteration::Tags(tags) => self.tags.clone_from(tags),
            Alteration::Encryption(key) => {
                let times = match key {
                    Some(_) => &mut self.encryption_starts,
                    None => &mut self.encryption_stops,
                };
                remember(times, at, ENCRYPTION_CHANGES_PER_DAY);
                self.key_id.clone_from(key);
            }
            Alteration::Policy { consumer: None, policy } => self.policy.clone_from(policy),
            Alteration::Policy { consumer: Some(name), policy } => {
                if let Some(consumer) = self.consumers.get_mut(name) {
                    consumer.policy.clone_from(policy);
                }
            }
        }
    }

    fn reshard(&mut self, at: Millis, parents: &[(ShardNumber, Seq)], children: &[PlannedShard]) {
        for (number, end) in parents {
            let index = self.index_of(*number).expect("the event was checked");
            let shard = &mut self.shards[index];
            shard.open = false;
            shard.closed_at = Some(at);
            shard.end = Some(*end);
        }
        self.shards.reserve(children.len());
        for child in children {
            let created = child.parents().map(|parent| {
                let parent = self.shard(parent).expect("the event was checked");
                parent.created.0 + CHILD_CREATED_LATER_MS
            });
            let created = Millis(created.fold(at.0, u64::max));
            let PlannedShard { number, range, parent, adjacent_parent, open } = *child;
            self.shards.push(ShardRecord {
                number,
                range,
                open,
                created,
                parent: Some(parent),
                adjacent_parent,
                // Closed at the same moment as the shards that it joins, so that at every time
                // each hash key had one shard.
                closed_at: (!open).then_some(at),
                end: (!open).then_some(Seq::ZERO),
            });
        }
        self.next_number = self.next_number();
        self.map_version += 1;
    }

    fn observe(&mut self, peak: PeakDay) {
        match self.peaks.binary_search_by_key(&peak.day, |p| p.day) {
            Ok(at) => self.peaks[at] = peak,
            Err(at) => self.peaks.insert(at, peak),
        }
        let newest = self.peaks.last().map_or(0, |p| p.day);
        self.peaks.retain(|p| newest - p.day < PEAK_DAYS);
    }
}

/// Adds a time to the newest of its kind. More than `max` never matter: so many in a day are the
/// limit.
fn remember(times: &mut Vec<Millis>, at: Millis, max: usize) {
    times.push(at);
    let old = times.len().saturating_sub(max);
    times.drain(..old);
}
