//! Hash keys as decimal texts.

use crate::gateway::error::Refusal;
use crate::record::HashKey;

/// The key that a decimal text names; `None` beyond 2^128 - 1.
#[must_use]
pub fn parse(text: &str) -> Option<HashKey> {
    // `u128` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok().map(HashKey)).flatten()
}

/// An `ExplicitHashKey`, with AWS's error for one out of range.
pub fn explicit(text: &str) -> Result<HashKey, Refusal> {
    parse(text).ok_or_else(|| {
        Refusal::invalid_argument(format!(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. \
             Specified value was {text}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_key_space_is_read_and_nothing_beyond_it() {
        assert_eq!(parse("0"), Some(HashKey(0)));
        assert_eq!(parse(&u128::MAX.to_string()), Some(HashKey(u128::MAX)));
        let beyond = "340282366920938463463374607431768211456";
        for text in [beyond, "", "+1", "-1", "1.0", "٣"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            explicit(beyond).unwrap_err().message,
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. \
             Specified value was 340282366920938463463374607431768211456"
        );
    }
}
