//! Creates a core's journal files before the core serves: full length, written once with zeros,
//! so that no later commit has to allocate blocks or change the file's length.

use std::path::Path;

use crate::base::ids::CoreId;
use crate::disk::blocking::{self, BlockingFile, DiskError};
use crate::log::layout;
use crate::log::progress::Progress;

const WRITE_BYTES: usize = 1024 * 1024;

/// Makes sure that the ring of `core` has `files` files of `file_bytes` bytes. A file of the
/// right length is used again as it is: what it holds is of an older term. Call it after
/// recovery has stored the new term, for all cores before the first of them commits.
pub fn prepare_journal(
    data_dir: &Path,
    core: CoreId,
    files: u64,
    file_bytes: u64,
    progress: &mut dyn Progress,
) -> Result<(), DiskError> {
    let dir = layout::journal_dir(data_dir);
    blocking::create_dir_durable(&dir)?;
    let present = blocking::list(&dir)?;
    let mut missing = Vec::new();
    for index in 0..files {
        let path = layout::journal_file(data_dir, core, index);
        let usable = present.iter().any(|e| dir.join(&e.name) == path && e.bytes == file_bytes);
        if !usable {
            missing.push(path);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    progress.total_bytes(missing.len() as u64 * file_bytes);
    progress.message("writing journal files");
    for path in &missing {
        // A half written file of an earlier try has another length and comes here again.
        let tmp = blocking::tmp_file(path);
        blocking::remove_file(&tmp)?;
        fill_with_zeros(&tmp, file_bytes, progress)?;
        blocking::rename_durable(&tmp, path)?;
    }
    blocking::sync_dir(&dir)
}

fn fill_with_zeros(path: &Path, bytes: u64, progress: &mut dyn Progress) -> Result<(), DiskError> {
    let file = BlockingFile::open_or_create(path)?;
    let zeros = vec![0; WRITE_BYTES];
    let mut at = 0;
    while at < bytes {
        let n = (bytes - at).min(WRITE_BYTES as u64);
        file.write_at(at, &zeros[..n as usize])?;
        at += n;
        progress.advance(n);
    }
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::progress::NoProgress;

    #[test]
    fn files_of_the_right_length_are_kept_and_the_others_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = |index| layout::journal_file(dir.path(), CoreId(3), index);
        prepare_journal(dir.path(), CoreId(3), 2, 8192, &mut NoProgress).unwrap();
        std::fs::write(file(0), [7; 8192]).unwrap();
        std::fs::write(file(1), [7; 4096]).unwrap();
        std::fs::write(blocking::tmp_file(&file(2)), [7; 100_000]).unwrap();
        prepare_journal(dir.path(), CoreId(3), 3, 8192, &mut NoProgress).unwrap();
        assert_eq!(std::fs::read(file(0)).unwrap(), [7; 8192]);
        assert_eq!(std::fs::read(file(1)).unwrap(), [0; 8192]);
        assert_eq!(std::fs::read(file(2)).unwrap(), [0; 8192]);
        assert_eq!(blocking::list(&layout::journal_dir(dir.path())).unwrap().len(), 3);
    }
}
