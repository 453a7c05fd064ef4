//! Builds a batch record by record, in place, in a buffer that is used again.

use thiserror::Error;

use super::hash_key::HashKey;
use super::header::write_client;
use super::view::{FLAG_EXPLICIT_HASH_KEY, RecordRef, is_partition_key};
use crate::base::crc::crc32;
use crate::base::limits::{
    BATCH_HEADER_BYTES, PUT_BYTES_MAX, PUT_RECORDS_MAX, RECORD_BYTES_MAX, RECORD_HEADER_BYTES,
};

/// A record that does not go into the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TooLarge {
    /// The batch has 500 records or would pass 10 MiB: send it and start the next.
    #[error("the batch is full")]
    BatchFull,
    /// No batch can take it.
    #[error("a record has at most 10 MiB of data and key together")]
    Record,
    /// The key is empty, longer than 256 characters, or not UTF-8.
    #[error("a partition key has 1 to 256 Unicode characters")]
    Key,
}

/// A batch under construction. `finish` gives its bytes; `clear` starts the next in the same
/// buffer.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
    quota_bytes: usize,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new() -> BatchBuilder {
        BatchBuilder { bytes: vec![0; BATCH_HEADER_BYTES], count: 0, quota_bytes: 0 }
    }

    /// Appends a record. On an error the batch is as before.
    pub fn push(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<HashKey>,
        data: &[u8],
    ) -> Result<(), TooLarge> {
        if !is_partition_key(partition_key.as_bytes()) {
            return Err(TooLarge::Key);
        }
        self.append(partition_key, explicit_hash_key, data)
    }

    /// Appends a record without a partition key, for a stream that distributes by itself.
    pub fn push_keyless(&mut self, data: &[u8]) -> Result<(), TooLarge> {
        self.append("", None, data)
    }

    /// Appends a record of another batch.
    pub fn push_record(&mut self, record: &RecordRef<'_>) -> Result<(), TooLarge> {
        self.append(record.partition_key, record.explicit_hash_key, record.data)
    }

    /// Appends a record whose `bytes` of data `write` puts behind what is there: without a copy in
    /// between. `None` leaves the batch as before: `write` has failed, or the record does not fit.
    /// An empty key is none.
    pub fn push_with(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<HashKey>,
        bytes: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let key = partition_key.as_bytes();
        if !key.is_empty() && !is_partition_key(key) {
            return None;
        }
        let before = self.bytes.len();
        self.append_head(key, explicit_hash_key, bytes).ok()?;
        let data_at = self.bytes.len();
        if write(&mut self.bytes).is_none() || self.bytes.len() != data_at + bytes {
            self.bytes.truncate(before);
            self.count -= 1;
            self.quota_bytes -= key.len() + bytes;
            return None;
        }
        Some(())
    }

    fn append(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<HashKey>,
        data: &[u8],
    ) -> Result<(), TooLarge> {
        self.append_head(partition_key.as_bytes(), explicit_hash_key, data.len())?;
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Everything of a record but its data, which must follow.
    fn append_head(
        &mut self,
        key: &[u8],
        explicit_hash_key: Option<HashKey>,
        data_bytes: usize,
    ) -> Result<(), TooLarge> {
        let quota_bytes = key.len() + data_bytes;
        if quota_bytes > RECORD_BYTES_MAX {
            return Err(TooLarge::Record);
        }
        if self.count as usize == PUT_RECORDS_MAX || self.quota_bytes + quota_bytes > PUT_BYTES_MAX
        {
            return Err(TooLarge::BatchFull);
        }
        let flags = if explicit_hash_key.is_some() { FLAG_EXPLICIT_HASH_KEY } else { 0 };
        let mut head = [0u8; RECORD_HEADER_BYTES];
        head[..4].copy_from_slice(&(data_bytes as u32).to_le_bytes());
        head[4..6].copy_from_slice(&(key.len() as u16).to_le_bytes());
        head[6] = flags;
        self.bytes.extend_from_slice(&head);
        if let Some(hash) = explicit_hash_key {
            self.bytes.extend_from_slice(&hash.0.to_le_bytes());
        }
        self.bytes.extend_from_slice(key);
        self.count += 1;
        self.quota_bytes += quota_bytes;
        Ok(())
    }

    /// Number of records so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Data and keys so far.
    #[must_use]
    pub fn quota_bytes(&self) -> usize {
        self.quota_bytes
    }

    /// Completes header and CRC and returns the batch. It has at least one record.
    pub fn finish(&mut self) -> &[u8] {
        assert!(self.count > 0, "an empty batch is never sent");
        let (header, body) = self.bytes.split_at_mut(BATCH_HEADER_BYTES);
        let body_bytes = u32::try_from(body.len()).expect("a body is below 4 GiB");
        write_client(header, self.count, body_bytes, crc32(body));
        &self.bytes
    }

    /// Forgets all records, keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.truncate(BATCH_HEADER_BYTES);
        self.count = 0;
        self.quota_bytes = 0;
    }
}
