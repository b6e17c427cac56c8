//! Whether a file that is watched has been written or replaced.

use std::fs::Metadata;

use crate::error::Result;

/// Tells a file from another that was put in its place.
pub(crate) type Stamp = (std::time::SystemTime, u64, u64);

/// The stamp of a file as it is.
///
/// # Errors
/// Where the system does not tell when it was written.
#[cfg(unix)]
pub(crate) fn stamp_of(file: &Metadata) -> Result<Stamp> {
    use std::os::unix::fs::MetadataExt as _;

    Ok((file.modified()?, file.len(), file.ino()))
}

/// The stamp of a file as it is.
///
/// # Errors
/// Where the system does not tell when it was written.
#[cfg(not(unix))]
pub(crate) fn stamp_of(file: &Metadata) -> Result<Stamp> {
    Ok((file.modified()?, file.len(), 0))
}
