//! The keys that clients derive from their secrets, one for each day, region and service.

use std::collections::HashMap;
use std::fmt;

use ring::hmac::{self, HMAC_SHA256, Key};

use super::scope::{Scope, TERMINATOR};
use crate::base::limits::SIGNING_KEYS_MAX;
use crate::security::credentials::Credential;
use crate::security::secret::Secret;

/// Keys that have signed something, so that a request costs one HMAC and not five.
#[derive(Default)]
pub(super) struct SigningKeys {
    /// By the whole credential text: key id, day, region and service.
    keys: HashMap<Box<str>, SigningKey>,
}

struct SigningKey {
    /// What it was derived from: a reload may give the id another secret.
    secret: Secret,
    day: Box<str>,
    key: Key,
}

impl SigningKeys {
    /// Whether `signature` is that of `message` by this credential, whose text in the request is
    /// `text`. Takes the same time wherever a wrong signature differs.
    pub(super) fn verify(
        &mut self,
        text: &str,
        scope: &Scope<'_>,
        credential: &Credential,
        message: &[u8],
        signature: &[u8; 32],
    ) -> bool {
        let secret = credential.secret();
        if let Some(known) = self.keys.get(text).filter(|known| known.secret == *secret) {
            return hmac::verify(&known.key, message, signature).is_ok();
        }
        let key = derive(secret, scope);
        let genuine = hmac::verify(&key, message, signature).is_ok();
        // Whoever does not know the secret must not fill the table, or empty it.
        if genuine {
            self.keep(text, SigningKey { secret: secret.clone(), day: scope.day.into(), key });
        }
        genuine
    }

    fn keep(&mut self, text: &str, key: SigningKey) {
        if self.keys.len() >= SIGNING_KEYS_MAX {
            self.keys.retain(|_, kept| kept.day == key.day);
        }
        if self.keys.len() >= SIGNING_KEYS_MAX {
            self.keys.clear();
        }
        self.keys.insert(text.into(), key);
    }
}

/// Only how many there are.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.keys.len())
    }
}

pub(super) fn derive(secret: &Secret, scope: &Scope<'_>) -> Key {
    let first = ["AWS4", secret.expose()].concat();
    let steps = [scope.day, scope.region, scope.service, TERMINATOR];
    steps.iter().fold(Key::new(HMAC_SHA256, first.as_bytes()), |key, step| {
        Key::new(HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::credentials::Credentials;

    fn credentials(secret: &str) -> Credentials {
        let text = format!("[a]\naws_access_key_id=A\naws_secret_access_key={secret}");
        Credentials::parse(&text).unwrap()
    }

    fn text(day: u32, region: u32) -> String {
        format!("A/{day}/region-{region}/kinesis/aws4_request")
    }

    /// Asks `keys` about a signature of `message` that is made with `secret`.
    fn ask(keys: &mut SigningKeys, text: &str, known: &str, secret: &str) -> bool {
        let scope = Scope::parse(text).unwrap();
        let tag = hmac::sign(&derive(&Secret::new(secret), &scope), b"message");
        let signature = tag.as_ref().try_into().unwrap();
        let credentials = credentials(known);
        keys.verify(text, &scope, credentials.find("A").unwrap(), b"message", &signature)
    }

    #[test]
    fn a_kept_key_serves_until_the_secret_changes() {
        let mut keys = SigningKeys::default();
        let text = text(20_160_204, 1);
        for _ in 0..2 {
            assert!(ask(&mut keys, &text, "old", "old"));
            assert!(!ask(&mut keys, &text, "old", "new"));
        }
        assert!(!ask(&mut keys, &text, "new", "old"), "the old secret is void at once");
        assert!(ask(&mut keys, &text, "new", "new"));
        assert_eq!(keys.keys.len(), 1);
    }

    #[test]
    fn keys_that_signed_nothing_are_not_kept() {
        let mut keys = SigningKeys::default();
        for region in 0..10 {
            assert!(!ask(&mut keys, &text(20_160_204, region), "right", "wrong"));
        }
        assert_eq!(format!("{keys:?}"), "SigningKeys(0)");
    }

    #[test]
    fn the_table_is_bounded_and_prefers_today() {
        let mut keys = SigningKeys::default();
        let max = u32::try_from(SIGNING_KEYS_MAX).unwrap();
        for region in 0..max {
            assert!(ask(&mut keys, &text(20_160_203 + region % 2, region), "s", "s"));
        }
        assert_eq!(keys.keys.len(), SIGNING_KEYS_MAX);
        assert!(ask(&mut keys, &text(20_160_204, max), "s", "s"));
        assert_eq!(keys.keys.len(), SIGNING_KEYS_MAX / 2 + 1, "yesterday's are gone");
        for region in 0..max {
            assert!(ask(&mut keys, &text(20_160_204, max + region), "s", "s"));
            assert!(keys.keys.len() <= SIGNING_KEYS_MAX);
        }
    }
}
