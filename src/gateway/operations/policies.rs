//! Resource policies: stored and given back.

use crate::gateway::host::Host;
use crate::quota::ControlCall;
use crate::service::ControlOperation;
use crate::wire::alter::StreamChange;

use super::resource::{Tagged, tagged};
use super::{Call, Outcome};

impl<H: Host> Call<'_, H> {
    pub(super) async fn put_resource_policy(&self) -> Outcome {
        let policy = self.text("Policy").to_owned();
        self.change_policy(Some(policy)).await
    }

    pub(super) async fn delete_resource_policy(&self) -> Outcome {
        self.change_policy(None).await
    }

    async fn change_policy(&self, policy: Option<String>) -> Outcome {
        let Tagged { stream: name, consumer } = tagged(&self.view().0, self.input)?;
        let change = StreamChange::Policy { consumer, policy };
        self.change(ControlOperation::Alter { name, change }).await?;
        Ok(Vec::new())
    }

    /// Without a policy the answer is an empty one (AWS).
    pub(super) fn get_resource_policy(&self) -> Outcome {
        self.admit(ControlCall::Policy, None)?;
        let (view, _) = self.view();
        let Tagged { stream, consumer } = tagged(&view, self.input)?;
        let stream = view.require_name(&stream)?;
        let policy = match &consumer {
            None => &stream.policy,
            Some(name) => &stream.consumers.get(name).expect("it was just found").policy,
        };
        Ok(self.write(|e| {
            e.key("Policy").text(policy.as_deref().unwrap_or("{}"));
        }))
    }
}
