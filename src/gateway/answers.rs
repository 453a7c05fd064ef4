//! Memory of answers that clients have not taken yet.
//!
//! An answer waits in the server for as long as its client has no room for it, and HTTP/2 lets a
//! client ask for thousands without taking one. So all of them have a budget, as the bodies of
//! requests have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Answers below this are not counted: counting costs an allocation.
const COUNTED_BYTES_MIN: usize = 4 << 10;

/// The budget of a core. Clones share it.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Only this core uses it, but `Bytes` could be sent to another.
    held: Arc<AtomicUsize>,
    total: usize,
}

/// Bytes that count until they are dropped: sent, or given up.
struct Held {
    body: Vec<u8>,
    held: Arc<AtomicUsize>,
}

impl Answers {
    /// Nothing is held yet.
    #[must_use]
    pub fn new(total: usize) -> Answers {
        Answers { held: Arc::default(), total }
    }

    /// Whether an answer of so many bytes is one too many. A single one never is.
    #[must_use]
    pub fn is_full_for(&self, bytes: usize) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        bytes >= COUNTED_BYTES_MIN && held > 0 && held + bytes > self.total
    }

    /// Bytes of answers that count now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The bytes of an answer, counted until the last of them has gone.
    #[must_use]
    pub fn hold(&self, body: Vec<u8>) -> Bytes {
        if body.len() < COUNTED_BYTES_MIN {
            return Bytes::from(body);
        }
        self.held.fetch_add(body.len(), Ordering::Relaxed);
        Bytes::from_owner(Held { body, held: self.held.clone() })
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.body.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_until_its_last_byte_has_gone() {
        let answers = Answers::new(30_000);
        let mut first = answers.hold(vec![1; 20_000]);
        assert!(answers.is_full_for(10_001) && !answers.is_full_for(10_000));
        let rest = first.split_off(19_999);
        drop(first);
        assert!(answers.is_full_for(10_001), "a part of it is still there");
        drop(rest);
        assert!(!answers.is_full_for(30_001), "a single one may be larger than all");
    }

    #[test]
    fn small_answers_cost_nothing() {
        let answers = Answers::new(1);
        let held: Vec<Bytes> = (0..100).map(|_| answers.hold(vec![0; 4095])).collect();
        assert!(!answers.is_full_for(1 << 20));
        drop(held);
        let large = answers.hold(vec![0; 4096]);
        assert!(answers.is_full_for(4096) && !answers.is_full_for(4095), "{}", large.len());
    }
}
