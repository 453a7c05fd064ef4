//! A PutRecords of the AWS API.

use shardway::gateway::encode::Encoder;
use shardway::gateway::put_fast;
use shardway::gateway::value::Format;

/// Records of a request.
pub const RECORDS: usize = 100;
/// Bytes of each.
pub const DATA: usize = 1024;

/// Bytes that base64 cannot make short work of.
#[must_use]
pub fn data() -> Vec<u8> {
    (0..DATA).map(|i| (i * 131 + 7) as u8).collect()
}

/// A request that an SDK would send.
#[must_use]
pub fn body(format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(format, &mut out).map(|e| {
        e.key("StreamName").text("orders").key("Records").list(|e| {
            for i in 0..RECORDS {
                e.map(|e| {
                    e.key("Data").blob(&data());
                    e.key("PartitionKey").text(&format!("customer-{i}"));
                });
            }
        });
    });
    out
}

/// The way of ordinary requests: the data of all records goes to `out`.
pub fn decode_fast(format: Format, body: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let input = put_fast::parse(format, body).expect("it is ordinary");
    for record in &input.records {
        record.data.append_to(out).expect("it is base64");
    }
}
