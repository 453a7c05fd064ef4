//! The canonical form of a request: the text whose hash is signed.
//!
//! ```text
//! POST
//! /                               the path, normalised, and encoded once more than it came
//! a=1&b=2                         the query, sorted
//! host:localhost:4567             the signed headers, in the order of their list, each line
//! x-amz-date:20160204T133419Z     with all values of that name
//!                                 (an empty line)
//! host;x-amz-date                 the list
//! e3b0c442…                       SHA-256 of the body
//! ```

use super::claims::{Claims, Form};
use super::error::AuthError;
use super::query::{Query, encode};
use super::request::Request;
use crate::base::limits::SIGNED_HEADERS_MAX;

/// The names of a list of signed headers, if it covers what it must.
///
/// The host must be in it, so that a request to one server is worth nothing at another; and the
/// target, if there is one, so that nobody turns one operation into another. None may stand there
/// twice: the canonical form of a request is never much longer than the request.
pub(super) fn signed_headers<'l, 'a, H>(
    list: &'l str,
    request: &Request<'a, H>,
) -> Result<Vec<&'l str>, AuthError>
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    let mut names: Vec<&str> = Vec::with_capacity(16);
    for name in list.split(';') {
        if names.len() == SIGNED_HEADERS_MAX {
            let message = format!("SignedHeaders names more than {SIGNED_HEADERS_MAX} headers.");
            return Err(AuthError::incomplete(message));
        }
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(AuthError::incomplete("SignedHeaders names a header twice."));
        }
        names.push(name);
    }
    let signs = |name: &str| names.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    if !signs("host") && !signs(":authority") {
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(AuthError::invalid(message));
    }
    if !signs("x-amz-target") && request.first("x-amz-target").is_some() {
        let message = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(AuthError::invalid(message));
    }
    Ok(names)
}

/// Writes the canonical form.
pub(super) fn write_request<'a, H>(
    out: &mut Vec<u8>,
    request: &Request<'a, H>,
    query: &Query,
    claims: &Claims<'_>,
    names: &[&str],
) where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    write_path(out, request.path);
    out.push(b'\n');
    query.write(out, (claims.form == Form::Query).then_some("X-Amz-Signature"));
    out.push(b'\n');
    for name in names {
        out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        out.push(b':');
        for (at, value) in request.values(name).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_value(out, value);
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(claims.signed_headers.as_bytes());
    out.push(b'\n');
    push_hex(out, request.body_sha256);
}

/// Writes a path without `.`, `..` and empty segments, and encodes it once more than it came, as
/// every service of AWS but S3.
fn write_path(out: &mut Vec<u8>, path: &str) {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        out.push(b'/');
        encode(out, segment.as_bytes(), b"");
    }
    if kept.is_empty() || path.ends_with('/') {
        out.push(b'/');
    }
}

/// Writes a header's value without blanks around it, and with one space for several.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    let mut last = b' ';
    let value = value.trim_ascii();
    for &byte in value {
        if byte != b' ' || last != b' ' {
            out.push(byte);
        }
        last = byte;
    }
}

/// Writes bytes as lower-case hex digits.
pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> String {
        let mut out = Vec::new();
        write_path(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_normalised_and_encoded_again() {
        for (given, canonical) in [
            ("/", "/"),
            ("", "/"),
            ("*", "/%2A"),
            ("//", "/"),
            ("/./", "/"),
            ("/..", "/"),
            ("/../../x", "/x"),
            ("/a/b/../..", "/"),
            ("/a/b/../../", "/"),
            ("/a/./b//c/", "/a/b/c/"),
            ("/a%20b", "/a%2520b"),
            ("/-._~0azAZ", "/-._~0azAZ"),
            ("/a:b@c", "/a%3Ab%40c"),
            ("/é", "/%C3%A9"),
        ] {
            assert_eq!(path(given), canonical, "{given}");
        }
    }

    #[test]
    fn values_lose_blanks_around_them_and_repeated_spaces() {
        for (given, canonical) in [
            ("  a  ", "a"),
            ("\t a   b  c\t", "a b c"),
            ("\"a   b\"", "\"a b\""),
            ("   ", ""),
            ("", ""),
            ("a\tb", "a\tb"),
        ] {
            let mut out = Vec::new();
            write_value(&mut out, given.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), canonical, "{given:?}");
        }
    }
}
