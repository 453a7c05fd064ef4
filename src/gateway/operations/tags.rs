//! Tags of streams and consumers.

use crate::gateway::encode::Encoder;
use crate::gateway::host::Host;
use crate::quota::ControlCall;
use crate::service::ControlOperation;
use crate::wire::alter::StreamChange;

use super::resource::{Tagged, stream, tagged};
use super::streams::{count, tags};
use super::{Call, Outcome};

/// Tags of a page of ListTagsForStream (AWS).
const TAGS_PER_PAGE: u32 = 50;

impl<H: Host> Call<'_, H> {
    pub(super) async fn add_tags_to_stream(&self) -> Outcome {
        self.alter(StreamChange::Tag(tags(self.input))).await?;
        Ok(Vec::new())
    }

    pub(super) async fn remove_tags_from_stream(&self) -> Outcome {
        self.alter(StreamChange::Untag(self.tag_keys())).await?;
        Ok(Vec::new())
    }

    pub(super) fn list_tags_for_stream(&self) -> Outcome {
        let (view, _) = self.view();
        let stream = stream(&view, self.input)?;
        self.admit(ControlCall::ListTags, Some(&stream.name))?;
        let all = stream.tags();
        let start = self.input.text("ExclusiveStartTagKey").unwrap_or_default();
        let limit =
            self.input.int("Limit").map_or(TAGS_PER_PAGE, count).min(TAGS_PER_PAGE) as usize;
        let behind: Vec<_> = all.0.iter().filter(|(key, _)| key.as_str() > start).collect();
        Ok(self.write(|e| {
            e.key("Tags").list(|e| {
                for (key, value) in behind.iter().take(limit) {
                    write_tag(e, key, value);
                }
            });
            e.key("HasMoreTags").bool(behind.len() > limit);
        }))
    }

    pub(super) async fn tag_resource(&self) -> Outcome {
        self.change_tags(tags(self.input), Vec::new()).await
    }

    pub(super) async fn untag_resource(&self) -> Outcome {
        self.change_tags(Vec::new(), self.tag_keys()).await
    }

    async fn change_tags(&self, add: Vec<(String, String)>, remove: Vec<String>) -> Outcome {
        let Tagged { stream, consumer } = tagged(&self.view().0, self.input)?;
        let operation = match consumer {
            Some(consumer) => ControlOperation::TagConsumer { stream, consumer, add, remove },
            None => {
                let change = match add.is_empty() {
                    true => StreamChange::Untag(remove),
                    false => StreamChange::Tag(add),
                };
                ControlOperation::Alter { name: stream, change }
            }
        };
        self.change(operation).await?;
        Ok(Vec::new())
    }

    pub(super) fn list_tags_for_resource(&self) -> Outcome {
        let (view, _) = self.view();
        let Tagged { stream, consumer } = tagged(&view, self.input)?;
        let stream = view.require_name(&stream)?;
        self.admit(ControlCall::ListTags, Some(&stream.name))?;
        let tags = match &consumer {
            Some(consumer) => stream.consumer_tags(consumer)?,
            None => stream.tags(),
        };
        Ok(self.write(|e| {
            e.key("Tags").list(|e| {
                for (key, value) in &tags.0 {
                    write_tag(e, key, value);
                }
            });
        }))
    }

    fn tag_keys(&self) -> Vec<String> {
        let keys = self.input.list("TagKeys").unwrap_or_default();
        keys.iter().map(|key| key.as_text().to_owned()).collect()
    }
}

fn write_tag(e: &mut Encoder<'_>, key: &str, value: &str) {
    e.map(|e| {
        e.key("Key").text(key);
        e.key("Value").text(value);
    });
}
