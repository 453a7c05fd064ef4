//! Rank 7: the AWS API over HTTP, in front of the same service as `native`.

pub mod exchange;
