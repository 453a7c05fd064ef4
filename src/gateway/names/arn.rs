//! ARNs. `catalog::Rules` writes them; here they are read, and streams named by them are found.

use crate::catalog::Rules;
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;

/// `arn:{partition}:kinesis:{region}:{account}:{resource}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// As it was given.
    pub text: &'a str,
    /// Such as `us-east-1`.
    pub region: &'a str,
    /// 12 digits.
    pub account: &'a str,
    /// What it names.
    pub resource: Resource<'a>,
}

/// What an ARN names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A stream.
    Stream(&'a str),
    /// A registered consumer.
    Consumer {
        /// Its stream.
        stream: &'a str,
        /// Its name.
        name: &'a str,
        /// When it was registered, in seconds since the epoch.
        created_s: u64,
    },
    /// A channel or queue, which this server does not have, or something that AWS does not have
    /// either.
    Other(&'a str),
}

impl<'a> Arn<'a> {
    /// Reads an ARN of this service.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut fields = text.splitn(6, ':');
        let mut next = || fields.next();
        let (arn, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let known = arn == "arn" && partition.starts_with("aws") && service == "kinesis";
        known.then(|| Arn { text, region, account, resource: Resource::parse(resource) })
    }

    /// Refuses an ARN of another account or region: what it names is not here.
    pub fn check_home(&self, rules: &Rules) -> Result<(), Refusal> {
        if self.account == rules.account && self.region == rules.region {
            return Ok(());
        }
        Err(Refusal::not_found(format!(
            "{} not found: this server is account {} in region {}.",
            self.text, rules.account, rules.region
        )))
    }
}

impl<'a> Resource<'a> {
    fn parse(text: &'a str) -> Resource<'a> {
        let mut parts = text.split('/');
        let mut next = || parts.next();
        let other = Resource::Other(text);
        match (next(), next(), next(), next(), next()) {
            (Some("stream"), Some(name), None, ..) => Resource::Stream(name),
            (Some("stream"), Some(stream), Some("consumer"), Some(consumer), None) => {
                let consumer = consumer.rsplit_once(':').and_then(|(name, created)| {
                    let created_s = created.parse().ok()?;
                    Some(Resource::Consumer { stream, name, created_s })
                });
                consumer.unwrap_or(other)
            }
            _ => other,
        }
    }
}

/// The stream that an input names by `StreamName`, `StreamARN` or both.
pub fn stream_of<'a>(input: &'a Input<'_>, rules: &Rules) -> Result<&'a str, Refusal> {
    let members = input.structure_of();
    let name = members.index_of("StreamName").and_then(|_| input.text("StreamName"));
    let arn = members.index_of("StreamARN").and_then(|_| input.text("StreamARN"));
    match (name, arn) {
        (Some(name), None) => Ok(name),
        (None, Some(arn)) => stream_of_arn(arn, rules),
        (Some(name), Some(arn)) => {
            if stream_of_arn(arn, rules)? == name {
                return Ok(name);
            }
            let text = format!("StreamName {name} and StreamARN {arn} name different streams.");
            Err(Refusal::invalid_argument(text))
        }
        (None, None) => {
            Err(Refusal::invalid_argument("Either StreamName or StreamARN must be provided."))
        }
    }
}

/// The stream that an ARN names.
pub fn stream_of_arn<'a>(text: &'a str, rules: &Rules) -> Result<&'a str, Refusal> {
    let malformed = || Refusal::invalid_argument(format!("{text} is not the ARN of a stream."));
    let arn = Arn::parse(text).ok_or_else(malformed)?;
    let Resource::Stream(name) = arn.resource else { return Err(malformed()) };
    arn.check_home(rules)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::check;
    use crate::gateway::model::Operation;
    use crate::gateway::value::Format;

    const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";

    #[test]
    fn arns_are_read_as_the_catalog_writes_them() {
        let rules = Rules::default();
        let text = rules.stream_arn("orders");
        let arn = Arn::parse(&text).unwrap();
        assert_eq!((arn.region, arn.account), ("us-east-1", "000000000000"));
        assert_eq!(arn.resource, Resource::Stream("orders"));
        let text =
            rules.consumer_arn("orders", "billing", crate::base::ids::Millis(1_700_000_000_999));
        let consumer =
            Resource::Consumer { stream: "orders", name: "billing", created_s: 1_700_000_000 };
        assert_eq!(Arn::parse(&text).unwrap().resource, consumer);
    }

    #[test]
    fn other_partitions_and_resources_are_arns_too() {
        let arn = Arn::parse("arn:aws-cn:kinesis:cn-north-1:123456789012:queue/7:8").unwrap();
        assert_eq!(arn.resource, Resource::Other("queue/7:8"));
        for other in ["stream/a/b", "stream/a/consumer/b", "stream/a/consumer/b:x", "stream"] {
            let text = format!("arn:aws:kinesis:r:123456789012:{other}");
            assert_eq!(Arn::parse(&text).unwrap().resource, Resource::Other(other));
        }
        for text in ["", "orders", "arn:aws:s3:::bucket", "arn:aws:kinesis:r:1", "a:b:c:d:e:f"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_stream_is_named_by_name_or_arn_or_both() {
        let rules = Rules::default();
        let stream = |members: &str| {
            let operation = Operation::DescribeStreamSummary;
            let input = check::input(operation, Format::Json, members.as_bytes()).unwrap();
            stream_of(&input, &rules).map(str::to_owned).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(stream(r#"{"StreamName":"orders"}"#).unwrap(), "orders");
        assert_eq!(stream(&format!(r#"{{"StreamARN":"{STREAM}"}}"#)).unwrap(), "orders");
        let both = |name| format!(r#"{{"StreamARN":"{STREAM}","StreamName":"{name}"}}"#);
        assert_eq!(stream(&both("orders")).unwrap(), "orders");
        assert!(stream(&both("other")).unwrap_err().starts_with("400 InvalidArgumentException"));
        assert!(stream("{}").unwrap_err().starts_with("400 InvalidArgumentException"));
        let elsewhere = STREAM.replace("000000000000", "123456789012");
        let error = stream(&format!(r#"{{"StreamARN":"{elsewhere}"}}"#)).unwrap_err();
        assert!(error.starts_with("400 ResourceNotFoundException"), "{error}");
        let consumer = format!(r#"{{"StreamARN":"{STREAM}/consumer/c:1"}}"#);
        assert!(stream(&consumer).unwrap_err().starts_with("400 InvalidArgumentException"));
    }
}
