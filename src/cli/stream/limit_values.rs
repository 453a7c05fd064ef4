//! Limits on the command line: a profile or single values.

use crate::base::stream::ShardLimits;
use crate::config::ByteSize;

/// Reads `aws`, `off` or `name=value,…`; what is not named is as on AWS.
pub(super) fn parse_limits(text: &str) -> Result<ShardLimits, String> {
    match text {
        "aws" => return Ok(ShardLimits::AWS),
        "off" => return Ok(ShardLimits::OFF),
        _ => {}
    }
    let mut limits = ShardLimits::AWS;
    let mut burst = None;
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is neither `aws`, `off` nor name=value"))?;
        let bytes = || value.parse::<ByteSize>().map(|size| size.0).map_err(|e| e.to_string());
        let count = || value.parse::<u64>().map_err(|e| format!("`{part}`: {e}"));
        match name.trim() {
            "in_bytes" => limits.in_bytes = bytes()?,
            "in_burst_bytes" => burst = Some(bytes()?),
            "in_records" => limits.in_records = count()?,
            "out_bytes" => limits.out_bytes = bytes()?,
            "reads" => limits.reads = count()?,
            other => {
                return Err(format!(
                    "there is no limit `{other}`; there are in_bytes, in_burst_bytes, in_records, \
                     out_bytes and reads"
                ));
            }
        }
    }
    // As on AWS, a shard that was idle takes ten seconds' worth at once.
    limits.in_burst_bytes = burst.unwrap_or(limits.in_bytes.saturating_mul(10));
    Ok(limits)
}

/// `aws`, `off`, or the values that differ from `aws`.
pub(super) fn limits_text(limits: &ShardLimits) -> String {
    if limits.word() != "custom" {
        return limits.word().to_owned();
    }
    let (aws, size) = (ShardLimits::AWS, |n| ByteSize(n).to_string());
    // What `--limits` takes where the burst is not named.
    let burst = limits.in_bytes.saturating_mul(10);
    [
        ("in_bytes", limits.in_bytes, aws.in_bytes, size(limits.in_bytes)),
        ("in_burst_bytes", limits.in_burst_bytes, burst, size(limits.in_burst_bytes)),
        ("in_records", limits.in_records, aws.in_records, limits.in_records.to_string()),
        ("out_bytes", limits.out_bytes, aws.out_bytes, size(limits.out_bytes)),
        ("reads", limits.reads, aws.reads, limits.reads.to_string()),
    ]
    .into_iter()
    .filter(|(_, value, aws, _)| value != aws)
    .map(|(name, _, _, text)| format!("{name}={text}"))
    .collect::<Vec<_>>()
    .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names() {
        assert_eq!(parse_limits("aws"), Ok(ShardLimits::AWS));
        assert_eq!(parse_limits("off"), Ok(ShardLimits::OFF));
    }

    #[test]
    fn single_values_replace_those_of_aws() {
        let limits = parse_limits("in_bytes=4MiB,in_records=5000").unwrap();
        let expected = ShardLimits {
            in_bytes: 4 << 20,
            in_burst_bytes: 40 << 20,
            in_records: 5000,
            ..ShardLimits::AWS
        };
        assert_eq!(limits, expected);
        assert_eq!(
            parse_limits("reads=0").unwrap().in_burst_bytes,
            ShardLimits::AWS.in_burst_bytes
        );
        assert_eq!(parse_limits("in_burst_bytes=1MiB").unwrap().in_burst_bytes, 1 << 20);
    }

    #[test]
    fn unknown_names_and_values_are_named() {
        assert!(parse_limits("AWS").unwrap_err().contains("`AWS`"));
        assert!(parse_limits("in=1").unwrap_err().contains("no limit `in`"));
        assert!(parse_limits("reads=many").unwrap_err().contains("reads=many"));
        assert!(parse_limits("in_bytes=1,").is_err());
    }

    #[test]
    fn custom_limits_print_as_create_reads_them() {
        let limits = ShardLimits { in_bytes: 4 << 20, in_records: 0, ..ShardLimits::AWS };
        let text = limits_text(&limits);
        assert_eq!(text, "in_bytes=4MiB,in_burst_bytes=10MiB,in_records=0");
        assert_eq!(parse_limits(&text), Ok(limits));
        assert_eq!(limits_text(&ShardLimits::OFF), "off");
    }
}
