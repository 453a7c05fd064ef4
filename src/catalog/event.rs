//! What has happened to the catalog: the entries of its log.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::state::{State, StreamRecord};
use crate::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::base::stream::{StreamOptions, StreamStatus};

/// A decided change. Variants are only added: old logs hold the old ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A stream exists.
    StreamCreated {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// When.
        created: Millis,
        /// Number of shards; they divide the key space evenly, as AWS does it.
        shards: u32,
        /// What was chosen.
        options: StreamOptions,
    },
    /// A stream no longer takes or gives records; its files are being removed.
    StreamDeleted {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
    },
    /// Nothing of a deleted stream is left; its name is free again.
    StreamRemoved {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
    },
    /// Closed shards end elsewhere than they did, by what a start has found of their records.
    EndsMoved {
        /// The stream's name.
        name: String,
        /// Its identity.
        uuid: StreamUuid,
        /// The shards, and the position behind the last record of each.
        ends: Vec<(ShardNumber, Seq)>,
    },
}

/// An event that cannot have happened in this state: a bug if it was just decided, a corrupt log
/// if it was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
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
    /// An end for a shard that is open or does not exist.
    #[error("it moves the end of a shard of the stream {0} that is not closed")]
    NotClosed(String),
    /// A deletion of a stream that is being deleted, or a removal of one that is not.
    #[error("it does not fit the stream {name}, which is {}", status.word())]
    Status {
        /// Name in the event.
        name: String,
        /// What the state says.
        status: StreamStatus,
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
            Event::StreamDeleted { name, uuid } => self.check_status(name, *uuid, |s| {
                matches!(s, StreamStatus::Creating | StreamStatus::Active | StreamStatus::Updating)
            }),
            Event::StreamRemoved { name, uuid } => {
                self.check_status(name, *uuid, |s| s == StreamStatus::Deleting)
            }
            Event::EndsMoved { name, uuid, ends } => {
                self.check_status(name, *uuid, |_| true)?;
                let closed = self.stream(name).is_some_and(|stream| stream.are_closed(ends));
                if closed { Ok(()) } else { Err(Misfit::NotClosed(name.clone())) }
            }
        }
    }

    /// Makes `event` part of the state. It must fit ([`State::check`]): what was decided against
    /// this state always does.
    pub fn apply(&mut self, event: &Event) {
        if let Err(misfit) = self.check(event) {
            panic!("an event is applied to the state it was decided for, but {misfit}");
        }
        match event {
            Event::StreamCreated { name, uuid, created, shards, options } => {
                let stream = StreamRecord::new(name, *uuid, *created, *shards, *options);
                self.streams.insert(name.clone(), stream);
            }
            Event::StreamDeleted { name, .. } => {
                let stream = self.streams.get_mut(name).expect("the event was checked");
                stream.status = StreamStatus::Deleting;
            }
            Event::StreamRemoved { name, .. } => {
                self.streams.remove(name);
            }
            Event::EndsMoved { name, ends, .. } => {
                self.streams.get_mut(name).expect("the event was checked").set_ends(ends);
            }
        }
        self.version += 1;
    }

    fn check_status(
        &self,
        name: &str,
        uuid: StreamUuid,
        fits: impl FnOnce(StreamStatus) -> bool,
    ) -> Result<(), Misfit> {
        match self.stream(name).filter(|stream| stream.uuid == uuid) {
            None => Err(Misfit::Missing { name: name.to_owned(), uuid }),
            Some(stream) if fits(stream.status) => Ok(()),
            Some(stream) => Err(Misfit::Status { name: name.to_owned(), status: stream.status }),
        }
    }
}
