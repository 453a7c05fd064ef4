//! `--from`.

use std::ffi::OsString;

use crate::base::clock::wall_now;
use crate::base::ids::Millis;
use crate::cli::time::parse_time;
use crate::client::lineage::StartAt;

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    TrimHorizon,
    Latest,
    At(Millis),
}

impl From {
    pub(super) fn start(self) -> StartAt {
        match self {
            From::TrimHorizon => StartAt::TrimHorizon,
            From::Latest => StartAt::Latest,
            From::At(time) => StartAt::Timestamp(time),
        }
    }
}

/// Reads a value of `--from`; a time may stand alone.
pub(super) fn parse_from(text: &str) -> Result<From, String> {
    match text {
        "trim-horizon" => Ok(From::TrimHorizon),
        "latest" => Ok(From::Latest),
        _ => {
            let time = text.strip_prefix(GLUED).unwrap_or(text);
            parse_time(time, wall_now()).map(From::At).map_err(|error| {
                format!("{error}; other positions are `trim-horizon` and `latest`")
            })
        }
    }
}

/// Makes one argument of the two in `--from at-timestamp T`: a flag with one value or two would
/// swallow what stands behind `--from latest`.
pub(in crate::cli) fn join_at_timestamp(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let bare = arg == "at-timestamp" && joined.last().is_some_and(|last| last == "--from");
        let mut arg = arg;
        if (bare || arg == "--from=at-timestamp")
            && let Some(time) = args.next()
        {
            arg.push("=");
            arg.push(time);
        }
        joined.push(arg);
    }
    joined
}

/// What stands before the time once it is one argument.
const GLUED: &str = "at-timestamp=";

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(line: &str) -> Vec<String> {
        join_at_timestamp(line.split(' ').map(OsString::from))
            .into_iter()
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_time_behind_at_timestamp_joins_it() {
        assert_eq!(
            joined("tail --from at-timestamp -10m s"),
            ["tail", "--from", "at-timestamp=-10m", "s"]
        );
        assert_eq!(joined("tail --from=at-timestamp 5"), ["tail", "--from=at-timestamp=5"]);
        assert_eq!(joined("tail at-timestamp x"), ["tail", "at-timestamp", "x"], "a stream's name");
        assert_eq!(joined("tail --from latest s"), ["tail", "--from", "latest", "s"]);
    }

    #[test]
    fn positions_have_names_or_times() {
        assert_eq!(parse_from("latest"), Ok(From::Latest));
        assert_eq!(parse_from("trim-horizon"), Ok(From::TrimHorizon));
        assert_eq!(parse_from("at-timestamp=1700000000"), Ok(From::At(Millis(1_700_000_000_000))));
        assert_eq!(parse_from("1700000000"), Ok(From::At(Millis(1_700_000_000_000))));
        assert!(parse_from("oldest").unwrap_err().contains("trim-horizon"));
        assert!(parse_from("at-timestamp").is_err());
    }
}
