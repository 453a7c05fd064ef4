use proptest::prelude::*;

use super::*;
use crate::gateway::encode::Encoder;

fn json(text: &str) -> Result<Value<'_>, BadBody> {
    parse(Format::Json, text.as_bytes())
}

fn cbor(hex: &str) -> Result<Value<'static>, BadBody> {
    parse(Format::Cbor, Box::leak(bytes(hex).into_boxed_slice()))
}

/// Bytes of hexadecimal digits, with spaces between them.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The value of a map `{"a": value}`.
fn only(body: Result<Value<'static>, BadBody>) -> Value<'static> {
    match body.unwrap() {
        Value::Map(mut entries) => {
            assert_eq!(entries.len(), 1);
            let (key, value) = entries.remove(0);
            assert_eq!(key, "a");
            value
        }
        other => panic!("{other:?} is no map"),
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn map<'a>(entries: Vec<(&'a str, Value<'a>)>) -> Value<'a> {
    Value::Map(entries.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect())
}

// ---- Both formats ------------------------------------------------------------------------------

#[test]
fn a_content_type_is_cut_at_its_parameters() {
    let of = Format::of_content_type;
    assert_eq!(of("application/x-amz-json-1.1"), Some(Format::Json));
    assert_eq!(of(" application/x-amz-json-1.1 ; charset=utf-8"), Some(Format::Json));
    assert_eq!(of("application/x-amz-cbor-1.1"), Some(Format::Cbor));
    for other in ["", "application/json", "application/x-amz-json-1.0", "application/cbor"] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn a_body_is_one_map_and_nothing_behind_it() {
    for body in ["null", "[]", "7", "\"a\"", "true"] {
        assert_eq!(json(body), Err(BadBody::NotAMap), "{body}");
    }
    assert_eq!(json(""), Err(BadBody::Truncated));
    assert_eq!(json("hello"), Err(BadBody::Malformed));
    assert_eq!(json("{} {}"), Err(BadBody::Trailing));
    assert_eq!(json(" {} \n"), Ok(Value::Map(vec![])));
    for body in ["f6", "80", "07", "6161", "f5"] {
        assert_eq!(cbor(body), Err(BadBody::NotAMap), "{body}");
    }
    assert_eq!(cbor(""), Err(BadBody::Truncated));
    assert_eq!(cbor("a0 a0"), Err(BadBody::Trailing));
    assert_eq!(cbor("a0"), Ok(Value::Map(vec![])));
}

/// One body as JSON and CBOR, and what both say.
fn example() -> (&'static str, Vec<u8>, Value<'static>) {
    let json = r#"{"Name":"a\u00fc","List":[1,-2,2.5,null,true],"Inner":{"False":false}}"#;
    let cbor = bytes(
        "bf 644e616d65 6361c3bc 644c697374 9f 01 21 f94100 f6 f5 ff 65496e6e6572 \
         a1 6546616c7365 f4 ff",
    );
    let list =
        vec![Value::Int(1), Value::Int(-2), Value::Float(2.5), Value::Null, Value::Bool(true)];
    let inner = map(vec![("False", Value::Bool(false))]);
    let value = map(vec![("Name", text("aü")), ("List", Value::List(list)), ("Inner", inner)]);
    (json, cbor, value)
}

#[test]
fn both_formats_say_the_same() {
    let (json_body, cbor_body, value) = example();
    assert_eq!(json(json_body).unwrap(), value);
    assert_eq!(parse(Format::Cbor, &cbor_body).unwrap(), value);
}

#[test]
fn every_cut_of_a_body_is_refused() {
    let (json_body, cbor_body, _) = example();
    for end in 0..json_body.len() {
        assert!(json(&json_body[..end]).is_err(), "{}", &json_body[..end]);
    }
    for end in 0..cbor_body.len() {
        assert_eq!(parse(Format::Cbor, &cbor_body[..end]), Err(BadBody::Truncated), "{end}");
    }
}

#[test]
fn depth_is_bounded_before_the_stack_is() {
    let nested = |n: usize| format!("{}{}", "{\"a\":".repeat(n - 1), "{}") + &"}".repeat(n - 1);
    assert!(json(&nested(DEPTH_MAX as usize)).is_ok());
    assert_eq!(json(&nested(DEPTH_MAX as usize + 1)), Err(BadBody::TooDeep));
    assert_eq!(json(&"[".repeat(1_000_000)), Err(BadBody::TooDeep));
    let nested = |n: usize| [bytes("a16161").repeat(n - 1), bytes("a0")].concat();
    assert!(parse(Format::Cbor, &nested(DEPTH_MAX as usize)).is_ok());
    assert_eq!(parse(Format::Cbor, &nested(DEPTH_MAX as usize + 1)), Err(BadBody::TooDeep));
    assert_eq!(parse(Format::Cbor, &vec![0x9f; 1_000_000]), Err(BadBody::TooDeep));
    assert_eq!(parse(Format::Cbor, &vec![0xc1; 1_000_000]), Err(BadBody::TooDeep));
}

#[test]
fn the_number_of_values_is_bounded() {
    // The map and the list are values too.
    let full = VALUES_MAX as usize - 2;
    let body = |n: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(n - 1));
    assert!(json(&body(full)).is_ok());
    assert_eq!(json(&body(full + 1)), Err(BadBody::TooMany));
    let body = |n: usize| [bytes("bf61619f"), vec![0; n], bytes("ffff")].concat();
    assert!(parse(Format::Cbor, &body(full)).is_ok());
    assert_eq!(parse(Format::Cbor, &body(full + 1)), Err(BadBody::TooMany));
}

#[test]
fn a_key_that_appears_twice_is_refused_in_small_and_large_maps() {
    for n in [2, 3, 12, 13, 14, 500] {
        let body = |last: usize| {
            let members: Vec<_> =
                (0..n).map(|i| format!("\"k{}\":1", if i == n - 1 { last } else { i })).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(json(&body(n - 1)).is_ok());
        assert_eq!(json(&body(0)), Err(BadBody::DuplicateKey), "{n}");
    }
    assert_eq!(cbor("a2 6161 01 6161 02"), Err(BadBody::DuplicateKey));
    assert_eq!(json(r#"{"x":{"a":1,"\u0061":2}}"#), Err(BadBody::DuplicateKey));
}

// ---- JSON --------------------------------------------------------------------------------------

#[test]
fn json_strings_without_escapes_are_borrowed() {
    let body = r#"{"plain":"ü","escaped":"a\nb"}"#;
    let Ok(Value::Map(entries)) = json(body) else { panic!("{body} is a map") };
    assert!(matches!(&entries[0], (Cow::Borrowed("plain"), Value::Text(Cow::Borrowed("ü")))));
    assert!(matches!(&entries[1].1, Value::Text(Cow::Owned(text)) if text == "a\nb"));
}

#[test]
fn json_numbers_are_clamped_to_64_bits() {
    let number = |n: &str| only(json(Box::leak(format!("{{\"a\":{n}}}").into_boxed_str())));
    assert_eq!(number("9223372036854775807"), Value::Int(i64::MAX));
    assert_eq!(number("9223372036854775808"), Value::Int(i64::MAX));
    assert_eq!(number("-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(number("100000000000000000000"), Value::Float(1e20));
    assert_eq!(number("1459799926.480"), Value::Float(1_459_799_926.48));
    assert!(json(r#"{"a":1e999}"#).is_err());
}

#[test]
fn malformed_json_is_refused() {
    let invalid = [b"{\"a\":\"".as_slice(), &[0xff], b"\"}"].concat();
    assert_eq!(parse(Format::Json, &invalid), Err(BadBody::Malformed));
    for body in [
        r#"{"a":"\ud800"}"#,
        r#"{"a":01}"#,
        r#"{"a":NaN}"#,
        r#"{a:1}"#,
        r#"{"a":1,}"#,
        r#"{1:2}"#,
        "{\"a\":\"\n\"}",
        r#"{"a" 1}"#,
    ] {
        assert!(json(body).is_err(), "{body}");
    }
}

// ---- CBOR --------------------------------------------------------------------------------------

#[test]
fn cbor_times_are_tag_1_in_milliseconds() {
    let time = |hex| only(cbor(hex));
    assert_eq!(time("a1 6161 c1 1b 000001a013accc38"), Value::Time(Millis(0x1a0_13ac_cc38)));
    assert_eq!(time("a1 6161 c1 00"), Value::Time(Millis(0)));
    assert_eq!(time("a1 6161 c1 fb 427a013accc38000"), Value::Time(Millis(0x1a0_13ac_cc38)));
    assert_eq!(time("a1 6161 c1 20"), Value::Time(Millis(0)), "before 1970");
    assert_eq!(cbor("a1 6161 c1 6131"), Err(BadBody::Malformed), "a text is no time");
    assert_eq!(cbor("a1 6161 c1 f6"), Err(BadBody::Malformed));
}

#[test]
fn other_tags_say_nothing() {
    assert_eq!(only(cbor("a1 6161 d9d9f7 07")), Value::Int(7));
    assert_eq!(cbor("d9d9f7 a0"), Ok(Value::Map(vec![])));
}

#[test]
fn cbor_blobs_are_borrowed_and_come_in_pieces_too() {
    let whole = bytes("a1 6161 43 010203");
    let Ok(Value::Map(entries)) = parse(Format::Cbor, &whole) else { panic!("it is a map") };
    assert!(matches!(&entries[0].1, Value::Blob(Cow::Borrowed([1, 2, 3]))));
    let pieces = only(cbor("a1 6161 5f 4101 40 420203 ff"));
    assert_eq!(pieces, Value::Blob(Cow::Owned(vec![1, 2, 3])));
    assert_eq!(only(cbor("a1 6161 7f 6161 6162 ff")), text("ab"));
    assert_eq!(only(cbor("bf 7f 6161 ff 01 ff")), Value::Int(1), "a key in pieces");
    assert_eq!(cbor("a1 6161 5f 6101 ff"), Err(BadBody::Malformed), "text inside of bytes");
    assert_eq!(cbor("a1 6161 5f 5f 4101 ff ff"), Err(BadBody::Malformed), "pieces in pieces");
    assert_eq!(cbor("a1 6161 7f 61c3 61bc ff"), Err(BadBody::Malformed), "a cut character");
}

#[test]
fn cbor_numbers_have_every_width() {
    let number = |hex: &str| only(cbor(&format!("a1 6161 {hex}")));
    for (hex, n) in [
        ("17", 23),
        ("1818", 24),
        ("190100", 256),
        ("1a00010000", 65_536),
        ("1b7fffffffffffffff", i64::MAX),
        ("1bffffffffffffffff", i64::MAX),
        ("20", -1),
        ("3903e7", -1000),
        ("3b7fffffffffffffff", i64::MIN),
        ("3bffffffffffffffff", i64::MIN),
    ] {
        assert_eq!(number(hex), Value::Int(n), "{hex}");
    }
    for (hex, n) in [
        ("f90000", 0.0),
        ("f93c00", 1.0),
        ("f9c400", -4.0),
        ("f90001", 5.960_464_477_539_063e-8),
        ("f97bff", 65_504.0),
        ("f97c00", f64::INFINITY),
        ("fa47c35000", 100_000.0),
        ("fb3ff199999999999a", 1.1),
    ] {
        assert_eq!(number(hex), Value::Float(n), "{hex}");
    }
    assert!(matches!(number("f97e00"), Value::Float(n) if n.is_nan()));
    assert_eq!(number("f7"), Value::Null, "undefined");
}

#[test]
fn declared_lengths_may_lie() {
    for body in [
        "a1 6161 5b ffffffffffffffff 00",
        "a1 6161 7b 7fffffffffffffff 00",
        "a1 6161 9b ffffffffffffffff 00",
        "bb ffffffffffffffff 6161 00",
        "a1 6161 5a 00000002 00",
    ] {
        assert_eq!(cbor(body), Err(BadBody::Truncated), "{body}");
    }
}

#[test]
fn malformed_cbor_is_refused() {
    for body in [
        "ff",
        "a1 ff",
        "a1 6161 ff",
        "a1 01 01",
        "a1 4161 01",
        "bf 6161 ff",
        "a1 6161 1c",
        "a1 6161 1f",
        "a1 6161 df 01",
        "a1 6161 61ff",
        "a1 6161 f8ff",
        "a1 6161 e0",
        "a1 6161 f818",
    ] {
        assert_eq!(cbor(body), Err(BadBody::Malformed), "{body}");
    }
}

// ---- Any body ----------------------------------------------------------------------------------

/// Trees that both formats can say; JSON has no blobs, times, NaN and no whole floats.
fn trees(format: Format) -> impl Strategy<Value = Value<'static>> {
    let words = || "\\PC{0,6}|[\"\\\\\n\r\t\u{1}\u{1f}]{0,4}".prop_map(Cow::Owned);
    let blobs = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Cow::Owned);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1_000_000i32..1_000_000).prop_map(|n| Value::Float(f64::from(n) + 0.125)),
        words().prop_map(Value::Text),
        (blobs, any::<u64>(), any::<bool>()).prop_map(move |(bytes, ms, blob)| match format {
            Format::Json => Value::Null,
            Format::Cbor if blob => Value::Blob(bytes),
            Format::Cbor => Value::Time(Millis(ms)),
        }),
    ];
    let tree = leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            proptest::collection::btree_map("\\PC{0,6}", inner, 0..20).prop_map(entries),
        ]
    });
    proptest::collection::btree_map("\\PC{0,6}", tree, 0..20).prop_map(entries)
}

fn entries(map: std::collections::BTreeMap<String, Value<'static>>) -> Value<'static> {
    Value::Map(map.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect())
}

fn write(e: &mut Encoder<'_>, value: &Value<'_>) {
    match value {
        Value::Null => e.float(f64::NAN),
        Value::Bool(flag) => e.bool(*flag),
        Value::Int(n) => e.int(*n),
        Value::Float(n) => e.float(*n),
        Value::Text(text) => e.text(text),
        Value::Blob(bytes) => e.blob(bytes),
        Value::Time(time) => e.time(*time),
        Value::List(items) => e.list(|e| items.iter().for_each(|item| write(e, item))),
        Value::Map(entries) => e.map(|e| {
            for (key, value) in entries {
                write(e.free_key(key), value);
            }
        }),
    };
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        (format, tree) in prop_oneof![Just(Format::Json), Just(Format::Cbor)]
            .prop_flat_map(|format| (Just(format), trees(format))),
    ) {
        let mut body = Vec::new();
        write(&mut Encoder::new(format, &mut body), &tree);
        prop_assert_eq!(parse(format, &body), Ok(tree));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = parse(format, &body);
        }
        // Random bytes seldom start as a map.
        let _ = parse(Format::Cbor, &[&[0xbf, 0x61, b'a'], body.as_slice()].concat());
        let _ = parse(Format::Json, &[b"{\"a\":".as_slice(), &body].concat());
    }

    #[test]
    fn no_damage_to_a_body_makes_a_reader_panic(
        tree in trees(Format::Cbor),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for format in Format::ALL {
            let mut body = Vec::new();
            write(&mut Encoder::new(format, &mut body), &tree);
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            let _ = parse(format, &body);
        }
    }
}
