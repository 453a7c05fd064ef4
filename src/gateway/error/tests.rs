use super::*;

fn body(refusal: &Refusal, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    refusal.encode(format, &mut out);
    out
}

fn json(refusal: &Refusal) -> String {
    String::from_utf8(body(refusal, Format::Json)).unwrap()
}

#[test]
fn json_bodies_have_type_and_message() {
    let refusal = Refusal::not_found("Stream \"a\" not found.");
    let expected = r#"{"__type":"ResourceNotFoundException","message":"Stream \"a\" not found."}"#;
    assert_eq!(json(&refusal), expected);
    assert_eq!(refusal.status, 400);
}

#[test]
fn the_message_of_a_serialization_exception_has_a_capital() {
    let refusal = Refusal::serialization("Expected null");
    assert_eq!(json(&refusal), r#"{"__type":"SerializationException","Message":"Expected null"}"#);
}

#[test]
fn errors_without_a_text_have_no_message() {
    assert_eq!(json(&Refusal::unknown_operation()), r#"{"__type":"UnknownOperationException"}"#);
    assert_eq!(json(&BadBody::TooDeep.into()), r#"{"__type":"SerializationException"}"#);
}

/// The bytes that AWS sends.
#[test]
fn cbor_bodies_are_maps_without_a_declared_length() {
    let bytes = body(&Refusal::unknown_operation(), Format::Cbor);
    let expected = b"\xbf\x66__type\x78\x19UnknownOperationException\xff";
    assert_eq!(bytes, expected);
    let bytes = body(&BadBody::Malformed.into(), Format::Cbor);
    assert_eq!(bytes, b"\xbf\x66__type\x76SerializationException\xff");
    let bytes = body(&Refusal::client("A", "b"), Format::Cbor);
    assert_eq!(bytes, b"\xbf\x66__type\x61A\x67message\x61b\xff");
}

#[test]
fn requests_of_unknown_formats_get_xml() {
    let denied = Refusal::client(
        "AccessDeniedException",
        "Unable to determine service/operation name to be authorized",
    );
    assert_eq!(
        denied.xml(),
        "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be \
         authorized</Message>\n</AccessDeniedException>\n"
    );
    assert_eq!(Refusal::unknown_operation().xml(), "<UnknownOperationException/>\n");
    let text = Refusal::client("A", "<b> & c").xml();
    assert!(text.contains("&lt;b&gt; &amp; c"), "{text}");
    assert_eq!(
        Refusal::serialization("").old_json(),
        r#"{"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"}"#
    );
}

#[test]
fn errors_of_the_service_keep_their_names_and_get_a_status() {
    for code in ErrorCode::ALL {
        let refusal = Refusal::from(ApiError::new(code, "why"));
        let expected = match code {
            ErrorCode::InternalFailure | ErrorCode::Protocol => (500, "InternalFailure"),
            ErrorCode::ShuttingDown => (503, "ServiceUnavailable"),
            other => (400, other.name()),
        };
        assert_eq!((refusal.status, refusal.code.as_ref()), expected, "{code:?}");
        assert_eq!(refusal.message, "why");
    }
}

#[test]
fn what_is_not_offered_says_so() {
    let refusal = Refusal::not_offered("CreateQueue");
    assert_eq!(
        refusal.to_string(),
        "400 UnsupportedOperationException: CreateQueue is not offered yet by this server."
    );
}
