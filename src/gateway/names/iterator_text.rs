//! Shard iterators as texts: base64 of what `security::iterator` signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::gateway::error::Refusal;
use crate::security::iterator::ITERATOR_BYTES;

/// The text that a client gets.
#[must_use]
pub fn write(iterator: &[u8; ITERATOR_BYTES]) -> String {
    STANDARD.encode(iterator)
}

/// The bytes of a client's text. Double quotes around it are dropped: clients that print an
/// iterator as JSON and send it again do work on AWS.
pub fn read(text: &str) -> Result<[u8; ITERATOR_BYTES], Refusal> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let bytes = STANDARD.decode(inner).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Refusal::invalid_argument("Invalid ShardIterator."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_is_read_as_it_was_written_and_in_quotes() {
        let iterator = std::array::from_fn(|i| i as u8);
        let text = write(&iterator);
        assert!(text.len() <= 512, "AWS's model allows no more");
        assert_eq!(read(&text).unwrap(), iterator);
        assert_eq!(read(&format!("\"{text}\"")).unwrap(), iterator);
    }

    #[test]
    fn anything_else_is_no_iterator() {
        let text = write(&[7; ITERATOR_BYTES]);
        let half_quoted = format!("\"{text}");
        let longer = STANDARD.encode([7; ITERATOR_BYTES + 1]);
        for text in ["", "\"", "AAAA", &text[1..], &half_quoted, &longer] {
            assert_eq!(read(text).unwrap_err().message, "Invalid ShardIterator.", "{text}");
        }
    }
}
