//! Rank 7: the AWS Kinesis API over HTTP: a request comes in, a service function is called, the
//! answer goes out as an SDK expects it.
//!
//! The codec, in the order in which a request meets it; all of it is pure:
//!
//! 1. [`value`] reads a body, JSON or CBOR, into a bounded tree.
//! 2. [`model`] knows every operation and the shape of its input.
//! 3. [`check`] holds the tree against the model: types first, then constraints, as AWS does.
//!    [`put_fast`] does the same for an ordinary PutRecords at a fraction of the cost.
//! 4. [`names`] are AWS's forms of what this server calls otherwise: ARNs, sequence numbers, …
//! 5. [`encode`] writes the answer, [`event_stream`] the frames of a subscription, and [`error`]
//!    what went wrong.

pub mod base64_data;
pub mod check;
pub mod encode;
pub mod error;
pub mod event_stream;
pub mod model;
pub mod names;
pub mod put_fast;
pub mod value;
