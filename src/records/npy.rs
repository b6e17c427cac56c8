//! The header of NumPy's `.npy` files, read and written
//! (numpy.lib.format: magic, version, header length, a Python dictionary literal, data).

use super::matrix::{Element, Layout, checked};
use crate::error::{Error, Result};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The layout of the matrix in a `.npy` file.
pub(super) fn layout(file: &[u8]) -> Result<Layout> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let short = || wrong("is cut short within the .npy header".to_owned());
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
    let end = start.checked_add(length).ok_or_else(short)?;
    let header = file.get(start..end).ok_or_else(short)?;
    let header = String::from_utf8_lossy(header);
    let entry = |key: &str| {
        dictionary_value(&header, key)
            .ok_or_else(|| wrong(format!("has no {key:?} in its .npy header")))
    };
    let element = match entry("descr")?.trim_matches(['\'', '"']) {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => {
            return Err(wrong(format!(
                "has elements {other}; accepted are <f2, <f4 and <f8 (little-endian floats)"
            )));
        }
    };
    if entry("fortran_order")? != "False" {
        return Err(wrong(
            "is in Fortran order; wanted is C order (numpy.ascontiguousarray)".to_owned(),
        ));
    }
    let shape = entry("shape")?;
    let sizes: Option<Vec<usize>> = shape
        .trim_matches(['(', ')'])
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect();
    let Some([rows, dimension]) = sizes.as_deref() else {
        return Err(wrong(format!(
            "has the shape {shape}; wanted is (rows, dimension)"
        )));
    };
    checked(
        Layout {
            start: end,
            element,
            rows: *rows,
            dimension: *dimension,
        },
        file.len(),
    )
}

/// The header of an array in C order, version 1, as `numpy.save` writes it: padded with spaces to a
/// multiple of 64 bytes, a line feed last.
pub(super) fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
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
mod tests {
    use half::f16;

    use super::*;
    use crate::records::vectors::VectorFile;

    /// What `numpy.save` writes: the header padded with spaces to 64 bytes, a line feed last.
    fn file(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
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

    fn dictionary(descr: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
    }

    #[test]
    fn versions_and_element_types_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.npy");
        let values = [0.5_f32, -1.0, 2.0, 4.0, 8.0, -0.25];
        let stored: [(&str, Vec<u8>); 3] = [
            (
                "<f2",
                values
                    .iter()
                    .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                    .collect(),
            ),
            ("<f4", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            (
                "<f8",
                values
                    .iter()
                    .flat_map(|v| f64::from(*v).to_le_bytes())
                    .collect(),
            ),
        ];
        for version in 1..=3 {
            for (descr, data) in &stored {
                let content = file(version, &dictionary(descr, "(3, 2)"), data);
                std::fs::write(&path, content).unwrap();
                let vectors = VectorFile::open(&path, None).unwrap();
                assert_eq!((vectors.rows(), vectors.dimension()), (3, 2));
                let mut rows = Vec::new();
                vectors.read_rows(1..3, &mut rows).unwrap();
                assert_eq!(rows, values[2..], "{descr} in version {version}");
            }
        }
        assert!(VectorFile::open(&path, Some("x")).is_err());
    }

    #[test]
    fn what_is_not_a_float_matrix_in_c_order_is_refused() {
        let data = [0; 64];
        for (content, part) in [
            (
                file(1, &dictionary("<i8", "(2, 2)"), &data),
                "<f2, <f4 and <f8",
            ),
            (
                file(1, &dictionary(">f4", "(2, 2)"), &data),
                "little-endian",
            ),
            (
                file(1, &dictionary("<f4", "(4,)"), &data),
                "(rows, dimension)",
            ),
            (
                file(1, &dictionary("<f4", "(2, 2, 2)"), &data),
                "(rows, dimension)",
            ),
            (file(1, &dictionary("<f4", "(4, 5)"), &data), "cut short"),
            (
                file(1, &dictionary("<f4", "(9223372036854775807, 8)"), &data),
                "cut short",
            ),
            (
                file(
                    1,
                    &dictionary("<f4", "(2, 2)").replace("False", "True"),
                    &data,
                ),
                "Fortran",
            ),
            (file(9, &dictionary("<f4", "(2, 2)"), &data), "version 9"),
            (MAGIC.to_vec(), "cut short"),
        ] {
            let error = layout(&content).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
