//! `shardway stream monitor`.

use clap::Args;

use super::alter::Target;
use super::shape::metrics_text;
use crate::base::stream::ShardMetrics;
use crate::cli::failure::Failure;
use crate::wire::alter::StreamChange;
use crate::wire::streams::DescribeStream;

/// Show shard-level metrics, or switch them on or off
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream monitor orders --enable IncomingBytes")]
pub(in crate::cli) struct Monitor {
    #[command(flatten)]
    target: Target,

    /// Metrics to switch on: ALL, or names with commas between them
    #[arg(long, value_name = "METRICS", value_parser = parse_metrics, conflicts_with = "disable")]
    enable: Option<ShardMetrics>,

    /// Metrics to switch off
    #[arg(long, value_name = "METRICS", value_parser = parse_metrics)]
    disable: Option<ShardMetrics>,
}

impl Monitor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let change = match (self.enable, self.disable) {
            (Some(metrics), _) => StreamChange::EnableMetrics(metrics),
            (_, Some(metrics)) => StreamChange::DisableMetrics(metrics),
            (None, None) => {
                let request = DescribeStream { name: &self.target.name, after: None, limit: 0 };
                let stream = self.target.server.connect()?.describe_page(&request)?;
                return self.target.show(&stream.summary, |s| metrics_text(s.metrics));
            }
        };
        self.target.alter(change, |stream| metrics_text(stream.metrics))
    }
}

fn parse_metrics(text: &str) -> Result<ShardMetrics, String> {
    text.split(',').try_fold(ShardMetrics::NONE, |all, name| {
        let known = ShardMetrics::named(name.trim()).ok_or_else(|| {
            format!("`{name}` is no metric; there are ALL, {}", ShardMetrics::NAMES.join(", "))
        })?;
        Ok(all.with(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_names_of_aws() {
        assert_eq!(parse_metrics("ALL"), Ok(ShardMetrics::ALL));
        let two = parse_metrics("IncomingBytes,IteratorAgeMilliseconds").unwrap();
        assert_eq!(two.names().collect::<Vec<_>>(), ["IncomingBytes", "IteratorAgeMilliseconds"]);
        let error = parse_metrics("IncomingBytes,Lag").unwrap_err();
        assert!(error.contains("`Lag`") && error.contains("IncomingRecords"), "{error}");
    }
}
