use super::*;
use crate::base::ids::Millis;
use crate::gateway::encode::Encoder;

fn read(operation: Operation, body: &str) -> Result<Input<'_>, Refusal> {
    input(operation, Format::Json, body.as_bytes())
}

/// The text of a SerializationException.
fn serialization(operation: Operation, body: &str) -> String {
    let refusal = read(operation, body).unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_ref()), (400, "SerializationException"), "{body}");
    refusal.message
}

/// The text of a ValidationException.
fn validation(operation: Operation, body: &str) -> String {
    let refusal = read(operation, body).unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_ref()), (400, "ValidationException"), "{refusal}");
    refusal.message
}

const NAME: &str = r#""StreamName":"a""#;

// ---- Types -------------------------------------------------------------------------------------

/// Each member with each wrong value, and what AWS says of it.
#[test]
fn values_of_wrong_types_are_refused_with_the_texts_of_aws() {
    const NUMBER: &str = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    const LIST: &str = "Start of list found where not expected";
    const MAP: &str = "Start of structure or map found where not expected.";
    let text = [
        ("true", "class java.lang.Boolean can not be converted to an String".to_owned()),
        ("23", format!("{NUMBER} can not be converted to an String")),
        ("34.56", format!("{NUMBER} can not be converted to an String")),
        ("[]", LIST.to_owned()),
        ("{}", MAP.to_owned()),
    ];
    let int = [
        ("\"23\"", "class java.lang.String can not be converted to an Integer".to_owned()),
        ("true", "class java.lang.Boolean can not be converted to an Integer".to_owned()),
        ("[]", LIST.to_owned()),
        ("{}", MAP.to_owned()),
    ];
    let flag = [
        ("\"hello\"", "'HELLO' can not be converted to an Boolean".to_owned()),
        ("23", format!("{NUMBER} can not be converted to an Boolean")),
        ("[]", LIST.to_owned()),
        ("{}", MAP.to_owned()),
    ];
    let blob = [
        ("true", "class java.lang.Boolean can not be converted to a Blob".to_owned()),
        ("-2147483648", format!("{NUMBER} can not be converted to a Blob")),
        ("[]", LIST.to_owned()),
        ("{}", MAP.to_owned()),
    ];
    let time = [
        ("true", "class java.lang.Boolean can not be converted to milliseconds since epoch"),
        ("\"1\"", "class java.lang.String can not be converted to milliseconds since epoch"),
        ("[]", LIST),
        ("{}", MAP),
    ]
    .map(|(value, text)| (value, text.to_owned()));
    let list =
        [("\"23\"", "Expected list or null"), ("34.56", "Expected list or null"), ("{}", MAP)]
            .map(|(value, text)| (value, text.to_owned()));
    let map = [("\"23\"", "Expected map or null"), ("true", "Expected map or null"), ("[]", LIST)]
        .map(|(value, text)| (value, text.to_owned()));
    let structure = [("\"23\"", "Expected null"), ("23", "Expected null"), ("[]", LIST)]
        .map(|(value, text)| (value, text.to_owned()));
    for (operation, before, cases, after) in [
        (Operation::CreateStream, r#"{"StreamName":"#, text.as_slice(), "}"),
        (Operation::GetShardIterator, r#"{"ShardIteratorType":"#, &text, "}"),
        (Operation::CreateStream, r#"{"ShardCount":"#, &int, "}"),
        (Operation::DeleteStream, r#"{"EnforceConsumerDeletion":"#, &flag, "}"),
        (Operation::PutRecord, r#"{"Data":"#, &blob, "}"),
        (Operation::ListShards, r#"{"StreamCreationTimestamp":"#, &time, "}"),
        (Operation::PutRecords, r#"{"Records":"#, &list, "}"),
        (Operation::PutRecords, r#"{"Records":["#, &structure, "]}"),
        (Operation::PutRecords, r#"{"Records":[{"PartitionKey":"#, &text, "}]}"),
        (Operation::PutRecords, r#"{"Records":[{"Data":"#, &blob, "}]}"),
        (Operation::AddTagsToStream, r#"{"Tags":"#, &map, "}"),
        (Operation::AddTagsToStream, r#"{"Tags":{"a":"#, &text, "}}"),
        (Operation::RemoveTagsFromStream, r#"{"TagKeys":["#, &text, "]}"),
        (Operation::UpdateStreamMode, r#"{"StreamModeDetails":"#, &structure, "}"),
    ] {
        for (value, expected) in cases {
            let body = format!("{before}{value}{after}");
            assert_eq!(&serialization(operation, &body), expected, "{body}");
        }
    }
}

#[test]
fn base64_is_strict_and_aws_says_what_is_wrong_with_it() {
    for (text, why) in [
        ("23456", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        ("=+/=", "Invalid Base64 character: '='"),
        ("+/+=", "Invalid last non-pad Base64 character dectected"),
        ("====", "Invalid last non-pad Base64 character dectected"),
        ("ab-_", "Invalid Base64 character: '-'"),
        ("äbcd", "Invalid Base64 character: 'ä'"),
    ] {
        let body = format!(r#"{{{NAME},"PartitionKey":"a","Data":"{text}"}}"#);
        let expected = format!("'{text}' can not be converted to a Blob: {why}");
        assert_eq!(serialization(Operation::PutRecord, &body), expected);
    }
    let body = format!(r#"{{{NAME},"Data":"AP8="}}"#);
    let input = read(Operation::PutRecord, &body).unwrap();
    assert_eq!(input.blob("Data"), Some([0, 255].as_slice()));
}

#[test]
fn a_megabyte_of_wrong_data_is_not_sent_back() {
    let body = format!(r#"{{"Data":"{}"}}"#, "A".repeat(1_000_001));
    let text = serialization(Operation::PutRecord, &body);
    assert!(text.len() < 1200 && text.contains("but found: 1000001"), "{}", text.len());
}

#[test]
fn numbers_are_floored_and_clamped_to_32_bits() {
    let limit = |n: &str| {
        let body = format!(r#"{{{NAME},"RetentionPeriodHours":{n}}}"#);
        let input = read(Operation::IncreaseStreamRetentionPeriod, &body).unwrap();
        input.int("RetentionPeriodHours").unwrap()
    };
    for (n, expected) in [
        ("48", 48),
        ("48.9", 48),
        ("-1.5", -2),
        ("2147483648", i32::MAX),
        ("100000000000", i32::MAX),
        ("1e300", i32::MAX),
        ("-2147483649", i32::MIN),
    ] {
        assert_eq!(limit(n), expected, "{n}");
    }
}

#[test]
fn flags_are_given_as_words_too() {
    for (value, expected) in [
        ("true", true),
        ("false", false),
        ("null", false),
        ("\"True\"", true),
        ("\"yes\"", true),
        ("\"1\"", true),
        ("\"false\"", false),
        ("\"NO\"", false),
        ("\"0\"", false),
    ] {
        let body = format!(r#"{{{NAME},"EnforceConsumerDeletion":{value}}}"#);
        let input = read(Operation::DeleteStream, &body).unwrap();
        assert_eq!(input.flag("EnforceConsumerDeletion"), expected, "{value}");
    }
    assert!(!read(Operation::DeleteStream, "{}").unwrap().flag("EnforceConsumerDeletion"));
}

#[test]
fn times_are_seconds_in_json_and_tagged_milliseconds_in_cbor() {
    let body = |value: &str| format!(r#"{{{NAME},"StreamCreationTimestamp":{value}}}"#);
    let time = |value: &str| {
        let body = body(value);
        read(Operation::ListShards, &body).unwrap().time("StreamCreationTimestamp")
    };
    assert_eq!(time("1459799926.480"), Some(Millis(1_459_799_926_480)));
    assert_eq!(time("1459799926"), Some(Millis(1_459_799_926_000)));
    assert_eq!(time("1.459799926480E9"), Some(Millis(1_459_799_926_480)));
    assert_eq!(time("-5"), Some(Millis(0)));
    assert_eq!(time("-0.5"), Some(Millis(0)));
    assert_eq!(time("9223372036854775807"), Some(Millis(u64::MAX)));
    assert_eq!(time("null"), None);
    let mut body = Vec::new();
    Encoder::new(Format::Cbor, &mut body).map(|e| {
        e.key("StreamCreationTimestamp").time(Millis(1_459_799_926_480));
    });
    let input = input(Operation::ListShards, Format::Cbor, &body).unwrap();
    assert_eq!(input.time("StreamCreationTimestamp"), Some(Millis(1_459_799_926_480)));
}

#[test]
fn cbors_own_types_fit_only_where_the_model_has_them() {
    let refused = |key: &str, write: &dyn Fn(&mut Encoder<'_>)| {
        let mut body = Vec::new();
        Encoder::new(Format::Cbor, &mut body).map(|e| {
            e.key(key);
            write(e);
        });
        input(Operation::PutRecord, Format::Cbor, &body).unwrap_err().message
    };
    let blob = |e: &mut Encoder<'_>| {
        e.blob(b"x");
    };
    let time = |e: &mut Encoder<'_>| {
        e.time(Millis(1));
    };
    let text = "class java.nio.HeapByteBuffer can not be converted to an String";
    assert_eq!(refused("PartitionKey", &blob), text);
    assert_eq!(refused("Data", &time), "class java.util.Date can not be converted to a Blob");
}

#[test]
fn cbor_blobs_are_borrowed() {
    let mut body = Vec::new();
    Encoder::new(Format::Cbor, &mut body).map(|e| {
        e.key("Data").blob(b"bytes").key("PartitionKey").text("a");
    });
    let input = input(Operation::PutRecord, Format::Cbor, &body).unwrap();
    assert!(input.members.iter().any(|item| matches!(item, Item::Blob(Cow::Borrowed(b"bytes")))));
    assert!(input.members.iter().any(|item| matches!(item, Item::Text(Cow::Borrowed("a")))));
}

#[test]
fn unknown_members_and_nulls_are_as_if_they_were_not_there() {
    let body = r#"{"StreamName":"a","Unknown":{"x":[1]},"ShardCount":null,"streamname":7}"#;
    let input = read(Operation::CreateStream, body).unwrap();
    assert_eq!(input.text("StreamName"), Some("a"));
    assert!(input.has("StreamName") && !input.has("ShardCount"));
    assert_eq!(input.int("ShardCount"), None);
}

#[test]
fn inside_of_structures_is_read_too() {
    let body = r#"{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/a/consumer/b:1",
        "ShardId":"shardId-0","StartingPosition":{"Type":"AT_TIMESTAMP","Timestamp":1.5}}"#;
    let input = read(Operation::SubscribeToShard, body).unwrap();
    let position = input.structure("StartingPosition").unwrap();
    assert_eq!(position.text("Type"), Some("AT_TIMESTAMP"));
    assert_eq!(position.time("Timestamp"), Some(Millis(1500)));
    let body = format!(r#"{{{NAME},"Tags":{{"b":"1","a":""}}}}"#);
    let input = read(Operation::AddTagsToStream, &body).unwrap();
    let tags: Vec<_> = input.map("Tags").unwrap().iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(tags, ["b=1", "a="]);
}

#[test]
#[should_panic(expected = "CreateStreamInput has no member Name")]
fn asking_for_a_member_that_does_not_exist_is_a_mistake() {
    let _ = read(Operation::CreateStream, r#"{"StreamName":"a"}"#).unwrap().text("Name");
}

#[test]
#[should_panic(expected = "is not a number")]
fn asking_for_another_type_than_the_models_is_a_mistake() {
    let _ = read(Operation::CreateStream, r#"{"StreamName":"a"}"#).unwrap().int("StreamName");
}

#[test]
fn operations_that_are_not_offered_are_refused() {
    let refusal = read(Operation::CreateQueue, r#"{"QueueName":7}"#).unwrap_err();
    assert_eq!(refusal, Refusal::not_offered("CreateQueue"));
}

#[test]
fn types_come_before_constraints() {
    let body = r#"{"StreamName":"not a name","ShardCount":"x"}"#;
    let text = "class java.lang.String can not be converted to an Integer";
    assert_eq!(serialization(Operation::CreateStream, body), text);
}

// ---- Constraints -------------------------------------------------------------------------------

#[test]
fn what_is_required_must_be_there() {
    assert_eq!(
        validation(Operation::GetShardIterator, "{}"),
        "2 validation errors detected: Value null at 'shardId' failed to satisfy constraint: \
         Member must not be null; Value null at 'shardIteratorType' failed to satisfy constraint: \
         Member must not be null"
    );
    assert_eq!(
        validation(Operation::CreateStream, "{}"),
        "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: \
         Member must not be null"
    );
    assert!(read(Operation::DescribeLimits, "{}").is_ok());
}

#[test]
fn every_constraint_of_an_empty_text_is_named() {
    let body =
        r#"{"StreamName":"","ShardIteratorType":"","ShardId":"","StartingSequenceNumber":""}"#;
    let name = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
    let length = "Member must have length greater than or equal to 1";
    let at = |member: &str, constraint: &str| {
        format!("Value '' at '{member}' failed to satisfy constraint: {constraint}")
    };
    let violations = [
        at("streamName", name),
        at("streamName", length),
        at("shardId", name),
        at("shardId", length),
        at(
            "shardIteratorType",
            "Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, \
             AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
        ),
        at(
            "startingSequenceNumber",
            r"Member must satisfy regular expression pattern: 0|([1-9]\d{0,128})",
        ),
    ];
    let expected = format!("6 validation errors detected: {}", violations.join("; "));
    assert_eq!(validation(Operation::GetShardIterator, body), expected);
}

#[test]
fn texts_are_measured_in_characters() {
    let put = |key: &str| format!(r#"{{{NAME},"Data":"","PartitionKey":"{key}"}}"#);
    assert!(read(Operation::PutRecord, &put(&"ü".repeat(256))).is_ok());
    let long = "ü".repeat(257);
    assert_eq!(
        validation(Operation::PutRecord, &put(&long)),
        format!(
            "1 validation error detected: Value '{long}' at 'partitionKey' failed to satisfy \
             constraint: Member must have length less than or equal to 256"
        )
    );
}

#[test]
fn numbers_and_blobs_have_bounds() {
    let list = |n: &str| format!(r#"{{"Limit":{n}}}"#);
    assert_eq!(
        validation(Operation::ListStreams, &list("0")),
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member \
         must have value greater than or equal to 1"
    );
    assert_eq!(
        validation(Operation::ListStreams, &list("10001")),
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: \
         Member must have value less than or equal to 10000"
    );
    assert!(read(Operation::ListStreams, &list("10000")).is_ok());
    let mut body = Vec::new();
    Encoder::new(Format::Cbor, &mut body).map(|e| {
        e.key("Data").blob(&vec![0; 10_485_761]);
    });
    assert_eq!(
        input(Operation::PutRecord, Format::Cbor, &body).unwrap_err().message,
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=10485761 \
         cap=10485761]' at 'data' failed to satisfy constraint: Member must have length less than \
         or equal to 10485760"
    );
}

#[test]
fn members_of_lists_are_named_by_their_place() {
    let body = format!(
        r#"{{{NAME},"Records":[{{"Data":""}},{{"PartitionKey":"","ExplicitHashKey":"x"}},null]}}"#
    );
    let at = |path: &str, rest: &str| {
        format!("at 'records.{path}' failed to satisfy constraint: Member must {rest}")
    };
    assert_eq!(
        validation(Operation::PutRecords, &body),
        format!(
            "4 validation errors detected: Value null {}; Value 'x' {}; Value '' {}; Value null {}",
            at("2.member.data", "not be null"),
            at(
                "2.member.explicitHashKey",
                r"satisfy regular expression pattern: 0|([1-9]\d{0,38})"
            ),
            at("2.member.partitionKey", "have length greater than or equal to 1"),
            at("3.member", "not be null"),
        )
    );
}

#[test]
fn lists_have_bounds() {
    assert_eq!(
        validation(Operation::PutRecords, r#"{"Records":[]}"#),
        "1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
    let records = vec![r#"{"Data":""}"#; 501].join(",");
    let text = validation(Operation::PutRecords, &format!(r#"{{"Records":[{records}]}}"#));
    assert!(text.ends_with("Member must have length less than or equal to 500"), "{text}");
    let start = "1 validation error detected: Value \
                 '[com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry, com";
    assert!(text.starts_with(start) && text.len() < 1400, "{text}");
}

#[test]
fn the_constraints_of_plain_members_are_one_of_their_list() {
    let long = "a".repeat(129);
    let body = format!(r#"{{{NAME},"TagKeys":["a","{long}",""]}}"#);
    assert_eq!(
        validation(Operation::RemoveTagsFromStream, &body),
        format!(
            "1 validation error detected: Value '[a, {long}, ]' at 'tagKeys' failed to satisfy \
             constraint: Member must satisfy constraint: [Member must have length less than or \
             equal to 128, Member must have length greater than or equal to 1]"
        )
    );
    let body = format!(r#"{{{NAME},"ShardLevelMetrics":["ALL","All"]}}"#);
    let text = validation(Operation::EnableEnhancedMonitoring, &body);
    assert!(
        text.contains(
            "Value '[ALL, All]' at 'shardLevelMetrics' failed to satisfy constraint: Member must \
             satisfy constraint: [Member must satisfy enum value set: [IncomingBytes, "
        ),
        "{text}"
    );
}

#[test]
fn maps_have_bounds_for_keys_values_and_their_number() {
    let tags = |tags: &str| {
        let body = format!(r#"{{{NAME},"Tags":{{{tags}}}}}"#);
        validation(Operation::AddTagsToStream, &body)
    };
    assert_eq!(
        tags(""),
        "1 validation error detected: Value '{}' at 'tags' failed to satisfy constraint: Member \
         must have length greater than or equal to 1"
    );
    let key = "k".repeat(129);
    assert_eq!(
        tags(&format!(r#""{key}":"1","b":"2""#)),
        format!(
            "1 validation error detected: Value '{{{key}=1, b=2}}' at 'tags' failed to satisfy \
             constraint: Map keys must satisfy constraint: [Member must have length less than or \
             equal to 128, Member must have length greater than or equal to 1]"
        )
    );
    let value = "v".repeat(257);
    assert_eq!(
        tags(&format!(r#""a":"{value}""#)),
        format!(
            "1 validation error detected: Value '{{a={value}}}' at 'tags' failed to satisfy \
             constraint: Map value must satisfy constraint: [Member must have length less than or \
             equal to 256, Member must have length greater than or equal to 0]"
        )
    );
    let many: Vec<_> = (0..201).map(|i| format!(r#""{i}":"""#)).collect();
    assert!(tags(&many.join(",")).ends_with("Member must have length less than or equal to 200"));
}

#[test]
fn an_error_names_ten_violations_at_most() {
    let records = vec!["{}"; 30].join(",");
    let text = validation(Operation::PutRecords, &format!(r#"{{{NAME},"Records":[{records}]}}"#));
    assert!(text.starts_with("10 validation errors detected: "), "{text}");
    assert_eq!(text.matches("Value null at 'records.").count(), 10);
}

#[test]
fn inside_of_structures_paths_have_dots() {
    let body = r#"{"StreamName":"a","StreamModeDetails":{"StreamMode":"OFF"}}"#;
    assert_eq!(
        validation(Operation::CreateStream, body),
        "1 validation error detected: Value 'OFF' at 'streamModeDetails.streamMode' failed to \
         satisfy constraint: Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]"
    );
}
