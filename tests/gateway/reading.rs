//! Positions, iterators, sequence numbers and pages, as clients depend on them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::call::{BOTH, Caller, Refused, blob, string};
use crate::endpoint::Endpoint;
use crate::unlimited_stream;

fn put(caller: &mut Caller, stream: &str, data: &str) -> String {
    let body = json!({"StreamName": stream, "Data": blob(data), "PartitionKey": "k"});
    string(&caller.ok("PutRecord", body)["SequenceNumber"])
}

fn get(caller: &mut Caller, iterator: &str) -> Value {
    caller.ok("GetRecords", json!({ "ShardIterator": iterator }))
}

fn data_of(got: &Value) -> Vec<String> {
    let records = got["Records"].as_array().expect("records");
    let data = |record: &Value| {
        String::from_utf8(STANDARD.decode(string(&record["Data"])).unwrap()).unwrap()
    };
    records.iter().map(data).collect()
}

/// The records from a position on, at once.
fn read(caller: &mut Caller, stream: &str, kind: &str, more: Value) -> Vec<String> {
    let iterator = caller.iterator(stream, 0, kind, more);
    data_of(&get(caller, &iterator))
}

fn number(n: &str) -> Value {
    json!({ "StartingSequenceNumber": n })
}

fn refused_iterator(caller: &mut Caller, stream: &str, kind: &str, more: Value) -> Refused {
    let mut body = json!({"StreamName": stream, "ShardId": "0", "ShardIteratorType": kind});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    caller.refused("GetShardIterator", body)
}

/// A stream with `r0`, `r1` and `r2` in its only shard, and their numbers.
fn three(endpoint: &Endpoint, caller: &mut Caller, stream: &str) -> Vec<String> {
    unlimited_stream(endpoint, stream, 1);
    (0..3).map(|n| put(caller, stream, &format!("r{n}"))).collect()
}

fn starting_number(caller: &mut Caller, stream: &str, shard: usize, which: &str) -> String {
    let shards = caller.ok("ListShards", json!({ "StreamName": stream }));
    string(&shards["Shards"][shard]["SequenceNumberRange"][which])
}

#[test]
fn every_position_finds_its_record() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let stream = format!("positions-{wire:?}");
        let numbers = three(&endpoint, &mut caller, &stream);
        let mut from = |kind: &str, more: Value| read(&mut caller, &stream, kind, more);
        assert_eq!(from("TRIM_HORIZON", json!({})), ["r0", "r1", "r2"]);
        assert_eq!(from("LATEST", json!({})), [""; 0]);
        assert_eq!(from("AT_SEQUENCE_NUMBER", number(&numbers[1])), ["r1", "r2"]);
        assert_eq!(from("AFTER_SEQUENCE_NUMBER", number(&numbers[1])), ["r2"]);
        assert_eq!(from("AFTER_SEQUENCE_NUMBER", number(&numbers[2])), [""; 0]);
        assert_eq!(from("AT_TIMESTAMP", json!({"Timestamp": 0})), ["r0", "r1", "r2"]);
        assert_eq!(from("AT_TIMESTAMP", json!({"Timestamp": 1_600_000_000.5})).len(), 3);
        let iterator = caller.iterator(&stream, 0, "TRIM_HORIZON", json!({}));
        let got = get(&mut caller, &iterator);
        let arrivals: Vec<f64> = (0..3)
            .map(|n| got["Records"][n]["ApproximateArrivalTimestamp"].as_f64().unwrap())
            .collect();
        let at = json!({"Timestamp": arrivals[1]});
        let found = read(&mut caller, &stream, "AT_TIMESTAMP", at);
        let expected = arrivals.iter().filter(|arrival| **arrival >= arrivals[1]).count();
        assert_eq!(found.len(), expected, "{arrivals:?}");
        let at = json!({"Timestamp": arrivals[2] + 0.001});
        assert_eq!(read(&mut caller, &stream, "AT_TIMESTAMP", at), [""; 0]);
        // The second of arrival is in the number: bits 36 to 71.
        for (number, arrival) in numbers.iter().zip(&arrivals) {
            let (high, low) = number.split_at(28);
            let digits = |text: &str| text.parse::<u128>().unwrap();
            let low_bits = digits(high).wrapping_mul(10u128.pow(28)).wrapping_add(digits(low));
            assert_eq!((low_bits >> 36 & 0xf_ffff_ffff) as u64, *arrival as u64, "{number}");
        }
    }
}

#[test]
fn positions_that_say_too_much_or_too_little_are_refused() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    let numbers = three(&endpoint, &mut caller, "contrary");
    let cases = [
        ("TRIM_HORIZON", number(&numbers[0])),
        ("LATEST", number(&numbers[0])),
        ("AT_SEQUENCE_NUMBER", json!({})),
        ("AFTER_SEQUENCE_NUMBER", json!({"Timestamp": 1})),
        ("AT_TIMESTAMP", json!({})),
        ("AT_TIMESTAMP", json!({"Timestamp": 4_000_000_000u64})),
    ];
    for (kind, more) in cases {
        let refused = refused_iterator(&mut caller, "contrary", kind, more);
        assert_eq!(refused.name, "InvalidArgumentException", "{kind}: {refused:?}");
    }
    let refused = refused_iterator(&mut caller, "contrary", "EARLIEST", json!({}));
    let text = "1 validation error detected: Value 'EARLIEST' at 'shardIteratorType' failed to \
                satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, \
                LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]";
    assert_eq!(refused, Refused::new("ValidationException", text));
}

#[test]
fn sequence_numbers_work_at_the_start_and_between_records_and_are_otherwise_refused_by_text() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    let numbers = three(&endpoint, &mut caller, "numbers");
    let start = starting_number(&mut caller, "numbers", 0, "StartingSequenceNumber");
    let mut sorted = numbers.clone();
    sorted.insert(0, start.clone());
    assert!(sorted.iter().all(|number| number.len() == 56));
    assert!(sorted.is_sorted(), "the order of texts is the order of records: {sorted:?}");
    for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
        assert_eq!(read(&mut caller, "numbers", kind, number(&start)), ["r0", "r1", "r2"]);
    }
    // The same index an hour later: behind the record, before the next one's.
    let between = plus(&numbers[0], 3600 << 36);
    let after = read(&mut caller, "numbers", "AFTER_SEQUENCE_NUMBER", number(&between));
    assert_eq!(after, ["r1", "r2"]);
    let about = |shown: &str, why: &str| {
        Refused::new(
            "InvalidArgumentException",
            format!(
                "StartingSequenceNumber {shown} used in GetShardIterator on shard \
                 shardId-000000000000 in stream numbers under account 000000000000 is invalid{why}."
            ),
        )
    };
    let foreign = " because it did not come from this stream";
    let mut refused =
        |kind: &str, n: &str| refused_iterator(&mut caller, "numbers", kind, number(n));
    // A record that is not there yet, of this shard.
    let future = plus(&numbers[2], 7 << 80);
    for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
        assert_eq!(refused(kind, &future), about(&future, foreign));
    }
    let kind = "AT_SEQUENCE_NUMBER";
    let another_version = plus(&numbers[0], 1);
    assert_eq!(refused(kind, &another_version), about(&another_version, ""));
    let long = "9".repeat(129);
    assert_eq!(refused(kind, &long), about(&long, ""));
    let other_shard = plus(&numbers[0], 1 << 4);
    let text = "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used \
                in a call to a shard with shardId-000000000000";
    assert_eq!(refused(kind, &other_shard), Refused::new("InvalidArgumentException", text));
    for none in ["", "-1", "01", "x", "1e9"] {
        assert_eq!(refused(kind, none).name, "ValidationException", "{none}");
    }
    caller.stream("numbers-elsewhere", 2);
    let body = json!({
        "StreamName": "numbers-elsewhere", "Data": "", "PartitionKey": "k",
        "SequenceNumberForOrdering": future,
    });
    caller.ok("PutRecord", body.clone());
    let mut wrong = body;
    wrong["SequenceNumberForOrdering"] = json!(another_version);
    let text = format!(
        "ExclusiveMinimumSequenceNumber {another_version} used in PutRecord on stream \
         numbers-elsewhere under account 000000000000 is invalid."
    );
    let refused = caller.refused("PutRecord", wrong);
    assert_eq!(refused, Refused::new("InvalidArgumentException", text));
}

/// A decimal number plus another.
fn plus(number: &str, more: u128) -> String {
    let mut digits: Vec<u8> = number.bytes().map(|digit| digit - b'0').collect();
    let mut carry = more;
    for digit in digits.iter_mut().rev() {
        carry += u128::from(*digit);
        *digit = (carry % 10) as u8;
        carry /= 10;
    }
    assert_eq!(carry, 0);
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[test]
fn a_closed_shard_is_read_to_its_end_which_names_its_children() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let stream = format!("closed-{wire:?}");
        three(&endpoint, &mut caller, &stream);
        let before = caller.iterator(&stream, 0, "LATEST", json!({}));
        let half = "170141183460469231731687303715884105728";
        let split = json!({"StreamName": stream, "ShardToSplit": "0", "NewStartingHashKey": half});
        caller.ok("SplitShard", split);
        let end = starting_number(&mut caller, &stream, 0, "EndingSequenceNumber");
        let child = starting_number(&mut caller, &stream, 1, "StartingSequenceNumber");
        assert!(end < child, "children sort behind their parents: {end}, {child}");
        let mut iterators = vec![before];
        let all = [("LATEST", json!({})), ("AFTER_SEQUENCE_NUMBER", number(&end))];
        let all = all.into_iter().chain([("AT_SEQUENCE_NUMBER", number(&end))]);
        for (kind, more) in all {
            iterators.push(caller.iterator(&stream, 0, kind, more));
        }
        // From the start it takes more than one call: the records, then the end.
        let mut iterator = caller.iterator(&stream, 0, "TRIM_HORIZON", json!({}));
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let got = caller.ok("GetRecords", json!({"ShardIterator": iterator, "Limit": 2}));
            seen.extend(data_of(&got));
            let Some(next) = got.get("NextShardIterator") else {
                assert_eq!(got["ChildShards"].as_array().map(Vec::len), Some(2));
                break;
            };
            assert!(got.get("ChildShards").is_none(), "only at the end: {got}");
            iterator = string(next);
        }
        assert_eq!(seen, ["r0", "r1", "r2"]);
        for iterator in iterators {
            let got = get(&mut caller, &iterator);
            assert_eq!(data_of(&got), [""; 0]);
            assert!(got.get("NextShardIterator").is_none_or(Value::is_null), "{got}");
            assert_eq!(got["MillisBehindLatest"], 0);
            let children = got["ChildShards"].as_array().expect("its children");
            assert_eq!(children.len(), 2);
            assert_eq!(children[0]["ShardId"], "shardId-000000000001");
            assert_eq!(children[0]["ParentShards"], json!(["shardId-000000000000"]));
            assert_eq!(children[1]["HashKeyRange"]["StartingHashKey"], half);
        }
        let merge = json!({
            "StreamName": stream, "ShardToMerge": "shardId-1", "AdjacentShardToMerge": "2",
        });
        caller.ok("MergeShards", merge);
        let iterator = caller.iterator(&stream, 2, "TRIM_HORIZON", json!({}));
        let got = get(&mut caller, &iterator);
        let parents = json!(["shardId-000000000001", "shardId-000000000002"]);
        assert_eq!(got["ChildShards"][0]["ParentShards"], parents);
    }
}

#[test]
fn iterators_are_worthless_when_they_are_not_ours_or_their_stream_is_another() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    three(&endpoint, &mut caller, "foreign");
    let iterator = caller.iterator("foreign", 0, "TRIM_HORIZON", json!({}));
    let quoted = format!("\"{iterator}\"");
    assert_eq!(data_of(&get(&mut caller, &quoted)), ["r0", "r1", "r2"]);
    let text = "Invalid ShardIterator.";
    let bytes = STANDARD.decode(&iterator).unwrap();
    let mut forged: Vec<String> = (0..bytes.len())
        .map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            STANDARD.encode(bytes)
        })
        .collect();
    forged.extend(["x".to_owned(), "\"".to_owned(), "A".repeat(512), format!("\"{iterator}")]);
    for iterator in forged {
        let refused = caller.refused("GetRecords", json!({ "ShardIterator": iterator }));
        assert_eq!(refused, Refused::new("InvalidArgumentException", text), "{iterator}");
    }
    let refused = caller.refused("GetRecords", json!({"ShardIterator": "A".repeat(513)}));
    assert_eq!(refused.name, "ValidationException");
    // Another stream of the same name.
    caller.ok("DeleteStream", json!({"StreamName": "foreign"}));
    let again = json!({"StreamName": "foreign", "ShardCount": 1});
    crate::process::until("its name is free", || caller.call("CreateStream", &again).is_ok());
    let refused = caller.refused("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(refused.name, "ResourceNotFoundException");
}

#[test]
fn iterators_are_all_different_and_bring_what_they_may() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    three(&endpoint, &mut caller, "different");
    let mut seen = BTreeSet::new();
    let mut iterator = caller.iterator("different", 0, "TRIM_HORIZON", json!({}));
    let mut data = Vec::new();
    for _ in 0..20 {
        assert!(iterator.len() <= 512);
        assert!(seen.insert(iterator.clone()), "twice the same iterator");
        let got = caller.ok("GetRecords", json!({"ShardIterator": iterator, "Limit": 1}));
        data.extend(data_of(&got));
        assert!(got["Records"].as_array().unwrap().len() <= 1);
        iterator = string(&got["NextShardIterator"]);
    }
    assert_eq!(data, ["r0", "r1", "r2"]);
    for limit in [0, 10_001] {
        let body = json!({"ShardIterator": iterator, "Limit": limit});
        assert_eq!(caller.refused("GetRecords", body).name, "ValidationException");
    }
}

#[test]
fn a_reader_is_told_how_far_it_is_behind() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    unlimited_stream(&endpoint, "behind", 1);
    put(&mut caller, "behind", "old");
    std::thread::sleep(std::time::Duration::from_millis(300));
    put(&mut caller, "behind", "new");
    let iterator = caller.iterator("behind", 0, "TRIM_HORIZON", json!({}));
    let got = caller.ok("GetRecords", json!({"ShardIterator": iterator, "Limit": 1}));
    let behind = got["MillisBehindLatest"].as_u64().unwrap();
    assert!((300..60_000).contains(&behind), "{behind}");
    let iterator = string(&got["NextShardIterator"]);
    let got = get(&mut caller, &iterator);
    assert_eq!((data_of(&got), &got["MillisBehindLatest"]), (vec!["new".to_owned()], &json!(0)));
}

#[test]
fn pages_bring_everything_once_and_their_tokens_are_of_one_list_each() {
    let endpoint = Endpoint::start();
    let mut caller = endpoint.json();
    for n in 0..5 {
        unlimited_stream(&endpoint, &format!("page-{n}"), 7);
    }
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/page-0";
    for n in 0..5 {
        let body = json!({"StreamARN": arn, "ConsumerName": format!("c{n}")});
        caller.ok("RegisterStreamConsumer", body);
    }
    let mut tokens = Vec::new();
    let mut pages = |operation: &str, list: &str, first: Value, next: Value, limit: &str| {
        let (mut body, mut all) = (first, Vec::new());
        loop {
            body[limit] = json!(2);
            let page = caller.ok(operation, body);
            all.extend(page[list].as_array().unwrap().clone());
            let Some(token) = page.get("NextToken") else { return all };
            tokens.push((operation.to_owned(), string(token)));
            body = next.clone();
            body["NextToken"] = token.clone();
        }
    };
    let streams = pages("ListStreams", "StreamNames", json!({}), json!({}), "Limit");
    assert_eq!(streams, (0..5).map(|n| json!(format!("page-{n}"))).collect::<Vec<_>>());
    let name = json!({"StreamName": "page-0"});
    let shards = pages("ListShards", "Shards", name, json!({}), "MaxResults");
    let ids: Vec<&Value> = shards.iter().map(|shard| &shard["ShardId"]).collect();
    let expected: Vec<Value> = (0..7).map(|n| json!(format!("shardId-{n:012}"))).collect();
    assert_eq!(ids, expected.iter().collect::<Vec<_>>());
    let by_arn = json!({ "StreamARN": arn });
    let consumers = pages("ListStreamConsumers", "Consumers", by_arn.clone(), by_arn, "MaxResults");
    assert_eq!(consumers.len(), 5);
    // Ends of ranges fit their neighbours' starts, and all hash keys have a shard.
    let mut next = 0u128;
    for (at, shard) in shards.iter().enumerate() {
        let key = |end: &str| string(&shard["HashKeyRange"][end]).parse::<u128>().unwrap();
        assert_eq!(key("StartingHashKey"), next, "shard {at}");
        next = key("EndingHashKey").wrapping_add(1);
    }
    assert_eq!(next, 0);
    let token_of = |operation: &str| {
        tokens.iter().find(|(of, _)| of == operation).map(|(_, token)| token.clone()).unwrap()
    };
    let shards = token_of("ListShards");
    let refused =
        caller.refused("ListShards", json!({"NextToken": shards, "StreamName": "page-0"}));
    let text = "NextToken and StreamName cannot be provided together.";
    assert_eq!(refused, Refused::new("InvalidArgumentException", text));
    let invalid = Refused::new("InvalidArgumentException", "Invalid NextToken.");
    let other = token_of("ListStreams");
    for token in ["x", "AAAA", &other, &shards[4..], &shards.replace('A', "B")] {
        assert_eq!(caller.refused("ListShards", json!({ "NextToken": token })), invalid);
    }
    assert_eq!(caller.refused("ListStreams", json!({ "NextToken": shards })), invalid);
    let elsewhere = arn.replace("page-0", "page-1");
    let body = json!({"StreamARN": elsewhere, "NextToken": token_of("ListStreamConsumers")});
    assert_eq!(caller.refused("ListStreamConsumers", body), invalid);
}

#[test]
fn a_description_goes_on_behind_a_shard() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    unlimited_stream(&endpoint, "described", 7);
    let mut after = json!({"StreamName": "described", "Limit": 3});
    let mut described = Vec::new();
    loop {
        let page = caller.ok("DescribeStream", after.clone())["StreamDescription"].clone();
        described.extend(page["Shards"].as_array().unwrap().clone());
        if page["HasMoreShards"] == false {
            break;
        }
        after["ExclusiveStartShardId"] = described.last().unwrap()["ShardId"].clone();
    }
    assert_eq!(described.len(), 7);
}

#[test]
fn shards_are_named_in_every_form_that_aws_takes() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("named", 2);
    let body =
        |id: &str| json!({"StreamName": "named", "ShardId": id, "ShardIteratorType": "LATEST"});
    for id in ["1", "shard-1", "x-00000000001", "shardId-000000000001", "00001"] {
        caller.ok("GetShardIterator", body(id));
    }
    let refused = caller.refused("GetShardIterator", body("shardId-000000000002"));
    let text = "Shard shardId-000000000002 in stream named under account 000000000000 does not \
                exist";
    assert_eq!(refused, Refused::new("ResourceNotFoundException", text));
    for id in ["shardId-", "shardId", "shardId-2147483648", "shardId-x"] {
        let refused = caller.refused("GetShardIterator", body(id));
        let text = format!("Could not find shard {id} in stream named under account 000000000000.");
        assert_eq!(refused, Refused::new("ResourceNotFoundException", text));
    }
}

#[test]
fn puts_above_the_limits_are_refused_each_in_its_way() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let stream = format!("throttled-{wire:?}");
        caller.stream(&stream, 1);
        let record = json!({"Data": blob(vec![7; 400 << 10]), "PartitionKey": "k"});
        let body = json!({"StreamName": stream, "Records": [record, record]});
        let exceeded = "ProvisionedThroughputExceededException";
        let text = format!(
            "Rate exceeded for shard shardId-000000000000 in stream {stream} under account \
             000000000000."
        );
        let mut failed = Value::Null;
        for _ in 0..40 {
            let answer = caller.ok("PutRecords", body.clone());
            crate::shapes::check_output("PutRecords", &answer);
            if answer["FailedRecordCount"] != 0 {
                failed = answer;
                break;
            }
        }
        let result = json!({"ErrorCode": exceeded, "ErrorMessage": text});
        let results = failed["Records"].as_array().expect("a failure");
        assert_eq!(results.len(), 2);
        assert!(results.contains(&result), "{failed}");
        let single = json!({"StreamName": stream, "Data": record["Data"], "PartitionKey": "k"});
        let refused = (0..40).find_map(|_| caller.call("PutRecord", &single).err());
        assert_eq!(refused, Some(Refused::new(exceeded, text)));
        let many: Vec<Value> = vec![json!({"Data": "", "PartitionKey": "k"}); 501];
        let body = json!({"StreamName": stream, "Records": many});
        assert_eq!(caller.refused("PutRecords", body).name, "ValidationException");
        let large = json!({"Data": blob(vec![7; 1 << 20]), "PartitionKey": "k"});
        let single = json!({"StreamName": stream, "Data": large["Data"], "PartitionKey": "k"});
        let refused = caller.refused("PutRecord", single);
        assert_eq!(refused.name, "InvalidArgumentException", "key and data have 1 MiB together");
        let body = json!({"StreamName": stream, "Records": vec![large; 10]});
        assert_eq!(caller.refused("PutRecords", body).name, "InvalidArgumentException");
        let hash = json!({
            "StreamName": stream, "Data": "", "PartitionKey": "k",
            "ExplicitHashKey": "340282366920938463463374607431768211456",
        });
        let text = "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. \
                    Specified value was 340282366920938463463374607431768211456";
        let refused = caller.refused("PutRecord", hash);
        assert_eq!(refused, Refused::new("InvalidArgumentException", text));
    }
}

#[test]
fn records_go_to_the_shard_of_their_key_or_of_their_explicit_hash_key() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.caller(crate::call::Wire::Cbor);
    caller.stream("spread", 3);
    // MD5 of "a" is 0x0cc1…, of "b" 0x92eb…, of "c" 0x4a8a….
    for (key, shard) in [("a", 0), ("b", 1), ("c", 0)] {
        let body = json!({"StreamName": "spread", "Data": "", "PartitionKey": key});
        let put = caller.ok("PutRecord", body);
        assert_eq!(put["ShardId"], format!("shardId-{shard:012}"), "{key}");
    }
    let third = u128::MAX / 3;
    for (hash, shard) in [(0, 0), (third - 1, 0), (third, 1), (u128::MAX, 2)] {
        let body = json!({
            "StreamName": "spread", "Data": "", "PartitionKey": "a",
            "ExplicitHashKey": hash.to_string(),
        });
        let put = caller.ok("PutRecord", body);
        assert_eq!(put["ShardId"], format!("shardId-{shard:012}"), "{hash}");
    }
}

#[test]
fn a_dry_run_does_nothing_and_says_what_would_have_been() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let stream = format!("dry-{wire:?}");
        caller.stream(&stream, 1);
        let dry = "DryRunOperationException";
        let iterator = caller.iterator(&stream, 0, "TRIM_HORIZON", json!({}));
        let record = json!({"Data": blob("x"), "PartitionKey": "k"});
        let asks = [
            ("PutRecord", json!({"StreamName": stream, "Data": "", "PartitionKey": "k"})),
            ("PutRecords", json!({"StreamName": stream, "Records": [record]})),
            ("GetRecords", json!({ "ShardIterator": iterator })),
            ("GetShardIterator", {
                json!({"StreamName": stream, "ShardId": "0", "ShardIteratorType": "LATEST"})
            }),
        ];
        for (operation, body) in asks {
            let mut body = body;
            body["DryRun"] = json!(true);
            assert_eq!(caller.refused(operation, body.clone()).name, dry, "{operation}");
            if body.get("StreamName").is_some() {
                body["StreamName"] = json!("not-there");
                let refused = caller.refused(operation, body);
                assert_eq!(refused.name, "ResourceNotFoundException", "{operation}");
            }
        }
        assert_eq!(data_of(&get(&mut caller, &iterator)), [""; 0], "nothing was put");
    }
}
