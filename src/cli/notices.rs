//! Warnings and errors of the log, kept for the console.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::admin::notices::{Notice, Notices};
use crate::base::clock::wall_now;

/// Passes them on.
pub(super) struct Keep(pub(super) Notices);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            _ => return,
        };
        let mut line = Line::default();
        event.record(&mut line);
        let text = line.message + &line.fields;
        self.0.add(Notice { at: wall_now(), level, text });
    }
}

/// The message, and what it is about.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_with_what_they_are_about() {
        let notices = Notices::default();
        let log = tracing_subscriber::registry().with(Keep(notices.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::info!("nothing of note");
            tracing::warn!(core = 3, "it is {}", "late");
            tracing::error!(error = %"no space", "a file cannot be written");
        });
        let said: Vec<_> = notices.all().into_iter().map(|n| (n.level, n.text)).collect();
        let expected = [
            ("WARN", "it is late core=3".to_owned()),
            ("ERROR", "a file cannot be written error=no space".to_owned()),
        ];
        assert_eq!(said, expected);
    }
}
