//! The query of a request: read for its parameters, and written again as signers write it.

/// Names and values, decoded.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Query {
    /// Reads `a=1&b`; a `+` is a space, as in forms. Nothing is malformed: a `%` that encodes
    /// nothing stands for itself.
    pub(super) fn parse(text: &str) -> Query {
        let pieces = text.split('&').filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (decode(name.as_bytes()), decode(value.as_bytes()))
        });
        Query { pairs: pairs.collect() }
    }

    /// The first value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        self.pairs.iter().find(|pair| pair.0 == name.as_bytes()).map(|pair| pair.1.as_slice())
    }

    /// Writes `a=1&b=`, encoded once and sorted by what is written, without the parameter `omit`.
    pub(super) fn write(&self, out: &mut Vec<u8>, omit: Option<&str>) {
        let encoded = |text: &[u8]| {
            let mut out = Vec::with_capacity(text.len());
            encode(&mut out, text, b"");
            out
        };
        let kept =
            self.pairs.iter().filter(|pair| omit.is_none_or(|name| pair.0 != name.as_bytes()));
        let mut pairs: Vec<_> = kept.map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort_unstable();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
}

/// Writes `text` with everything percent-encoded but RFC 3986's unreserved characters and `also`.
pub(super) fn encode(out: &mut Vec<u8>, text: &[u8], also: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            out.push(byte);
        } else {
            let digit = |value: u8| HEX[usize::from(value)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let escape = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match (first, escape) {
            (_, Some((high, low))) => {
                out.push(high << 4 | low);
                rest = &after[2..];
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, omit: Option<&str>) -> String {
        let mut out = Vec::new();
        Query::parse(text).write(&mut out, omit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_query_is_sorted_by_names_then_values_as_they_are_written() {
        assert_eq!(written("b=2&a=2&a=1&a-b=3&A=4", None), "A=4&a=1&a=2&a-b=3&b=2");
        assert_eq!(written("%7F=1&z=2&%C3%A9=3", None), "%7F=1&%C3%A9=3&z=2");
    }

    #[test]
    fn names_and_values_are_encoded_once_in_upper_case() {
        assert_eq!(written("a=%2f%2F/:%7e~-._%20+%25", None), "a=%2F%2F%2F%3A~~-._%20%20%25");
        assert_eq!(written("a", None), "a=");
        assert_eq!(written("a=b=c", None), "a=b%3Dc");
        assert_eq!(written("&&a=&", None), "a=");
        assert_eq!(written("a=%zz%1&b=%", None), "a=%25zz%251&b=%25");
    }

    #[test]
    fn the_omitted_parameter_is_left_out_however_it_was_encoded() {
        assert_eq!(written("a=1&X%2DY=2&X-Y=3&X-YZ=4", Some("X-Y")), "X-YZ=4&a=1");
        assert_eq!(written("X-Y=1", Some("X-Y")), "");
    }

    #[test]
    fn a_parameter_has_its_first_value() {
        let query = Query::parse("a=%41b&a=2&b");
        assert_eq!(query.value("a"), Some(&b"Ab"[..]));
        assert_eq!(query.value("b"), Some(&b""[..]));
        assert_eq!(query.value("c"), None);
    }
}
