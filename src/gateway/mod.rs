//! Rank 7: the AWS Kinesis API over HTTP: a request comes in, a service function is called, the
//! answer goes out as an SDK expects it.
//!
//! In the order in which a request meets it:
//!
//! 1. [`http`] speaks HTTP/1.1 and HTTP/2, with limits, deadlines and a budget of memory.
//! 2. [`value`] reads a body, JSON or CBOR, into a bounded tree.
//! 3. [`model`] knows every operation and the shape of its input.
//! 4. [`check`] holds the tree against the model: types first, then constraints, as AWS does.
//!    [`put_fast`] does the same for an ordinary PutRecords at a fraction of the cost.
//! 5. [`operations`] serve it; [`caller`] is their way to the cores, through the [`exchange`].
//! 6. [`names`] are AWS's forms of what this server calls otherwise: ARNs, sequence numbers, …
//! 7. [`encode`] writes the answer, [`event_stream`] the frames of a subscription, and [`error`]
//!    what went wrong. [`answers`] bound what clients have not taken yet.
//!
//! Everything but `http`, `caller` and `operations` is pure.

pub mod answers;
pub mod api;
pub mod base64_data;
pub mod caller;
pub mod check;
pub mod encode;
pub mod error;
pub mod event_stream;
pub mod exchange;
pub mod host;
pub mod http;
pub mod model;
pub mod names;
pub mod operations;
pub mod put_fast;
pub mod value;
