//! Tags on the command line: `KEY=VALUE` to add, keys to remove; and how they look.

use std::collections::BTreeMap;

use clap::Args;

use super::failure::Failure;
use super::output::{Format, lines_of, print, print_json, table};
use crate::wire::tags::TagList;

/// What changes of the tags of a stream or consumer; nothing lists them.
#[derive(Args, Debug)]
pub(super) struct TagChanges {
    /// Tags to add or to replace; without any, and without --remove, the tags are listed
    #[arg(value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub(super) add: Vec<(String, String)>,

    /// Keys of tags to remove, with commas between them
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    pub(super) remove: Vec<String>,
}

impl TagChanges {
    /// Whether there is something to change, or why that cannot be.
    pub(super) fn check(&self) -> Result<bool, Failure> {
        if let Some((key, _)) = self.add.iter().find(|(key, _)| self.remove.contains(key)) {
            let message = format!("tag {key} is both given and removed; say one of the two");
            return Err(Failure::usage(message));
        }
        Ok(!self.add.is_empty() || !self.remove.is_empty())
    }
}

/// Reads `KEY=VALUE`. The server says what a key may be.
pub(super) fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a tag is KEY=VALUE".to_owned()),
    }
}

/// Prints tags: one object in JSON, lines of `key value` for people.
pub(super) fn print_tags(tags: &TagList, format: Format) -> Result<(), Failure> {
    let TagList(tags) = tags;
    if format.json {
        return print_json(&tags.iter().cloned().collect::<BTreeMap<_, _>>());
    }
    if tags.is_empty() {
        return print("no tags");
    }
    let mut lines = table(&["KEY", "VALUE"]);
    for (key, value) in tags {
        lines.add_row([key, value]);
    }
    print(&lines_of(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_a_key_and_a_value_that_may_be_empty() {
        assert_eq!(parse_tag("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(parse_tag("a="), Ok(("a".into(), String::new())));
        assert!(parse_tag("a").is_err());
        assert!(parse_tag("=a").is_err());
    }

    #[test]
    fn a_tag_cannot_be_added_and_removed_at_once() {
        let changes = |add: &[&str], remove: &[&str]| TagChanges {
            add: add.iter().map(|tag| parse_tag(tag).unwrap()).collect(),
            remove: remove.iter().map(|key| (*key).to_owned()).collect(),
        };
        assert_eq!(changes(&[], &[]).check(), Ok(false));
        assert_eq!(changes(&["a=1"], &["b"]).check(), Ok(true));
        assert!(changes(&["a=1"], &["a"]).check().is_err());
    }
}
