//! shardway
fn main() {}
