//! `.npz` archives of numpy, as `numpy.savez` writes them (not compressed, in C order).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::DType;
use candle_core::npy::NpzTensors;

use crate::error::{Error, Result};

use super::tensors::{Tensor, Tensors};

/// All arrays of an archive.
///
/// # Errors
/// `InvalidArgument` naming the array that is not made of floating-point numbers or not readable.
pub(super) fn read(path: &Path) -> Result<Tensors> {
    let failed = |name: &str, e: candle_core::Error| {
        Error::invalid(
            name,
            format!(
                "of {} cannot be read; accepted are archives of numpy.savez (not compressed), in C \
                 order",
                path.display()
            ),
        )
        .with_source(e)
    };
    let largest = std::fs::metadata(path)?.len();
    let archive = NpzTensors::new(path).map_err(|e| failed("source", e))?;
    let mut tensors = BTreeMap::new();
    for name in archive.names() {
        let (shape, dtype) = archive
            .get_shape_and_dtype(name)
            .map_err(|e| failed(name, e))?;
        if !matches!(dtype, DType::F16 | DType::F32 | DType::F64) {
            return Err(Error::invalid(
                name.as_str(),
                format!("has type {dtype:?}; accepted: float16, float32, float64"),
            ));
        }
        // A header may claim any shape; memory is asked for what the file can hold.
        let bytes = shape
            .dims()
            .iter()
            .try_fold(dtype.size_in_bytes() as u64, |bytes, extent| {
                bytes.checked_mul(*extent as u64)
            });
        if bytes.is_none_or(|bytes| bytes > largest) {
            return Err(Error::corrupted(format!(
                "{name} of {} says shape {shape:?}, more than the file holds",
                path.display()
            )));
        }
        let tensor = archive.get(name).map_err(|e| failed(name, e))?;
        let values = tensor
            .map(|tensor| tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1())
            .transpose()
            .map_err(|e| failed(name, e))?
            .unwrap_or_default();
        let shape = shape.dims().to_vec();
        tensors.insert(name.clone(), Tensor { shape, values });
    }
    let origin = path.file_name().unwrap_or_default();
    Ok(Tensors::new(origin.to_string_lossy(), tensors))
}
