//! What the catalog says that the log must hold: which shards there are, and where closed ones
//! end. The log itself cannot tell a shard that was removed from one that was lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::ids::{Seq, ShardKey, ShardNumber, StreamUuid};

/// The end of a closed shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedEnd {
    /// Behind its last record.
    pub end: Seq,
    /// Whether everything below was on stable storage when the shard was closed. Without, a power
    /// cut may have taken the last records, and that is no damage.
    pub durable: bool,
}

/// The shards of the catalog. The default knows none of them: then every shard that is found is
/// taken for one, wherever it ends.
#[derive(Clone, Debug, Default)]
pub struct Expected(Option<Known>);

#[derive(Clone, Debug)]
struct Known {
    catalog: PathBuf,
    shards: BTreeMap<ShardKey, Option<ClosedEnd>>,
}

/// A closed shard, as [`Expected`] has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed<'a> {
    /// Where it ends.
    pub at: ClosedEnd,
    /// The file that says so.
    pub catalog: &'a Path,
}

impl Expected {
    /// Exactly these shards, according to the file `catalog`; an open one has no end.
    #[must_use]
    pub fn of(
        catalog: &Path,
        shards: impl IntoIterator<Item = (ShardKey, Option<ClosedEnd>)>,
    ) -> Expected {
        let (catalog, shards) = (catalog.to_owned(), shards.into_iter().collect());
        Expected(Some(Known { catalog, shards }))
    }

    /// Whether the catalog was there to be asked.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the shard exists; what is left of any other may go.
    #[must_use]
    pub fn has(&self, shard: ShardKey) -> bool {
        self.0.as_ref().is_none_or(|known| known.shards.contains_key(&shard))
    }

    /// Whether the stream exists: every stream has a shard.
    #[must_use]
    pub fn has_stream(&self, stream: StreamUuid) -> bool {
        let first = ShardKey { stream, number: ShardNumber(0) };
        self.0.as_ref().is_none_or(|known| {
            known.shards.range(first..).next().is_some_and(|(key, _)| key.stream == stream)
        })
    }

    /// The shard's end, if it is closed.
    pub(crate) fn closed(&self, shard: ShardKey) -> Option<Closed<'_>> {
        let known = self.0.as_ref()?;
        let at = (*known.shards.get(&shard)?)?;
        Some(Closed { at, catalog: &known.catalog })
    }

    /// Closed shards that have or had records.
    pub(crate) fn closed_with_records(&self) -> impl Iterator<Item = (ShardKey, ClosedEnd)> {
        let shards = self.0.iter().flat_map(|known| &known.shards);
        let closed = shards.filter_map(|(&key, &end)| end.map(|end| (key, end)));
        closed.filter(|(_, closed)| closed.end > Seq::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(stream: u8, number: u32) -> ShardKey {
        ShardKey { stream: StreamUuid([stream; 16]), number: ShardNumber(number) }
    }

    #[test]
    fn shards_and_streams_that_the_catalog_does_not_name_do_not_exist() {
        let end = |end| Some(ClosedEnd { end: Seq(end), durable: true });
        let shards = [(key(2, 3), end(7)), (key(2, 4), None), (key(5, 0), end(0))];
        let expected = Expected::of(Path::new("catalog.log"), shards);
        assert!(expected.has(key(2, 3)) && expected.has(key(2, 4)) && expected.has(key(5, 0)));
        assert!(!expected.has(key(2, 2)) && !expected.has(key(3, 3)));
        assert!(expected.has_stream(key(2, 0).stream) && expected.has_stream(key(5, 0).stream));
        let others = [1, 3, 4, 6];
        assert!(others.iter().all(|&stream| !expected.has_stream(key(stream, 0).stream)));
        assert_eq!(expected.closed(key(2, 3)).unwrap().at.end, Seq(7));
        assert!(expected.closed(key(2, 4)).is_none(), "it is open");
        let with_records: Vec<_> = expected.closed_with_records().map(|(key, _)| key).collect();
        assert_eq!(with_records, [key(2, 3)]);
    }

    #[test]
    fn without_a_catalog_everything_may_exist() {
        let unknown = Expected::default();
        assert!(unknown.has(key(1, 1)) && unknown.has_stream(key(1, 1).stream));
        assert!(!unknown.is_known() && unknown.closed(key(1, 1)).is_none());
    }
}
