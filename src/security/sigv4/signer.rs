//! The side that signs, for clients such as the load generator: requests to `/` without a query.

use ring::digest::{SHA256, digest};
use ring::hmac::{self, Key};

use super::canonical::push_hex;
use super::date::SignedAt;
use super::scope::{Scope, TERMINATOR};
use super::signing_keys::derive;
use super::{ALGORITHM, write_string_to_sign};
use crate::base::ids::Millis;
use crate::security::secret::Secret;

/// Signs requests with one access key for one region. The key of the day is derived once.
#[derive(Debug)]
pub struct Signer {
    access_key_id: String,
    secret: Secret,
    token: Option<String>,
    region: String,
    /// The credential text of the last day, and its key.
    day: Option<(String, Key)>,
    text: Vec<u8>,
}

/// What a signed request has besides the headers that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `X-Amz-Date`.
    pub date: String,
    /// `Authorization`.
    pub authorization: String,
}

impl Signer {
    /// A signer with this key; `token` is what temporary keys come with. Neither the id nor the
    /// region has a slash.
    #[must_use]
    pub fn new(access_key_id: &str, secret: Secret, token: Option<&str>, region: &str) -> Signer {
        Signer {
            access_key_id: access_key_id.to_owned(),
            secret,
            token: token.map(str::to_owned),
            region: region.to_owned(),
            day: None,
            text: Vec::new(),
        }
    }

    /// The value of `X-Amz-Security-Token`, which a request must have if there is one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Signs a `POST` to `/` with these headers: names in lower case, each once, values without
    /// blanks around or next to each other; `host` is among them. The date and the token are signed
    /// too.
    pub fn sign(
        &mut self,
        headers: &[(&str, &str)],
        body_sha256: &[u8; 32],
        now: Millis,
    ) -> Signature {
        let signed_at = SignedAt::at(now);
        let date = signed_at.text();
        let mut all = headers.to_vec();
        all.push(("x-amz-date", date));
        all.extend(self.token.as_deref().map(|token| ("x-amz-security-token", token)));
        all.sort_unstable();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let text = &mut self.text;
        text.clear();
        text.extend_from_slice(b"POST\n/\n\n");
        for (name, value) in &all {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(names.as_bytes());
        text.push(b'\n');
        push_hex(text, body_sha256);
        let hash = digest(&SHA256, text);

        let (id, region) = (&self.access_key_id, &self.region);
        let credential = format!("{id}/{}/{region}/kinesis/{TERMINATOR}", &date[..8]);
        let scope = Scope::parse(&credential).expect("ids and regions have no slash");
        text.clear();
        write_string_to_sign(text, &signed_at, &scope, hash.as_ref());
        if self.day.as_ref().is_none_or(|(known, _)| *known != credential) {
            self.day = Some((credential.clone(), derive(&self.secret, &scope)));
        }
        let key = &self.day.as_ref().expect("it was just derived").1;
        let mut signature = Vec::with_capacity(64);
        push_hex(&mut signature, hmac::sign(key, text).as_ref());
        let signature = String::from_utf8(signature).expect("hex digits");
        let authorization = format!(
            "{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        );
        Signature { date: date.to_owned(), authorization }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::BodyHash;
    use serde_json::Value;

    const BOTOCORE: &str = include_str!("../../../tests/fixtures/sigv4/botocore.json");
    /// When botocore signed: 2026-11-21 15:04:05.
    const SIGNED: Millis = Millis(1_795_273_445_678);
    /// Vectors of the form that this side writes.
    const VECTORS: [&str; 6] = [
        "header: a usual request",
        "header: a session token",
        "header: an empty body",
        "header: a large body",
        "header: a body of other scripts",
        "header: another region",
    ];

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    fn secret_of(json: &Value, id: &str) -> Secret {
        let keys = json["keys"].as_array().unwrap();
        Secret::new(text(&keys.iter().find(|key| text(&key[0]) == id).unwrap()[1]))
    }

    #[test]
    fn signatures_are_those_of_botocore() {
        let json: Value = serde_json::from_str(BOTOCORE).unwrap();
        let vectors = json["vectors"].as_array().unwrap();
        for name in VECTORS {
            let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
            let headers: Vec<(String, &str)> = vector["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (text(&pair[0]).to_ascii_lowercase(), text(&pair[1])))
                .collect();
            let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
            let wanted = value("authorization").unwrap();
            let credential = wanted.split_once("Credential=").unwrap().1;
            let [id, _, region] = *credential.split('/').take(3).collect::<Vec<_>>() else {
                panic!("{credential}")
            };
            let token = value("x-amz-security-token");
            let mut signer = Signer::new(id, secret_of(&json, id), token, region);
            let added = ["authorization", "x-amz-date", "x-amz-security-token"];
            let given: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .filter(|(name, _)| !added.contains(name))
                .collect();
            let body_sha256 = BodyHash::of(text(&vector["body"]).as_bytes());
            for _ in 0..2 {
                let signature = signer.sign(&given, &body_sha256, SIGNED);
                assert_eq!(signature.authorization, wanted, "{name}");
                assert_eq!(Some(signature.date.as_str()), value("x-amz-date"));
            }
        }
    }

    #[test]
    fn the_next_day_has_another_key() {
        let mut signer = Signer::new("A", Secret::new("s"), None, "r");
        let mut sign = |now| signer.sign(&[("host", "h")], &[0; 32], now);
        let (today, tomorrow) = (sign(SIGNED), sign(Millis(SIGNED.0 + 86_400_000)));
        assert!(tomorrow.authorization.contains("/20261122/"), "{tomorrow:?}");
        assert_eq!(sign(SIGNED), today);
    }
}
