//! The second step: what is there keeps the model's constraints, and what is required is there.

use std::fmt;

use super::input::{Input, Item};
use super::shown;
use crate::gateway::error::Refusal;
use crate::gateway::model::{List, Map, Range, Shape, Text};

/// Violations that one error names (AWS).
const NAMED_MAX: usize = 10;
/// Java's package of AWS's structures, which errors print.
const PACKAGE: &str = "com.amazonaws.kinesis.v20131202";

/// Holds an input against the model. The error names up to ten violations.
pub fn constraints(input: &Input<'_>) -> Result<(), Refusal> {
    let mut found = Violations(Vec::new());
    members(input, &Path::Root, &mut found);
    let Violations(found) = found;
    match found.len() {
        0 => Ok(()),
        n => {
            let s = if n == 1 { "" } else { "s" };
            let text = format!("{n} validation error{s} detected: {}", found.join("; "));
            Err(Refusal::validation(text))
        }
    }
}

/// Where a value is, as errors print it: `records.1.member.partitionKey`.
enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'static str),
    /// Counted from 1.
    Item(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Member(parent, name) => {
                if !matches!(parent, Path::Root) {
                    write!(f, "{parent}.")?;
                }
                let (first, rest) = name.split_at(1);
                write!(f, "{}{rest}", first.to_ascii_lowercase())
            }
            Path::Item(parent, n) => write!(f, "{parent}.{n}.member"),
        }
    }
}

struct Violations(Vec<String>);

impl Violations {
    fn is_full(&self) -> bool {
        self.0.len() == NAMED_MAX
    }

    /// Notes that `item` at `path` does not satisfy `constraint`.
    fn add(&mut self, item: &Item<'_>, path: &Path<'_>, constraint: &str) {
        if !self.is_full() {
            let value = shown_item(item);
            self.0.push(format!(
                "Value {value} at '{path}' failed to satisfy constraint: {constraint}"
            ));
        }
    }

    /// Notes where `n`, the length of `item` or its value, leaves `range`.
    fn range(&mut self, item: &Item<'_>, path: &Path<'_>, what: &str, n: i64, range: Range) {
        if let Some(min) = range.min.filter(|min| n < *min) {
            self.add(item, path, &format!("Member must have {}", at_least(what, min)));
        }
        if let Some(max) = range.max.filter(|max| n > *max) {
            self.add(item, path, &format!("Member must have {}", at_most(what, max)));
        }
    }
}

fn at_least(what: &str, min: i64) -> String {
    format!("{what} greater than or equal to {min}")
}

fn at_most(what: &str, max: i64) -> String {
    format!("{what} less than or equal to {max}")
}

fn members(input: &Input<'_>, path: &Path<'_>, found: &mut Violations) {
    for (member, item) in input.structure.members.iter().zip(&input.members) {
        let path = Path::Member(path, member.name);
        if *item != Item::Null {
            value(member.shape, item, &path, found);
        } else if member.required {
            found.add(item, &path, "Member must not be null");
        }
    }
}

fn value(shape: &Shape, item: &Item<'_>, path: &Path<'_>, found: &mut Violations) {
    match (shape, item) {
        (Shape::Structure(_), Item::Structure(input)) => members(input, path, found),
        (Shape::Text(constraint), Item::Text(text)) => {
            if let Some(pattern) = constraint.pattern.filter(|pattern| !pattern.matches(text)) {
                found.add(item, path, &format!("Member {}", must_match(pattern.text())));
            }
            found.range(item, path, "length", length(text), constraint.length);
        }
        (Shape::Enum(words), Item::Text(text)) => {
            if !words.contains(&text.as_ref()) {
                found.add(item, path, &format!("Member {}", must_be_of(words)));
            }
        }
        (Shape::Int(range), Item::Int(n)) => {
            found.range(item, path, "value", i64::from(*n), *range);
        }
        (Shape::Blob { max }, Item::Blob(bytes)) => {
            let range = Range { min: None, max: Some(*max as i64) };
            found.range(item, path, "length", bytes.len() as i64, range);
        }
        (Shape::List(shape), Item::List(items)) => list(shape, item, items, path, found),
        (Shape::Map(shape), Item::Map(entries)) => map(shape, item, entries, path, found),
        (Shape::Bool, Item::Bool(_)) | (Shape::Time, Item::Time(_)) => {}
        (shape, item) => unreachable!("types made a {shape:?} of {item:?}"),
    }
}

fn list(
    shape: &List,
    item: &Item<'_>,
    items: &[Item<'_>],
    path: &Path<'_>,
    found: &mut Violations,
) {
    found.range(item, path, "length", items.len() as i64, shape.length);
    for (at, member) in items.iter().enumerate() {
        let path = Path::Item(path, at + 1);
        match member {
            Item::Null => found.add(member, &path, "Member must not be null"),
            Item::Structure(input) => members(input, &path, found),
            _ => {}
        }
        if found.is_full() {
            return;
        }
    }
    // The constraints of plain members are one constraint of their list (AWS).
    let keeps = |member: &Item<'_>| match (shape.of, member) {
        (Shape::Text(Text { pattern, length: range }), Item::Text(text)) => {
            range.contains(length(text)) && pattern.is_none_or(|pattern| pattern.matches(text))
        }
        (Shape::Enum(words), Item::Text(text)) => words.contains(&text.as_ref()),
        _ => true,
    };
    if !items.iter().all(keeps) {
        let constraints = match shape.of {
            Shape::Text(Text { pattern, length }) => {
                let pattern =
                    pattern.map(|pattern| format!("Member {}", must_match(pattern.text())));
                lengths(*length).chain(pattern).collect::<Vec<_>>().join(", ")
            }
            Shape::Enum(words) => format!("Member {}", must_be_of(words)),
            other => unreachable!("{other:?} has no constraint of its own in a list"),
        };
        found.add(item, path, &format!("Member must satisfy constraint: [{constraints}]"));
    }
}

fn map(
    shape: &Map,
    item: &Item<'_>,
    entries: &[(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)],
    path: &Path<'_>,
    found: &mut Violations,
) {
    found.range(item, path, "length", entries.len() as i64, shape.length);
    let mut texts = |what: &str, range: Range, all: bool| {
        if !all {
            let constraints = lengths(range).collect::<Vec<_>>().join(", ");
            found.add(item, path, &format!("{what} must satisfy constraint: [{constraints}]"));
        }
    };
    let keys = entries.iter().all(|(key, _)| shape.key.contains(length(key)));
    texts("Map keys", shape.key, keys);
    let values = entries.iter().all(|(_, value)| shape.value.contains(length(value)));
    texts("Map value", shape.value, values);
}

/// Length in characters.
fn length(text: &str) -> i64 {
    text.chars().count() as i64
}

/// The constraints of a length, in AWS's order.
fn lengths(range: Range) -> impl Iterator<Item = String> {
    let max = range.max.map(|max| format!("Member must have {}", at_most("length", max)));
    let min = range.min.map(|min| format!("Member must have {}", at_least("length", min)));
    max.into_iter().chain(min)
}

fn must_match(pattern: &str) -> String {
    format!("must satisfy regular expression pattern: {pattern}")
}

fn must_be_of(words: &[&str]) -> String {
    format!("must satisfy enum value set: [{}]", words.join(", "))
}

/// A value as AWS prints it, in quotes unless it is null.
fn shown_item(item: &Item<'_>) -> String {
    match item {
        Item::Null => "null".to_owned(),
        Item::Bool(flag) => format!("'{flag}'"),
        Item::Int(n) => format!("'{n}'"),
        Item::Text(text) => format!("'{}'", shown(text)),
        Item::Blob(bytes) => {
            let n = bytes.len();
            format!("'java.nio.HeapByteBuffer[pos=0 lim={n} cap={n}]'")
        }
        Item::Time(time) => format!("'{}'", time.0),
        Item::List(items) => {
            let items: Vec<_> = items.iter().take(super::SHOWN_CHARS_MAX).map(plain).collect();
            format!("'[{}]'", shown(&items.join(", ")))
        }
        Item::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .take(super::SHOWN_CHARS_MAX)
                .map(|(key, value)| format!("{}={}", shown(key), shown(value)))
                .collect();
            format!("'{{{}}}'", shown(&entries.join(", ")))
        }
        Item::Structure(_) => format!("'{}'", plain(item)),
    }
}

/// A member of a list as AWS prints it.
fn plain(item: &Item<'_>) -> String {
    match item {
        Item::Text(text) => shown(text).into_owned(),
        // Java adds a hash code, which says nothing.
        Item::Structure(input) => format!("{PACKAGE}.{}", input.structure.name),
        other => shown_item(other),
    }
}
