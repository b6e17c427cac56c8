//! Writes a sparse matrix as `scipy.sparse.save_npz` does: a zip of the arrays `indices`, `indptr`,
//! `format`, `shape` and `data` of a CSR matrix, each in NumPy's `.npy` format.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::error::{Error, Result};
use crate::npy;
use crate::whole_file::WholeFile;

/// A CSR matrix of f32 on its way to a file, row by row, without knowing its number of rows or
/// entries beforehand. Columns and values wait in temporary files; memory holds 8 bytes a row.
///
/// The file appears under its name, complete, when [`finish`](Self::finish) succeeds.
///
/// ```no_run
/// use latentdb::records::csr::CsrWriter;
///
/// let mut writer = CsrWriter::create("activations.npz".as_ref())?;
/// writer.push_row(&[(3, 0.5), (812, 1.25)])?;
/// writer.push_row(&[])?;
/// writer.finish(3072)?; // scipy.sparse.load_npz("activations.npz").shape == (2, 3072)
/// # Ok::<(), latentdb::error::Error>(())
/// ```
#[derive(Debug)]
pub struct CsrWriter {
    file: WholeFile,
    columns: BufWriter<File>,
    values: BufWriter<File>,
    /// Entries up to the end of each row, from 0.
    ends: Vec<u64>,
    /// One more than the largest column.
    needed: u64,
}

impl CsrWriter {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// `Internal` where its folder or the temporary folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: WholeFile::create(path)?,
            columns: BufWriter::new(tempfile::tempfile()?),
            values: BufWriter::new(tempfile::tempfile()?),
            ends: vec![0],
            needed: 0,
        })
    }

    /// Appends a row: its columns, ascending, with their values.
    ///
    /// # Errors
    /// `InvalidArgument` when columns do not ascend, `Internal` when a disk is full.
    pub fn push_row(&mut self, row: &[(u32, f32)]) -> Result<()> {
        if row.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(Error::invalid("row", "has columns that do not ascend"));
        }
        for (column, value) in row {
            self.columns.write_all(&column.to_le_bytes())?;
            self.values.write_all(&value.to_le_bytes())?;
        }
        if let Some((last, _)) = row.last() {
            self.needed = self.needed.max(u64::from(*last) + 1);
        }
        let before = self.ends.last().copied().unwrap_or_default();
        self.ends.push(before + row.len() as u64);
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.ends.len() as u64 - 1
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Completes the file with the matrix' number of columns and gives it its name.
    ///
    /// # Errors
    /// `InvalidArgument` when a row has a column beyond `columns`, `Internal` when a disk is full.
    pub fn finish(self, columns: u64) -> Result<()> {
        if self.needed > columns {
            return Err(Error::invalid(
                "columns",
                format!("is {columns}; a row has column {}", self.needed - 1),
            ));
        }
        // SciPy wants one integer type for both, the narrow one where it is wide enough.
        let narrow = i32::try_from(self.entries().max(columns)).is_ok();
        let (shape, entries) = ([self.rows(), columns], self.entries());
        let mut zip = ZipWriter::new(self.file);
        let start = |zip: &mut ZipWriter<WholeFile>, name: &str| {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .large_file(true);
            zip.start_file(format!("{name}.npy"), options)
        };
        start(&mut zip, "indices").map_err(fault)?;
        zip.write_all(&npy::header(integer(narrow), &[entries]))?;
        let mut spool = rewound(self.columns)?;
        let mut column = [0; 4];
        for _ in 0..entries {
            spool.read_exact(&mut column)?;
            write_integer(&mut zip, u64::from(u32::from_le_bytes(column)), narrow)?;
        }
        start(&mut zip, "indptr").map_err(fault)?;
        zip.write_all(&npy::header(integer(narrow), &[self.ends.len() as u64]))?;
        for &end in &self.ends {
            write_integer(&mut zip, end, narrow)?;
        }
        start(&mut zip, "format").map_err(fault)?;
        zip.write_all(&npy::header("|S3", &[]))?;
        zip.write_all(b"csr")?;
        start(&mut zip, "shape").map_err(fault)?;
        zip.write_all(&npy::header("<i8", &[2]))?;
        for size in shape {
            write_integer(&mut zip, size, false)?;
        }
        start(&mut zip, "data").map_err(fault)?;
        zip.write_all(&npy::header("<f4", &[entries]))?;
        io::copy(&mut rewound(self.values)?, &mut zip)?;
        zip.finish().map_err(fault)?.finish()
    }
}

fn integer(narrow: bool) -> &'static str {
    if narrow { "<i4" } else { "<i8" }
}

fn write_integer(out: &mut impl Write, value: u64, narrow: bool) -> io::Result<()> {
    let bytes = value.to_le_bytes();
    out.write_all(if narrow { &bytes[..4] } else { &bytes })
}

fn rewound(spool: BufWriter<File>) -> Result<BufReader<File>> {
    let mut file = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::with_capacity(1 << 18, file))
}

fn fault(error: zip::result::ZipError) -> Error {
    Error::internal("the archive cannot be written").with_source(error)
}

#[cfg(test)]
mod tests {
    use zip::ZipArchive;

    use super::*;

    /// The header text and the data of one array of an archive.
    fn array(path: &Path, name: &str) -> (String, Vec<u8>) {
        let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        let mut member = archive.by_name(&format!("{name}.npy")).unwrap();
        member.read_to_end(&mut bytes).unwrap();
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let header = String::from_utf8(bytes[10..10 + length].to_vec()).unwrap();
        (header.trim_end().to_owned(), bytes[10 + length..].to_vec())
    }

    fn integers(bytes: &[u8]) -> Vec<i32> {
        let parts = bytes.chunks_exact(4);
        parts
            .map(|part| i32::from_le_bytes(part.try_into().unwrap()))
            .collect()
    }

    #[test]
    fn the_arrays_are_those_of_a_csr_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npz");
        let mut writer = CsrWriter::create(&path).unwrap();
        writer.push_row(&[(1, 0.5), (4, 2.0)]).unwrap();
        writer.push_row(&[]).unwrap();
        writer.push_row(&[(0, 1.0)]).unwrap();
        assert_eq!((writer.rows(), writer.entries()), (3, 3));
        assert!(!path.exists());
        writer.finish(5).unwrap();

        let (header, indices) = array(&path, "indices");
        assert_eq!(
            header,
            "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }"
        );
        assert_eq!(integers(&indices), [1, 4, 0]);
        assert_eq!(integers(&array(&path, "indptr").1), [0, 2, 2, 3]);
        let (header, format) = array(&path, "format");
        assert_eq!(
            header,
            "{'descr': '|S3', 'fortran_order': False, 'shape': (), }"
        );
        assert_eq!(format, b"csr");
        let shape: Vec<u8> = [3_u64, 5]
            .iter()
            .flat_map(|size| size.to_le_bytes())
            .collect();
        assert_eq!(array(&path, "shape").1, shape);
        let data: Vec<u8> = [0.5_f32, 2.0, 1.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        assert_eq!(array(&path, "data").1, data);
    }

    #[test]
    fn wrong_rows_are_refused_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npz");
        let mut writer = CsrWriter::create(&path).unwrap();
        assert!(writer.push_row(&[(4, 1.0), (4, 2.0)]).is_err());
        writer.push_row(&[(9, 1.0)]).unwrap();
        let error = writer.finish(9).unwrap_err();
        assert_eq!(error.message(), "is 9; a row has column 9");
        assert!(!path.exists());
    }
}
