//! The forms that a value of an input may have.

use super::pattern::Pattern;

/// A form, with its constraints.
#[derive(Debug)]
pub enum Shape {
    /// Named members.
    Structure(&'static Structure),
    /// Text.
    Text(Text),
    /// One of these words, in the order in which AWS lists them in its errors.
    Enum(&'static [&'static str]),
    /// A whole number of 32 bits. Larger and smaller ones are clamped (AWS).
    Int(Range),
    /// `true` or `false`.
    Bool,
    /// Bytes, at most so many.
    Blob {
        /// Bytes at most.
        max: usize,
    },
    /// A point in time.
    Time,
    /// Values of one shape.
    List(List),
    /// Texts by text.
    Map(Map),
}

/// Named members, in the order in which errors name them; AWS has no fixed one.
#[derive(Debug)]
pub struct Structure {
    /// Its name in the model.
    pub name: &'static str,
    /// Each of them.
    pub members: &'static [Member],
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it is.
    pub shape: &'static Shape,
    /// Whether it must be there.
    pub required: bool,
}

/// Constraints of a text. Lengths are Unicode characters.
#[derive(Debug)]
pub struct Text {
    /// What it must look like.
    pub pattern: Option<Pattern>,
    /// Length.
    pub length: Range,
}

/// Constraints of a list.
#[derive(Debug)]
pub struct List {
    /// The shape of its members.
    pub of: &'static Shape,
    /// Number of members.
    pub length: Range,
}

/// Constraints of a map from text to text.
#[derive(Debug)]
pub struct Map {
    /// Keys.
    pub key: Range,
    /// Values.
    pub value: Range,
    /// Number of entries.
    pub length: Range,
}

/// What a number or length may be, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// At least, if there is a bound.
    pub min: Option<i64>,
    /// At most, if there is a bound.
    pub max: Option<i64>,
}

impl Range {
    /// No bound.
    pub const ANY: Range = Range { min: None, max: None };

    /// From `min` to `max`.
    #[must_use]
    pub const fn of(min: i64, max: i64) -> Range {
        Range { min: Some(min), max: Some(max) }
    }

    /// `min` or more.
    #[must_use]
    pub const fn from(min: i64) -> Range {
        Range { min: Some(min), max: None }
    }

    /// Whether `n` lies in it.
    #[must_use]
    pub fn contains(self, n: i64) -> bool {
        self.min.is_none_or(|min| n >= min) && self.max.is_none_or(|max| n <= max)
    }
}

impl Structure {
    /// Place of the member with this name.
    #[must_use]
    pub fn index_of(&self, member: &str) -> Option<usize> {
        self.members.iter().position(|m| m.name == member)
    }
}
