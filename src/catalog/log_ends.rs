//! The catalog and the log at boot: what the log must hold, and what follows when closed shards end
//! elsewhere.

use std::path::Path;

use super::event::Event;
use super::file_store::log_path;
use super::state::{State, StreamRecord};
use crate::base::ids::{Seq, ShardKey, ShardNumber};
use crate::base::stream::{Durability, StreamStatus};
use crate::log::expected::{ClosedEnd, Expected};

impl State {
    /// What the log below `data_dir` must hold. Nothing of a stream that is being deleted.
    #[must_use]
    pub fn expected(&self, data_dir: &Path) -> Expected {
        let streams = self.streams.values().filter(|s| s.status != StreamStatus::Deleting);
        let shards = streams.flat_map(|stream| {
            let durable = stream.options.durability == Durability::Durable;
            stream.shards.iter().map(move |shard| {
                let key = ShardKey { stream: stream.uuid, number: shard.number };
                (key, shard.end.map(|end| ClosedEnd { end, durable }))
            })
        });
        Expected::of(&log_path(data_dir), shards)
    }

    /// Closed shards turned out to end here: an event for each of their streams.
    #[must_use]
    pub fn move_ends(&self, ends: &[(ShardKey, Seq)]) -> Vec<Event> {
        let of = |stream: &StreamRecord| -> Vec<(ShardNumber, Seq)> {
            let ends = ends.iter().filter(|(key, _)| key.stream == stream.uuid);
            ends.map(|&(key, end)| (key.number, end)).collect()
        };
        let streams = self.streams.values().map(|stream| (stream, of(stream)));
        let moved = streams.filter(|(_, ends)| !ends.is_empty());
        moved
            .map(|(stream, ends)| Event::EndsMoved {
                name: stream.name.clone(),
                uuid: stream.uuid,
                ends,
            })
            .collect()
    }
}

impl StreamRecord {
    /// Whether all of these shards are closed.
    pub(super) fn are_closed(&self, ends: &[(ShardNumber, Seq)]) -> bool {
        let is_closed = |at: usize| !self.shards[at].open;
        ends.iter().all(|&(number, _)| self.position(number).is_some_and(is_closed))
    }

    /// Closed shards end here.
    pub(super) fn set_ends(&mut self, ends: &[(ShardNumber, Seq)]) {
        for &(number, end) in ends {
            let at = self.position(number).expect("the event was checked");
            self.shards[at].end = Some(end);
        }
        self.map_version += 1;
    }

    fn position(&self, number: ShardNumber) -> Option<usize> {
        self.shards.binary_search_by_key(&number, |shard| shard.number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Millis, StreamUuid};
    use crate::base::stream::StreamOptions;

    /// Two streams of two shards; shard 1 of each was closed at 7. The second is only `written`.
    fn state() -> State {
        let mut state = State::new([7; 32]);
        let written = StreamOptions { durability: Durability::Written, ..Default::default() };
        for (n, name, options) in [(1, "a", StreamOptions::default()), (2, "b", written)] {
            let uuid = StreamUuid([n; 16]);
            let mut stream = StreamRecord::new(name, uuid, Millis(1), 2, options);
            let shard = &mut stream.shards[1];
            (shard.open, shard.closed_at, shard.end) = (false, Some(Millis(5)), Some(Seq(7)));
            state.streams.insert(name.to_owned(), stream);
        }
        state
    }

    fn key(stream: u8, number: u32) -> ShardKey {
        ShardKey { stream: StreamUuid([stream; 16]), number: ShardNumber(number) }
    }

    #[test]
    fn the_log_must_hold_the_shards_of_all_streams_that_are_not_being_deleted() {
        let mut state = state();
        let expected = state.expected(Path::new("data"));
        let closed: Vec<_> = expected.closed_with_records().collect();
        let end = |durable| ClosedEnd { end: Seq(7), durable };
        assert_eq!(closed, [(key(1, 1), end(true)), (key(2, 1), end(false))]);
        assert!(expected.has(key(1, 0)) && !expected.has(key(1, 2)), "shard 2 was removed");
        state.streams.get_mut("a").unwrap().status = StreamStatus::Deleting;
        assert!(!state.expected(Path::new("data")).has_stream(key(1, 0).stream));
    }

    #[test]
    fn ends_that_moved_are_stored_stream_by_stream() {
        let mut state = state();
        let events = state.move_ends(&[(key(1, 1), Seq(3)), (key(2, 1), Seq(9))]);
        assert_eq!(events.len(), 2);
        let versions: Vec<_> = state.streams.values().map(|s| s.map_version + 1).collect();
        events.iter().for_each(|event| state.apply(event));
        let ends: Vec<_> = state.streams.values().map(|s| s.shards[1].end).collect();
        assert_eq!(ends, [Some(Seq(3)), Some(Seq(9))]);
        let after: Vec<_> = state.streams.values().map(|s| s.map_version).collect();
        assert_eq!(after, versions, "clients must look again");
        let open = state.move_ends(&[(key(1, 0), Seq(3))]);
        assert!(state.check(&open[0]).is_err(), "an open shard has no end");
    }
}
