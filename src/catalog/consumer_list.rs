//! Consumers and tags of a stream as clients see them.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::state::ConsumerRecord;
use super::validation::Violations;
use super::view::StreamView;
use crate::base::error::ApiError;
use crate::base::stream::ConsumerStatus;
use crate::wire::consumers::{CONSUMERS_PER_PAGE_MAX, ConsumerDescription, ConsumerList};
use crate::wire::tags::TagList;

impl StreamView {
    /// A registered consumer, or the API's error.
    pub fn consumer(&self, name: &str) -> Result<ConsumerDescription, ApiError> {
        Ok(self.describe_consumer(name, self.require_consumer(name)?))
    }

    /// At most `limit` consumers whose names come behind `after`, in the order of their names.
    pub fn list_consumers(&self, after: &str, limit: u32) -> Result<ConsumerList, ApiError> {
        let mut violations = Violations::default();
        violations.range_from_one("maxResults", limit, CONSUMERS_PER_PAGE_MAX);
        violations.finish()?;
        self.require_usable()?;
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let mut rest = self.consumers.range::<str, _>(behind);
        let page = rest.by_ref().take(limit as usize);
        let consumers = page.map(|(name, record)| self.describe_consumer(name, record)).collect();
        Ok(ConsumerList { consumers, more: rest.next().is_some() })
    }

    /// Its tags, by key.
    #[must_use]
    pub fn tags(&self) -> TagList {
        tag_list(&self.tags)
    }

    /// The tags of a consumer by key, or the API's error.
    pub fn consumer_tags(&self, name: &str) -> Result<TagList, ApiError> {
        Ok(tag_list(&self.require_consumer(name)?.tags))
    }

    fn require_consumer(&self, name: &str) -> Result<&ConsumerRecord, ApiError> {
        let found = self.consumers.get(name);
        found.ok_or_else(|| self.rules.consumer_not_found(&self.name, name))
    }

    fn describe_consumer(&self, name: &str, record: &ConsumerRecord) -> ConsumerDescription {
        ConsumerDescription {
            name: name.to_owned(),
            arn: self.rules.consumer_arn(&self.name, name, record.created),
            status: ConsumerStatus::Active,
            created: record.created,
        }
    }
}

fn tag_list(tags: &BTreeMap<String, String>) -> TagList {
    TagList(tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}
