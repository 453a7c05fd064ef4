//! An input whose values have the model's types.

use std::borrow::Cow;

use crate::base::ids::Millis;
use crate::gateway::model::Structure;

/// A structure of the model with the members that a request has given.
///
/// Members are asked for by their names on the wire. Asking for one that the structure does not
/// have, or as another type, is a mistake of the caller and panics.
#[derive(Clone, Debug, PartialEq)]
pub struct Input<'a> {
    pub(super) structure: &'static Structure,
    /// In the order of the structure's members.
    pub(super) members: Vec<Item<'a>>,
}

/// A value of the model's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// A member that is absent, or a `null` of a list, which constraints refuse.
    Null,
    /// A flag.
    Bool(bool),
    /// A number, inside of 32 bits.
    Int(i32),
    /// A text, also one of an enumeration.
    Text(Cow<'a, str>),
    /// Bytes, decoded.
    Blob(Cow<'a, [u8]>),
    /// A point in time.
    Time(Millis),
    /// A list.
    List(Vec<Item<'a>>),
    /// Texts by texts, in the order of the body.
    Map(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// A structure.
    Structure(Input<'a>),
}

impl PartialEq for Structure {
    fn eq(&self, other: &Structure) -> bool {
        std::ptr::eq(self, other)
    }
}

impl<'a> Input<'a> {
    /// An input without members.
    pub(super) fn empty(structure: &'static Structure) -> Input<'a> {
        Input { structure, members: vec![Item::Null; structure.members.len()] }
    }

    /// The structure of the model.
    #[must_use]
    pub fn structure_of(&self) -> &'static Structure {
        self.structure
    }

    /// Whether a member is there.
    #[must_use]
    pub fn has(&self, member: &str) -> bool {
        *self.item(member) != Item::Null
    }

    /// A text, or the word of an enumeration.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.given(member).map(Item::as_text)
    }

    /// A number.
    #[must_use]
    pub fn int(&self, member: &str) -> Option<i32> {
        self.given(member).map(|item| match item {
            Item::Int(n) => *n,
            other => other.is_not("a number"),
        })
    }

    /// A flag; an absent one is not set.
    #[must_use]
    pub fn flag(&self, member: &str) -> bool {
        self.given(member).is_some_and(|item| match item {
            Item::Bool(flag) => *flag,
            other => other.is_not("a flag"),
        })
    }

    /// Bytes.
    #[must_use]
    pub fn blob(&self, member: &str) -> Option<&[u8]> {
        self.given(member).map(|item| match item {
            Item::Blob(bytes) => bytes.as_ref(),
            other => other.is_not("a blob"),
        })
    }

    /// A point in time.
    #[must_use]
    pub fn time(&self, member: &str) -> Option<Millis> {
        self.given(member).map(|item| match item {
            Item::Time(time) => *time,
            other => other.is_not("a time"),
        })
    }

    /// A list.
    #[must_use]
    pub fn list(&self, member: &str) -> Option<&[Item<'a>]> {
        self.given(member).map(|item| match item {
            Item::List(items) => items.as_slice(),
            other => other.is_not("a list"),
        })
    }

    /// A map of texts, such as tags.
    #[must_use]
    pub fn map(&self, member: &str) -> Option<&[(Cow<'a, str>, Cow<'a, str>)]> {
        self.given(member).map(|item| match item {
            Item::Map(entries) => entries.as_slice(),
            other => other.is_not("a map"),
        })
    }

    /// A structure.
    #[must_use]
    pub fn structure(&self, member: &str) -> Option<&Input<'a>> {
        self.given(member).map(Item::as_structure)
    }

    fn given(&self, member: &str) -> Option<&Item<'a>> {
        Some(self.item(member)).filter(|item| **item != Item::Null)
    }

    fn item(&self, member: &str) -> &Item<'a> {
        match self.structure.index_of(member) {
            Some(at) => &self.members[at],
            None => panic!("{} has no member {member}", self.structure.name),
        }
    }
}

impl<'a> Item<'a> {
    /// The text that it is.
    #[must_use]
    pub fn as_text(&self) -> &str {
        match self {
            Item::Text(text) => text,
            other => other.is_not("a text"),
        }
    }

    /// The structure that it is.
    #[must_use]
    pub fn as_structure(&self) -> &Input<'a> {
        match self {
            Item::Structure(input) => input,
            other => other.is_not("a structure"),
        }
    }

    /// The model and the caller disagree.
    fn is_not(&self, what: &str) -> ! {
        panic!("the model says that {self:?} is not {what}")
    }
}
