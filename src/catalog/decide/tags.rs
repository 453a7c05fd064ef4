//! Tags of streams and consumers: how many, and of which characters (AWS, reference §3.8).

use std::collections::BTreeMap;

use crate::base::error::ApiError;
use crate::base::limits::TAGS_MAX;
use crate::catalog::rules::Rules;

/// Tags by key.
pub(super) type Tags = BTreeMap<String, String>;

/// What has the tags, for error texts.
pub(super) struct Subject {
    /// Such as `stream`.
    pub(super) kind: &'static str,
    /// Such as `stream a under account 000000000000`.
    pub(super) name: String,
}

impl Subject {
    /// A stream.
    pub(super) fn stream(rules: &Rules, name: &str) -> Subject {
        Subject { kind: "stream", name: rules.stream_subject(name) }
    }
}

/// What `tags` become when `added` are added or replaced. Lengths were checked before.
pub(super) fn add_tags(
    subject: &Subject,
    tags: &Tags,
    added: &[(String, String)],
) -> Result<Tags, ApiError> {
    let texts = added.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    check_characters(texts, || format!("Failed to add tags to {}", subject.name))?;
    let mut tags = tags.clone();
    tags.extend(added.iter().cloned());
    if tags.len() > TAGS_MAX {
        return Err(ApiError::invalid(format!(
            "Failed to add tags to {} because a given {} cannot have more than {TAGS_MAX} tags \
             associated with it.",
            subject.name, subject.kind
        )));
    }
    Ok(tags)
}

/// What `tags` become without those of `keys`. A key that is not there is no error (AWS).
pub(super) fn remove_tags(
    subject: &Subject,
    tags: &Tags,
    keys: &[String],
) -> Result<Tags, ApiError> {
    let texts = keys.iter().map(String::as_str);
    check_characters(texts, || format!("Failed to remove tags from {}", subject.name))?;
    let mut tags = tags.clone();
    tags.retain(|key, _| !keys.contains(key));
    Ok(tags)
}

/// AWS checks twice, and the second check knows no percent sign.
fn check_characters<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    failed: impl FnOnce() -> String,
) -> Result<(), ApiError> {
    let valid = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_./=+-%@:".contains(c);
    if !texts.clone().all(|text| text.chars().all(valid)) {
        return Err(ApiError::invalid(
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, \
             white space, _ . / = + - % @ :.",
        ));
    }
    if texts.clone().any(|text| text.contains('%')) {
        return Err(ApiError::invalid(format!(
            "{} because some tags contained illegal characters. The allowed characters are \
             Unicode letters, white-spaces, '_',',','/','=','+','-','@',':'.",
            failed()
        )));
    }
    Ok(())
}
