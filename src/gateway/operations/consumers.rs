//! Enhanced fan-out consumers.

use crate::gateway::encode::Encoder;
use crate::gateway::host::Host;
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::consumers::ConsumerDescription;

use super::resource::{consumer, stream_of_arn};
use super::streams::{count, tags};
use super::{Call, Outcome};

/// Consumers of a page (AWS).
const CONSUMERS_PER_PAGE: u32 = 100;

impl<H: Host> Call<'_, H> {
    pub(super) async fn register_consumer(&self) -> Outcome {
        let stream = stream_of_arn(self.text("StreamARN"))?;
        let consumer = self.text("ConsumerName").to_owned();
        let tags = tags(self.input);
        let register = ControlOperation::Register { stream, consumer, tags };
        let consumer = match self.caller().change(register).await? {
            ControlAnswer::Registered(consumer) => *consumer,
            other => unreachable!("a registration is not answered with {other:?}"),
        };
        Ok(self.write(|e| {
            e.key("Consumer").map(|e| write_consumer(e, &consumer));
        }))
    }

    pub(super) async fn deregister_consumer(&self) -> Outcome {
        let (stream, consumer) = consumer(&self.view().0, self.input)?;
        self.change(ControlOperation::Deregister { stream, consumer }).await?;
        Ok(Vec::new())
    }

    pub(super) fn describe_consumer(&self) -> Outcome {
        let (view, _) = self.view();
        let (stream, consumer) = consumer(&view, self.input)?;
        let stream = view.require_name(&stream)?;
        let consumer = stream.consumer(&consumer)?;
        Ok(self.write(|e| {
            e.key("ConsumerDescription").map(|e| {
                write_consumer(e, &consumer);
                e.key("StreamARN").text(&stream.arn());
            });
        }))
    }

    pub(super) fn list_consumers(&self) -> Outcome {
        let (view, now) = self.view();
        let stream = view.require_name(&stream_of_arn(self.text("StreamARN"))?)?;
        self.check_created(stream.created)?;
        let limit = self.input.int("MaxResults").map_or(CONSUMERS_PER_PAGE, count);
        let token = self.input.text("NextToken").map(|token| self.open_token(token, now.wall));
        let after = token.transpose()?.map(|token| token.after).unwrap_or_default();
        let list = stream.list_consumers(&after, limit.min(CONSUMERS_PER_PAGE))?;
        Ok(self.write(|e| {
            e.key("Consumers").list(|e| {
                for consumer in &list.consumers {
                    e.map(|e| write_consumer(e, consumer));
                }
            });
            if let Some(last) = list.consumers.last().filter(|_| list.more) {
                e.key("NextToken").text(&self.next_token(&stream.name, &last.name, now.wall));
            }
        }))
    }
}

fn write_consumer(e: &mut Encoder<'_>, consumer: &ConsumerDescription) {
    e.key("ConsumerName").text(&consumer.name);
    e.key("ConsumerARN").text(&consumer.arn);
    e.key("ConsumerStatus").text(consumer.status.word());
    e.key("ConsumerCreationTimestamp").time(consumer.created);
}
