//! Which journal files a shard still needs.

use std::collections::VecDeque;

use crate::base::ids::Seq;

/// For each journal generation with records of the shard: where those records end. Dropped as the
/// segments are synced.
#[derive(Debug, Default)]
pub struct Marks(VecDeque<(u64, Seq)>);

impl Marks {
    /// Records up to `end` went into journal file `generation`.
    pub fn wrote(&mut self, generation: u64, end: Seq) {
        match self.0.back_mut() {
            Some((last, last_end)) if *last == generation => *last_end = end,
            _ => self.0.push_back((generation, end)),
        }
    }

    /// The segments hold everything below `synced` for certain.
    pub fn synced(&mut self, synced: Seq) {
        while self.0.front().is_some_and(|(_, end)| *end <= synced) {
            self.0.pop_front();
        }
    }

    /// Where the records in that file end.
    #[must_use]
    pub fn oldest_end(&self) -> Option<Seq> {
        self.0.front().map(|(_, end)| *end)
    }

    /// The oldest journal file that recovery would need for this shard.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.0.front().map(|(generation, _)| *generation)
    }
}
