//! Messages on their way to the mailboxes of other cores, which may be full.

use std::collections::VecDeque;

use crate::base::ids::CoreId;
use crate::mesh::Endpoint;
use crate::service::Envelope;

/// By receiver: one whose mailbox is full holds up nobody else.
#[derive(Debug, Default)]
pub struct Outbox(Vec<VecDeque<Envelope>>);

impl Outbox {
    /// Adds a message, behind those that wait for the same core. Its envelope bears the view by
    /// which it was made, however late it is posted: a later one might wait for itself.
    pub fn push(&mut self, to: CoreId, envelope: Envelope) {
        let to = usize::from(to.0);
        if self.0.len() <= to {
            self.0.resize_with(to + 1, VecDeque::new);
        }
        self.0[to].push_back(envelope);
    }

    /// Posts what the mailboxes take.
    pub fn post(&mut self, mesh: &Endpoint<Envelope>) {
        for (to, waiting) in (0..).map(CoreId).zip(&mut self.0) {
            while let Some(envelope) = waiting.pop_front() {
                if let Err(envelope) = mesh.send(to, envelope) {
                    waiting.push_front(envelope);
                    break;
                }
            }
        }
    }

    /// Whether everything is posted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::MAILBOX_MESSAGES;
    use crate::mesh;
    use crate::service::Message;

    fn envelope(view: u64) -> Envelope {
        Envelope { view, message: Message::StopWrites(String::new()) }
    }

    #[test]
    fn a_full_mailbox_holds_up_its_own_messages_only_and_they_keep_their_view() {
        let ends = mesh::connect::<Envelope>(3).unwrap();
        let mut outbox = Outbox::default();
        for view in 0..=MAILBOX_MESSAGES as u64 {
            outbox.push(CoreId(1), envelope(view));
        }
        outbox.push(CoreId(2), envelope(7));
        outbox.post(&ends[0]);
        assert!(!outbox.is_empty(), "one message is too many for its mailbox");
        assert_eq!(ends[2].receive(CoreId(0)).map(|e| e.view), Some(7));
        outbox.push(CoreId(1), envelope(9999));
        let mut views = Vec::new();
        while let Some(envelope) = ends[1].receive(CoreId(0)) {
            views.push(envelope.view);
            outbox.post(&ends[0]);
        }
        assert!(outbox.is_empty());
        let expected: Vec<u64> = (0..=MAILBOX_MESSAGES as u64).chain([9999]).collect();
        assert_eq!(views, expected);
    }
}
