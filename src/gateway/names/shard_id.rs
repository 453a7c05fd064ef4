//! Shard ids: `ShardNumber` prints them, and AWS reads more than it prints.

use crate::base::ids::ShardNumber;
use crate::gateway::error::Refusal;

/// The greatest number that AWS takes.
const NUMBER_MAX: u32 = i32::MAX as u32;

/// The number in an id: what follows its first `-`, up to a second one, or the whole of it.
/// `shardId-000000000002`, `shard-2`, `x-0002` and `2` are one shard (AWS).
#[must_use]
pub fn parse(id: &str) -> Option<ShardNumber> {
    let digits = id.split('-').nth(1).filter(|part| !part.is_empty()).unwrap_or(id);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u32>().ok()?;
    (number <= NUMBER_MAX).then_some(ShardNumber(number))
}

/// The same, with AWS's error for an id that cannot be one.
pub fn required(id: &str, stream: &str, account: &str) -> Result<ShardNumber, Refusal> {
    let text = || format!("Could not find shard {id} in stream {stream} under account {account}.");
    parse(id).ok_or_else(|| Refusal::not_found(text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_every_form_that_aws_takes() {
        for (id, number) in [
            ("shardId-000000000002", 2),
            ("shard-0", 0),
            ("x-00000000002", 2),
            ("-00002147483647", i32::MAX as u32),
            ("2147483647", i32::MAX as u32),
            ("00000000000000000000000000007", 7),
            ("a-1-2", 1),
            ("0", 0),
        ] {
            assert_eq!(parse(id), Some(ShardNumber(number)), "{id}");
        }
    }

    #[test]
    fn what_is_no_number_of_31_bits_is_no_id() {
        for id in ["", "-", "2147483648", "shardId-002147483648", "ABKLFD8", "2.14E4", "a-x", "+1"]
        {
            assert_eq!(parse(id), None, "{id}");
        }
        assert_eq!(
            required("2.14E4", "orders", "000000000000").unwrap_err().message,
            "Could not find shard 2.14E4 in stream orders under account 000000000000."
        );
    }

    #[test]
    fn printed_ids_are_read_again() {
        for number in [0, 7, 9999, i32::MAX as u32] {
            assert_eq!(parse(&ShardNumber(number).to_string()), Some(ShardNumber(number)));
        }
    }
}
