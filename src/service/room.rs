//! Room on the disk: writes are turned away while deletes, drops and merges still have some.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Bytes that stay free unless told otherwise.
pub const MIN_FREE_DISK: u64 = 256 << 20;

/// The disk of the data directory, of which some bytes stay free.
pub(super) struct Room {
    directory: PathBuf,
    reserve: u64,
}

impl Room {
    pub fn new(directory: &Path, reserve: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            reserve,
        }
    }

    /// Bytes free, where the disk tells.
    pub fn free(&self) -> Option<u64> {
        fs4::available_space(&self.directory).ok()
    }

    /// Refuses what needs room when there is too little. A disk that does not tell is taken to have
    /// enough: writes that fail say so themselves.
    ///
    /// # Errors
    /// `ResourceExhausted`.
    pub fn check(&self) -> Result<()> {
        match self.free() {
            Some(free) if free < self.reserve => Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "the disk of the data directory has {} MiB free, less than the {} MiB that are \
                     kept free (--min-free-disk); nothing was written; deletes and drops are taken",
                    free >> 20,
                    self.reserve >> 20,
                ),
            )),
            _ => Ok(()),
        }
    }
}
