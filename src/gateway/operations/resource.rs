//! Which stream or consumer a request is about.

use std::sync::Arc;

use crate::catalog::{Rules, StreamView, View};
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;
use crate::gateway::names::arn::{Arn, Resource, stream_of, stream_of_arn};

/// The stream that a request names, whatever its state.
pub(super) fn stream<'v>(
    view: &'v View,
    input: &Input<'_>,
) -> Result<&'v Arc<StreamView>, Refusal> {
    Ok(view.require_name(stream_of(input, view.rules())?)?)
}

/// The stream of the required member `StreamARN`.
pub(super) fn stream_by_arn<'v>(
    view: &'v View,
    input: &Input<'_>,
) -> Result<&'v Arc<StreamView>, Refusal> {
    let arn = input.text("StreamARN").expect("the model requires it");
    Ok(view.require_name(stream_of_arn(arn, view.rules())?)?)
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
    let text = input.text("ResourceARN").expect("the model requires it");
    let malformed =
        || Refusal::invalid_argument(format!("{text} is not the ARN of a stream or a consumer."));
    let arn = Arn::parse(text).ok_or_else(malformed)?;
    match arn.resource {
        Resource::Stream(stream) => {
            arn.check_home(view.rules())?;
            // One that is being removed has nothing any more.
            view.require_name(stream)?.require_usable()?;
            Ok(Tagged { stream: stream.to_owned(), consumer: None })
        }
        Resource::Consumer { .. } => {
            let (stream, consumer) = consumer_of_arn(view, text)?;
            Ok(Tagged { stream, consumer: Some(consumer) })
        }
        Resource::Other(_) => Err(malformed()),
    }
}

/// The consumer that a request names, by its ARN or by the stream's ARN and its name.
pub(super) fn consumer(view: &View, input: &Input<'_>) -> Result<(String, String), Refusal> {
    if let Some(arn) = input.text("ConsumerARN") {
        return consumer_of_arn(view, arn);
    }
    let (Some(_), Some(name)) = (input.text("StreamARN"), input.text("ConsumerName")) else {
        return Err(Refusal::invalid_argument(
            "Either ConsumerARN or both StreamARN and ConsumerName must be provided.",
        ));
    };
    let stream = stream_by_arn(view, input)?;
    stream.consumer(name)?;
    Ok((stream.name.clone(), name.to_owned()))
}

/// The consumer with this ARN. One that was registered again has another.
pub(super) fn consumer_of_arn(view: &View, text: &str) -> Result<(String, String), Refusal> {
    let malformed = || Refusal::invalid_argument(format!("{text} is not the ARN of a consumer."));
    let arn = Arn::parse(text).ok_or_else(malformed)?;
    let Resource::Consumer { stream, name, created_s } = arn.resource else {
        return Err(malformed());
    };
    arn.check_home(view.rules())?;
    let not_found = |rules: &Rules| Refusal::from(rules.consumer_not_found(stream, name));
    let of = view.require_name(stream)?;
    of.require_usable()?;
    let found = of.consumer(name)?;
    if found.created.0 / 1000 != created_s {
        return Err(not_found(view.rules()));
    }
    Ok((stream.to_owned(), name.to_owned()))
}
