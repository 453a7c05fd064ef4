//! Real signatures are accepted, and nothing that differs from them.

mod form;
mod published;
mod tampering;

use serde_json::Value;

use super::*;
use crate::security::BodyHash;

const BOTOCORE: &str = include_str!("../../../tests/fixtures/sigv4/botocore.json");
/// When the requests of [`BOTOCORE`] were signed: 2026-11-21 15:04:05.
const SIGNED: u64 = 1_795_273_445;

/// A request that a test may change.
#[derive(Clone, Debug)]
struct Sent {
    name: String,
    method: String,
    path: String,
    query: String,
    authority: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sent {
    /// A request with these headers, and nothing else of interest.
    fn new(query: &str, headers: &[(&str, &str)]) -> Sent {
        Sent {
            name: String::new(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: query.to_owned(),
            authority: None,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().into())).collect(),
            body: b"{}".to_vec(),
        }
    }

    fn of_json(json: &Value) -> Sent {
        let text = |name: &str| json[name].as_str().unwrap();
        let pairs = json["headers"].as_array().unwrap().iter();
        let headers: Vec<_> =
            pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect();
        let mut sent = Sent::new(text("query"), &headers);
        sent.name = text("name").to_owned();
        sent.method = text("method").to_owned();
        sent.path = text("path").to_owned();
        sent.body = text("body").into();
        sent
    }

    /// The value of the only header of this name.
    fn header(&mut self, name: &str) -> &mut Vec<u8> {
        let mut named = self.headers.iter_mut().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let found = named.next().unwrap_or_else(|| panic!("{name} is there"));
        assert!(named.next().is_none(), "{name} is there once");
        &mut found.1
    }

    /// Replaces text that stands once in the `Authorization` header.
    fn edit(mut self, from: &str, to: &str) -> Sent {
        let value = self.header("authorization");
        let text = String::from_utf8(value.clone()).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        *value = text.replace(from, to).into();
        self
    }

    /// Replaces text that stands once in the query.
    fn edit_query(mut self, from: &str, to: &str) -> Sent {
        assert_eq!(self.query.matches(from).count(), 1, "{from} in {}", self.query);
        self.query = self.query.replace(from, to);
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Sent)) -> Sent {
        change(&mut self);
        self
    }

    fn verify(
        &self,
        verifier: &mut Verifier,
        credentials: &Credentials,
        seconds: u64,
    ) -> Result<Principal, AuthError> {
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            authority: self.authority.as_deref(),
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())),
            body_sha256: &BodyHash::of(&self.body),
        };
        verifier.verify(&request, credentials, Millis(seconds * 1000))
    }

    /// Asks a fresh verifier, which knows the keys of [`BOTOCORE`], when the request was signed.
    fn check(&self) -> Result<Principal, AuthError> {
        self.verify(&mut verifier(), &known(), SIGNED)
    }

    /// Code and text of the refusal.
    fn refusal(&self) -> (AuthErrorCode, String) {
        let error = self.check().expect_err(&self.name);
        (error.code(), error.message().to_owned())
    }
}

fn verifier() -> Verifier {
    Verifier::new(AuthMode::SigV4, None)
}

fn vectors() -> Vec<Sent> {
    let json: Value = serde_json::from_str(BOTOCORE).unwrap();
    json["vectors"].as_array().unwrap().iter().map(Sent::of_json).collect()
}

fn vector(name: &str) -> Sent {
    vectors().into_iter().find(|sent| sent.name == name).unwrap()
}

/// The keys of [`BOTOCORE`].
fn known() -> Credentials {
    let json: Value = serde_json::from_str(BOTOCORE).unwrap();
    let mut text = String::new();
    for (at, keys) in json["keys"].as_array().unwrap().iter().enumerate() {
        let key = |at: usize| keys[at].as_str();
        text += &format!("[user-{at}]\naws_access_key_id={}\n", key(0).unwrap());
        text += &format!("aws_secret_access_key={}\n", key(1).unwrap());
        text += &key(2).map(|token| format!("aws_session_token={token}\n")).unwrap_or_default();
    }
    Credentials::parse(&text).unwrap()
}

fn holder(access_key_id: &str, profile: &str) -> Principal {
    Principal::KeyHolder { access_key_id: access_key_id.into(), profile: profile.into() }
}

#[test]
fn what_botocore_signs_is_accepted() {
    let vectors = vectors();
    assert!(vectors.len() > 40);
    let mut verifier = verifier();
    for sent in vectors.iter().filter(|sent| !sent.name.starts_with("refused")) {
        let temporary = sent.name.ends_with("session token");
        let who = if temporary { ("ASIAEXAMPLE", "user-1") } else { ("AKIDEXAMPLE", "user-0") };
        for _ in ["a key that is derived", "a key that is kept"] {
            let principal = sent.verify(&mut verifier, &known(), SIGNED);
            assert_eq!(principal, Ok(holder(who.0, who.1)), "{}", sent.name);
        }
    }
}

#[test]
fn the_hash_of_the_body_counts_whatever_a_header_says() {
    let sent = vector("refused: an unsigned body");
    assert_eq!(sent.refusal().0, AuthErrorCode::InvalidSignature);
    let mut sent = vector("header: the hash in a header");
    assert!(sent.check().is_ok());
    sent.body = b"{ }".to_vec();
    assert_eq!(sent.refusal().0, AuthErrorCode::InvalidSignature);
}

#[test]
fn the_authority_of_http_2_stands_in_for_the_host() {
    let without_host = |sent: Sent| {
        sent.change(|sent| sent.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host")))
    };
    for name in ["header: a usual request", "query: a usual request"] {
        let mut sent = without_host(vector(name));
        assert_eq!(sent.refusal().0, AuthErrorCode::InvalidSignature);
        sent.authority = Some("localhost:4567".to_owned());
        assert!(sent.check().is_ok(), "{name}");
        sent.authority = Some("localhost:4568".to_owned());
        assert_eq!(sent.refusal().0, AuthErrorCode::InvalidSignature);
        let both = vector(name).change(|sent| sent.authority = Some("elsewhere".to_owned()));
        assert!(both.check().is_ok(), "a host that came goes first");
    }
}

#[test]
fn a_signature_counts_for_five_minutes_and_a_signed_url_no_longer() {
    let expired = "Signature expired: 20261121T150405Z is now earlier than 20261121T150406Z";
    for (name, life) in [
        ("header: a usual request", 300),
        ("header: the date in a Date header", 300),
        ("query: a usual request", 300),
        ("query: a long life", 300),
        ("query: a short life", 60),
    ] {
        let at = |seconds: u64| vector(name).verify(&mut verifier(), &known(), seconds);
        assert!(at(SIGNED + life).is_ok() && at(SIGNED - 300).is_ok(), "{name}");
        let late = at(SIGNED + life + 1).unwrap_err();
        assert_eq!(late.code(), AuthErrorCode::InvalidSignature);
        assert!(late.message().starts_with(expired), "{name}: {late}");
        let early = at(SIGNED - 301).unwrap_err();
        assert_eq!(early.code(), AuthErrorCode::InvalidSignature);
        assert!(early.message().starts_with("Signature not yet current: "), "{name}: {early}");
    }
}

#[test]
fn a_server_of_one_region_refuses_others() {
    let mut home = Verifier::new(AuthMode::SigV4, Some("us-east-1"));
    for form in ["header", "query"] {
        let usual = vector(&format!("{form}: a usual request"));
        assert!(usual.verify(&mut home, &known(), SIGNED).is_ok());
        let other = vector(&format!("{form}: another region"));
        let error = other.verify(&mut home, &known(), SIGNED).unwrap_err();
        assert_eq!(error.code(), AuthErrorCode::InvalidSignature);
        assert_eq!(
            error.message(),
            "Credential should be scoped to a valid region, not 'eu-central-1'. "
        );
    }
}

#[test]
fn a_reload_counts_from_the_next_request_on() {
    let sent = vector("header: a usual request");
    let mut verifier = verifier();
    assert!(sent.verify(&mut verifier, &known(), SIGNED).is_ok());
    let other = Credentials::parse(
        "[user-0]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key=another",
    );
    let error = sent.verify(&mut verifier, &other.unwrap(), SIGNED).unwrap_err();
    assert_eq!(error.code(), AuthErrorCode::InvalidSignature);
    let error = sent.verify(&mut verifier, &Credentials::default(), SIGNED).unwrap_err();
    assert_eq!(error.code(), AuthErrorCode::UnrecognizedClient);
    assert!(sent.verify(&mut verifier, &known(), SIGNED).is_ok());
}

#[test]
fn without_authentication_anybody_with_a_form_may_come() {
    let mut off = Verifier::new(AuthMode::Off, Some("elsewhere"));
    assert!(!off.needs_body_hash() && verifier().needs_body_hash());
    let nobody = Credentials::default();
    for sent in vectors() {
        assert_eq!(sent.verify(&mut off, &nobody, 0), Ok(Principal::Anyone), "{}", sent.name);
    }
    let date = ("Date", "a");
    let sent =
        Sent::new("", &[("Authorization", "X Credential=a Signature=b SignedHeaders=c"), date]);
    assert_eq!(sent.verify(&mut off, &nobody, 0), Ok(Principal::Anyone));
    let error = Sent::new("", &[date]).verify(&mut off, &nobody, 0).unwrap_err();
    assert_eq!(error.code(), AuthErrorCode::MissingAuthenticationToken);
}

#[test]
fn neither_the_verifier_nor_its_errors_print_secrets() {
    let mut verifier = verifier();
    let mut sent = vector("header: a session token");
    assert!(sent.verify(&mut verifier, &known(), SIGNED).is_ok());
    let printed = format!("{verifier:?}");
    assert!(!printed.contains("odd=characters"), "{printed}");
    sent.header("x-amz-security-token").push(b'x');
    let error = sent.check().unwrap_err();
    let printed = format!("{error} {error:?} {}", error.message());
    assert!(!printed.contains("FwoGZX") && !printed.contains("odd=characters"), "{printed}");
}
