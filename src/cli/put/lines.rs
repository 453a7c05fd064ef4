//! Cuts blocks of input into lines.

use crate::base::limits::RECORD_BYTES_MAX;

/// A line of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Without the line feed; `None` when it is longer than any record may be.
    pub(super) bytes: Option<&'a [u8]>,
}

/// What of a line has come so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    number: u64,
    partial: Vec<u8>,
    /// The current line is too long: its bytes are dropped as they come.
    too_long: bool,
}

impl Lines {
    /// Calls `each` for every line that ends in `block`; stops at its first error.
    pub(super) fn feed<E>(
        &mut self,
        mut block: &[u8],
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = block.iter().position(|b| *b == b'\n') {
            let (head, rest) = (&block[..end], &block[end + 1..]);
            block = rest;
            self.number += 1;
            if self.partial.is_empty() && !self.too_long {
                each(Line { number: self.number, bytes: fitting(head) })?;
                continue;
            }
            self.append(head);
            self.emit(&mut each)?;
        }
        self.append(block);
        Ok(())
    }

    /// Calls `each` for a last line without a line feed.
    pub(super) fn finish<E>(
        &mut self,
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.partial.is_empty() && !self.too_long {
            return Ok(());
        }
        self.number += 1;
        self.emit(&mut each)
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.too_long || self.partial.len() + bytes.len() > RECORD_BYTES_MAX {
            self.too_long = true;
            self.partial.clear();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn emit<E>(&mut self, each: &mut impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let bytes = (!self.too_long).then_some(self.partial.as_slice());
        let ended = each(Line { number: self.number, bytes });
        self.partial.clear();
        self.too_long = false;
        ended
    }
}

fn fitting(line: &[u8]) -> Option<&[u8]> {
    (line.len() <= RECORD_BYTES_MAX).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(blocks: &[&[u8]]) -> Vec<(u64, Option<Vec<u8>>)> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        let mut keep = |line: Line<'_>| -> Result<(), ()> {
            all.push((line.number, line.bytes.map(<[u8]>::to_vec)));
            Ok(())
        };
        for block in blocks {
            lines.feed(block, &mut keep).unwrap();
        }
        lines.finish(&mut keep).unwrap();
        all
    }

    #[test]
    fn lines_are_the_same_wherever_the_blocks_are_cut() {
        let text = b"one\n\nthree\r\nlast";
        let expected = lines(&[text]);
        assert_eq!(
            expected,
            [b"one".as_slice(), b"", b"three\r", b"last"]
                .iter()
                .enumerate()
                .map(|(i, b)| (i as u64 + 1, Some(b.to_vec())))
                .collect::<Vec<_>>()
        );
        for first in 0..text.len() {
            for second in first..text.len() {
                let cut = lines(&[&text[..first], &text[first..second], &text[second..]]);
                assert_eq!(cut, expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_final_line_feed_makes_no_empty_line() {
        assert_eq!(lines(&[b"a\n"]).len(), 1);
        assert_eq!(lines(&[b""]).len(), 0);
        assert_eq!(lines(&[b"\n"]).len(), 1);
    }

    #[test]
    fn an_endless_line_costs_no_memory_and_the_next_one_is_read() {
        let block = vec![b'x'; RECORD_BYTES_MAX / 2 + 1];
        let all = lines(&[&block, &block, &block, b"\nnext\n"]);
        assert_eq!(all, [(1, None), (2, Some(b"next".to_vec()))]);
    }
}
