//! Checks of single fields, with the texts of the AWS API.

use crate::base::error::{ApiError, ErrorCode};
use crate::base::limits::{
    NAME_BYTES_MAX, RECORD_BYTES_MAX, RETENTION_HOURS_MAX, STREAM_SHARDS_MAX,
};
use crate::base::stream::StreamOptions;

/// Smallest largest record of a stream. AWS allows no less than 1 MiB, which the AWS endpoint
/// enforces; natively a stream may be stricter with its records.
const RECORD_BYTES_MIN: u32 = 1024;
/// Shortest retention. AWS allows no less than 24 h, which the AWS endpoint enforces.
const RETENTION_HOURS_MIN: u32 = 1;

/// Collects what is wrong with a request, to report all of it at once as AWS does.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Checks a stream's name.
    pub(super) fn stream_name(&mut self, name: &str) {
        let length = name.chars().count();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(allowed) {
            self.add(name, "streamName", "satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
        }
        if name.is_empty() {
            self.add(name, "streamName", "have length greater than or equal to 1");
        }
        if length > NAME_BYTES_MAX {
            let must = format!("have length less than or equal to {NAME_BYTES_MAX}");
            self.add(name, "streamName", &must);
        }
    }

    /// Checks that `value` is not above `max`.
    pub(super) fn at_most(&mut self, field: &str, value: u32, max: usize) {
        if value as usize > max {
            let must = format!("have value less than or equal to {max}");
            self.add(&value.to_string(), field, &must);
        }
    }

    /// Checks that `value` lies in `1 ..= max`.
    pub(super) fn range_from_one(&mut self, field: &str, value: u32, max: usize) {
        if value == 0 {
            self.add("0", field, "have value greater than or equal to 1");
        }
        self.at_most(field, value, max);
    }

    /// Checks a new stream's number of shards.
    pub(super) fn shard_count(&mut self, shards: u32) {
        self.range_from_one("shardCount", shards, STREAM_SHARDS_MAX);
    }

    /// One error for everything that was found.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        let Violations(found) = self;
        match found.len() {
            0 => Ok(()),
            n => {
                let s = if n == 1 { "" } else { "s" };
                let text = format!("{n} validation error{s} detected: {}", found.join("; "));
                Err(ApiError::new(ErrorCode::Validation, text))
            }
        }
    }

    fn add(&mut self, value: &str, field: &str, must: &str) {
        // A client's megabyte of name is not sent back to it.
        let value: String = value.chars().take(2 * NAME_BYTES_MAX).collect();
        self.0.push(format!(
            "Value '{value}' at '{field}' failed to satisfy constraint: Member must {must}"
        ));
    }
}

/// Checks what was chosen for a stream.
pub(super) fn check_options(options: &StreamOptions) -> Result<(), ApiError> {
    let hours = options.retention_hours;
    if hours < RETENTION_HOURS_MIN {
        return Err(ApiError::invalid(format!(
            "Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. Requested retention \
             period ({hours} hours) is too short."
        )));
    }
    if hours > RETENTION_HOURS_MAX {
        return Err(ApiError::invalid(format!(
            "Maximum allowed retention period is {RETENTION_HOURS_MAX} hours. Requested retention \
             period ({hours} hours) is too long."
        )));
    }
    let bytes = options.record_bytes_max;
    if bytes < RECORD_BYTES_MIN || bytes as usize > RECORD_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "The largest record of a stream is between {RECORD_BYTES_MIN} and {RECORD_BYTES_MAX} \
             bytes. Requested: {bytes} bytes."
        )));
    }
    Ok(())
}
