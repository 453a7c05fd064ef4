//! Where a record's partition key comes from.

use std::borrow::Cow;

use super::lines::Line;
use crate::base::limits::KEY_CHARS_MAX;
use crate::cli::failure::Failure;

/// Where a record's partition key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyRule {
    /// The same for all.
    Fixed(String),
    /// A field of the line, counted from 0.
    Field {
        /// Which.
        index: usize,
        /// Between fields.
        delimiter: u8,
    },
    /// The number of the line.
    LineNumber,
}

impl KeyRule {
    pub(super) fn new(
        key: Option<&str>,
        field: Option<u32>,
        delimiter: u8,
    ) -> Result<KeyRule, Failure> {
        match (key, field) {
            (Some(key), _) if key.is_empty() || key.chars().count() > KEY_CHARS_MAX => Err(
                Failure::usage(format!("--key has 1 to {KEY_CHARS_MAX} characters; shorten it")),
            ),
            (Some(key), _) => Ok(KeyRule::Fixed(key.to_owned())),
            (None, Some(field)) => Ok(KeyRule::Field { index: field as usize - 1, delimiter }),
            (None, None) => Ok(KeyRule::LineNumber),
        }
    }

    /// The key of a line with these bytes, or what is wrong with the line.
    pub(super) fn key_of<'a>(&'a self, line: Line<'a>) -> Result<Cow<'a, str>, String> {
        match self {
            KeyRule::Fixed(key) => Ok(Cow::Borrowed(key)),
            KeyRule::LineNumber => Ok(Cow::Owned(line.number.to_string())),
            KeyRule::Field { index, delimiter } => {
                let missing = || format!("has no field {}", index + 1);
                let bytes = line.bytes.unwrap_or_default();
                match field(bytes, *index, *delimiter).ok_or_else(missing)? {
                    Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
                    Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
                }
                .ok_or_else(|| format!("has a field {} that is not UTF-8", index + 1))
            }
        }
    }
}

/// The field with this index, without its quotes.
fn field(line: &[u8], index: usize, delimiter: u8) -> Option<Cow<'_, [u8]>> {
    let mut rest = line.strip_suffix(b"\r").unwrap_or(line);
    for _ in 0..index {
        let end = field_end(rest, delimiter);
        // Behind the last field there is no delimiter.
        rest = rest.get(end + 1..)?;
    }
    let raw = &rest[..field_end(rest, delimiter)];
    let quoted = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    let Some(quoted) = quoted else {
        return Some(Cow::Borrowed(raw));
    };
    let mut plain = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(byte);
        if byte == b'"' && bytes.as_slice().first() == Some(&b'"') {
            bytes.next();
        }
    }
    Some(Cow::Owned(plain))
}

/// Where the field at the start of `rest` ends: at the first delimiter outside of quotes.
fn field_end(rest: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            // Quotes only count when the field starts with one.
            b'"' if at == 0 || quoted => quoted = !quoted,
            b'"' if rest[0] == b'"' && rest[at - 1] == b'"' => quoted = true,
            _ if byte == delimiter && !quoted => return at,
            _ => {}
        }
    }
    rest.len()
}

/// Reads `--delimiter`.
pub(super) fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n') => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("a delimiter is one ASCII character other than a quote, or \\t".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rule: &KeyRule, text: &[u8]) -> Result<String, String> {
        rule.key_of(Line { number: 7, bytes: Some(text) }).map(Cow::into_owned)
    }

    fn nth(n: u32, text: &str) -> Result<String, String> {
        key(&KeyRule::new(None, Some(n), b',').unwrap(), text.as_bytes())
    }

    #[test]
    fn without_a_rule_the_key_is_the_line_number() {
        assert_eq!(key(&KeyRule::new(None, None, b',').unwrap(), b"x"), Ok("7".into()));
    }

    #[test]
    fn fields_count_from_1_and_may_be_quoted() {
        let line = "a,b c,\"d,\"\"e\",,last\r";
        let fields: Vec<_> = (1..=5).map(|n| nth(n, line).unwrap()).collect();
        assert_eq!(fields, ["a", "b c", "d,\"e", "", "last"]);
        assert_eq!(nth(6, line), Err("has no field 6".into()));
        assert_eq!(nth(2, "5\" pipe,b"), Ok("b".into()), "a quote inside a field is a character");
        assert_eq!(nth(1, ""), Ok(String::new()));
    }

    #[test]
    fn another_delimiter_and_bytes_that_are_no_text() {
        let rule = KeyRule::new(None, Some(2), b'\t').unwrap();
        assert_eq!(key(&rule, b"a,b\tc"), Ok("c".into()));
        assert_eq!(key(&rule, b"\xff\tc"), Ok("c".into()), "only the key must be text");
        assert!(key(&rule, b"c\t\xff").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn a_fixed_key_must_be_a_key() {
        assert!(KeyRule::new(Some(""), None, b',').is_err());
        assert!(KeyRule::new(Some(&"k".repeat(257)), None, b',').is_err());
        assert_eq!(key(&KeyRule::new(Some("k"), None, b',').unwrap(), b"x"), Ok("k".into()));
    }

    #[test]
    fn delimiters_are_one_ascii_character() {
        assert_eq!(parse_delimiter(";"), Ok(b';'));
        assert_eq!(parse_delimiter("\\t"), Ok(b'\t'));
        for wrong in ["", "ab", "é", "\""] {
            assert!(parse_delimiter(wrong).is_err(), "{wrong}");
        }
    }
}
