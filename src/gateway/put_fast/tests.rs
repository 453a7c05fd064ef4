use proptest::prelude::*;

use super::*;
use crate::gateway::check;
use crate::gateway::encode::Encoder;
use crate::gateway::model::Operation;

const ENTRY: &str = r#"{"Data":"AQID","PartitionKey":"a"}"#;

fn json(body: &str) -> Option<PutRecordsInput<'_>> {
    parse(Format::Json, body.as_bytes())
}

fn with_record(record: &str) -> String {
    format!(r#"{{"StreamName":"orders","Records":[{record}]}}"#)
}

#[test]
fn an_ordinary_body_is_borrowed() {
    let body = format!(
        r#"{{"Records":[{ENTRY},{{"PartitionKey":"b\u0062","ExplicitHashKey":"7","Data":""}}],
            "StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/orders"}}"#
    );
    let input = json(&body).unwrap();
    assert!(matches!(input.stream_arn, Some(Cow::Borrowed(_))));
    assert_eq!(input.stream_name, None);
    let first = &input.records[0];
    assert!(matches!(first.data, Data::Base64(Cow::Borrowed("AQID"))));
    assert!(matches!(first.partition_key, Some(Cow::Borrowed("a"))));
    assert_eq!(input.records[1].partition_key.as_deref(), Some("bb"));
    assert_eq!(input.records[1].explicit_hash_key.as_deref(), Some("7"));
    let mut out = b"kept".to_vec();
    first.data.append_to(&mut out).unwrap();
    input.records[1].data.append_to(&mut out).unwrap();
    assert_eq!(out, b"kept\x01\x02\x03");
}

#[test]
fn what_is_not_ordinary_is_left_to_the_exact_checks() {
    assert!(json(&with_record(ENTRY)).is_some());
    let long_name = format!(r#"{{"StreamName":"{}","Records":[{ENTRY}]}}"#, "a".repeat(129));
    let many = with_record(&vec![ENTRY; 501].join(","));
    let long_key = with_record(&ENTRY.replace("\"a\"", &format!("\"{}\"", "ü".repeat(257))));
    let bodies = [
        "{}",
        "[]",
        "",
        r#"{"StreamName":"orders","Records":[]}"#,
        r#"{"StreamName":"orders","Records":null}"#,
        r#"{"StreamName":"or ders","Records":[{"Data":"AQID","PartitionKey":"a"}]}"#,
        r#"{"StreamARN":"orders","Records":[{"Data":"AQID","PartitionKey":"a"}]}"#,
        r#"{"StreamName":"orders","Records":[{"Data":"AQID","PartitionKey":"a"}],"DryRun":true}"#,
        r#"{"StreamName":"orders","Records":[{"Data":"AQID","PartitionKey":"a"}]} x"#,
        &with_record(r#"{"PartitionKey":"a"}"#),
        &with_record(r#"{"Data":"AQID","PartitionKey":""}"#),
        &with_record(r#"{"Data":"AQID","PartitionKey":7}"#),
        &with_record(r#"{"Data":"AQID","PartitionKey":"a","PartitionKey":"b"}"#),
        &with_record(r#"{"Data":"AQID","PartitionKey":"a","ExplicitHashKey":"01"}"#),
        &with_record(r#"{"Data":"AQID","PartitionKey":"a","More":1}"#),
        &long_name,
        &many,
        &long_key,
    ];
    for body in bodies {
        assert!(json(body).is_none(), "{body}");
    }
    let longest = "ü".repeat(256);
    assert!(json(&with_record(&ENTRY.replace("\"a\"", &format!("\"{longest}\"")))).is_some());
    assert!(json(&with_record(&vec![ENTRY; 500].join(","))).is_some());
}

#[test]
fn data_that_is_no_base64_is_found_when_it_is_decoded() {
    let body = with_record(r#"{"Data":"AQI","PartitionKey":"a"}"#);
    let input = json(&body).unwrap();
    let mut out = b"kept".to_vec();
    assert_eq!(input.records[0].data.append_to(&mut out), None);
    assert_eq!(out, b"kept");
}

#[test]
fn data_knows_its_length_before_it_is_decoded() {
    for n in 0..20 {
        let mut text = Vec::new();
        crate::gateway::base64_data::encode_to(&vec![7; n], &mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(Data::Base64(Cow::Owned(text)).decoded_len(), n);
    }
    let body = |n: usize| {
        let mut body = Vec::new();
        Encoder::new(Format::Cbor, &mut body).map(|e| {
            e.key("Records").list(|e| {
                e.map(|e| {
                    e.key("Data").blob(&vec![0; n]);
                });
            });
        });
        body
    };
    assert!(parse(Format::Cbor, &body(RECORD_BYTES_MAX)).is_some());
    assert!(parse(Format::Cbor, &body(RECORD_BYTES_MAX + 1)).is_none());
}

/// A body whose parts are sometimes wrong.
fn bodies() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let key = "[a-z]{0,3}|ü{256,257}|x{256,257}|\"\\\\";
    let hash = "0|[0-9]{1,3}|[1-9][0-9]{38,39}";
    let data = proptest::collection::vec(any::<u8>(), 0..50);
    let record = (data, proptest::option::of(key), proptest::option::of(hash), 0..30u8);
    let records = proptest::collection::vec(record, 0..5);
    let stream = proptest::option::of("[a-z]{0,2}|[a-z ]{3}|a{128,129}");
    let format = prop_oneof![Just(Format::Json), Just(Format::Cbor)];
    (format, stream, records, 0..20u8).prop_map(|(format, stream, records, oddity)| {
        let mut body = Vec::new();
        Encoder::new(format, &mut body).map(|e| {
            if let Some(name) = &stream {
                e.key("StreamName").text(name);
            }
            e.key("Records").list(|e| {
                for (data, key, hash, oddity) in &records {
                    e.map(|e| {
                        match oddity {
                            0 => e.key("Data").int(7),
                            1 => e.key("Other").bool(true),
                            2 => e.key("Data").float(f64::NAN),
                            _ => e.key("Data").blob(data),
                        };
                        if let Some(key) = key {
                            e.key("PartitionKey").text(key);
                        }
                        if let Some(hash) = hash {
                            e.key("ExplicitHashKey").text(hash);
                        }
                    });
                }
            });
            match oddity {
                0 => e.key("DryRun").bool(true),
                1 => e.key("Unknown").int(1),
                2 => e.key("StreamARN").text("arn:aws:kinesis:r:000000000000:stream/a"),
                _ => e,
            };
        });
        (format, body)
    })
}

/// Data, partition key and explicit hash key.
type Plain = (Vec<u8>, Option<String>, Option<String>);

/// What the exact checks make of a body, in the same words.
fn exact(format: Format, body: &[u8]) -> Option<Vec<Plain>> {
    let input = check::input(Operation::PutRecords, format, body).ok()?;
    let text = |record: &check::Input<'_>, name| record.text(name).map(str::to_owned);
    let records = input.list("Records").unwrap().iter().map(|record| {
        let record = record.as_structure();
        let data = record.blob("Data").unwrap().to_vec();
        (data, text(record, "PartitionKey"), text(record, "ExplicitHashKey"))
    });
    Some(records.collect())
}

proptest! {
    #[test]
    fn whatever_is_read_fast_means_the_same_read_exactly((format, body) in bodies()) {
        if let Some(input) = parse(format, &body) {
            let records: Vec<_> = input.records.iter().map(|record| {
                let mut data = Vec::new();
                record.data.append_to(&mut data).unwrap();
                prop_assert_eq!(record.data.decoded_len(), data.len());
                let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
                Ok((data, text(&record.partition_key), text(&record.explicit_hash_key)))
            }).collect::<Result<_, _>>()?;
            prop_assert_eq!(Some(records), exact(format, &body));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
        for format in Format::ALL {
            let _ = parse(format, &body);
        }
    }
}
