//! Rank 7: the AWS API in front of `service`.

pub mod http;
