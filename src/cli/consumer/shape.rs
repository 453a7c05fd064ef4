//! How consumers look: as JSON and as text.

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::time::format_time;
use crate::wire::consumers::ConsumerDescription;

/// A consumer as JSON shows it.
#[derive(Serialize)]
pub(super) struct ConsumerShape<'a> {
    name: &'a str,
    arn: &'a str,
    status: &'static str,
    created: String,
}

impl ConsumerShape<'_> {
    pub(super) fn of(c: &ConsumerDescription) -> ConsumerShape<'_> {
        let ConsumerDescription { name, arn, status, created } = c;
        ConsumerShape { name, arn, status: status.word(), created: format_time(*created) }
    }
}

/// Prints one consumer.
pub(super) fn print_consumer(c: &ConsumerDescription, format: Format) -> Result<(), Failure> {
    if format.json {
        return print_json(&ConsumerShape::of(c));
    }
    let mut fields = table(&[]);
    fields.add_row(["name", &c.name]);
    fields.add_row(["ARN", &c.arn]);
    fields.add_row(["status", c.status.word()]);
    fields.add_row(["created", &format_time(c.created)]);
    print(&lines_of(fields))
}
