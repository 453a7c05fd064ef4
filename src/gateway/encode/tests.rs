use super::*;

fn json(write: impl FnOnce(&mut Encoder<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Encoder::new(Format::Json, &mut out));
    String::from_utf8(out).unwrap()
}

fn cbor(write: impl FnOnce(&mut Encoder<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Encoder::new(Format::Cbor, &mut out));
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer with everything inside of everything.
fn answer(e: &mut Encoder<'_>) {
    e.map(|e| {
        e.key("Records").list(|e| {
            for n in 0..2 {
                e.map(|e| {
                    e.key("Data").blob(b"\x00\xff");
                    e.key("N").int(n);
                });
            }
        });
        e.key("Empty").list(|_| ());
        e.key("None").map(|_| ());
        e.key("More").bool(false).key("Tags").map(|e| {
            e.free_key("a\"b").text("c");
            e.free_key("d").text("");
        });
    });
}

#[test]
fn json_has_commas_where_they_belong() {
    assert_eq!(
        json(answer),
        [
            r#"{"Records":[{"Data":"AP8=","N":0},{"Data":"AP8=","N":1}],"Empty":[],"None":{},"#,
            r#""More":false,"Tags":{"a\"b":"c","d":""}}"#,
        ]
        .concat()
    );
}

#[test]
fn cbor_has_no_declared_lengths_of_lists_and_maps() {
    let record = |n: &str| format!("bf6444617461{}614e{n}ff", "4200ff");
    let expected = [
        "bf675265636f7264739f",
        &record("00"),
        &record("01"),
        "ff65456d7074799fff644e6f6e65bfff644d6f7265f46454616773bf6361226261636164",
        "60ffff",
    ];
    assert_eq!(cbor(answer), expected.concat());
}

#[test]
fn values_may_stand_behind_each_other_in_one_buffer() {
    let mut out = b"frame".to_vec();
    let mut e = Encoder::new(Format::Json, &mut out);
    e.map(|e| {
        e.key("a").int(1);
    });
    assert_eq!((e.len(), e.is_empty()), (12, false));
    assert_eq!(out, b"frame{\"a\":1}");
}

#[test]
fn json_texts_escape_what_json_does_not_allow() {
    let all: String = (0..0x80u8).map(char::from).chain("äŁ\u{2028}😀".chars()).collect();
    let text = json(|e| {
        e.text(&all);
    });
    assert_eq!(serde_json::from_str::<String>(&text).unwrap(), all);
    assert!(text.starts_with(r#""\u0000\u0001"#) && text.contains(r#"\t\n\u000b"#), "{text}");
    assert!(text.contains(r##" !\"#$"##) && text.contains(r"[\\]"), "{text}");
}

/// Times that the Java SDK reads: no exponent, no loss of a millisecond. In CBOR they are tag 1
/// and whole milliseconds; a float there (c1 fb) is what breaks clients.
#[test]
fn times_are_seconds_in_json_and_milliseconds_in_cbor() {
    for (ms, in_json, in_cbor) in [
        (1_459_799_926_480, "1459799926.480", "c11b00000153e2db26d0"),
        (0x1a0_13ac_cc38, "1787036486.712", "c11b000001a013accc38"),
        (1_700_000_000_000, "1700000000.000", "c11b0000018bcfe56800"),
        (1_700_000_000_007, "1700000000.007", "c11b0000018bcfe56807"),
        (0, "0.000", "c100"),
    ] {
        let time = |e: &mut Encoder<'_>| {
            e.time(Millis(ms));
        };
        assert_eq!(json(time), in_json);
        assert_eq!(cbor(time), in_cbor);
    }
}

#[test]
fn numbers_take_the_shortest_form() {
    for (n, in_cbor) in [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65_535, "19ffff"),
        (65_536, "1a00010000"),
        (4_294_967_295, "1affffffff"),
        (4_294_967_296, "1b0000000100000000"),
        (i64::MAX, "1b7fffffffffffffff"),
        (-1, "20"),
        (-24, "37"),
        (-25, "3818"),
        (i64::MIN, "3b7fffffffffffffff"),
    ] {
        let int = |e: &mut Encoder<'_>| {
            e.int(n);
        };
        assert_eq!(json(int), n.to_string());
        assert_eq!(cbor(int), in_cbor, "{n}");
    }
}

#[test]
fn floats_have_no_exponent_and_json_has_no_infinity() {
    let float = |n: f64| {
        json(|e| {
            e.float(n);
        })
    };
    assert_eq!(float(1.5), "1.5");
    assert_eq!(float(1e21), "1000000000000000000000");
    assert_eq!(float(f64::INFINITY), "null");
    let in_cbor = cbor(|e| {
        e.float(1.1);
    });
    assert_eq!(in_cbor, "fb3ff199999999999a");
}

#[test]
fn texts_and_blobs_of_every_length_have_their_head() {
    for (n, text_head, blob_head) in [
        (0usize, "60", "40"),
        (23, "77", "57"),
        (24, "7818", "5818"),
        (256, "790100", "590100"),
        (65_536, "7a00010000", "5a00010000"),
    ] {
        let text = cbor(|e| {
            e.text(&"x".repeat(n));
        });
        assert_eq!(text, format!("{text_head}{}", "78".repeat(n)));
        let blob = cbor(|e| {
            e.blob(&vec![0xab; n]);
        });
        assert_eq!(blob, format!("{blob_head}{}", "ab".repeat(n)));
    }
    let digits = |e: &mut Encoder<'_>| {
        e.digits(b"4964");
    };
    assert_eq!((json(digits), cbor(digits)), ("\"4964\"".to_owned(), "6434393634".to_owned()));
}
