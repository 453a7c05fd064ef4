//! Tokens for the next page of a listing: what the server would have to remember otherwise, signed.
//!
//! ```text
//!  0 version (1) | 1 listing u8
//!  2 issued, ms since the epoch u64
//! 10 fields of the listing
//!    HMAC-SHA256 of everything before it, its first 16 bytes
//! ```
//! in base64. Numbers are little-endian. A stream's uuid makes a token worthless for a stream of
//! the same name that was created later.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::base::ids::{Millis, ShardNumber, StreamUuid};
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::gateway::error::Refusal;
use crate::wire::shards::{ListShards, ShardFilter};
use crate::wire::{Decode, DecodeError, Reader, Writer};

/// A token's life (AWS: 300 s).
pub const TOKEN_LIFE_MS: u64 = 300_000;
const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
/// Keeps these signatures apart from others under the same key.
const PURPOSE: &[u8] = b"shardway next token\0";

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// ListShards. The token alone names stream and filter (AWS).
    Shards {
        /// The stream.
        stream: StreamUuid,
        /// Its name.
        name: String,
        /// Which shards.
        filter: ShardFilter,
        /// The last one of the page before.
        after: ShardNumber,
    },
    /// ListStreams.
    Streams {
        /// The last name of the page before.
        after: String,
    },
    /// ListStreamConsumers.
    Consumers {
        /// The stream.
        stream: StreamUuid,
        /// The last name of the page before.
        after: String,
    },
}

/// Issues and opens tokens.
#[derive(Clone)]
pub struct TokenKey {
    mac: Hmac<Sha256>,
}

impl TokenKey {
    /// The key of a data dir: whoever knows it can make tokens.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> TokenKey {
        let mut mac = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(PURPOSE);
        TokenKey { mac }
    }

    /// A token.
    #[must_use]
    pub fn issue(&self, token: &NextToken, now: Millis) -> String {
        let mut bytes = vec![VERSION];
        let mut w = Writer::new(&mut bytes);
        match token {
            NextToken::Shards { stream, name, filter, after } => {
                w.u8(0).u64(now.0).bytes(&stream.0);
                let limit = STREAM_SHARDS_MAX as u32;
                ListShards { name, filter: *filter, after: Some(*after), limit }.write(&mut w);
            }
            NextToken::Streams { after } => {
                w.u8(1).u64(now.0).text(after);
            }
            NextToken::Consumers { stream, after } => {
                w.u8(2).u64(now.0).bytes(&stream.0).text(after);
            }
        }
        let tag = self.sign(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        STANDARD.encode(bytes)
    }

    /// What a token says, if this server issued it and it has not expired.
    pub fn open(&self, text: &str, now: Millis) -> Result<NextToken, Refusal> {
        let invalid = || Refusal::invalid_argument("Invalid NextToken.");
        let bytes = STANDARD.decode(text).map_err(|_not_base64| invalid())?;
        let at = bytes.len().checked_sub(TAG_BYTES).ok_or_else(invalid)?;
        let (signed, tag) = bytes.split_at(at);
        // Compares in constant time: the time taken says nothing about the right tag.
        if self.sign(signed).verify_truncated_left(tag).is_err() {
            return Err(invalid());
        }
        let (token, issued) = read(signed).map_err(|_other_version| invalid())?;
        let age = now.since(issued);
        if age > TOKEN_LIFE_MS {
            let text = format!(
                "NextToken expired. It was issued {age} milliseconds ago, and the tolerated delay \
                 is {TOKEN_LIFE_MS} milliseconds. Start the listing again without a token."
            );
            return Err(Refusal::client("ExpiredNextTokenException", text));
        }
        Ok(token)
    }

    fn sign(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(bytes);
        mac
    }
}

/// Says nothing of the key.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

fn read(signed: &[u8]) -> Result<(NextToken, Millis), DecodeError> {
    let mut r = Reader::new(signed);
    let (version, kind, issued) = (r.u8("version")?, r.u8("listing")?, Millis(r.u64("issued")?));
    let token = match (version, kind) {
        (VERSION, 0) => {
            let stream = StreamUuid(r.array("stream")?);
            let ListShards { name, filter, after, .. } = ListShards::read(&mut r)?;
            let after = after.ok_or(DecodeError::Value("after"))?;
            NextToken::Shards { stream, name: name.to_owned(), filter, after }
        }
        (VERSION, 1) => NextToken::Streams { after: r.text("after")?.to_owned() },
        (VERSION, 2) => {
            let stream = StreamUuid(r.array("stream")?);
            NextToken::Consumers { stream, after: r.text("after")?.to_owned() }
        }
        _ => return Err(DecodeError::Value("version")),
    };
    r.finish()?;
    Ok((token, issued))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: Millis = Millis(1_700_000_000_000);

    fn key() -> TokenKey {
        TokenKey::new(&[5; 32])
    }

    fn tokens() -> [NextToken; 3] {
        let stream = StreamUuid([9; 16]);
        [
            NextToken::Shards {
                stream,
                name: "orders".to_owned(),
                filter: ShardFilter::AtTimestamp(Millis(7)),
                after: ShardNumber(999),
            },
            NextToken::Streams { after: "a".repeat(128) },
            NextToken::Consumers { stream, after: "billing".to_owned() },
        ]
    }

    #[test]
    fn a_token_opens_as_it_was_issued() {
        for token in tokens() {
            let text = key().issue(&token, ISSUED);
            assert_eq!(key().open(&text, ISSUED).unwrap(), token);
        }
    }

    #[test]
    fn a_token_lives_for_300_seconds() {
        let text = key().issue(&tokens()[1], ISSUED);
        assert!(key().open(&text, Millis(ISSUED.0 + 300_000)).is_ok());
        assert!(key().open(&text, Millis(ISSUED.0 - 1)).is_ok(), "the clock was set back");
        let error = key().open(&text, Millis(ISSUED.0 + 300_001)).unwrap_err();
        assert_eq!(error.code, "ExpiredNextTokenException");
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        for token in tokens() {
            let text = key().issue(&token, ISSUED);
            let refused = |text: &str| {
                let error = key().open(text, ISSUED).unwrap_err();
                assert_eq!(error, Refusal::invalid_argument("Invalid NextToken."), "{text}");
            };
            for at in 0..text.len() {
                refused(&text[..at]);
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                refused(std::str::from_utf8(&changed).unwrap());
            }
        }
    }

    #[test]
    fn another_data_dirs_token_is_refused_and_so_is_an_iterator() {
        let other = TokenKey::new(&[6; 32]);
        assert!(other.open(&key().issue(&tokens()[1], ISSUED), ISSUED).is_err());
        assert!(key().open(&STANDARD.encode([1; 64]), ISSUED).is_err());
        assert_eq!(format!("{:?}", key()), "TokenKey { .. }");
    }
}
