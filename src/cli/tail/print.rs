//! Records to lines.

use std::io::{self, BufWriter, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::damaged;
use crate::base::ids::Seq;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::time::format_time;
use crate::client::{Batches, ReadRecord};

/// Writes records until it has written enough.
pub(super) struct Printer<W: Write> {
    out: BufWriter<W>,
    format: Format,
    left: Option<u64>,
}

/// A record as JSON shows it.
#[derive(Serialize)]
struct RecordShape<'a> {
    shard: String,
    sequence: u64,
    partition_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    explicit_hash_key: Option<String>,
    arrival: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl<W: Write> Printer<W> {
    /// `max` bounds the number of records.
    pub(super) fn new(out: W, format: Format, max: Option<u64>) -> Printer<W> {
        Printer { out: BufWriter::with_capacity(OUT_BYTES, out), format, left: max }
    }

    /// Prints the records below `until`, as far as they are wanted.
    pub(super) fn records(&mut self, batches: &Batches, until: Option<Seq>) -> Result<(), Failure> {
        let mut written = Ok(());
        let sound = batches.for_each(|record| {
            let wanted = until.is_none_or(|until| record.record.seq < until) && !self.is_full();
            if wanted && written.is_ok() {
                written = self.record(&record);
                self.left = self.left.map(|left| left - 1);
            }
        });
        written.map_err(|e| Failure::stdout(&e))?;
        sound.map(drop).map_err(|cause| damaged(&cause))
    }

    /// Whether all records that were wanted are printed.
    pub(super) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Makes what was printed visible.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|e| Failure::stdout(&e))
    }

    fn record(&mut self, read: &ReadRecord<'_>) -> io::Result<()> {
        if self.format.json {
            serde_json::to_writer(&mut self.out, &RecordShape::of(read))?;
        } else {
            self.out.write_all(read.record.data)?;
        }
        self.out.write_all(b"\n")
    }
}

impl<'a> RecordShape<'a> {
    fn of(read: &ReadRecord<'a>) -> RecordShape<'a> {
        let text = std::str::from_utf8(read.record.data).ok();
        RecordShape {
            shard: read.shard.to_string(),
            sequence: read.record.seq.0,
            partition_key: read.record.partition_key,
            explicit_hash_key: read.record.explicit_hash_key.map(|key| key.to_string()),
            arrival: format_time(read.arrival),
            data: text,
            data_base64: text.is_none().then(|| STANDARD.encode(read.record.data)),
        }
    }
}

/// Output is handed over in pieces of this size while there is more to come.
const OUT_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Millis, ShardNumber};
    use crate::record::RecordRef;

    #[test]
    fn data_that_is_no_text_is_shown_in_base64() {
        let shape = |data: &[u8]| {
            let record =
                RecordRef { seq: Seq(7), partition_key: "k", explicit_hash_key: None, data };
            let read = ReadRecord { shard: ShardNumber(1), record, arrival: Millis(0) };
            serde_json::to_string(&RecordShape::of(&read)).unwrap()
        };
        let binary = shape(&[0xff, 0xfe, 0xfd, 0x66]);
        assert!(binary.ends_with("\"data_base64\":\"//79Zg==\"}"), "{binary}");
        assert!(shape(b"plain").ends_with("\"data\":\"plain\"}"));
    }
}
