//! The hash of a body, which is part of what a signature covers.

use ring::digest::{Context, SHA256};

/// SHA-256 of a body that arrives in pieces.
#[derive(Clone)]
pub struct BodyHash(Context);

impl BodyHash {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> BodyHash {
        BodyHash(Context::new(&SHA256))
    }

    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Of a body that is there as a whole.
    #[must_use]
    pub fn of(body: &[u8]) -> [u8; 32] {
        let mut hash = BodyHash::new();
        hash.update(body);
        hash.finish()
    }
}

impl Default for BodyHash {
    fn default() -> BodyHash {
        BodyHash::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        // SHA-256 of `abc`, FIPS 180-2, B.1.
        let abc = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        let mut hash = BodyHash::default();
        for piece in [&b"a"[..], b"", b"bc"] {
            hash.update(piece);
        }
        assert_eq!(hash.finish(), abc);
        assert_eq!(BodyHash::of(b"abc"), abc);
    }
}
