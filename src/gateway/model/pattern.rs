//! What texts must look like: AWS's regular expressions, matched by hand.
//!
//! AWS holds the whole text against the expression, and prints it without anchors. The matchers
//! take time in proportion to the text, whatever it is.

/// A pattern of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Names of streams, consumers and shards.
    Name,
    /// A decimal number of at most 39 digits.
    HashKey,
    /// A decimal number of at most 129 digits.
    SequenceNumber,
    /// The reserved identity of a stream.
    StreamId,
    /// ARN of a stream.
    StreamArn,
    /// ARN of a consumer.
    ConsumerArn,
    /// ARN of anything with tags or a policy.
    ResourceArn,
}

impl Pattern {
    /// The expression as AWS prints it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Pattern::Name => "[a-zA-Z0-9_.-]+",
            Pattern::HashKey => r"0|([1-9]\d{0,38})",
            Pattern::SequenceNumber => r"0|([1-9]\d{0,128})",
            Pattern::StreamId => "[a-z0-9]{20}-[a-z0-9]{3}",
            Pattern::StreamArn => r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+",
            Pattern::ConsumerArn => concat!(
                r"(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+",
                r"\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+"
            ),
            Pattern::ResourceArn => r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel|queue)/\S+",
        }
    }

    /// Whether the whole text looks like it.
    #[must_use]
    pub fn matches(self, text: &str) -> bool {
        match self {
            Pattern::Name => is_name(text),
            Pattern::HashKey => is_decimal(text, 39),
            Pattern::SequenceNumber => is_decimal(text, 129),
            Pattern::StreamId => is_stream_id(text),
            Pattern::StreamArn => is_stream_arn(text),
            Pattern::ConsumerArn => is_consumer_arn(text),
            Pattern::ResourceArn => is_resource_arn(text),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// `0`, or digits that do not start with one.
fn is_decimal(text: &str, digits_max: usize) -> bool {
    let digits = (1..=digits_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

fn is_stream_id(text: &str) -> bool {
    let part = |part: &str, n: usize| {
        part.len() == n && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.split_once('-').is_some_and(|(long, short)| part(long, 20) && part(short, 3))
}

fn is_stream_arn(text: &str) -> bool {
    behind_service(text).is_some_and(|rest| {
        kind_before_tail(rest, ":stream/", |at| at >= 13 && is_account(&rest.as_bytes()[at - 13..]))
    })
}

fn is_resource_arn(text: &str) -> bool {
    let Some(rest) = behind_service(text) else { return false };
    let Some(account) = rest.as_bytes().windows(14).position(is_account_field) else {
        return false;
    };
    let kinds = ["stream/", "channel/", "queue/"];
    kinds.iter().any(|kind| kind_before_tail(rest, kind, |at| at >= account + 14))
}

/// Read from the end: names have neither colon nor slash, so there is one way to understand it.
fn is_consumer_arn(text: &str) -> bool {
    let is_front = |front: &str| {
        behind_service(front).is_some_and(|rest| {
            is_one_line(rest) && rest.as_bytes().windows(14).any(is_account_field)
        })
    };
    let consumer = || {
        let (rest, created) = text.rsplit_once(':')?;
        let (rest, consumer) = rest.rsplit_once('/')?;
        let (front, stream) = rest.strip_suffix("/consumer")?.rsplit_once('/')?;
        let created = !created.is_empty() && created.bytes().all(|b| b.is_ascii_digit());
        let front = front.strip_suffix("stream")?;
        Some(created && is_name(consumer) && is_name(stream) && is_front(front))
    };
    consumer().unwrap_or(false)
}

/// What follows `arn:aws.*:kinesis:`. Behind a later `:kinesis:` there would only be less text for
/// the rest of any pattern here.
fn behind_service(text: &str) -> Option<&str> {
    let (front, rest) = text.strip_prefix("arn:aws")?.split_once(":kinesis:")?;
    is_one_line(front).then_some(rest)
}

/// Whether `.*kind\S+` matches, with a `kind` at a place that `fits`.
fn kind_before_tail(rest: &str, kind: &str, fits: impl Fn(usize) -> bool) -> bool {
    let line = rest.find(LINE_ENDS).unwrap_or(rest.len());
    let tail = rest.rfind(SPACES).map_or(0, |at| at + 1);
    rest.match_indices(kind).any(|(at, _)| {
        let end = at + kind.len();
        at <= line && end >= tail && end < rest.len() && fits(at)
    })
}

/// What `.` does not stand for.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
/// What `\S` does not stand for: Java's `\s` knows ASCII only.
const SPACES: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];

fn is_one_line(text: &str) -> bool {
    !text.contains(LINE_ENDS)
}

/// Whether bytes start with `:\d{12}`.
fn is_account(bytes: &[u8]) -> bool {
    bytes[0] == b':' && bytes[1..13].iter().all(u8::is_ascii_digit)
}

/// Whether 14 bytes are `:\d{12}:`.
fn is_account_field(bytes: &[u8]) -> bool {
    is_account(bytes) && bytes[13] == b':'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_match(pattern: Pattern, texts: &[&str]) {
        for text in texts {
            assert!(pattern.matches(text), "{text:?} is {}", pattern.text());
        }
    }

    fn none_match(pattern: Pattern, texts: &[&str]) {
        for text in texts {
            assert!(!pattern.matches(text), "{text:?} is not {}", pattern.text());
        }
    }

    #[test]
    fn names_have_ascii_letters_digits_and_three_signs() {
        all_match(Pattern::Name, &["a", "A.b_c-9", "shardId-000000000007", "."]);
        none_match(Pattern::Name, &["", "a b", "ü", "a/b", "a\n", "a:b"]);
    }

    #[test]
    fn numbers_have_no_leading_zero_and_a_bound_on_their_digits() {
        let nines = |n: usize| "9".repeat(n);
        all_match(Pattern::HashKey, &["0", "1", &nines(39)]);
        none_match(Pattern::HashKey, &["", "00", "01", "-1", "1.0", " 1", "٣", &nines(40)]);
        all_match(Pattern::SequenceNumber, &["0", &nines(129)]);
        none_match(Pattern::SequenceNumber, &["", "0123", &nines(130), "LATEST"]);
    }

    #[test]
    fn a_stream_id_has_twenty_and_three_small_characters() {
        all_match(Pattern::StreamId, &["abcdefghij0123456789-ab1"]);
        none_match(
            Pattern::StreamId,
            &["abcdefghij0123456789-ab", "Abcdefghij0123456789-ab1", "abc-abc", "-", ""],
        );
    }

    #[test]
    fn stream_arns_are_as_lenient_as_the_expression() {
        all_match(
            Pattern::StreamArn,
            &[
                "arn:aws:kinesis:us-east-1:000000000000:stream/orders",
                "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/a",
                "arn:aws:kinesis::123456789012:stream/a",
                "arn:aws:kinesis:x:123456789012:stream/a/consumer/b:1",
                "arn:aws:kinesis:a b:123456789012:stream/ä",
                "arn:aws:kinesis:x:1:stream/ :123456789012:stream/b",
                "arn:awsome:kinesis:x:kinesis:y:123456789012:stream/b",
            ],
        );
        none_match(
            Pattern::StreamArn,
            &[
                "",
                "orders",
                "arn:aws:kinesis:us-east-1:000000000000:stream/",
                "arn:aws:kinesis:us-east-1:00000000000:stream/a",
                "arn:aws:kinesis:us-east-1:000000000000:stream/a b",
                "arn:aws:kinesis:us-east-1:000000000000:stream/a\n",
                "arn:aws:kinesis:us\neast-1:000000000000:stream/a",
                "arn:aws\u{2028}:kinesis:us-east-1:000000000000:stream/a",
                "arn:aws:dynamodb:us-east-1:000000000000:stream/a",
                "xarn:aws:kinesis:us-east-1:000000000000:stream/a",
                "arn:aws:kinesis:123456789012:stream/a",
            ],
        );
    }

    #[test]
    fn consumer_arns_end_in_a_time() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/a/consumer/b:1700000000";
        all_match(
            Pattern::ConsumerArn,
            &[arn, "arn:aws:kinesis:x:000000000000:any/stream/a.b/consumer/b_c:1"],
        );
        let without = |part: &str| arn.replace(part, "");
        let not = ["1700000000", ":1700000000", "/consumer", "stream", "/a", "arn"].map(without);
        for text in &not {
            none_match(Pattern::ConsumerArn, &[text]);
        }
        none_match(Pattern::ConsumerArn, &[&arn.replace("/a/", "/a b/"), &format!("{arn}x")]);
    }

    #[test]
    fn resource_arns_are_of_streams_channels_and_queues() {
        let arn = |rest: &str| format!("arn:aws:kinesis:us-east-1:000000000000:{rest}");
        for rest in ["stream/a", "stream/a/consumer/b:1", "queue/7", "channel/x", "a stream/b"] {
            all_match(Pattern::ResourceArn, &[&arn(rest)]);
        }
        for rest in ["stream/", "topic/a", "queue/a b", "", "stream/a\n"] {
            none_match(Pattern::ResourceArn, &[&arn(rest)]);
        }
        none_match(Pattern::ResourceArn, &["arn:aws:kinesis:x:0:stream/a", "stream/a"]);
    }

    /// A pattern that goes back and forth would need hours.
    #[test]
    fn hostile_texts_take_no_longer_than_others() {
        let accounts = ":123456789012:stream/".repeat(20_000);
        let text = format!("arn:aws:kinesis:{accounts} ");
        for pattern in [Pattern::StreamArn, Pattern::ConsumerArn, Pattern::ResourceArn] {
            assert!(!pattern.matches(&text));
        }
    }
}
