//! Whether an event can have happened in a state: asked before it is stored and when it is read.

use thiserror::Error;

use super::event::{Event, PlannedShard};
use super::state::{State, StreamRecord};
use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::base::stream::StreamStatus;
use crate::record::HashRange;

/// An event that cannot have happened in this state: a bug if it was just decided, a corrupt log
/// if it was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
    /// An end for a shard that is open or does not exist.
    #[error("it moves the end of a shard of the stream {0} that is not closed")]
    NotClosed(String),
    /// A creation of what exists.
    #[error("it creates the stream {0}, which exists")]
    Exists(String),
    /// A creation with an impossible number of shards.
    #[error("it creates a stream of {0} shards")]
    Shards(u32),
    /// A change of what does not exist, or exists with another identity.
    #[error("it changes the stream {name} ({uuid}), which does not exist")]
    Missing {
        /// Name in the event.
        name: String,
        /// Identity in the event.
        uuid: StreamUuid,
    },
    /// A deletion of a stream that is being deleted, or a removal of one that is not.
    #[error("it does not fit the stream {name}, which is {}", status.word())]
    Status {
        /// Name in the event.
        name: String,
        /// What the state says.
        status: StreamStatus,
    },
    /// Shards that do not follow from those that there are.
    #[error("it changes the shards of the stream {name}, but {why}")]
    Reshard {
        /// Name in the event.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A registration of what exists.
    #[error("it registers the consumer {consumer} of the stream {stream}, which exists")]
    ConsumerExists {
        /// Stream in the event.
        stream: String,
        /// Consumer in the event.
        consumer: String,
    },
    /// A change of a consumer that does not exist.
    #[error("it changes the consumer {consumer} of the stream {stream}, which does not exist")]
    ConsumerMissing {
        /// Stream in the event.
        stream: String,
        /// Consumer in the event.
        consumer: String,
    },
}

impl State {
    /// Whether `event` can happen now.
    pub fn check(&self, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::StreamCreated { name, uuid, shards, .. } => {
                if self.streams.contains_key(name) || self.has_uuid(*uuid) {
                    return Err(Misfit::Exists(name.clone()));
                }
                if *shards == 0 || *shards as usize > STREAM_SHARDS_MAX {
                    return Err(Misfit::Shards(*shards));
                }
                Ok(())
            }
            Event::StreamRemoved { name, uuid } => {
                self.with_status(name, *uuid, |s| s == StreamStatus::Deleting).map(drop)
            }
            Event::StreamDeleted { name, uuid }
            | Event::StreamAltered { name, uuid, .. }
            | Event::PeakObserved { name, uuid, .. } => self.unless_deleting(name, *uuid).map(drop),
            Event::Resharded { name, uuid, parents, children, .. } => {
                let stream = self.unless_deleting(name, *uuid)?;
                check_reshard(stream, parents, children)
                    .map_err(|why| Misfit::Reshard { name: name.clone(), why })
            }
            Event::ShardsExpired { name, uuid, shards } => {
                let stream = self.unless_deleting(name, *uuid)?;
                check_expiry(stream, shards)
                    .map_err(|why| Misfit::Reshard { name: name.clone(), why })
            }
            Event::EndsMoved { name, uuid, ends } => {
                let closed = self.unless_deleting(name, *uuid)?.are_closed(ends);
                if closed { Ok(()) } else { Err(Misfit::NotClosed(name.clone())) }
            }
            Event::ConsumerRegistered { stream, uuid, consumer, .. } => {
                let known = self.unless_deleting(stream, *uuid)?.consumers.contains_key(consumer);
                let (stream, consumer) = (stream.clone(), consumer.clone());
                if known { Err(Misfit::ConsumerExists { stream, consumer }) } else { Ok(()) }
            }
            Event::ConsumerDeregistered { stream, uuid, consumer }
            | Event::ConsumerTagged { stream, uuid, consumer, .. } => {
                let known = self.unless_deleting(stream, *uuid)?.consumers.contains_key(consumer);
                let (stream, consumer) = (stream.clone(), consumer.clone());
                if known { Ok(()) } else { Err(Misfit::ConsumerMissing { stream, consumer }) }
            }
            Event::AccountChanged { .. } => Ok(()),
        }
    }

    /// The stream, unless it is being deleted.
    fn unless_deleting(&self, name: &str, uuid: StreamUuid) -> Result<&StreamRecord, Misfit> {
        self.with_status(name, uuid, |s| {
            matches!(s, StreamStatus::Creating | StreamStatus::Active | StreamStatus::Updating)
        })
    }

    fn with_status(
        &self,
        name: &str,
        uuid: StreamUuid,
        fits: impl FnOnce(StreamStatus) -> bool,
    ) -> Result<&StreamRecord, Misfit> {
        match self.stream(name).filter(|stream| stream.uuid == uuid) {
            None => Err(Misfit::Missing { name: name.to_owned(), uuid }),
            Some(stream) if fits(stream.status) => Ok(stream),
            Some(stream) => Err(Misfit::Status { name: name.to_owned(), status: stream.status }),
        }
    }
}

/// Every shard that ends is followed either by two that divide its hash keys, or by one that joins
/// them with its neighbour's. So what was covered once before is covered once afterwards.
fn check_reshard(
    stream: &StreamRecord,
    parents: &[(ShardNumber, Seq)],
    children: &[PlannedShard],
) -> Result<(), &'static str> {
    let mut endings = Endings::of(stream, parents)?;
    for (number, child) in (stream.next_number()..).zip(children) {
        if child.number.0 != number {
            return Err("a child has another number than the next");
        }
        for parent in child.parents() {
            let ending = endings.get_mut(parent).ok_or("a child's parent does not end")?;
            ending.add(child);
        }
        endings.children.push((!child.open).then(|| Ending::of(child.range)));
    }
    if endings.parents.is_empty() {
        return Err("nothing changes");
    }
    let ending = endings.parents.iter().map(|(_, ending)| ending);
    match ending.chain(endings.children.iter().flatten()).all(|e| e.is_followed(&endings)) {
        true => Ok(()),
        false => Err("a shard's hash keys are not handed on exactly once"),
    }
}

/// The shards that end in a reshard.
struct Endings<'a> {
    /// By number.
    parents: Vec<(ShardNumber, Ending<'a>)>,
    /// Number of the first child.
    first: u32,
    /// By number; `None` for those that stay open.
    children: Vec<Option<Ending<'a>>>,
}

impl<'a> Endings<'a> {
    fn of(
        stream: &StreamRecord,
        parents: &[(ShardNumber, Seq)],
    ) -> Result<Endings<'a>, &'static str> {
        let ending = |(number, _): &(ShardNumber, Seq)| {
            let open = stream.shard(*number).filter(|shard| shard.open);
            open.map(|shard| (*number, Ending::of(shard.range))).ok_or("a parent is not open")
        };
        let mut parents = parents.iter().map(ending).collect::<Result<Vec<_>, &str>>()?;
        parents.sort_by_key(|(number, _)| *number);
        if parents.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("a parent is named twice");
        }
        Ok(Endings { parents, first: stream.next_number(), children: Vec::new() })
    }

    fn get(&self, number: ShardNumber) -> Option<&Ending<'a>> {
        match number.0.checked_sub(self.first) {
            Some(index) => self.children.get(index as usize)?.as_ref(),
            None => Some(&self.parents[self.parent(number)?].1),
        }
    }

    fn get_mut(&mut self, number: ShardNumber) -> Option<&mut Ending<'a>> {
        match number.0.checked_sub(self.first) {
            Some(index) => self.children.get_mut(index as usize)?.as_mut(),
            None => {
                let at = self.parent(number)?;
                Some(&mut self.parents[at].1)
            }
        }
    }

    fn parent(&self, number: ShardNumber) -> Option<usize> {
        self.parents.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

/// A shard that ends in a reshard, and what follows it there.
struct Ending<'a> {
    range: HashRange,
    heirs: [Option<&'a PlannedShard>; 2],
    /// More follow than may.
    too_many: bool,
}

impl<'a> Ending<'a> {
    fn of(range: HashRange) -> Ending<'a> {
        Ending { range, heirs: [None; 2], too_many: false }
    }

    fn add(&mut self, heir: &'a PlannedShard) {
        match self.heirs.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(heir),
            None => self.too_many = true,
        }
    }

    fn is_followed(&self, endings: &Endings<'_>) -> bool {
        if self.too_many {
            return false;
        }
        match self.heirs {
            [Some(merged), None] => {
                let range = |number| endings.get(number).map(|ending| ending.range);
                let (first, second) =
                    (range(merged.parent), merged.adjacent_parent.and_then(range));
                first.zip(second).is_some_and(|(a, b)| divides(merged.range, a, b))
            }
            [Some(low), Some(high)] => {
                let split = low.adjacent_parent.or(high.adjacent_parent).is_none();
                split && divides(self.range, low.range, high.range)
            }
            _ => false,
        }
    }
}

/// Whether `low` and `high` are the two parts of `whole`.
fn divides(whole: HashRange, low: HashRange, high: HashRange) -> bool {
    whole.start == low.start
        && low.start <= low.end
        && low.end.0.checked_add(1) == Some(high.start.0)
        && high.start <= high.end
        && high.end == whole.end
}

fn check_expiry(stream: &StreamRecord, shards: &[ShardNumber]) -> Result<(), &'static str> {
    if shards.is_empty() || !shards.is_sorted_by(|a, b| a < b) {
        return Err("the expired shards are not in order");
    }
    match shards.iter().all(|n| stream.shard(*n).is_some_and(|s| !s.open)) {
        true => Ok(()),
        false => Err("an expired shard is not closed"),
    }
}
