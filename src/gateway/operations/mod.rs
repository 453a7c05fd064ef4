//! The operations: each takes its checked input, asks the service, and writes its answer.

mod account;
mod consumers;
mod describe;
mod encryption;
mod get;
mod metrics;
mod policies;
mod put;
mod resource;
mod shards;
mod streams;
pub mod subscribe;
mod tags;

use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::catalog::View;
use crate::gateway::caller::Caller;
use crate::gateway::check::{self, Input};
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::model::Operation;
use crate::gateway::value::Format;
use crate::quota::ControlCall;
use crate::service::ControlOperation;
use subscribe::Subscription;

/// What a request is answered with.
#[derive(Debug)]
pub enum Answer<H: Host> {
    /// A body; empty where the operation returns nothing.
    Body(Vec<u8>),
    /// Events, until the subscription ends.
    Events(Box<Subscription<H>>),
}

/// What the operations need to know of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `StartStreamEncryption` is taken, although nothing is sealed yet.
    pub allow_unsealed_kms: bool,
}

/// A request on its way through an operation.
pub(super) struct Call<'a, H: Host> {
    host: &'a Rc<H>,
    settings: &'a Settings,
    input: &'a Input<'a>,
    format: Format,
}

type Outcome = Result<Vec<u8>, Refusal>;

/// Serves a request whose body has been read.
pub async fn serve<H: Host>(
    host: &Rc<H>,
    settings: &Settings,
    operation: Operation,
    format: Format,
    body: &[u8],
) -> Result<Answer<H>, Refusal> {
    if operation == Operation::PutRecords
        && let Some(answer) = put::put_records_fast(host, format, body).await
    {
        return answer.map(Answer::Body);
    }
    let input = check::input(operation, format, body)?;
    let call = Call { host, settings, input: &input, format };
    if operation == Operation::SubscribeToShard {
        return call.subscribe().await.map(Box::new).map(Answer::Events);
    }
    call.answer(operation).await.map(Answer::Body)
}

impl<H: Host> Call<'_, H> {
    async fn answer(&self, operation: Operation) -> Outcome {
        match operation {
            Operation::PutRecord => self.put_record().await,
            Operation::PutRecords => self.put_records().await,
            Operation::GetRecords => self.get_records().await,
            Operation::GetShardIterator => self.get_shard_iterator().await,
            Operation::CreateStream => self.create_stream().await,
            Operation::DeleteStream => self.delete_stream().await,
            Operation::DescribeStream => self.describe_stream(),
            Operation::DescribeStreamSummary => self.describe_stream_summary(),
            Operation::ListStreams => self.list_streams(),
            Operation::ListShards => self.list_shards(),
            Operation::SplitShard => self.split_shard().await,
            Operation::MergeShards => self.merge_shards().await,
            Operation::UpdateShardCount => self.update_shard_count().await,
            Operation::IncreaseStreamRetentionPeriod => self.increase_retention().await,
            Operation::DecreaseStreamRetentionPeriod => self.decrease_retention().await,
            Operation::UpdateStreamMode => self.update_stream_mode().await,
            Operation::UpdateMaxRecordSize => self.update_max_record_size().await,
            Operation::UpdateStreamWarmThroughput => self.update_warm_throughput().await,
            Operation::UpdateStreamRecordDistributionStrategy => self.update_distribution().await,
            Operation::EnableEnhancedMonitoring => self.enable_monitoring().await,
            Operation::DisableEnhancedMonitoring => self.disable_monitoring().await,
            other => self.answer_rare(other).await,
        }
    }

    async fn answer_rare(&self, operation: Operation) -> Outcome {
        match operation {
            Operation::RegisterStreamConsumer => self.register_consumer().await,
            Operation::DeregisterStreamConsumer => self.deregister_consumer().await,
            Operation::DescribeStreamConsumer => self.describe_consumer(),
            Operation::ListStreamConsumers => self.list_consumers(),
            Operation::AddTagsToStream => self.add_tags_to_stream().await,
            Operation::RemoveTagsFromStream => self.remove_tags_from_stream().await,
            Operation::ListTagsForStream => self.list_tags_for_stream(),
            Operation::TagResource => self.tag_resource().await,
            Operation::UntagResource => self.untag_resource().await,
            Operation::ListTagsForResource => self.list_tags_for_resource(),
            Operation::PutResourcePolicy => self.put_resource_policy().await,
            Operation::GetResourcePolicy => self.get_resource_policy(),
            Operation::DeleteResourcePolicy => self.delete_resource_policy().await,
            Operation::StartStreamEncryption => self.start_encryption().await,
            Operation::StopStreamEncryption => self.stop_encryption().await,
            Operation::DescribeLimits => self.describe_limits(),
            Operation::DescribeAccountSettings => self.describe_account_settings(),
            Operation::UpdateAccountSettings => self.update_account_settings().await,
            other => Err(Refusal::not_offered(other.name())),
        }
    }

    /// The catalog as this core has it now, and the time.
    fn view(&self) -> (Arc<View>, Now) {
        self.host.look(|core, _, now| (core.view().clone(), now))
    }

    /// Counts a call that this core answers from its view, or refuses it.
    fn admit(&self, call: ControlCall, stream: Option<&str>) -> Result<(), Refusal> {
        self.host.look(|core, _, now| core.admit_query(now, call, stream))?;
        Ok(())
    }

    fn caller(&self) -> Caller<H> {
        Caller::new(self.host)
    }

    /// Changes the catalog; whatever it answers is not for the client.
    async fn change(&self, operation: ControlOperation) -> Result<(), Refusal> {
        self.caller().change(operation).await?;
        Ok(())
    }

    /// The answer of an operation that returns something.
    fn write(&self, members: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
        let mut body = Vec::new();
        Encoder::new(self.format, &mut body).map(members);
        body
    }

    /// A text that the model requires, or that the operation has checked.
    fn text(&self, member: &str) -> &str {
        self.input.text(member).expect("the model requires it")
    }
}
