//! A request as far as signatures go.

/// What a signature covers. Everything is as it came, nothing decoded.
///
/// `H` yields names and values of the headers in the order in which they came; names in any case.
#[derive(Clone, Debug)]
pub struct Request<'a, H> {
    /// `POST`, …
    pub method: &'a str,
    /// The path, percent-encoded as it came, without the query.
    pub path: &'a str,
    /// What follows the first `?` of the target, or nothing.
    pub query: &'a str,
    /// The `:authority` of HTTP/2, which stands in for a `Host` that did not come.
    pub authority: Option<&'a str>,
    /// The headers.
    pub headers: H,
    /// SHA-256 of the body ([`BodyHash`](crate::security::BodyHash)); not read where
    /// authentication is off.
    pub body_sha256: &'a [u8; 32],
}

impl<'a, H> Request<'a, H>
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    /// The values of a header. The authority answers for an absent host.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_authority = name.eq_ignore_ascii_case(":authority");
        let name = if is_authority { "host" } else { name };
        let named = move |own: &str| own.eq_ignore_ascii_case(name);
        let mut own = self
            .headers
            .clone()
            .filter(move |(own, _)| named(own))
            .map(|(_, value)| value)
            .peekable();
        let stands_in = own.peek().is_none() && named("host");
        own.chain(self.authority.filter(|_| stands_in).map(str::as_bytes))
    }

    /// The first value of a header.
    pub(super) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }
}
