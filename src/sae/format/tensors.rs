//! The named tensors of a file, taken one by one: a reader that leaves one over has not understood
//! the file and is refused.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// A row-major tensor in single precision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// Its extents; empty for a single number.
    pub shape: Vec<usize>,
    /// Its values, as many as the extents multiply to.
    pub values: Vec<f32>,
}

/// The tensors of one source that no reader has taken yet.
#[derive(Debug)]
pub(super) struct Tensors {
    /// Name of the source in messages.
    origin: String,
    left: BTreeMap<String, Tensor>,
}

impl Tensors {
    pub fn new(origin: impl Into<String>, tensors: BTreeMap<String, Tensor>) -> Self {
        Self {
            origin: origin.into(),
            left: tensors,
        }
    }

    /// All tensors of a safetensors file.
    ///
    /// # Errors
    /// `Corrupted` when the bytes are no such file, `InvalidArgument` naming a tensor of a type
    /// other than F64, F32, F16, BF16 and I64.
    pub fn from_safetensors(origin: &str, bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| {
            Error::corrupted(format!("{origin} is not a safetensors file")).with_source(e)
        })?;
        let mut left = BTreeMap::new();
        for (name, view) in file.iter() {
            let values = floats(view.dtype(), view.data()).ok_or_else(|| {
                Error::invalid(
                    name,
                    format!(
                        "has type {:?}; accepted: F64, F32, F16, BF16, I64",
                        view.dtype()
                    ),
                )
            })?;
            let shape = view.shape().to_vec();
            left.insert(name.to_owned(), Tensor { shape, values });
        }
        Ok(Self::new(origin, left))
    }

    /// Whether a tensor is there and not yet taken.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Takes a tensor of a known shape.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor when it is missing or has another shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = self.remove(name)?;
        if tensor.shape != shape {
            return Err(Error::invalid(
                name,
                format!(
                    "of {} has shape {:?}; the rest says {shape:?}",
                    self.origin, tensor.shape
                ),
            ));
        }
        Ok(tensor.values)
    }

    /// Takes a matrix and gives its rows and columns too.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor when it is missing or no matrix.
    pub fn take_matrix(&mut self, name: &str) -> Result<(Vec<f32>, usize, usize)> {
        let tensor = self.remove(name)?;
        match tensor.shape[..] {
            [rows, columns] => Ok((tensor.values, rows, columns)),
            _ => Err(Error::invalid(
                name,
                format!(
                    "of {} has shape {:?}; wanted is a matrix",
                    self.origin, tensor.shape
                ),
            )),
        }
    }

    /// Takes a single number, alone or in a vector of one.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor when it is missing or holds more.
    pub fn take_number(&mut self, name: &str) -> Result<f32> {
        let tensor = self.remove(name)?;
        match tensor.values[..] {
            [number] => Ok(number),
            _ => Err(Error::invalid(
                name,
                format!(
                    "of {} has shape {:?}; wanted is one number",
                    self.origin, tensor.shape
                ),
            )),
        }
    }

    /// Takes a tensor that only has to be 1 everywhere, where it is there.
    ///
    /// # Errors
    /// `InvalidArgument` naming it when it is not.
    pub fn take_ones(&mut self, name: &str) -> Result<()> {
        let Some(tensor) = self.left.remove(name) else {
            return Ok(());
        };
        match tensor.values.iter().find(|value| **value != 1.0) {
            None => Ok(()),
            Some(value) => Err(Error::invalid(
                name,
                format!(
                    "of {} scales activations (it holds {value}); only 1 is accepted, fold the \
                     factors into the weights first",
                    self.origin
                ),
            )),
        }
    }

    /// Drops a tensor that only training uses, where it is there.
    pub fn drop_bookkeeping(&mut self, name: &str) {
        self.left.remove(name);
    }

    /// Ends the reading: everything must have been taken.
    ///
    /// # Errors
    /// `InvalidArgument` naming the first tensor that nobody took.
    pub fn finish(self) -> Result<()> {
        match self.left.into_iter().next() {
            None => Ok(()),
            Some((name, tensor)) => Err(Error::invalid(
                name,
                format!(
                    "of {}, with shape {:?}, is not understood; nothing that might change the \
                     result is left out",
                    self.origin, tensor.shape
                ),
            )),
        }
    }

    fn remove(&mut self, name: &str) -> Result<Tensor> {
        self.left.remove(name).ok_or_else(|| {
            let present: Vec<&str> = self.left.keys().map(String::as_str).collect();
            Error::invalid(
                name,
                format!("is missing from {}, which holds {present:?}", self.origin),
            )
        })
    }
}

/// Stored elements as single precision; `None` for types that are no floating-point numbers.
fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F64 => Some(read(bytes, |raw| narrow(f64::from_le_bytes(raw)))),
        Dtype::F32 => Some(read(bytes, f32::from_le_bytes)),
        Dtype::F16 => Some(read(bytes, |raw| f16::from_le_bytes(raw).to_f32())),
        Dtype::BF16 => Some(read(bytes, |raw| bf16::from_le_bytes(raw).to_f32())),
        // Counts, which bookkeeping keeps.
        Dtype::I64 => Some(read(bytes, |raw| i64::from_le_bytes(raw) as f32)),
        _ => None,
    }
}

fn read<const WIDTH: usize>(bytes: &[u8], decode: impl Fn([u8; WIDTH]) -> f32) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    elements.iter().map(|raw| decode(*raw)).collect()
}

/// The nearest number in single precision.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is the purpose"
)]
pub(in crate::sae::format) fn narrow(value: f64) -> f32 {
    value as f32
}
