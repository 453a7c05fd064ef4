//! What a client says about its signature, in either form, and which parts it forgot.

use std::borrow::Cow;

use super::error::AuthError;
use super::query::Query;
use super::request::Request;
use crate::base::limits::SIGNATURE_WINDOW_S;

/// Where the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query, as in signed URLs.
    Query,
}

/// The parts of a signature, all of them there.
#[derive(Debug)]
pub(super) struct Claims<'c> {
    pub(super) form: Form,
    pub(super) algorithm: Cow<'c, str>,
    pub(super) credential: Cow<'c, str>,
    pub(super) signature: Cow<'c, str>,
    pub(super) signed_headers: Cow<'c, str>,
    pub(super) date: Cow<'c, str>,
    pub(super) token: Option<Cow<'c, [u8]>>,
    expires: Option<Cow<'c, str>>,
}

impl<'c> Claims<'c> {
    /// Reference §2.4, step 7.
    pub(super) fn read<'a: 'c, H>(
        request: &Request<'a, H>,
        query: &'c Query,
    ) -> Result<Claims<'c>, AuthError>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let mut headers = request.values("authorization").filter(|value| !value.is_empty());
        let (header, second) = (headers.next(), headers.next());
        let algorithm = query.value("X-Amz-Algorithm");
        match (header, algorithm) {
            (Some(_), Some(_)) => Err(AuthError::invalid(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                 header.",
            )),
            (None, None) => Err(AuthError::missing()),
            (Some(_), None) if second.is_some() => {
                Err(AuthError::invalid("Found more than one 'Authorization' HTTP header."))
            }
            (Some(header), None) => Self::of_header(header, request),
            (None, Some(_)) => Self::of_query(query),
        }
    }

    fn of_header<'a: 'c, H>(
        header: &'a [u8],
        request: &Request<'a, H>,
    ) -> Result<Claims<'c>, AuthError>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let mut words = words(str::from_utf8(header).unwrap_or(""));
        let algorithm = words.next().unwrap_or("");
        let mut parts = ["Credential", "Signature", "SignedHeaders"].map(|name| (name, ""));
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            if let Some(part) = parts.iter_mut().find(|part| part.0 == name) {
                part.1 = value;
            }
        }
        let mut missing = String::new();
        for (name, _) in parts.iter().filter(|(_, value)| value.is_empty()) {
            missing += &format!("Authorization header requires '{name}' parameter. ");
        }
        let date = ["x-amz-date", "date"]
            .into_iter()
            .find_map(|name| request.first(name).filter(|value| !value.is_empty()));
        if date.is_none() {
            missing += "Authorization header requires existence of either a 'X-Amz-Date' or a \
                        'Date' header. ";
        }
        let (true, Some(date)) = (missing.is_empty(), date) else {
            let sent = String::from_utf8_lossy(header);
            return Err(AuthError::incomplete(missing + "Authorization=").with_echo(sent));
        };
        let [credential, signature, signed_headers] = parts.map(|(_, value)| Cow::Borrowed(value));
        Ok(Claims {
            form: Form::Header,
            algorithm: algorithm.into(),
            credential,
            signature,
            signed_headers,
            date: String::from_utf8_lossy(date),
            token: request.first("x-amz-security-token").map(Cow::Borrowed),
            expires: None,
        })
    }

    fn of_query(query: &'c Query) -> Result<Claims<'c>, AuthError> {
        let mut missing = String::new();
        let mut part = |name: &str| {
            let value = query.value(name).unwrap_or_default();
            if value.is_empty() {
                missing += &format!("AWS query-string parameters must include '{name}'. ");
            }
            String::from_utf8_lossy(value)
        };
        let claims = Claims {
            form: Form::Query,
            algorithm: part("X-Amz-Algorithm"),
            credential: part("X-Amz-Credential"),
            signature: part("X-Amz-Signature"),
            signed_headers: part("X-Amz-SignedHeaders"),
            date: part("X-Amz-Date"),
            token: query.value("X-Amz-Security-Token").map(Cow::Borrowed),
            expires: query.value("X-Amz-Expires").map(String::from_utf8_lossy),
        };
        if !missing.is_empty() {
            let text = missing + "Re-examine the query-string parameters.";
            return Err(AuthError::incomplete(text));
        }
        Ok(claims)
    }

    /// Seconds for which the signature is good: `X-Amz-Expires` shortens them, never more.
    pub(super) fn window_s(&self) -> Result<u64, AuthError> {
        let Some(expires) = &self.expires else { return Ok(SIGNATURE_WINDOW_S) };
        match expires.parse::<u64>() {
            Ok(seconds) if seconds > 0 => Ok(seconds.min(SIGNATURE_WINDOW_S)),
            _ => Err(AuthError::incomplete(
                "'X-Amz-Expires' must be a number of seconds, 1 at least.",
            )),
        }
    }
}

/// What stands between commas and spaces. By bytes: `str::split` takes three times as long here,
/// and this is a part of every request.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| matches!(byte, b',' | b' '));
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}
