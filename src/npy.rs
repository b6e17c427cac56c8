//! The header of NumPy's `.npy` files, read and written
//! (numpy.lib.format: magic, version, header length, a Python dictionary literal, data).

use std::io::Read;

use crate::error::{Error, Result};

/// What every file begins with.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// What the header of an array says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the values begin in the file.
    pub start: usize,
    /// What an element is, as `<f4`.
    pub descr: String,
    /// Whether the first index varies fastest, instead of the last.
    pub is_fortran: bool,
    /// The extents; empty for a single number.
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads the header at the start of a file.
    ///
    /// # Errors
    /// `InvalidArgument` saying what is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let wrong = |what: String| Error::invalid("vectors", what);
        let short = || wrong("is cut short within the .npy header".to_owned());
        if !file.starts_with(MAGIC) {
            return Err(wrong("is no .npy file".to_owned()));
        }
        let version = *file.get(MAGIC.len()).ok_or_else(short)?;
        let at = MAGIC.len() + 2;
        // Version 1 has a two-byte header length, 2 and 3 (UTF-8 field names) have four.
        let (length, start) = match version {
            1 => {
                let raw = file.get(at..at + 2).and_then(|raw| raw.try_into().ok());
                let length = u16::from_le_bytes(raw.ok_or_else(short)?);
                (usize::from(length), at + 2)
            }
            2 | 3 => {
                let raw = file.get(at..at + 4).and_then(|raw| raw.try_into().ok());
                let length = u32::from_le_bytes(raw.ok_or_else(short)?);
                (usize::try_from(length).map_err(|_| short())?, at + 4)
            }
            other => return Err(wrong(format!("is .npy version {other}; read are 1 to 3"))),
        };
        let end = start
            .checked_add(length.min(MAX_HEADER_BYTES))
            .ok_or_else(short)?;
        let header = file.get(start..end).ok_or_else(short)?;
        let header = String::from_utf8_lossy(header);
        let entry = |key: &str| {
            dictionary_value(&header, key)
                .ok_or_else(|| wrong(format!("has no {key:?} in its .npy header")))
        };
        let order = entry("fortran_order")?;
        let is_fortran = match order {
            "True" => true,
            "False" => false,
            _ => return Err(wrong(format!("has the fortran_order {order}"))),
        };
        let shape = entry("shape")?;
        let extents = shape.trim_matches(['(', ')']).split(',').map(str::trim);
        let extents = extents.filter(|extent| !extent.is_empty());
        let extents: Option<Vec<usize>> = extents.map(|extent| extent.parse().ok()).collect();
        Ok(Self {
            start: end,
            descr: entry("descr")?.trim_matches(['\'', '"']).to_owned(),
            is_fortran,
            shape: extents.ok_or_else(|| wrong(format!("has the shape {shape}")))?,
        })
    }

    /// Reads the header of a stream, and leaves the stream at the values.
    ///
    /// # Errors
    /// See [`Self::parse`].
    pub fn read(stream: &mut impl Read) -> Result<Self> {
        // The magic, the version and the longest length; the shortest header is longer.
        let mut file = vec![0; MAGIC.len() + 6];
        let end = match stream.read_exact(&mut file) {
            Ok(()) if file[MAGIC.len()] == 1 => {
                MAGIC.len() + 4 + usize::from(u16::from_le_bytes([file[8], file[9]]))
            }
            Ok(()) => {
                let length = u32::from_le_bytes([file[8], file[9], file[10], file[11]]);
                file.len()
                    + usize::try_from(length)
                        .unwrap_or(usize::MAX)
                        .min(MAX_HEADER_BYTES)
            }
            Err(_) => return Self::parse(&file[..0]),
        };
        let rest = end.saturating_sub(file.len()) as u64;
        stream.take(rest).read_to_end(&mut file)?;
        Self::parse(&file)
    }
}

/// The header of an array in C order, version 1, as `numpy.save` writes it: padded with spaces to a
/// multiple of 64 bytes, a line feed last.
pub(crate) fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    const PREFIX: usize = 10;
    let mut sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    if sizes.len() == 1 {
        // A tuple of one.
        sizes.push(String::new());
    }
    let shape = sizes.join(", ");
    let shape = shape.trim_end_matches(' ');
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (PREFIX + text.len() + 1).next_multiple_of(64) - PREFIX;
    text.push_str(&" ".repeat(length - text.len() - 1));
    text.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    // Two sizes and a type: far below 65,536 bytes.
    header.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    header.extend(text.into_bytes());
    header
}

/// The text of one value in a flat Python dictionary literal, as NumPy writes it.
fn dictionary_value<'a>(dictionary: &'a str, key: &str) -> Option<&'a str> {
    let after = [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| dictionary.split_once(quoted.as_str()))?
        .1;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = if value.starts_with('(') {
        value.find(')')? + 1
    } else {
        value.find([',', '}'])?
    };
    Some(value[..end].trim())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What `numpy.save` writes: the header padded with spaces to 64 bytes, a line feed last.
    pub(crate) fn file(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
        let prefix = if version == 1 { 10 } else { 12 };
        let mut header = dictionary.to_owned();
        while !(prefix + header.len() + 1).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let mut file = MAGIC.to_vec();
        file.extend([version, 0]);
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        file.extend(&length[..if version == 1 { 2 } else { 4 }]);
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    pub(crate) fn dictionary(descr: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
    }

    #[test]
    fn headers_of_every_version_are_read_from_files_and_streams() {
        for version in 1..=3 {
            let dictionary = dictionary("<f4", "(3, 2)").replace("False", "True");
            let file = file(version, &dictionary, b"data");
            let header = Header::parse(&file).unwrap();
            assert_eq!((&*header.descr, header.is_fortran), ("<f4", true));
            assert_eq!(header.shape, [3, 2]);
            assert_eq!(&file[header.start..], b"data");
            let mut stream = &file[..];
            assert_eq!(Header::read(&mut stream).unwrap(), header);
            assert_eq!(stream, b"data");
        }
        let scalar = file(1, &dictionary("<f8", "()"), &[]);
        assert!(Header::parse(&scalar).unwrap().shape.is_empty());
        assert_eq!(Header::parse(&header("<f4", &[7])).unwrap().shape, [7]);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (content, part) in [
            (file(9, &dictionary("<f4", "(2, 2)"), &[]), "version 9"),
            (file(1, &dictionary("<f4", "(-1, 2)"), &[]), "the shape"),
            (MAGIC.to_vec(), "cut short"),
            (b"PK".to_vec(), "no .npy"),
        ] {
            let error = Header::parse(&content).unwrap_err();
            assert!(error.message().contains(part), "{error}");
            assert!(Header::read(&mut &content[..]).is_err());
        }
    }
}
