//! A shard closes: first every core stops sending it puts, then what it has staged becomes
//! durable, then its end is known.
//!
//! Cores hold puts for a closing shard back as soon as they see it in their view, and send its
//! home core a fence behind the last put that they have let through. With the fences of all cores
//! nothing more is on its way.

use std::collections::HashMap;

use crate::base::ids::{CoreId, ShardKey};
use crate::log::staging::ShardSlot;
use crate::service::core::Core;
use crate::service::message::Message;

/// The closing shards at home here.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Cores that have sent their fence. Fences of other cores may come before the own view.
    fences: HashMap<ShardKey, u16>,
    /// Those with all fences whose end is not reported yet.
    draining: Vec<(ShardKey, ShardSlot)>,
}

impl Core {
    /// Puts for these shards are held here from now on: tells their home cores so.
    pub(super) fn send_fences(&mut self, shards: Vec<(CoreId, ShardKey)>) {
        let mut by_home: HashMap<CoreId, Vec<ShardKey>> = HashMap::new();
        for (home, shard) in shards {
            by_home.entry(home).or_default().push(shard);
        }
        for (home, shards) in by_home {
            if home == self.me {
                self.fence(&shards);
            } else {
                self.send(home, Message::Fence(shards));
            }
        }
    }

    /// A core sends these shards no more puts.
    pub fn fence(&mut self, shards: &[ShardKey]) {
        for &shard in shards {
            let fences = self.closing.fences.entry(shard).or_default();
            *fences += 1;
            if *fences == self.view.cores()
                && let Ok(slot) = self.slot(shard)
            {
                self.closing.fences.remove(&shard);
                self.closing.draining.push((shard, slot));
            }
        }
    }

    /// Reports the closing shards whose records are all durable.
    pub(super) fn report_drained(&mut self) {
        if self.closing.draining.is_empty() {
            return;
        }
        let mut draining = std::mem::take(&mut self.closing.draining);
        draining.retain(|&(key, slot)| {
            let Some(shard) = self.shard(slot) else { return false };
            let (marks, arrival) = (shard.watermarks(), shard.last_arrival());
            let waits = self.parked.iter().any(|put| put.shard == key);
            if waits || marks.durable < marks.staged {
                return true;
            }
            let drained = Message::Drained { shard: key, end: marks.durable, arrival };
            self.send(CoreId(0), drained);
            false
        });
        self.closing.draining = draining;
    }

    /// These shards are not about to be closed any more, or are closed.
    pub(super) fn forget_closing(&mut self, shards: &[ShardKey]) {
        for shard in shards {
            self.closing.fences.remove(shard);
        }
        if !self.closing.draining.is_empty() {
            self.closing.draining.retain(|(key, _)| !shards.contains(key));
        }
    }
}
