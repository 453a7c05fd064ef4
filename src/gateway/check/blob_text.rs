//! Blobs of JSON: base64, strict, with AWS's texts for what is wrong.

use super::shown;
use crate::gateway::base64_data::decode_to;
use crate::gateway::error::Refusal;

/// The bytes of a blob.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    decode_to(text.as_bytes(), &mut bytes).ok_or_else(|| refusal(text))?;
    Ok(bytes)
}

/// Says what is wrong with a text that is no base64, as AWS does.
fn refusal(text: &str) -> Refusal {
    // Java counts UTF-16 units.
    let units = text.encode_utf16().count();
    let why = if !units.is_multiple_of(4) {
        format!("Base64 encoded length is expected a multiple of 4 bytes but found: {units}")
    } else if let Some(c) = first_foreign(text) {
        format!("Invalid Base64 character: '{c}'")
    } else {
        "Invalid last non-pad Base64 character dectected".to_owned()
    };
    Refusal::serialization(format!("'{}' can not be converted to a Blob: {why}", shown(text)))
}

/// The first character that base64 does not have, or padding in front of something else.
fn first_foreign(text: &str) -> Option<char> {
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let padding_first = c == '=' && characters.peek().is_some_and(|next| *next != '=');
        if padding_first || !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')) {
            return Some(c);
        }
    }
    None
}
