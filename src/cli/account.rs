//! `shardway account`.

use clap::Args;
use serde::Serialize;

use super::connect::Server;
use super::failure::Failure;
use super::output::{Format, lines_of, print, print_json, table};
use super::time::format_time;
use crate::wire::account::{AccountDescription, Commitment};

/// Show the account's limits, or change its commitment
///
/// The commitment to a minimum throughput (on-demand advantage on AWS) unlocks warm throughput and
/// 50 consumers a stream. It holds for 24 hours at least.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway account --commit")]
pub(super) struct Account {
    /// Begin the commitment
    #[arg(long, conflicts_with = "uncommit")]
    commit: bool,

    /// End the commitment, as soon as its first 24 hours are over
    #[arg(long)]
    uncommit: bool,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

/// The account as JSON shows it; a limit of 0 is none.
#[derive(Serialize)]
struct AccountShape<'a> {
    account: &'a str,
    region: &'a str,
    open_shards: u32,
    shard_limit: u32,
    on_demand_streams: u32,
    on_demand_stream_limit: u32,
    commitment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_until: Option<String>,
}

impl Account {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut client = self.server.connect()?;
        let account = match (self.commit, self.uncommit) {
            (false, false) => client.describe_account()?,
            (commit, _) => client.update_account(commit)?,
        };
        if self.format.json {
            return print_json(&AccountShape::of(&account));
        }
        print(&text(&account))
    }
}

impl AccountShape<'_> {
    fn of(a: &AccountDescription) -> AccountShape<'_> {
        let (commitment, since, until) = match a.commitment {
            Commitment::Disabled => ("DISABLED", None, None),
            Commitment::Enabled { since } => ("ENABLED", Some(since), None),
            Commitment::EnabledUntil { since, until } => {
                ("ENABLED_UNTIL_EARLIEST_ALLOWED_END", Some(since), Some(until))
            }
        };
        AccountShape {
            account: &a.account,
            region: &a.region,
            open_shards: a.open_shards,
            shard_limit: a.shards_max,
            on_demand_streams: a.on_demand,
            on_demand_stream_limit: a.on_demand_max,
            commitment,
            committed_since: since.map(format_time),
            committed_until: until.map(format_time),
        }
    }
}

fn text(a: &AccountDescription) -> String {
    let of = |used: u32, max: u32| match max {
        0 => format!("{used}, without a limit"),
        max => format!("{used} of {max}"),
    };
    let mut fields = table(&[]);
    fields.add_row(["account", &a.account]);
    fields.add_row(["region", &a.region]);
    fields.add_row(["open shards", &of(a.open_shards, a.shards_max)]);
    fields.add_row(["on-demand streams", &of(a.on_demand, a.on_demand_max)]);
    let commitment = match a.commitment {
        Commitment::Disabled => "none".to_owned(),
        Commitment::Enabled { since } => format!("since {}", format_time(since)),
        Commitment::EnabledUntil { since, until } => {
            format!("since {}, ends at {}", format_time(since), format_time(until))
        }
    };
    fields.add_row(["commitment", &commitment]);
    lines_of(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Millis;

    #[test]
    fn limits_and_commitment_are_told_in_words_and_in_json() {
        let since = Millis(1_700_000_000_000);
        let account = AccountDescription {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            shards_max: 0,
            open_shards: 7,
            on_demand_max: 50,
            on_demand: 2,
            commitment: Commitment::EnabledUntil { since, until: Millis(since.0 + 86_400_000) },
        };
        let text = text(&account);
        assert!(text.contains("open shards        7, without a limit\n"), "{text}");
        assert!(text.contains("on-demand streams  2 of 50\n"), "{text}");
        assert!(text.contains("ends at 2023-11-15T22:13:20.000Z"), "{text}");
        let json = serde_json::to_value(AccountShape::of(&account)).unwrap();
        assert_eq!(json["commitment"], "ENABLED_UNTIL_EARLIEST_ALLOWED_END");
        assert_eq!(json["committed_until"], "2023-11-15T22:13:20.000Z");
    }
}
