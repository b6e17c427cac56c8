//! Matrices of vectors in files: memory-mapped readers of safetensors, `.npy` and `.npz`, and a
//! streaming writer of safetensors.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use super::matrix::{Element, Layout, checked, map_file, narrow};
use super::npz;
use super::source::open_file;
use crate::error::{Error, Result};
use crate::npy;
use crate::whole_file::WholeFile;

pub use super::matrix::DEFAULT_TENSOR;

/// A memory-mapped matrix of vectors `[rows, dimension]`.
#[derive(Debug)]
pub struct VectorFile {
    map: Mmap,
    layout: Layout,
    /// Whether the file has metadata: safetensors.
    has_metadata: bool,
    path: PathBuf,
}

impl VectorFile {
    /// Opens a `.safetensors`, `.npy` or `.npz` file, told apart by content.
    ///
    /// `tensor` names the tensor or array; without it that is `embeddings`, or the only one of the
    /// file. Elements may be f16, bf16 (safetensors), f32 or f64; a `.npy` must be version 1 to 3 and
    /// little-endian. A compressed array of a `.npz` is unpacked to a temporary file.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `InvalidArgument` for a file or tensor that is not such a
    /// matrix; the message lists the tensors there are.
    pub fn open(path: &Path, tensor: Option<&str>) -> Result<Self> {
        let file = open_file(path)?;
        let map = map_file(&file)?;
        let has_metadata = ![npy::MAGIC, npz::MAGIC]
            .iter()
            .any(|mark| map.starts_with(mark));
        let opened = if map.starts_with(npz::MAGIC) {
            npz::array(&file, map, tensor).and_then(|(map, start)| {
                let layout = npy_layout(&map, start)?;
                Ok((map, layout))
            })
        } else if has_metadata {
            safetensors_layout(&map, tensor).map(|layout| (map, layout))
        } else if tensor.is_some() {
            Err(Error::invalid("tensor", "a .npy file has no named tensors"))
        } else {
            npy_layout(&map, 0).map(|layout| (map, layout))
        };
        let (map, layout) = opened.map_err(|error| {
            Error::invalid(
                "vectors",
                format!("{}: {}", path.display(), error.message()),
            )
        })?;
        Ok(Self {
            map,
            layout,
            has_metadata,
            path: path.to_owned(),
        })
    }

    /// The number of vectors.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// The dimension of each vector.
    pub fn dimension(&self) -> usize {
        self.layout.dimension
    }

    /// The `__metadata__` of a safetensors file; nothing for `.npy` and `.npz`.
    ///
    /// # Errors
    /// `InvalidArgument` when the header is not readable any more.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>> {
        if !self.has_metadata {
            return Ok(BTreeMap::new());
        }
        let (_, header) = SafeTensors::read_metadata(&self.map).map_err(|error| {
            Error::invalid("vectors", "has no readable header").with_source(error)
        })?;
        let metadata = header.metadata().iter().flatten();
        Ok(metadata
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }

    /// Replaces `out` by the rows of `range`, row-major `[range.len(), dimension]`. Values are
    /// as stored: finiteness is for the caller to check.
    ///
    /// # Errors
    /// `InvalidArgument` when the range passes the end.
    pub fn read_rows(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let Layout {
            start,
            element,
            rows,
            dimension,
            by_columns,
        } = self.layout;
        if range.start > range.end || range.end > rows {
            return Err(Error::invalid(
                "rows",
                format!(
                    "{}..{} is outside the {rows} rows of {}",
                    range.start,
                    range.end,
                    self.path.display()
                ),
            ));
        }
        let width = element.bytes();
        out.clear();
        if !by_columns {
            let (first, end) = (range.start * dimension, range.end * dimension);
            extend_with(
                out,
                element,
                &self.map[start + first * width..start + end * width],
            );
            return Ok(());
        }
        out.resize(range.len() * dimension, 0.0);
        let mut column = Vec::with_capacity(range.len());
        for at in 0..dimension {
            let (first, end) = (at * rows + range.start, at * rows + range.end);
            column.clear();
            let bytes = &self.map[start + first * width..start + end * width];
            extend_with(&mut column, element, bytes);
            let places = out.iter_mut().skip(at).step_by(dimension);
            places
                .zip(&column)
                .for_each(|(place, value)| *place = *value);
        }
        Ok(())
    }
}

fn extend_with(out: &mut Vec<f32>, element: Element, bytes: &[u8]) {
    match element {
        Element::F16 => extend(out, bytes, |raw| f16::from_le_bytes(raw).to_f32()),
        Element::Bf16 => extend(out, bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
        Element::F32 => extend(out, bytes, f32::from_le_bytes),
        Element::F64 => extend(out, bytes, |raw| narrow(f64::from_le_bytes(raw))),
    }
}

fn extend<const WIDTH: usize>(out: &mut Vec<f32>, bytes: &[u8], read: impl Fn([u8; WIDTH]) -> f32) {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    out.extend(elements.iter().map(|raw| read(*raw)));
}

/// The layout of the array whose `.npy` begins at a byte of a map.
fn npy_layout(map: &[u8], begins: usize) -> Result<Layout> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let header = npy::Header::parse(&map[begins..])?;
    let element = match &*header.descr {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => {
            return Err(wrong(format!(
                "has elements {other}; accepted are <f2, <f4 and <f8 (little-endian floats)"
            )));
        }
    };
    let [rows, dimension] = header.shape[..] else {
        return Err(wrong(format!(
            "has the shape {:?}; wanted is (rows, dimension)",
            header.shape
        )));
    };
    let layout = Layout {
        start: begins + header.start,
        element,
        rows,
        dimension,
        by_columns: header.is_fortran,
    };
    checked(layout, map.len())
}

fn safetensors_layout(map: &[u8], tensor: Option<&str>) -> Result<Layout> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let (header, metadata) = SafeTensors::read_metadata(map)
        .map_err(|error| wrong(format!("neither safetensors, .npy nor .npz ({error})")))?;
    let mut names = metadata.offset_keys();
    names.sort();
    let name = match tensor {
        Some(name) => name,
        None if names.iter().any(|name| name == DEFAULT_TENSOR) => DEFAULT_TENSOR,
        None if names.len() == 1 => names[0].as_str(),
        None => {
            return Err(wrong(format!(
                "holds the tensors {}; name the one to read",
                names.join(", ")
            )));
        }
    };
    let info = metadata.info(name).ok_or_else(|| {
        wrong(format!(
            "has no tensor {name:?}; it holds {}",
            names.join(", ")
        ))
    })?;
    let element = match info.dtype {
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => {
            return Err(wrong(format!(
                "tensor {name:?} is {other:?}; accepted are F16, BF16, F32 and F64"
            )));
        }
    };
    let [rows, dimension] = info.shape[..] else {
        return Err(wrong(format!(
            "tensor {name:?} has the shape {:?}; wanted is [rows, dimension]",
            info.shape
        )));
    };
    let layout = Layout {
        start: size_of::<u64>() + header + info.data_offsets.0,
        element,
        rows,
        dimension,
        by_columns: false,
    };
    checked(layout, map.len())
}

/// Writes vectors to a safetensors file as the f32 tensor `embeddings` `[rows, dimension]`, in
/// one pass and without knowing the number of rows beforehand.
///
/// The file appears under its name, complete, when [`finish`](Self::finish) succeeds; a writer
/// that is dropped before leaves nothing.
#[derive(Debug)]
pub struct VectorWriter {
    file: WholeFile,
    dimension: usize,
    rows: usize,
    metadata: BTreeMap<String, String>,
    header_bytes: usize,
}

impl VectorWriter {
    /// Starts a file at `path`; `metadata` goes into its `__metadata__`.
    ///
    /// # Errors
    /// `InvalidArgument` for dimension 0, `Internal` where the folder cannot be written.
    pub fn create(
        path: &Path,
        dimension: usize,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        if dimension == 0 {
            return Err(Error::invalid("dimension", "must be 1 or more"));
        }
        let mut file = WholeFile::create(path)?;
        // The header is written at the end over this room, which fits the largest row count.
        let longest = header(&metadata, usize::MAX, dimension, u64::MAX);
        let header_bytes = longest.len().next_multiple_of(8);
        file.write_all(&vec![b' '; size_of::<u64>() + header_bytes])?;
        Ok(Self {
            file,
            dimension,
            rows: 0,
            metadata,
            header_bytes,
        })
    }

    /// Appends vectors, row-major `[rows, dimension]`.
    ///
    /// # Errors
    /// `InvalidArgument` when the length is no multiple of the dimension.
    pub fn write_rows(&mut self, rows: &[f32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.dimension) {
            return Err(Error::invalid(
                "rows",
                format!(
                    "{} values are no whole rows of {}",
                    rows.len(),
                    self.dimension
                ),
            ));
        }
        for value in rows {
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.rows += rows.len() / self.dimension;
        Ok(())
    }

    /// Completes the file, makes it durable and gives it its name. Returns the number of rows.
    ///
    /// # Errors
    /// `Internal` where writing or renaming fails; the file that had the name before is then
    /// still there.
    pub fn finish(mut self) -> Result<usize> {
        let data_bytes = (self.rows as u64) * (self.dimension as u64) * 4;
        let mut text = header(&self.metadata, self.rows, self.dimension, data_bytes);
        text.push_str(&" ".repeat(self.header_bytes - text.len()));
        self.file.seek(SeekFrom::Start(0))?;
        self.file
            .write_all(&(self.header_bytes as u64).to_le_bytes())?;
        self.file.write_all(text.as_bytes())?;
        self.file.finish()?;
        Ok(self.rows)
    }
}

fn header(
    metadata: &BTreeMap<String, String>,
    rows: usize,
    dimension: usize,
    data_bytes: u64,
) -> String {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    }
    header.insert(
        DEFAULT_TENSOR.to_owned(),
        serde_json::json!({
            "dtype": "F32", "shape": [rows, dimension], "data_offsets": [0, data_bytes]
        }),
    );
    serde_json::Value::Object(header).to_string()
}

#[cfg(test)]
mod tests;
