//! The last warnings and errors that the server has logged.
//!
//! Whoever logs is on any thread, and does it rarely: the one lock of this module is on no path of
//! a record.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::ids::Millis;

/// Something worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Millis,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// What.
    pub text: String,
}

/// The newest ones. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<Mutex<VecDeque<Notice>>>);

/// Those that are kept.
const NOTICES_MAX: usize = 50;
/// What is longer is cut off.
const TEXT_BYTES_MAX: usize = 1000;

impl Notices {
    /// Adds one; the oldest goes.
    pub fn add(&self, mut notice: Notice) {
        let end = notice.text.floor_char_boundary(TEXT_BYTES_MAX);
        notice.text.truncate(end);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == NOTICES_MAX {
            all.pop_front();
        }
        all.push_back(notice);
    }

    /// All that are kept, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Notice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_long_ones_are_cut_between_characters() {
        let notices = Notices::default();
        for at in 0..NOTICES_MAX as u64 + 3 {
            let text = "ä".repeat(TEXT_BYTES_MAX);
            notices.add(Notice { at: Millis(at), level: "WARN", text });
        }
        let all = notices.all();
        assert_eq!((all.len(), all[0].at), (NOTICES_MAX, Millis(3)));
        assert!(all.iter().all(|notice| notice.text.len() == TEXT_BYTES_MAX));
    }
}
