//! Which stream or consumer a request is about.

use std::sync::Arc;

use crate::catalog::{StreamView, View};
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;
use crate::gateway::names::arn::{Arn, Resource};

/// The name of the stream that a request names, by `StreamName`, `StreamARN` or both.
pub(super) fn stream_name(input: &Input<'_>) -> Result<String, Refusal> {
    let has_name = input.structure_of().index_of("StreamName").is_some();
    let name = if has_name { input.text("StreamName") } else { None };
    let by_arn = input.text("StreamARN").map(stream_of_arn).transpose()?;
    match (name, by_arn) {
        (Some(name), Some(by_arn)) if name != by_arn => Err(Refusal::invalid_argument(format!(
            "StreamName {name} and StreamARN name different streams."
        ))),
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(name)) => Ok(name),
        (None, None) => Err(Refusal::invalid_argument(
            "Either StreamName or StreamARN must be specified.",
        )),
    }
}

/// The stream that a request names, whatever its state.
pub(super) fn stream<'v>(
    view: &'v View,
    input: &Input<'_>,
) -> Result<&'v Arc<StreamView>, Refusal> {
    Ok(view.require_name(&stream_name(input)?)?)
}

/// The name in a stream's ARN.
pub(super) fn stream_of_arn(arn: &str) -> Result<String, Refusal> {
    match Arn::parse(arn) {
        Some(Arn { resource: Resource::Stream(name), .. }) => Ok(name),
        _ => Err(Refusal::invalid_argument(format!("{arn} is not the ARN of a stream."))),
    }
}

/// Something with an ARN that can have tags and a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tagged {
    /// The stream.
    pub(super) stream: String,
    /// The consumer of it, if it is one.
    pub(super) consumer: Option<String>,
}

/// What `ResourceARN` names: it exists.
pub(super) fn tagged(view: &View, input: &Input<'_>) -> Result<Tagged, Refusal> {
    let arn = input.text("ResourceARN").expect("the model requires it");
    match Arn::parse(arn).map(|arn| arn.resource) {
        Some(Resource::Stream(stream)) => {
            view.require_name(&stream)?;
            Ok(Tagged { stream, consumer: None })
        }
        Some(Resource::Consumer { stream, consumer, created }) => {
            let found = view.require_name(&stream)?.consumer(&consumer)?;
            if found.created.0 / 1000 != created {
                return Err(view.rules().consumer_not_found(&stream, &consumer).into());
            }
            Ok(Tagged { stream, consumer: Some(consumer) })
        }
        _ => Err(Refusal::invalid_argument(format!(
            "{arn} is not the ARN of a stream or a consumer."
        ))),
    }
}

/// The consumer that a request names, by its ARN or by the stream's ARN and its name.
pub(super) fn consumer(view: &View, input: &Input<'_>) -> Result<(String, String), Refusal> {
    if let Some(arn) = input.text("ConsumerARN") {
        return consumer_of_arn(view, arn);
    }
    match (input.text("StreamARN"), input.text("ConsumerName")) {
        (Some(arn), Some(name)) => {
            let stream = stream_of_arn(arn)?;
            view.require_name(&stream)?.consumer(name)?;
            Ok((stream, name.to_owned()))
        }
        _ => Err(Refusal::invalid_argument(
            "Either ConsumerARN or both StreamARN and ConsumerName must be specified.",
        )),
    }
}

/// The consumer with this ARN. One that was registered again has another.
pub(super) fn consumer_of_arn(view: &View, arn: &str) -> Result<(String, String), Refusal> {
    let Some(Resource::Consumer { stream, consumer, created }) =
        Arn::parse(arn).map(|arn| arn.resource)
    else {
        return Err(Refusal::invalid_argument(format!("{arn} is not the ARN of a consumer.")));
    };
    let found = view.require_name(&stream)?.consumer(&consumer)?;
    if found.created.0 / 1000 != created {
        return Err(view.rules().consumer_not_found(&stream, &consumer).into());
    }
    Ok((stream, consumer))
}
