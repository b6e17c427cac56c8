//! Compression and byte-order marks: from a raw source to the content of its format.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::source::{TextReader, read_error};
use crate::error::{Error, Result};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// 128 MiB of history: what the format's own tools accept without being asked for more.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Content after decompression.
pub(super) struct Input {
    /// The content.
    pub reader: Box<dyn Read + Send>,
    /// Whether the source was compressed.
    pub compressed: bool,
}

/// Recognises gzip and zstd by their magic bytes, which cannot lie the way extensions do.
/// Files of several members or frames are read to their end.
pub(super) fn decompress(mut raw: Box<dyn Read + Send>, name: &str) -> Result<Input> {
    let start = peek(&mut raw, 4).map_err(|error| read_error(name, error))?;
    let gzip = start.starts_with(GZIP_MAGIC);
    let zstd = start.starts_with(ZSTD_MAGIC);
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(raw));
    let reader: Box<dyn Read + Send> = if gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(whole))
    } else if zstd {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)
            .map_err(|error| read_error(name, error))?;
        decoder
            .window_log_max(ZSTD_WINDOW_LOG_MAX)
            .map_err(|error| read_error(name, error))?;
        Box::new(decoder)
    } else {
        Box::new(whole)
    };
    Ok(Input {
        reader,
        compressed: gzip || zstd,
    })
}

/// The first `length` bytes, or fewer when the source ends before; pipes deliver in pieces.
pub(super) fn peek(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(length);
    reader.take(length as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// A buffered reader of UTF-8 text without its byte-order mark.
pub(super) fn text(reader: impl Read + Send + 'static, name: &str) -> Result<TextReader> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    // The sniffed start is a cursor, so the first fill holds the whole mark where there is one.
    let start = reader.fill_buf().map_err(|error| read_error(name, error))?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(Error::invalid(
            "source",
            format!("{name} is UTF-16 text; wanted is UTF-8 (iconv -f utf-16 -t utf-8)"),
        ));
    }
    if start.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(Box::new(reader))
}
