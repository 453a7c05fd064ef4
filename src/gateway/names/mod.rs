//! What AWS calls what this server calls otherwise: ARNs, shard ids, sequence numbers, hash keys,
//! tokens, iterators and words; each with the errors that AWS has for a wrong one.

pub mod arn;
pub mod hash_key;
pub mod iterator_text;
pub mod next_token;
pub mod position;
pub mod sequence_number;
pub mod shard_id;
pub mod words;
