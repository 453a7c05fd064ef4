//! Text that nobody may read in a log.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// A secret access key or a session token.
///
/// It has no `Display`, its `Debug` says nothing of it, and only this module's neighbours can read
/// it. Comparing takes the same time wherever two secrets differ, unless their lengths do.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the computation of a signature.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether these bytes are the secret.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(bytes).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

/// Not even the length.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("wJalrXUtnFEMI");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
    }

    #[test]
    fn only_the_same_text_is_equal() {
        let secret = Secret::new("abc");
        assert!(secret.is(b"abc"));
        for other in ["", "ab", "abd", "Abc", "abcd"] {
            assert!(!secret.is(other.as_bytes()), "{other}");
            assert_ne!(secret, Secret::new(other));
        }
    }
}
