//! A shard closes: first every core stops sending it puts, then what it has staged becomes
//! durable, then its end is known.
//!
//! Cores hold puts for a closing shard back as soon as they see it in their view, and send its
//! home core a fence behind the last put that they have let through. With the fences of all cores
//! nothing more is on its way.
//!
//! A closing may be given up and tried again while a fence of the first attempt is still on its
//! way. Fences and ends say which attempt they belong to: the version of the view that announced
//! it.

use std::collections::{HashMap, HashSet};

use crate::base::ids::{CoreId, ShardKey};
use crate::log::staging::ShardSlot;
use crate::service::core::Core;
use crate::service::message::Message;

/// The closing shards at home here.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Fences of other cores may come before the own view.
    fences: HashMap<ShardKey, Fences>,
    /// Those with all fences whose end is not reported yet.
    draining: Vec<Draining>,
}

/// What has come for the newest attempt to close a shard.
#[derive(Debug, Default)]
struct Fences {
    attempt: u64,
    /// Cores that have sent theirs.
    cores: u16,
}

/// A closing shard that gets no more puts.
#[derive(Debug)]
struct Draining {
    attempt: u64,
    key: ShardKey,
    slot: ShardSlot,
}

impl Core {
    /// Puts for these shards are held here from now on: tells their home cores so.
    pub(super) fn send_fences(&mut self, attempt: u64, shards: Vec<(CoreId, ShardKey)>) {
        let mut by_home: HashMap<CoreId, Vec<ShardKey>> = HashMap::new();
        for (home, shard) in shards {
            by_home.entry(home).or_default().push(shard);
        }
        for (home, shards) in by_home {
            if home == self.me {
                self.fence(attempt, &shards);
            } else {
                self.send(home, Message::Fence { attempt, shards });
            }
        }
    }

    /// A core sends these shards no more puts.
    pub fn fence(&mut self, attempt: u64, shards: &[ShardKey]) {
        for &key in shards {
            let fences = self.closing.fences.entry(key).or_default();
            if attempt > fences.attempt {
                *fences = Fences { attempt, cores: 0 };
            }
            if attempt < fences.attempt {
                continue;
            }
            fences.cores += 1;
            if fences.cores == self.view.cores()
                && let Ok(slot) = self.slot(key)
            {
                self.closing.fences.remove(&key);
                self.closing.draining.push(Draining { attempt, key, slot });
            }
        }
    }

    /// Reports the closing shards whose records are all durable.
    pub(super) fn report_drained(&mut self) {
        if self.closing.draining.is_empty() {
            return;
        }
        let mut draining = std::mem::take(&mut self.closing.draining);
        let parked: HashSet<ShardKey> = self.parked.iter().map(|put| put.shard).collect();
        draining.retain(|&Draining { attempt, key, slot }| {
            let Some(shard) = self.shard(slot) else { return false };
            let (marks, arrival) = (shard.watermarks(), shard.last_arrival());
            if parked.contains(&key) || marks.durable < marks.staged {
                return true;
            }
            let drained = Message::Drained { attempt, shard: key, end: marks.durable, arrival };
            self.send(CoreId(0), drained);
            false
        });
        self.closing.draining = draining;
    }

    /// These shards are not about to be closed any more, or are closed.
    pub(super) fn forget_closing(&mut self, shards: &HashSet<ShardKey>) {
        for shard in shards {
            self.closing.fences.remove(shard);
        }
        if !self.closing.draining.is_empty() {
            self.closing.draining.retain(|draining| !shards.contains(&draining.key));
        }
    }
}
