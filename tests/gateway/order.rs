//! What is checked before an operation, in AWS's order: a request with two faults is told the one
//! that AWS finds first, in the form that AWS gives it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::call::{BOTH, Refused, Wire, check_headers, data, outcome};
use crate::endpoint::Endpoint;
use crate::http1::{Answer, Ask, CBOR, JSON, SIGNED};

const DENIED: &str = "<AccessDeniedException>\n  <Message>Unable to determine service/operation \
                      name to be authorized</Message>\n</AccessDeniedException>\n";
/// What browsers may read.
const EXPOSED: &str = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,\
                       x-amzn-ErrorMessage,Date";

/// A request that is right, of this format.
fn right(wire: Wire) -> Ask {
    Ask::new("ListStreams", wire.content_type(), wire.encode(&json!({})))
}

fn unsigned(ask: Ask) -> Ask {
    ask.without("Authorization").without("X-Amz-Date")
}

#[track_caller]
fn assert_xml(answer: &Answer, status: u16, name: &str, body: &str) {
    check_headers(answer);
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert_eq!(answer.header("x-amzn-errortype"), Some(name));
    assert_eq!(answer.header("content-type"), Some("text/xml"));
}

#[track_caller]
fn assert_refused(wire: Wire, answer: &Answer, name: &str, text: &str) {
    check_headers(answer);
    assert_eq!(answer.header("content-type"), Some(wire.content_type()));
    assert_eq!(outcome(wire, answer), Err(Refused::new(name, text)));
}

#[test]
fn a_browser_that_asks_first_is_answered_before_anything_is_looked_at() {
    let endpoint = Endpoint::shared();
    let ask = Ask::new("Nothing", "text/plain", "x").method("OPTIONS").header("Origin", "http://a");
    let mut conn = endpoint.connect();
    let answer = conn.ask(&unsigned(
        ask.header("Access-Control-Request-Headers", "x-amz-target, a")
            .header("Access-Control-Request-Method", "PUT"),
    ));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-headers", "x-amz-target, a"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-max-age", "172800"),
        ("access-control-expose-headers", EXPOSED),
        ("content-length", "0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("x-amzn-requestid").is_some());
    assert_eq!(answer.header("x-amz-id-2"), None, "AWS does not send it here");
    // What was not asked for is not allowed.
    let answer = conn.ask(&right(Wire::Json).method("OPTIONS").header("Origin", "http://a"));
    assert_eq!(answer.header("access-control-allow-headers"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
    // Without an origin it is a method like any other.
    let answer = conn.ask(&right(Wire::Json).method("OPTIONS"));
    assert_xml(&answer, 403, "AccessDeniedException", DENIED);
}

#[test]
fn every_answer_to_a_browser_may_be_read_by_it() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let asks = [
        right(Wire::Json),
        right(Wire::Cbor),
        right(Wire::Json).method("GET"),
        right(Wire::Json).header("Content-Type", "text/plain"),
        unsigned(right(Wire::Json)),
        Ask::new("DescribeStream", JSON, r#"{"StreamName":"not-there"}"#),
    ];
    for ask in asks {
        let answer = conn.ask(&ask.clone().header("Origin", "null"));
        check_headers(&answer);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{ask:?}");
        assert_eq!(answer.header("access-control-expose-headers"), Some(EXPOSED), "{ask:?}");
        let answer = conn.ask(&ask);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{ask:?}");
        assert_eq!(answer.header("access-control-expose-headers"), None, "{ask:?}");
    }
}

#[test]
fn other_methods_than_post_are_refused_before_the_body_is_looked_at() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    for method in ["GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "post"] {
        for ask in [right(Wire::Json), right(Wire::Cbor), Ask::new("x", "text/plain", "")] {
            let answer = conn.ask(&unsigned(ask.method(method)));
            assert_xml(&answer, 403, "AccessDeniedException", DENIED);
        }
    }
    let answer = conn.ask(&right(Wire::Json).method("HEAD"));
    assert_eq!((answer.status, answer.text().as_str()), (403, ""));
    assert_eq!(answer.header("x-amzn-errortype"), Some("AccessDeniedException"));
}

#[test]
fn an_empty_body_is_refused_before_the_content_type_and_the_target() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let types = [
        (JSON, Wire::Json),
        ("application/x-amz-json-1.1; charset=utf-8", Wire::Json),
        ("  application/x-amz-json-1.1  ", Wire::Json),
        (CBOR, Wire::Cbor),
        ("application/json", Wire::Cbor),
        ("text/plain", Wire::Cbor),
        ("", Wire::Cbor),
    ];
    let unknown = "UnknownOperationException";
    for (content_type, wire) in types {
        let known = unsigned(Ask::new("PutRecord", content_type, ""));
        assert_refused(wire, &conn.ask(&known), "SerializationException", "");
        for target in ["Kinesis_20131202.Nothing", "Kinesis.PutRecord", "PutRecord", "", "."] {
            let ask = known.clone().header("X-Amz-Target", target);
            assert_refused(wire, &conn.ask(&ask), unknown, "");
        }
        assert_refused(wire, &conn.ask(&known.without("X-Amz-Target")), unknown, "");
    }
    let nothing = unsigned(Ask::new("PutRecord", JSON, "")).without("Content-Type");
    assert_refused(Wire::Cbor, &conn.ask(&nothing), "SerializationException", "");
}

#[test]
fn content_types_are_refused_before_the_body_is_read_and_the_signature_is_looked_at() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let json = "application/x-amz-json-1.0";
    for content_type in [json, "text/plain", "application/cbor", "application/x-amz-json-1.1x", ""]
    {
        let ask = unsigned(Ask::new("PutRecord", content_type, "no object"));
        let answer = conn.ask(&ask);
        let body = "<UnknownOperationException/>\n";
        assert_xml(&answer, 404, "UnknownOperationException", body);
        let answer = conn.ask(&ask.header("X-Amz-Target", "Kinesis_20131202.Nothing"));
        assert_xml(&answer, 404, "UnknownOperationException", body);
        let answer = conn.ask(&Ask::new("", content_type, "{}").without("X-Amz-Target"));
        assert_xml(&answer, 403, "AccessDeniedException", DENIED);
    }
}

#[test]
fn parameters_of_a_content_type_say_nothing() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    for wire in BOTH {
        let name = wire.content_type();
        for content_type in
            [format!("{name};charset=x"), format!(" {name} ; a=b"), format!("{name};")]
        {
            let answer = conn.ask(&right(wire).header("Content-Type", &content_type));
            assert_eq!(answer.status, 200, "{content_type}");
            assert_eq!(answer.header("content-type"), Some(name));
        }
    }
}

#[test]
fn a_body_that_is_no_object_is_refused_before_the_target_and_the_signature() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let bodies: [(Wire, &[u8]); 13] = [
        (Wire::Json, b"{"),
        (Wire::Json, b"x"),
        (Wire::Json, b"\"text\""),
        (Wire::Json, b"null"),
        (Wire::Json, b"7"),
        (Wire::Json, b"[]"),
        (Wire::Json, b" "),
        (Wire::Json, b"{} {}"),
        (Wire::Cbor, b"{}"),
        (Wire::Cbor, &[0xa1]),
        (Wire::Cbor, &[0x80]),
        (Wire::Cbor, &[0xf6]),
        (Wire::Cbor, &[0xa0, 0xa0]),
    ];
    for (wire, body) in bodies {
        for operation in ["ListStreams", "PutRecords", "SubscribeToShard", "CreateQueue", "Nothing"]
        {
            let ask = unsigned(Ask::new(operation, wire.content_type(), body));
            assert_refused(wire, &conn.ask(&ask), "SerializationException", "");
        }
        let ask = unsigned(Ask::new("", wire.content_type(), body)).without("X-Amz-Target");
        assert_refused(wire, &conn.ask(&ask), "SerializationException", "");
    }
}

#[test]
fn json_of_old_clients_is_answered_in_the_form_of_the_older_protocol() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let cases = [
        ("{", "SerializationException"),
        ("[]", "SerializationException"),
        ("null", "SerializationException"),
        ("{}", "UnknownOperationException"),
        (r#"{"StreamName":"a"}"#, "UnknownOperationException"),
    ];
    for (body, name) in cases {
        let answer = conn.ask(&Ask::new("DescribeStream", "application/json; a=b", body));
        check_headers(&answer);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
        assert_eq!(answer.header("x-amzn-errortype"), Some(name), "{body}");
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let full = format!("com.amazon.coral.service#{name}");
        assert_eq!(told, json!({"Output": {"__type": full}, "Version": "1.0"}), "{body}");
    }
}

#[test]
fn unknown_targets_are_refused_before_the_signature_is_looked_at() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    for wire in BOTH {
        let ask = unsigned(right(wire));
        let targets =
            ["Kinesis_20131202.Nothing", "Kinesis_20131202.", "ListStreams", "", ".", "é"];
        for target in targets {
            let answer = conn.ask(&ask.clone().header("X-Amz-Target", target));
            assert_refused(wire, &answer, "UnknownOperationException", "");
        }
        let answer = conn.ask(&ask.clone().header("X-Amz-Target", "Firehose_20131202.ListStreams"));
        assert_refused(wire, &answer, "UnknownOperationException", "");
        assert_refused(
            wire,
            &conn.ask(&ask.without("X-Amz-Target")),
            "UnknownOperationException",
            "",
        );
    }
}

#[test]
fn a_request_without_or_with_two_signatures_is_refused_before_its_types_are_looked_at() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    for wire in BOTH {
        // Both types and constraints are wrong, and there is no such stream.
        let body = wire.encode(&json!({"StreamName": 7, "Limit": 0}));
        let ask = Ask::new("DescribeStream", wire.content_type(), body);
        let missing = "Missing Authentication Token";
        let answer = conn.ask(&unsigned(ask.clone()));
        assert_refused(wire, &answer, "MissingAuthenticationTokenException", missing);
        let answer = conn.ask(&ask.clone().header("Authorization", ""));
        assert_refused(wire, &answer, "MissingAuthenticationTokenException", missing);
        let answer = conn.ask(&ask.path("/?X-Amz-Algorithm=AWS4-HMAC-SHA256"));
        let both = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as \
                    HTTP header.";
        assert_refused(wire, &answer, "InvalidSignatureException", both);
    }
}

#[test]
fn what_a_signature_lacks_is_told_in_one_sentence_each() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let name = "IncompleteSignatureException";
    let sentence = |part: &str| format!("Authorization header requires '{part}' parameter. ");
    let date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                header. ";
    let three = ["Credential", "Signature", "SignedHeaders"].map(sentence).concat();
    let cases = [
        ("AWS4-HMAC-SHA256", true, three.clone() + date),
        ("AWS4-HMAC-SHA256", false, three.clone()),
        (
            "AWS4-HMAC-SHA256 Credential=a",
            false,
            sentence("Signature") + &sentence("SignedHeaders"),
        ),
        ("AWS4-HMAC-SHA256 Signature=b, Credential=a", false, sentence("SignedHeaders")),
        (
            "AWS4-HMAC-SHA256 Credential=, Signature=b,SignedHeaders=c",
            false,
            sentence("Credential"),
        ),
        (SIGNED, true, date.to_owned()),
    ];
    for wire in BOTH {
        for (header, undated, text) in &cases {
            let ask = right(wire).header("Authorization", header);
            let ask = if *undated { ask.without("X-Amz-Date") } else { ask };
            let text = format!("{text}Authorization={header}");
            assert_refused(wire, &conn.ask(&ask), name, &text);
        }
        let ask = right(wire).without("X-Amz-Date").header("Date", "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(conn.ask(&ask).status, 200, "either date will do");
    }
}

#[test]
fn what_a_signature_in_the_query_lacks_is_told_in_one_sentence_each() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let sentence = |part: &str| format!("AWS query-string parameters must include '{part}'. ");
    let names = ["Algorithm", "Credential", "Signature", "SignedHeaders", "Date"];
    for wire in BOTH {
        for absent in 0..names.len() {
            let parts = names.iter().enumerate();
            let path = parts
                .clone()
                .map(|(at, name)| format!("&X-Amz-{name}={}", if at == absent { "" } else { "1" }));
            let ask = unsigned(right(wire)).path(&format!("/?a=b{}", path.collect::<String>()));
            let text = sentence(&format!("X-Amz-{}", names[absent]))
                + "Re-examine the query-string parameters.";
            assert_refused(wire, &conn.ask(&ask), "IncompleteSignatureException", &text);
        }
        let path = "/?X-Amz-Algorithm=x";
        let text = names[1..].iter().map(|name| sentence(&format!("X-Amz-{name}")));
        let text = text.collect::<String>() + "Re-examine the query-string parameters.";
        let answer = conn.ask(&unsigned(right(wire)).path(path));
        assert_refused(wire, &answer, "IncompleteSignatureException", &text);
        let path = "/any/path?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&\
                    X-Amz-Signature=c&X-Amz-SignedHeaders=host&X-Amz-Date=20260101T000000Z";
        assert_eq!(conn.ask(&unsigned(right(wire)).path(path)).status, 200);
    }
}

#[test]
fn types_are_checked_before_constraints() {
    let endpoint = Endpoint::shared();
    let mut json = endpoint.json();
    let name = "SerializationException";
    // In each, something else breaks a constraint.
    let cases = [
        (
            json!({"StreamName": "", "Limit": "x"}),
            "class java.lang.String can not be converted to \
                                                   an Integer",
        ),
        (json!({"StreamName": "", "Limit": []}), "Start of list found where not expected"),
        (
            json!({"StreamName": "", "Limit": {}}),
            "Start of structure or map found where not \
                                                  expected.",
        ),
        (
            json!({"StreamName": true, "Limit": 0}),
            "class java.lang.Boolean can not be converted to \
                                                   an String",
        ),
    ];
    for (body, text) in cases {
        assert_eq!(json.refused("DescribeStream", body), Refused::new(name, text));
    }
    let body = json!({"StreamName": "", "Data": "AAA", "PartitionKey": ""});
    let text = "'AAA' can not be converted to a Blob: Base64 encoded length is expected a multiple \
                of 4 bytes but found: 3";
    assert_eq!(json.refused("PutRecord", body), Refused::new(name, text));
    let body = json!({"StreamName": "", "Records": 7});
    let text = "Expected list or null";
    assert_eq!(json.refused("PutRecords", body), Refused::new(name, text));
    let body = json!({"StreamName": "a", "Records": [7]});
    assert_eq!(json.refused("PutRecords", body), Refused::new(name, "Expected null"));
    let mut cbor = endpoint.caller(Wire::Cbor);
    let body = json!({"StreamName": "", "Limit": "x"});
    assert_eq!(cbor.refused("DescribeStream", body).name, name);
}

#[test]
fn at_most_ten_broken_constraints_are_told_at_once() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let told = caller.refused("DescribeStream", json!({"StreamName": "", "Limit": 10_001}));
        let text = "3 validation errors detected: Value '' at 'streamName' failed to satisfy \
                    constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
                    Value '' at 'streamName' failed to satisfy constraint: Member must have length \
                    greater than or equal to 1; Value '10001' at 'limit' failed to satisfy \
                    constraint: Member must have value less than or equal to 10000";
        assert_eq!(told, Refused::new("ValidationException", text));
        let told = caller.refused("PutRecord", json!({}));
        let text = "1 validation error detected: Value null at 'data' failed to satisfy \
                    constraint: Member must not be null";
        assert_eq!(told, Refused::new("ValidationException", text));
        for (records, told) in [(9, 9), (10, 10), (11, 10), (500, 10)] {
            let records: Vec<_> =
                (0..records).map(|_| json!({"Data": "", "PartitionKey": ""})).collect();
            let refused =
                caller.refused("PutRecords", json!({"StreamName": "a", "Records": records}));
            let start =
                format!("{told} validation errors detected: Value '' at 'records.1.member.");
            assert!(refused.text.starts_with(&start), "{refused:?}");
            assert_eq!(refused.text.matches("; Value ").count() + 1, told, "{refused:?}");
        }
    }
}

#[test]
fn the_operation_comes_last() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let told = caller.refused("DescribeStream", json!({"StreamName": "not-there", "Limit": 0}));
        assert_eq!(told.name, "ValidationException");
        let told = caller.refused("DescribeStream", json!({"StreamName": "not-there"}));
        let text = "Stream not-there under account 000000000000 not found.";
        assert_eq!(told, Refused::new("ResourceNotFoundException", text));
        assert_eq!(caller.refused("CreateQueue", json!({})).name, "UnsupportedOperationException");
    }
}

#[test]
fn what_is_unknown_null_or_elsewhere_does_not_matter() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let body = json!({"Unknown": {"a": [1, null]}, "Limit": null, "NextToken": null});
        assert!(caller.ok("ListStreams", body)["StreamNames"].is_array());
    }
    let mut conn = endpoint.connect();
    for path in ["/", "/a/b?c=d", "//", "*", "/%00", "http://somewhere.else/x"] {
        assert_eq!(conn.ask(&right(Wire::Json).path(path)).status, 200, "{path}");
    }
}

#[test]
fn no_two_answers_have_the_same_ids() {
    let endpoint = Endpoint::shared();
    let mut seen = BTreeSet::new();
    for ask in [right(Wire::Json), right(Wire::Json).method("GET"), unsigned(right(Wire::Cbor))] {
        let mut conn = endpoint.connect();
        for _ in 0..20 {
            let answer = conn.ask(&ask);
            assert!(seen.insert(check_headers(&answer)), "{answer:?}");
            assert!(data(answer.header("x-amz-id-2").unwrap()).iter().any(|byte| *byte != 0));
        }
    }
}
