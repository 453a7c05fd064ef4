//! How far long work on a data dir is: a bar on stderr, where a person looks.

use indicatif::{ProgressBar, ProgressStyle};

use crate::log::progress::Progress;

/// Appears with the first progress and goes when it is dropped.
#[derive(Debug, Default)]
pub(super) struct WorkBar {
    bar: Option<ProgressBar>,
    total: u64,
}

impl WorkBar {
    fn bar(&mut self) -> &ProgressBar {
        self.bar.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("{msg} {bytes}/{total_bytes} {wide_bar} {eta}")
                    .expect("the template is valid");
            // indicatif draws on stderr, and only on a terminal.
            ProgressBar::new(0).with_style(style)
        })
    }
}

impl Progress for WorkBar {
    fn total_bytes(&mut self, bytes: u64) {
        self.total += bytes;
        let total = self.total;
        self.bar().set_length(total);
    }

    fn advance(&mut self, bytes: u64) {
        self.bar().inc(bytes);
    }

    fn message(&mut self, text: &str) {
        self.bar().set_message(text.to_owned());
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
