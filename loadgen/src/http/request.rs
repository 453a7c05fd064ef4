//! The head of a request: what HTTP/1.1 has in front of a body, signed.

use shardway::base::ids::Millis;
use shardway::security::sigv4::Signer;

use super::endpoint::Endpoint;

/// The only format that this tool speaks.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// `X-Amz-Target` of an operation.
#[must_use]
pub fn target(operation: &str) -> String {
    format!("Kinesis_20131202.{operation}")
}

/// The headers of a signed request, without `Host` and `Content-Length`, names in lower case.
#[must_use]
pub fn headers(
    signer: &mut Signer,
    endpoint: &Endpoint,
    operation: &str,
    body_sha256: &[u8; 32],
    now: Millis,
) -> Vec<(&'static str, String)> {
    let target = target(operation);
    let given = [
        ("content-type", CONTENT_TYPE),
        ("host", endpoint.host.as_str()),
        ("x-amz-target", target.as_str()),
    ];
    let signature = signer.sign(&given, body_sha256, now);
    let mut headers = vec![
        ("content-type", CONTENT_TYPE.to_owned()),
        ("x-amz-target", target),
        ("x-amz-date", signature.date),
        ("authorization", signature.authorization),
        ("user-agent", concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    headers.extend(signer.token().map(|token| ("x-amz-security-token", token.to_owned())));
    headers
}

/// The head of a request of HTTP/1.1 whose body has `body_bytes`.
#[must_use]
pub fn head(
    signer: &mut Signer,
    endpoint: &Endpoint,
    operation: &str,
    (body_bytes, body_sha256): (usize, &[u8; 32]),
    now: Millis,
) -> Vec<u8> {
    let mut head = format!("POST / HTTP/1.1\r\nhost: {}\r\n", endpoint.host);
    for (name, value) in headers(signer, endpoint, operation, body_sha256, now) {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {body_bytes}\r\n\r\n");
    head.into_bytes()
}
