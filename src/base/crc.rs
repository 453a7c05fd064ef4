//! CRC-32 (IEEE, hardware-accelerated): the one checksum of wire, memory and disk.

/// CRC-32 of `bytes`.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// CRC-32 of `more` appended to bytes whose CRC is `crc`.
#[must_use]
pub fn crc32_append(crc: u32, more: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(crc);
    hasher.update(more);
    hasher.finalize()
}
