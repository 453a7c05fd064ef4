//! Where a reader starts, as GetShardIterator and SubscribeToShard say it.

use super::sequence_number::{Origin, Request, foreign, starting};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, ShardNumber};
use crate::base::stream::Position;
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;

/// What a request says of its start.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// A `ShardIteratorType`.
    pub kind: &'a str,
    /// A sequence number.
    pub number: Option<&'a str>,
    /// A point in time.
    pub time: Option<Millis>,
}

impl<'a> Start<'a> {
    /// That of an input of GetShardIterator.
    #[must_use]
    pub fn of_iterator(input: &'a Input<'_>) -> Start<'a> {
        Start {
            kind: input.text("ShardIteratorType").expect("the type is required"),
            number: input.text("StartingSequenceNumber"),
            time: input.time("Timestamp"),
        }
    }

    /// That of an input of SubscribeToShard.
    #[must_use]
    pub fn of_subscription(input: &'a Input<'_>) -> Start<'a> {
        let position = input.structure("StartingPosition").expect("the position is required");
        Start {
            kind: position.text("Type").expect("the type is required"),
            number: position.text("SequenceNumber"),
            time: position.time("Timestamp"),
        }
    }

    /// The position in the shard, with AWS's errors for what does not fit together.
    ///
    /// "After" becomes "at" the next, because a number need not be a record's; the end of a closed
    /// shard is where its latest record was.
    pub fn position(
        self,
        origin: Origin,
        request: Request<'_>,
        now: Millis,
    ) -> Result<Position, Refusal> {
        let Start { kind, number, time } = self;
        match (kind, number) {
            ("TRIM_HORIZON", None) => Ok(Position::TrimHorizon),
            ("LATEST", None) => Ok(Position::Latest),
            ("AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER", Some(number)) => {
                let number = starting(number, origin, request)?;
                Ok(match kind {
                    _ if number.is_end() => Position::Latest,
                    "AT_SEQUENCE_NUMBER" => Position::AtSequence(number.at()),
                    _ => Position::AtSequence(number.after()),
                })
            }
            ("AT_TIMESTAMP", _) => at_time(time, now),
            (_, number) => {
                let given = if number.is_some() { "also a" } else { "no" };
                Err(Refusal::invalid_argument(format!(
                    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
                     StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no \
                     StartingSequenceNumber. Request specified {kind} and {given} \
                     StartingSequenceNumber."
                )))
            }
        }
    }

    /// Why the shard itself refused the position: a number that it has not reached yet is told as
    /// the client has sent it.
    #[must_use]
    pub fn refusal(self, error: ApiError, shard: ShardNumber, request: Request<'_>) -> Refusal {
        match self.number {
            Some(text) if error.code == ErrorCode::InvalidArgument => foreign(text, shard, request),
            _ => error.into(),
        }
    }
}

fn at_time(time: Option<Millis>, now: Millis) -> Result<Position, Refusal> {
    match time {
        None => Err(Refusal::invalid_argument(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
             request has no timestamp parameter.",
        )),
        Some(time) if time > now => Err(Refusal::invalid_argument(format!(
            "The timestampInMillis parameter cannot be greater than the \
             currentTimestampInMillis. timestampInMillis: {}, currentTimestampInMillis: {}",
            time.0, now.0
        ))),
        Some(time) => Ok(Position::AtTimestamp(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sequence_number::SequenceNumber;
    use super::*;
    use crate::base::ids::Seq;
    use crate::gateway::check;
    use crate::gateway::model::Operation;
    use crate::gateway::value::Format;

    const NOW: Millis = Millis(1_700_000_000_000);
    const ORIGIN: Origin = Origin { shard: ShardNumber(0), created: Millis(1_600_000_000_000) };
    const REQUEST: Request<'static> =
        Request { operation: "GetShardIterator", stream: "a", account: "000000000000" };

    fn position(kind: &str, number: Option<&str>, time: Option<u64>) -> Result<Position, String> {
        let start = Start { kind, number, time: time.map(Millis) };
        start.position(ORIGIN, REQUEST, NOW).map_err(|refusal| {
            assert_eq!(refusal.code, "InvalidArgumentException");
            refusal.message
        })
    }

    #[test]
    fn each_type_is_a_position() {
        let record = SequenceNumber::of_record(ORIGIN, Seq(7), NOW).to_string();
        let (at, after) = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER");
        assert_eq!(position("TRIM_HORIZON", None, None), Ok(Position::TrimHorizon));
        assert_eq!(position("LATEST", None, None), Ok(Position::Latest));
        assert_eq!(position(at, Some(&record), None), Ok(Position::AtSequence(Seq(7))));
        assert_eq!(position(after, Some(&record), None), Ok(Position::AtSequence(Seq(8))));
        let time = Position::AtTimestamp(Millis(5));
        assert_eq!(position("AT_TIMESTAMP", None, Some(5)), Ok(time));
        assert_eq!(position("AT_TIMESTAMP", None, Some(NOW.0)), Ok(Position::AtTimestamp(NOW)));
    }

    #[test]
    fn the_ends_of_a_shard_are_positions_too() {
        for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            let start = SequenceNumber::start(ORIGIN).to_string();
            assert_eq!(position(kind, Some(&start), None), Ok(Position::AtSequence(Seq(0))));
            let end = SequenceNumber::end(ORIGIN, NOW).to_string();
            assert_eq!(position(kind, Some(&end), None), Ok(Position::Latest));
        }
    }

    #[test]
    fn a_number_belongs_to_the_two_types_that_need_one() {
        let text = |given: &str| {
            format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
                 StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no \
                 StartingSequenceNumber. Request specified {given} StartingSequenceNumber."
            )
        };
        for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            assert_eq!(position(kind, None, None), Err(text(&format!("{kind} and no"))));
        }
        for kind in ["TRIM_HORIZON", "LATEST"] {
            let error = position(kind, Some("5"), None);
            assert_eq!(error, Err(text(&format!("{kind} and also a"))));
        }
    }

    #[test]
    fn a_time_is_given_and_not_in_the_future() {
        assert!(position("AT_TIMESTAMP", None, None).unwrap_err().contains("has no timestamp"));
        assert_eq!(
            position("AT_TIMESTAMP", None, Some(NOW.0 + 1)),
            Err("The timestampInMillis parameter cannot be greater than the \
                 currentTimestampInMillis. timestampInMillis: 1700000000001, \
                 currentTimestampInMillis: 1700000000000"
                .to_owned())
        );
    }

    #[test]
    fn both_operations_say_it_with_members_of_their_own() {
        let body = r#"{"StreamName":"a","ShardId":"0","ShardIteratorType":"AT_TIMESTAMP",
            "Timestamp":1.5,"StartingSequenceNumber":"7"}"#;
        let input =
            check::input(Operation::GetShardIterator, Format::Json, body.as_bytes()).unwrap();
        let start = Start::of_iterator(&input);
        let members = (start.kind, start.number, start.time);
        assert_eq!(members, ("AT_TIMESTAMP", Some("7"), Some(Millis(1500))));
        let body = r#"{"ShardId":"0","StartingPosition":{"Type":"LATEST","SequenceNumber":"8"},
            "ConsumerARN":"arn:aws:kinesis:r:000000000000:stream/a/consumer/b:1"}"#;
        let input =
            check::input(Operation::SubscribeToShard, Format::Json, body.as_bytes()).unwrap();
        let start = Start::of_subscription(&input);
        assert_eq!((start.kind, start.number, start.time), ("LATEST", Some("8"), None));
    }
}
