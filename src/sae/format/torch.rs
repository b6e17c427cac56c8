//! `.pt` and `.pth` files as `torch.save` writes them: a zip archive of one pickle and a file per
//! storage. Read without running anything; see [`super::pickle`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use zip::ZipArchive;

use crate::error::{Error, Result, Within as _};

use super::pickle::{self, Element, TensorRef, Value};
use super::tensors::{Tensor, Tensors, narrow};

/// Bytes that a pickle of tensors and plain data may have.
const MAX_PICKLE: u64 = 64 << 20;

/// An open checkpoint: what it holds is read, its tensors are not yet.
pub(super) struct Checkpoint {
    archive: ZipArchive<BufReader<File>>,
    /// Folder of the archive that everything lies in.
    prefix: String,
    path: PathBuf,
    root: Fields,
}

/// A dictionary of the checkpoint, by name.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Checkpoint {
    /// Opens a file that `torch.save` wrote.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no such file, holds more than tensors and plain data, or its
    /// root is no dictionary.
    pub fn open(path: &Path) -> Result<Self> {
        let archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(|e| {
            Error::invalid(
                "source",
                format!(
                    "{} is not an archive as torch.save writes it since torch 1.6; an older file \
                     is opened and saved again with torch",
                    path.display()
                ),
            )
            .with_source(e)
        })?;
        // A name that is not readable is none of torch's.
        let names = archive.file_names().filter_map(std::result::Result::ok);
        let pickles: Vec<String> = names
            .filter(|name| name == "data.pkl" || name.ends_with("/data.pkl"))
            .map(Cow::into_owned)
            .collect();
        let [pickled] = &pickles[..] else {
            return Err(Error::invalid(
                "source",
                format!(
                    "{} holds {} data.pkl; a checkpoint of torch holds one",
                    path.display(),
                    pickles.len()
                ),
            ));
        };
        let prefix = pickled.trim_end_matches("data.pkl").to_owned();
        let mut checkpoint = Self {
            archive,
            prefix,
            path: path.to_owned(),
            root: Fields(BTreeMap::new()),
        };
        let order = format!("{}byteorder", checkpoint.prefix);
        if checkpoint.archive.index_for_name(&order).is_some()
            && checkpoint.entry(&order, 16)? != b"little"
        {
            return Err(Error::invalid(
                "byteorder",
                format!("of {} is not little-endian", path.display()),
            ));
        }
        let bytes = checkpoint.entry(pickled, MAX_PICKLE)?;
        checkpoint.root = Fields::of(pickle::read(&bytes)?, "the root")?;
        Ok(checkpoint)
    }

    /// The names at the root.
    pub fn root(&self) -> &Fields {
        &self.root
    }

    /// Moves the root out, to be taken apart.
    pub fn take_root(&mut self) -> Fields {
        Fields(std::mem::take(&mut self.root.0))
    }

    /// The tensors of a dictionary, read; what is no tensor is refused by name.
    pub fn tensors(&mut self, fields: Fields) -> Result<Tensors> {
        let mut tensors = BTreeMap::new();
        for (name, value) in fields.0 {
            let Value::Tensor(reference) = value else {
                return Err(Error::invalid(
                    name,
                    format!(
                        "of {} is {}, which is not understood",
                        self.path.display(),
                        shown(&value)
                    ),
                ));
            };
            let tensor = self.tensor(&reference).within(&name)?;
            tensors.insert(name, tensor);
        }
        let origin = self.path.file_name().unwrap_or_default();
        Ok(Tensors::new(origin.to_string_lossy(), tensors))
    }

    fn tensor(&mut self, reference: &TensorRef) -> Result<Tensor> {
        let wrong = |what: &str| Error::corrupted(format!("a tensor {what}"));
        let element = reference.element;
        let bytes = reference.storage_len.checked_mul(element.bytes());
        let bytes = bytes.ok_or_else(|| wrong("is too large"))?;
        let name = format!("{}data/{}", self.prefix, reference.storage);
        let data = self.entry(&name, u64::try_from(bytes).unwrap_or(u64::MAX))?;
        if data.len() != bytes {
            return Err(wrong("has a storage of another length"));
        }
        let count = reference
            .shape
            .iter()
            .try_fold(1usize, |product, extent| product.checked_mul(*extent));
        let count = count
            .filter(|count| *count <= reference.storage_len.max(1))
            .ok_or_else(|| wrong("has more values than its storage"))?;
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0usize; reference.shape.len()];
        for _ in 0..count {
            let at = index
                .iter()
                .zip(&reference.strides)
                .try_fold(reference.offset, |at, (i, stride)| {
                    at.checked_add(i.checked_mul(*stride)?)
                })
                .filter(|at| *at < reference.storage_len)
                .ok_or_else(|| wrong("passes the end of its storage"))?;
            values.push(decode(element, &data[at * element.bytes()..]));
            for (i, extent) in index.iter_mut().zip(&reference.shape).rev() {
                *i += 1;
                if *i < *extent {
                    break;
                }
                *i = 0;
            }
        }
        Ok(Tensor {
            shape: reference.shape.clone(),
            values,
        })
    }

    /// A file of the archive, at most `most` bytes of it.
    fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::corrupted(format!("{name} of the archive cannot be read")).with_source(e)
        };
        let entry = self
            .archive
            .by_name(name)
            .map_err(|e| failed(Box::new(e)))?;
        let mut bytes = Vec::new();
        entry
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| failed(Box::new(e)))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(Error::corrupted(format!(
                "{name} of the archive is larger than the {most} bytes it should have"
            )));
        }
        Ok(bytes)
    }
}

impl Fields {
    /// The entries of a dictionary.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no dictionary, or has keys that are no text or stand twice.
    pub fn of(value: Value, name: &str) -> Result<Self> {
        let Value::Dict(pairs) = value else {
            return Err(Error::invalid(
                name,
                format!("is {}; wanted is a dictionary", shown(&value)),
            ));
        };
        let mut fields = BTreeMap::new();
        for (key, value) in pairs {
            let Value::Text(key) = key else {
                return Err(Error::invalid(
                    name,
                    format!("has the key {}; wanted are names", shown(&key)),
                ));
            };
            fields.insert(key, value);
        }
        Ok(Self(fields))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names there are.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Takes an entry, where it is there; `None` of Python counts as missing.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| *value != Value::None)
    }

    /// Takes a dictionary.
    pub fn take_fields(&mut self, name: &str) -> Result<Fields> {
        let value = self.take(name).ok_or_else(|| missing(name))?;
        Self::of(value, name)
    }

    /// Takes a whole number of at least 1.
    pub fn take_size(&mut self, name: &str) -> Result<usize> {
        let value = self.take(name).ok_or_else(|| missing(name))?;
        match value {
            Value::Int(size) if size > 0 => usize::try_from(size).ok(),
            _ => None,
        }
        .ok_or_else(|| {
            Error::invalid(
                name,
                format!(
                    "is {}; wanted is a whole number of at least 1",
                    shown(&value)
                ),
            )
        })
    }

    /// Takes a text, where it is there.
    pub fn take_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(Error::invalid(
                name,
                format!("is {}; wanted is a text", shown(&other)),
            )),
        }
    }

    /// Takes true or false; false where it is not there.
    pub fn take_flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(Error::invalid(
                name,
                format!("is {}; wanted is True or False", shown(&other)),
            )),
        }
    }

    /// Ends the reading: everything must have been taken.
    pub fn finish(self, of: &str) -> Result<()> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, value)) => Err(Error::invalid(
                name,
                format!(
                    "of {of} is {}, which is not understood; nothing that might change the result \
                     is left out",
                    shown(&value)
                ),
            )),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::invalid(name, "is missing from the checkpoint")
}

/// A value as messages show it.
fn shown(value: &Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Dict(pairs) => format!("a dictionary of {}", pairs.len()),
        Value::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.shape),
    }
}

/// The first element of `bytes`, as single precision.
fn decode(element: Element, bytes: &[u8]) -> f32 {
    fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
        let mut raw = [0; N];
        raw.copy_from_slice(&bytes[..N]);
        raw
    }
    match element {
        Element::F64 => narrow(f64::from_le_bytes(first(bytes))),
        Element::F32 => f32::from_le_bytes(first(bytes)),
        Element::F16 => f16::from_le_bytes(first(bytes)).to_f32(),
        Element::Bf16 => bf16::from_le_bytes(first(bytes)).to_f32(),
        // Whole numbers here are counts and flags, far below 2^24.
        Element::I64 => i64::from_le_bytes(first(bytes)) as f32,
        Element::I32 => i32::from_le_bytes(first(bytes)) as f32,
        Element::I16 => f32::from(i16::from_le_bytes(first(bytes))),
        Element::I8 => f32::from(i8::from_le_bytes(first(bytes))),
        Element::U8 | Element::Bool => f32::from(bytes[0]),
    }
}
