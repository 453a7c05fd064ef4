//! The shards that a reading thread is given while it reads others.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use super::Source;

/// How long a reading thread waits for its server before it looks for new shards: what a reshard
/// may delay the first record of a child, and 40 looks a second.
pub(super) const NEWCOMER_WAIT: Duration = Duration::from_millis(25);

/// See the module.
pub(super) struct Inbox<'a> {
    sources: &'a Receiver<Source>,
    open: bool,
}

impl Inbox<'_> {
    pub(super) fn new(sources: &Receiver<Source>) -> Inbox<'_> {
        Inbox { sources, open: true }
    }

    /// What has come; with nothing else to read (`idle`) it waits for the first. `None`: there is
    /// nothing to read, and nothing will come.
    pub(super) fn take(&mut self, idle: bool) -> Option<Vec<Source>> {
        let mut come = Vec::new();
        if idle && self.open {
            match self.sources.recv() {
                Ok(source) => come.push(source),
                Err(_) => self.open = false,
            }
        }
        while self.open {
            match self.sources.try_recv() {
                Ok(source) => come.push(source),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.open = false,
            }
        }
        (!idle || !come.is_empty()).then_some(come)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::base::ids::{ShardNumber, StreamUuid};
    use crate::base::stream::Position;

    #[test]
    fn it_ends_when_nothing_is_left_and_nothing_can_come() {
        let (sender, receiver) = channel();
        let mut inbox = Inbox::new(&receiver);
        let source = |n| Source {
            stream: StreamUuid([1; 16]),
            shard: ShardNumber(n),
            from: Position::Latest,
            until: None,
        };
        assert_eq!(inbox.take(false).map(|come| come.len()), Some(0), "others are being read");
        sender.send(source(1)).unwrap();
        sender.send(source(2)).unwrap();
        drop(sender);
        assert_eq!(inbox.take(true).map(|come| come.len()), Some(2));
        assert_eq!(inbox.take(false).map(|come| come.len()), Some(0));
        assert!(inbox.take(true).is_none());
    }
}
