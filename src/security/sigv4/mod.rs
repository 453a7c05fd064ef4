//! AWS Signature Version 4, the side that checks: in the `Authorization` header or in the query.
//!
//! A client signs, with a key of that day, region and service, a text that repeats the request in
//! a canonical form: method, path, query, the headers that it names, and the hash of the body. The
//! server writes the same text and compares. What is signed is written in `canonical`; what the
//! client says about it in `claims`; the days' keys in `signing_keys`.
//!
//! Checks come in this order, and the first that fails answers: the form (reference §2.4 step 7),
//! the algorithm, the scope, the signed headers, the time, the key, the token, the signature.
//! Texts are AWS's where one is known (reference §2.4, and public bug reports of its clients).
//!
//! The side that signs is `signer`: it shares the days' keys and the text under the signature.

mod canonical;
mod claims;
mod date;
mod error;
mod query;
mod request;
mod scope;
mod signer;
mod signing_keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ring::digest::{SHA256, digest};

pub use self::error::{AuthError, AuthErrorCode};
pub use self::request::Request;
pub use self::signer::{Signature, Signer};

use self::canonical::{push_hex, signed_headers, write_request};
use self::claims::Claims;
use self::date::SignedAt;
use self::query::Query;
use self::scope::Scope;
use self::signing_keys::SigningKeys;
use crate::base::ids::Millis;
use crate::security::credentials::Credentials;

/// What a server asks of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// The form of a signature, whoever made it: what clients send, but no key is needed.
    #[default]
    Off,
    /// A signature by a key that the server knows.
    SigV4,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody; nothing was checked.
    Anyone,
    /// The holder of a key.
    KeyHolder {
        /// The key's name.
        access_key_id: Arc<str>,
        /// The name of its profile.
        profile: Arc<str>,
    },
}

/// Checks signatures, and remembers the keys of the day. One for each core.
#[derive(Debug)]
pub struct Verifier {
    mode: AuthMode,
    service: &'static str,
    /// The only region that may be signed for; any without one.
    region: Option<Box<str>>,
    keys: SigningKeys,
    /// The text that is being checked; kept so that a request costs no allocation.
    text: Vec<u8>,
}

impl Verifier {
    /// A verifier of requests for `region`, or for any region.
    #[must_use]
    pub fn new(mode: AuthMode, region: Option<&str>) -> Verifier {
        Verifier {
            mode,
            service: "kinesis",
            region: region.map(Into::into),
            keys: SigningKeys::default(),
            text: Vec::new(),
        }
    }

    /// Whether the hash of the body is looked at.
    #[must_use]
    pub fn needs_body_hash(&self) -> bool {
        self.mode == AuthMode::SigV4
    }

    /// Who signed the request, by these keys and at this time.
    ///
    /// The body is what `request.body_sha256` says: a hash that the client wrote in
    /// `X-Amz-Content-Sha256`, or `UNSIGNED-PAYLOAD` there, changes nothing, as on Kinesis.
    pub fn verify<'a, H>(
        &mut self,
        request: &Request<'a, H>,
        credentials: &Credentials,
        now: Millis,
    ) -> Result<Principal, AuthError>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let query = Query::parse(request.query);
        let claims = Claims::read(request, &query)?;
        if self.mode == AuthMode::Off {
            return Ok(Principal::Anyone);
        }
        check_algorithm(&claims)?;
        let scope = Scope::parse(&claims.credential)?;
        scope.check(self.service, self.region.as_deref())?;
        let names = signed_headers(&claims.signed_headers, request)?;
        let signed_at = SignedAt::parse(&claims.date)?;
        signed_at.check_day(scope.day)?;
        signed_at.check_window(now, claims.window_s()?)?;
        let credential = credentials
            .find(scope.access_key_id)
            .filter(|credential| credential.takes_token(claims.token.as_deref()))
            .ok_or_else(AuthError::unrecognized)?;

        self.text.clear();
        write_request(&mut self.text, request, &query, &claims, &names);
        let hash = digest(&SHA256, &self.text);
        self.text.clear();
        write_string_to_sign(&mut self.text, &signed_at, &scope, hash.as_ref());
        let genuine = signature_bytes(&claims.signature).is_some_and(|signature| {
            self.keys.verify(&claims.credential, &scope, credential, &self.text, &signature)
        });
        if self.text.capacity() > KEPT_BYTES {
            self.text = Vec::new();
        }
        if !genuine {
            return Err(AuthError::mismatch());
        }
        Ok(Principal::KeyHolder {
            access_key_id: Arc::clone(credential.access_key_id()),
            profile: Arc::clone(credential.profile()),
        })
    }
}

/// The usual canonical request has less than a tenth of it.
const KEPT_BYTES: usize = 8 << 10;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

fn check_algorithm(claims: &Claims<'_>) -> Result<(), AuthError> {
    if claims.algorithm == ALGORITHM {
        return Ok(());
    }
    let text = format!("Unsupported AWS 'algorithm'; it must be {ALGORITHM}, not ");
    Err(AuthError::incomplete(text).with_echo(format!("'{}'", claims.algorithm)))
}

fn write_string_to_sign(text: &mut Vec<u8>, signed_at: &SignedAt, scope: &Scope<'_>, hash: &[u8]) {
    text.extend_from_slice(ALGORITHM.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(signed_at.text().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(scope.text.as_bytes());
    text.push(b'\n');
    push_hex(text, hash);
}

/// A signature as signers write it: 64 lower-case hex digits.
fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
