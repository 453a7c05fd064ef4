//! Checks of single fields, with the texts of the AWS API.

use crate::base::error::{ApiError, ErrorCode};
use crate::base::limits::{
    NAME_BYTES_MAX, RECORD_BYTES_MAX, RETENTION_HOURS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX,
    WARM_MIB_MAX,
};
use crate::base::stream::{Distribution, StreamMode, StreamOptions};
use crate::wire::account::Commitment;

/// Smallest largest record of a stream. AWS allows no less than 1 MiB, which the AWS endpoint
/// enforces; natively a stream may be stricter with its records.
const RECORD_BYTES_MIN: u32 = 1024;
/// Shortest retention. AWS allows no less than 24 h, which the AWS endpoint enforces.
const RETENTION_HOURS_MIN: u32 = 1;

/// Collects what is wrong with a request, to report all of it at once as AWS does.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Checks the name of a stream or consumer.
    pub(super) fn name(&mut self, field: &str, name: &str) {
        let length = name.chars().count();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(allowed) {
            self.add(name, field, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
        }
        if name.is_empty() {
            self.add(name, field, "have length greater than or equal to 1");
        }
        if length > NAME_BYTES_MAX {
            let must = format!("have length less than or equal to {NAME_BYTES_MAX}");
            self.add(name, field, &must);
        }
    }

    /// Checks the lengths of tags.
    pub(super) fn tags(&mut self, tags: &[(String, String)]) {
        let long = |text: &str, max: usize| text.chars().count() > max;
        let shown = || {
            let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{{{}}}", tags.join(", "))
        };
        if tags.iter().any(|(key, _)| key.is_empty() || long(key, TAG_KEY_CHARS_MAX)) {
            self.refuse(
                &shown(),
                "tags",
                &format!("Map keys must {}", within(1, TAG_KEY_CHARS_MAX)),
            );
        }
        if tags.iter().any(|(_, value)| long(value, TAG_VALUE_CHARS_MAX)) {
            let must = format!("Map value must {}", within(0, TAG_VALUE_CHARS_MAX));
            self.refuse(&shown(), "tags", &must);
        }
    }

    /// Checks the lengths of keys of tags.
    pub(super) fn tag_keys(&mut self, keys: &[String]) {
        let fits = |key: &String| (1..=TAG_KEY_CHARS_MAX).contains(&key.chars().count());
        if !keys.iter().all(fits) {
            self.add(&format!("[{}]", keys.join(", ")), "tagKeys", &within(1, TAG_KEY_CHARS_MAX));
        }
    }

    /// Checks that `value` is not below `min`.
    pub(super) fn at_least(&mut self, field: &str, value: u32, min: u32) {
        if value < min {
            let must = format!("have value greater than or equal to {min}");
            self.add(&value.to_string(), field, &must);
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
        self.at_least(field, value, 1);
        self.at_most(field, value, max);
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
        self.refuse(value, field, &format!("Member must {must}"));
    }

    fn refuse(&mut self, value: &str, field: &str, constraint: &str) {
        // A client's megabyte of name is not sent back to it.
        let value: String = value.chars().take(2 * NAME_BYTES_MAX).collect();
        self.0.push(format!(
            "Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
        ));
    }
}

/// The constraint on the length of each of several texts.
fn within(min: usize, max: usize) -> String {
    format!(
        "satisfy constraint: [Member must have length less than or equal to {max}, Member must \
         have length greater than or equal to {min}]"
    )
}

/// Checks what was chosen for a stream, one value at a time.
pub(super) fn check_options(options: &StreamOptions) -> Result<(), ApiError> {
    check_retention(options.retention_hours)?;
    check_record_bytes(options.record_bytes_max)
}

/// Checks a retention.
pub(super) fn check_retention(hours: u32) -> Result<(), ApiError> {
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
    Ok(())
}

/// Checks the largest record of a stream.
pub(super) fn check_record_bytes(bytes: u32) -> Result<(), ApiError> {
    if bytes < RECORD_BYTES_MIN || bytes as usize > RECORD_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "The largest record of a stream is between {RECORD_BYTES_MIN} and {RECORD_BYTES_MAX} \
             bytes. Requested: {bytes} bytes."
        )));
    }
    Ok(())
}

/// Checks a distribution against the mode of its stream (AWS: AUTO on-demand only).
pub(super) fn check_distribution(
    mode: StreamMode,
    distribution: Distribution,
) -> Result<(), ApiError> {
    if distribution == Distribution::Auto && mode != StreamMode::OnDemand {
        return Err(ApiError::invalid(
            "The record distribution strategy AUTO is for streams in ON_DEMAND mode only. Change \
             the mode of the stream first.",
        ));
    }
    Ok(())
}

/// Checks a warm throughput, in MiB/s, against the mode of its stream and the account's
/// commitment.
pub(super) fn check_warm_throughput(
    mode: StreamMode,
    mib: u32,
    commitment: Commitment,
) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.at_most("warmThroughputMiBps", mib, WARM_MIB_MAX as usize);
    violations.finish()?;
    let refuse = |text: &str| Err(ApiError::new(ErrorCode::Validation, text));
    match (mib, mode, commitment) {
        (0, ..) | (_, StreamMode::OnDemand, Commitment::Enabled { .. }) => Ok(()),
        (_, StreamMode::Provisioned, _) => {
            refuse("Warm throughput is for streams in ON_DEMAND mode only.")
        }
        (_, StreamMode::OnDemand, _) => refuse(
            "Warm throughput needs the account's minimum throughput billing commitment, which is \
             not enabled or is about to end. Enable it first.",
        ),
    }
}
