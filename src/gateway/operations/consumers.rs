//! Enhanced fan-out consumers.

use crate::gateway::encode::Encoder;
use crate::gateway::host::Host;
use crate::gateway::names::next_token::NextToken;
use crate::quota::ControlCall;
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::consumers::ConsumerDescription;

use super::account::foreign_token;
use super::resource::{consumer, stream_by_arn};
use super::streams::{count, tags};
use super::{Call, Outcome};

/// Consumers of a page (AWS).
const CONSUMERS_PER_PAGE: u32 = 100;

impl<H: Host> Call<'_, H> {
    pub(super) async fn register_consumer(&self) -> Outcome {
        let stream = stream_by_arn(&self.view().0, self.input)?.name.clone();
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
        self.admit(ControlCall::DescribeConsumer, Some(&stream.name))?;
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
        let stream = stream_by_arn(&view, self.input)?;
        self.admit(ControlCall::ListConsumers, Some(&stream.name))?;
        self.check_created(stream.created)?;
        let limit = self.input.int("MaxResults").map_or(CONSUMERS_PER_PAGE, count);
        let after = match self.input.text("NextToken") {
            Some(token) => match self.open_token(token, now.wall)? {
                NextToken::Consumers { stream: of, after } if of == stream.uuid => after,
                _ => return Err(foreign_token()),
            },
            None => String::new(),
        };
        let list = stream.list_consumers(&after, limit.min(CONSUMERS_PER_PAGE))?;
        Ok(self.write(|e| {
            e.key("Consumers").list(|e| {
                for consumer in &list.consumers {
                    e.map(|e| write_consumer(e, consumer));
                }
            });
            if let Some(last) = list.consumers.last().filter(|_| list.more) {
                let (stream, after) = (stream.uuid, last.name.clone());
                let next = NextToken::Consumers { stream, after };
                e.key("NextToken").text(&self.next_token(&next, now.wall));
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
