//! Checksums of files: tantivy's footer behind what it writes once, and a trailer of our own
//! behind the small files that are replaced.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use tantivy::directory::footer::Footer;

use crate::error::{Error, Result};

/// Bytes of a trailer.
const TRAILER_BYTES: usize = 16;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// tantivy's footers end with their length and this number.
const FOOTER_MAGIC: u32 = 1337;
/// Longest footer.
const MAX_FOOTER_BYTES: u64 = 50_000;

/// `bytes` with the trailer of their CRC-32.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let trailer = trailer(&bytes);
    bytes.extend_from_slice(trailer.as_bytes());
    bytes
}

/// What was sealed; `Corrupted` where the trailer is not that of the bytes before it.
pub(crate) fn unseal(mut bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    let body = bytes.len().saturating_sub(TRAILER_BYTES);
    if bytes[body..] != *trailer(&bytes[..body]).as_bytes() {
        return Err(mismatch(path));
    }
    bytes.truncate(body);
    Ok(bytes)
}

fn trailer(bytes: &[u8]) -> String {
    format!("#crc32 {:08x}\n", crc32fast::hash(bytes))
}

/// Compares a file with the CRC-32 in its footer. `proceed` is asked before each MiB; its error
/// ends the work.
///
/// # Errors
/// `Corrupted` where the two differ, the file is missing or the disk does not give it.
pub(crate) fn check_file(path: &Path, proceed: &dyn Fn() -> Result<()>) -> Result<()> {
    let unread = |error| unreadable(path, error);
    let mut file = File::open(path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    let (footer, body) = read_footer(&mut file, length)
        .map_err(unread)?
        .ok_or_else(|| mismatch(path))?;
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    let mut left = body;
    while left > 0 {
        proceed()?;
        let chunk = left.min(CHUNK as u64) as usize;
        file.read_exact(&mut buffer[..chunk]).map_err(unread)?;
        hasher.update(&buffer[..chunk]);
        left -= chunk as u64;
    }
    if hasher.finalize() != footer.crc || footer.is_compatible().is_err() {
        return Err(mismatch(path));
    }
    Ok(())
}

/// The footer and the bytes before it, where the file has one.
fn read_footer(file: &mut File, length: u64) -> io::Result<Option<(Footer, u64)>> {
    let Some(footer_end) = length.checked_sub(8) else {
        return Ok(None);
    };
    let mut end = [0; 8];
    file.seek(SeekFrom::Start(footer_end))?;
    file.read_exact(&mut end)?;
    let word = |at: usize| u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]);
    let footer_bytes = u64::from(word(0));
    let Some(body) = footer_end
        .checked_sub(footer_bytes)
        .filter(|_| word(4) == FOOTER_MAGIC && footer_bytes <= MAX_FOOTER_BYTES)
    else {
        return Ok(None);
    };
    let mut footer = vec![0; footer_bytes as usize];
    file.seek(SeekFrom::Start(body))?;
    file.read_exact(&mut footer)?;
    let footer = serde_json::from_slice(&footer).ok();
    Ok(footer.map(|footer| (footer, body)))
}

fn mismatch(path: &Path) -> Error {
    Error::corrupted(format!("{} fails its checksum", path.display()))
}

/// A missing file and a medium that does not give its bytes are damage; what else keeps a file from
/// being read (too many open files) says nothing of it.
fn unreadable(path: &Path, error: io::Error) -> Error {
    /// EIO.
    const MEDIUM: i32 = 5;
    let is_damage = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
    ) || error.raw_os_error() == Some(MEDIUM);
    let message = format!("{} cannot be read", path.display());
    let failure = if is_damage {
        Error::corrupted(message)
    } else {
        Error::internal(message)
    };
    failure.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_a_cut_breaks_the_seal() {
        let path = Path::new("f");
        let sealed = seal(b"{\"a\": 1}\n".to_vec());
        assert_eq!(unseal(sealed.clone(), path).unwrap(), b"{\"a\": 1}\n");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(damaged, path).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(unseal(sealed[..length].to_vec(), path).is_err());
        }
    }
}
