//! Missing, incomplete, duplicate and malformed parts: codes and texts (reference §2.4, step 7).

use super::*;

const DATE: (&str, &str) = ("X-Amz-Date", "20261121T150405Z");
/// With a scope, but not of a key that anybody has.
const CREDENTIAL: &str = "Credential=A/20261121/r/kinesis/aws4_request";

fn header(value: &str, more: &[(&str, &str)]) -> (AuthErrorCode, String) {
    Sent::new("", &[&[("Authorization", value)], more].concat()).refusal()
}

fn query(text: &str) -> (AuthErrorCode, String) {
    Sent::new(text, &[]).refusal()
}

/// The text about a header whose parts are there.
fn complete(value: &str) -> (AuthErrorCode, String) {
    header(value, &[DATE, ("Host", "h")])
}

fn incomplete(text: &str) -> (AuthErrorCode, String) {
    (AuthErrorCode::IncompleteSignature, text.to_owned())
}

fn invalid(text: &str) -> (AuthErrorCode, String) {
    (AuthErrorCode::InvalidSignature, text.to_owned())
}

#[test]
fn a_request_without_a_signature_is_refused() {
    let missing = "Missing Authentication Token".to_owned();
    let missing = (AuthErrorCode::MissingAuthenticationToken, missing);
    assert_eq!(query(""), missing);
    assert_eq!(header("", &[DATE]), missing, "an empty header is none");
    let parts = "X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=c&X-Amz-Date=d";
    assert_eq!(query(parts), missing);
    assert_eq!(query("x-amz-algorithm=AWS4-HMAC-SHA256"), missing, "names have a case");
}

#[test]
fn two_signatures_are_refused() {
    let both = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                header.";
    for text in ["X-Amz-Algorithm", "a=b&X%2DAmz%2DAlgorithm=c"] {
        assert_eq!(Sent::new(text, &[("authorization", "X")]).refusal(), invalid(both));
    }
    let twice = "Found more than one 'Authorization' HTTP header.";
    assert_eq!(header("X", &[("authorization", "Y")]), invalid(twice));
}

#[test]
fn missing_parts_of_a_header_have_a_sentence_each_in_order() {
    let credential = "Authorization header requires 'Credential' parameter. ";
    let signature = "Authorization header requires 'Signature' parameter. ";
    let signed = "Authorization header requires 'SignedHeaders' parameter. ";
    let no_date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                   header. ";
    let date = ("Date", "a");
    for (value, more, missing) in [
        ("X", &[][..], [credential, signature, signed, no_date].concat()),
        ("X", &[date], [credential, signature, signed].concat()),
        ("X Signature=b", &[date], [credential, signed].concat()),
        ("AWS4- Signature=b Credential=a", &[date], signed.to_owned()),
        ("AWS4- Signature=b,Credential=a", &[date], signed.to_owned()),
        ("AWS4- Signature=b, Credential=a", &[date], signed.to_owned()),
        ("X Credential=,Signature,SignedHeaders=c", &[date], [credential, signature].concat()),
        ("X credential=a Signature=b SignedHeaders=c", &[date], credential.to_owned()),
        ("Credential=a, Signature=b, SignedHeaders=c", &[date], credential.to_owned()),
        ("X Credential=a Signature=b SignedHeaders=c", &[], no_date.to_owned()),
        ("X Credential=a Signature=b SignedHeaders=c", &[("Date", "")], no_date.to_owned()),
    ] {
        let text = missing + "Authorization=" + value;
        assert_eq!(header(value, more), incomplete(&text));
    }
}

#[test]
fn a_header_that_is_no_text_has_no_parts() {
    let sent = Sent::new("", &[("authorization", ""), DATE]).change(|sent| {
        *sent.header("authorization") = b"X Credential=a Signature=b SignedHeaders=\xff".to_vec();
    });
    let (code, text) = sent.refusal();
    assert_eq!(code, AuthErrorCode::IncompleteSignature);
    assert!(text.contains("requires 'Credential'") && text.ends_with("SignedHeaders=\u{fffd}"));
}

#[test]
fn missing_parts_of_a_query_have_a_sentence_each_in_order() {
    let names = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Date",
    ];
    let sentence = |name: &&str| format!("AWS query-string parameters must include '{name}'. ");
    let end = "Re-examine the query-string parameters.";
    let all = names.iter().map(sentence).collect::<String>() + end;
    assert_eq!(query("X-Amz-Algorithm"), incomplete(&all));
    for missing in &names[1..] {
        let given = names.iter().filter(|name| name != &missing);
        let text: Vec<_> = given.map(|name| format!("{name}=x")).collect();
        assert_eq!(query(&text.join("&")), incomplete(&(sentence(missing) + end)));
        let empty = format!("{}&{missing}=", text.join("&"));
        assert_eq!(query(&empty), incomplete(&(sentence(missing) + end)));
    }
}

#[test]
fn another_algorithm_is_refused() {
    let sent = format!("AWS4-ECDSA-P256-SHA256 {CREDENTIAL}, SignedHeaders=host, Signature=b");
    let text = "Unsupported AWS 'algorithm'; it must be AWS4-HMAC-SHA256, not \
                'AWS4-ECDSA-P256-SHA256'";
    assert_eq!(complete(&sent), incomplete(text));
}

#[test]
fn a_credential_has_five_elements() {
    for credential in ["a", "a/b", "a/b/c/d", "a/20261121/r/kinesis/aws4_request/x", "////x/"] {
        let value =
            format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders=host,Signature=b");
        let text = format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        );
        assert_eq!(complete(&value), incomplete(&text));
    }
}

#[test]
fn a_wrong_scope_has_a_sentence_for_each_wrong_part() {
    let value = |scope: &str| {
        format!("AWS4-HMAC-SHA256 Credential=A/{scope}, SignedHeaders=host, Signature=b")
    };
    let region = "Credential should be scoped to a valid region, not ''. ";
    let service = "Credential should be scoped to correct service: 'kinesis'. ";
    let end = "Credential should be scoped with a valid terminator: 'aws4_request', not 'x'. ";
    for (scope, text) in [
        ("20261121//kinesis/aws4_request", region.to_owned()),
        ("20261121/r/dynamodb/aws4_request", service.to_owned()),
        ("20261121/r/Kinesis/aws4_request", service.to_owned()),
        ("20261121/r/kinesis/x", end.to_owned()),
        ("20261121//s3/x", [region, service, end].concat()),
        (
            "20261122/r/kinesis/aws4_request",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '20261122' != '20261121', from '20261121T150405Z'."
                .to_owned(),
        ),
    ] {
        assert_eq!(complete(&value(scope)), invalid(&text), "{scope}");
    }
}

#[test]
fn a_date_has_the_basic_form_of_iso_8601() {
    let value = format!("AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=host, Signature=b");
    let text = "Date must be in ISO-8601 'basic format'. Got '2026-11-21T15:04:05Z'. See \
                http://en.wikipedia.org/wiki/ISO_8601";
    let date = ("x-amz-date", "2026-11-21T15:04:05Z");
    assert_eq!(header(&value, &[date]), incomplete(text));
}

#[test]
fn the_host_and_the_target_must_be_signed() {
    let value = |signed: &str| {
        format!("AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders={signed}, Signature=b")
    };
    let target = ("X-Amz-Target", "Kinesis_20131202.ListStreams");
    let host = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(header(&value("x-amz-date;x-amz-target"), &[DATE, target]), invalid(host));
    let unsigned = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(header(&value("host;x-amz-date"), &[DATE, target]), invalid(unsigned));
    // What comes next is that nobody has this key.
    for signed in ["host;x-amz-target", "Host;X-Amz-Target", ":authority;x-amz-target"] {
        let (code, _) = header(&value(signed), &[DATE, target]);
        assert_eq!(code, AuthErrorCode::UnrecognizedClient, "{signed}");
    }
}

#[test]
fn the_list_of_signed_headers_is_bounded() {
    let value = |signed: &str| {
        format!("AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders={signed}, Signature=b")
    };
    let twice = "SignedHeaders names a header twice.";
    assert_eq!(complete(&value("host;Host")), incomplete(twice));
    assert_eq!(complete(&value("host;;")), incomplete(twice));
    let names =
        |count: usize| (1..count).fold("host".to_owned(), |list, at| list + &format!(";x-{at}"));
    let many = "SignedHeaders names more than 128 headers.";
    assert_eq!(complete(&value(&names(129))), incomplete(many));
    assert_eq!(complete(&value(&names(128))).0, AuthErrorCode::UnrecognizedClient);
}

#[test]
fn a_life_is_a_number_of_seconds() {
    for expires in ["", "0", "-1", "1.5", "a", "99999999999999999999999"] {
        let sent = vector("query: a usual request")
            .edit_query("X-Amz-Expires=300", &format!("X-Amz-Expires={expires}"));
        let text = "'X-Amz-Expires' must be a number of seconds, 1 at least.";
        assert_eq!(sent.refusal(), incomplete(text), "{expires}");
    }
}

#[test]
fn what_a_client_sent_goes_back_to_it_and_into_no_log() {
    let sent = [
        header("Bearer hunter2", &[DATE]),
        complete("hunter2 Credential=a,Signature=b,SignedHeaders=c"),
        complete("AWS4-HMAC-SHA256 Credential=hunter2/x,Signature=b,SignedHeaders=c"),
    ];
    for (code, text) in sent {
        assert_eq!(code, AuthErrorCode::IncompleteSignature);
        assert!(text.contains("hunter2"), "{text}");
    }
    let headers = [("Authorization", "Bearer hunter2"), DATE];
    let error = Sent::new("", &headers).check().unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("hunter2") && printed.contains("Authorization=…"), "{printed}");
}
