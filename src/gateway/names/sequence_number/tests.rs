use proptest::prelude::*;

use super::*;

const NOW: Millis = Millis(1_700_000_200_000);

fn origin(shard: u32) -> Origin {
    Origin { shard: ShardNumber(shard), created: Millis(1_700_000_000_000) }
}

fn current(text: &str) -> SequenceNumber {
    match parse(text) {
        Some(Known::Current(number)) => number,
        other => panic!("{text} is {other:?}"),
    }
}

/// The decimal form of a hexadecimal number.
fn decimal(hex: &str) -> String {
    let mut digits = vec![0u32];
    for c in hex.chars() {
        let mut carry = c.to_digit(16).unwrap();
        for digit in &mut digits {
            carry += *digit * 16;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from_digit(*digit, 10).unwrap()).collect()
}

/// Computed by hand from the layout.
#[test]
fn numbers_have_the_layout_of_aws() {
    let record =
        SequenceNumber::of_record(origin(7), Seq(5), Millis(1_700_000_100_999)).to_string();
    assert_eq!(record, "49646437577264581633306590767823933008411662853813043314");
    assert_eq!(record, decimal("206553f100700000000000000060006553f164000000072"));
    let start = SequenceNumber::start(origin(i32::MAX as u32)).to_string();
    assert_eq!(start, "49646437577442987594894835752948965199675155133224714226");
    let end = SequenceNumber::end(origin(7), Millis(1_700_000_100_000)).to_string();
    assert_eq!(end, "49646437577275732005905856079386238386810684630343090290");
}

/// The distance that was seen between the first numbers of neighbouring shards on AWS.
#[test]
fn neighbouring_shards_start_as_far_apart_as_on_aws() {
    let limbs = |n| limbs_of(&SequenceNumber::start(origin(n)).to_string()).unwrap();
    let apart = limbs_of("22300745198530623141535718272648361505980432").unwrap();
    for n in 0..3 {
        let (a, b) = (limbs(n), limbs(n + 1));
        for limb in 0..3 {
            assert_eq!(b[limb] - a[limb], apart[limb], "no limb overflows here");
        }
    }
}

#[test]
fn the_start_of_a_shard_is_before_its_first_record() {
    let start = SequenceNumber::start(origin(0));
    assert_eq!((start.at(), start.after()), (Seq(0), Seq(0)));
    let first = SequenceNumber::of_record(origin(0), Seq(0), origin(0).created);
    assert_eq!((first.at(), first.after()), (Seq(0), Seq(1)));
    assert!(start.to_string() < first.to_string());
    let last = SequenceNumber::of_record(origin(0), Seq(i64::MAX as u64 - 2), NOW);
    let end = SequenceNumber::end(origin(0), Millis(0));
    assert!(last.to_string() < end.to_string() && end.at() > last.at());
}

#[test]
fn a_continuation_goes_on_where_it_was() {
    for next in [0, 1, 1000] {
        let number = SequenceNumber::continuation(origin(3), Seq(next), NOW);
        let read = starting(&number.to_string(), origin(3), REQUEST).unwrap();
        assert_eq!(read.after(), Seq(next));
        assert_eq!((read.shard(), read.arrival_s()), (ShardNumber(3), NOW.0 / 1000));
    }
}

// ---- What AWS refuses --------------------------------------------------------------------------

const REQUEST: Request<'static> =
    Request { operation: "GetShardIterator", stream: "orders", account: "000000000000" };

fn refused(text: &str, shard: u32) -> String {
    let error = starting(text, origin(shard), REQUEST).unwrap_err();
    assert_eq!((error.status, error.code.as_ref()), (400, "InvalidArgumentException"));
    error.message
}

#[test]
fn numbers_that_aws_never_gave_out_are_invalid() {
    for hex in [
        "20000000000000000000000000000000000000000000000", // version 0
        "20000000000000000000000000000000000000000000003",
        "20000000000000000000000000000000000000000000004",
        "30000000000000000000000000000000000000000000001",
        "1ffffffffff7fffffffffffffff000000000007fffffff2",
        "20000000000800000000000000000000000000000000002", // the highest bit of the index
        "20000000000000000000000000000000000000800000002", // the highest bit of the shard
        "23bb2cc3d8000000000000000000000000000000000002",  // a digit is missing
        "23bb2cc3d8000000000000000000000000000000000000002", // created in the year 2477
        "13bb2cc3d80000000000000000000000",                // the same in the oldest version
    ] {
        let text = decimal(hex);
        let expected = format!(
            "StartingSequenceNumber {text} used in GetShardIterator on shard \
             shardId-000000000000 in stream orders under account 000000000000 is invalid."
        );
        assert_eq!(refused(&text, 0), expected, "{hex}");
        let error = check_ordering(&text, "orders", "000000000000", NOW).unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "ExclusiveMinimumSequenceNumber {text} used in PutRecord on stream orders under \
                 account 000000000000 is invalid."
            )
        );
    }
    for text in ["", "-1", "4 2", &"9".repeat(129)] {
        assert!(refused(text, 0).ends_with("is invalid."), "{text}");
    }
}

#[test]
fn a_number_of_another_shard_is_refused() {
    let number = SequenceNumber::of_record(origin(5), Seq(7), NOW).to_string();
    let expected = "Invalid StartingSequenceNumber. It encodes shardId-000000000005, while it was \
                    used in a call to a shard with shardId-000000000000";
    assert_eq!(refused(&number, 0), expected);
    assert_eq!(refused("5", 0), expected, "small numbers are of AWS's first version");
}

#[test]
fn a_number_of_another_stream_or_version_is_refused() {
    let text = |shown: &str, shard: u32| {
        format!(
            "StartingSequenceNumber {shown} used in GetShardIterator on shard {} in stream orders \
             under account 000000000000 is invalid because it did not come from this stream.",
            ShardNumber(shard)
        )
    };
    let other = Origin { created: Millis(1_600_000_000_000), ..origin(0) };
    let number = SequenceNumber::of_record(other, Seq(7), NOW).to_string();
    assert_eq!(refused(&number, 0), text(&number, 0));
    let second = decimal("20000000000000000000000000000000000000000000001");
    assert_eq!(refused(&second, 0), text(&second, 0));
    for (given, shown, shard) in [
        ("0", "21267647932558653966460912964485513216", 0),
        ("425352958651173072921826052383309826", "21693000891209827039382739016868823042", 2),
        (&decimal("f3bb2cc3d7ff7fffffffffffffff0000"), "26227199374821822965252748908982894592", 0),
    ] {
        assert_eq!(refused(given, shard), text(shown, shard));
    }
}

#[test]
fn ordering_takes_every_number_of_the_past() {
    let check = |text: &str| check_ordering(text, "orders", "000000000000", NOW);
    for hex in [
        "20000000000000000000000000000000000000000000002",
        "20000000000000000000000000000000000000000000001",
        "23bb2cc3d7f7fffffffffffffff000000000007fffffff2",
        "0",
    ] {
        assert_eq!(check(&decimal(hex)), Ok(()), "{hex}");
    }
    let at = |ms| SequenceNumber::of_record(origin(0), Seq(0), Millis(ms)).to_string();
    assert_eq!(check(&at(NOW.0)), Ok(()));
    assert!(check(&at(NOW.0 + 1000)).is_err(), "the future");
}

#[test]
fn a_clock_that_was_set_back_stops_no_reader() {
    let number = SequenceNumber::of_record(origin(0), Seq(4), Millis(u64::MAX)).to_string();
    assert_eq!(starting(&number, origin(0), REQUEST).unwrap().after(), Seq(5));
}

// ---- Any number --------------------------------------------------------------------------------

fn origins() -> impl Strategy<Value = Origin> {
    (0..=SHARD_MAX, 0..CREATED_S_END * 1000)
        .prop_map(|(shard, created)| Origin { shard: ShardNumber(shard), created: Millis(created) })
}

proptest! {
    #[test]
    fn numbers_come_back(
        origin in origins(),
        seq in 0..INDEX_END - 1,
        arrival in 0..(1u64 << 36) * 1000,
    ) {
        let number = SequenceNumber::of_record(origin, Seq(seq), Millis(arrival));
        let text = number.to_string();
        prop_assert_eq!(text.len(), DIGITS);
        prop_assert_eq!(current(&text), number);
        prop_assert_eq!(starting(&text, origin, REQUEST).unwrap().at(), Seq(seq));
    }

    #[test]
    fn texts_stand_in_the_order_of_their_records(
        origin in origins(),
        a in 0..INDEX_END - 1,
        b in 0..INDEX_END - 1,
        times in any::<(u64, u64)>(),
    ) {
        let record = |seq, time| SequenceNumber::of_record(origin, Seq(seq), Millis(time));
        let text = |seq, time| record(seq, time).to_string();
        let order = a.cmp(&b);
        if order.is_ne() {
            prop_assert_eq!(text(a, times.0).cmp(&text(b, times.1)), order);
        }
        let arrival = times.0.max(origin.created.0);
        prop_assert!(SequenceNumber::start(origin).to_string() < text(a, arrival));
        prop_assert!(text(a, times.0) < SequenceNumber::end(origin, Millis(0)).to_string());
    }

    /// A child is created at least a second later.
    #[test]
    fn children_stand_behind_their_parents(
        parent in origins(),
        child in 0..=SHARD_MAX,
        later in 1000..1_000_000u64,
        times in any::<(u64, u64)>(),
    ) {
        let created = Millis(parent.created.0 + later);
        let child = Origin { shard: ShardNumber(child), created };
        let last = SequenceNumber::end(parent, Millis(times.0)).to_string();
        let first = SequenceNumber::continuation(child, Seq(0), Millis(times.1)).to_string();
        prop_assert!(last < first);
    }

    #[test]
    fn no_digits_make_the_reader_panic(
        text in "[0-9]{0,140}",
        high in "[0-9a-f]{44}",
        low in "[0-4]",
    ) {
        let _ = parse(&text);
        let _ = parse(&decimal(&format!("2{high}{low}")));
        let _ = parse(&decimal(&format!("20{high}{low}")));
    }
}
