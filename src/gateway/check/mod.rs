//! Holds a body against the model, in AWS's two steps: first the types of all values, then the
//! constraints of those that are there. Whatever passes both is what an operation may rely on.

mod blob_text;
mod constraints;
mod input;
mod types;

use std::borrow::Cow;

pub use constraints::constraints;
pub use input::{Input, Item};
pub use types::types;

use crate::gateway::error::Refusal;
use crate::gateway::model::Operation;
use crate::gateway::value::{self, Format};

/// Characters of a client's value that an error repeats. AWS repeats all of it, up to the ten
/// megabytes that the client knows already.
const SHOWN_CHARS_MAX: usize = 1024;

/// Reads a body and takes both steps. An operation that is not offered is refused.
pub fn input(operation: Operation, format: Format, body: &[u8]) -> Result<Input<'_>, Refusal> {
    let input = types(operation, value::parse(format, body)?)?;
    constraints(&input)?;
    Ok(input)
}

/// A client's text as an error shows it.
fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests;
