//! The steps of fetching an input.

use std::time::Duration;

use super::package::Package;
use crate::error::Result;
use crate::progress::Progress;

/// A step of fetching an input; each is reported more than once while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another process is fetching the same package.
    Waiting,
    /// pip runs, since so long.
    Downloading(Duration),
    /// The archive is being hashed.
    Verifying {
        /// Bytes hashed so far.
        done: u64,
        /// Size of the archive in bytes.
        total: u64,
    },
    /// The archive is being unpacked.
    Unpacking {
        /// Bytes written so far.
        done: u64,
    },
}

/// Told about each step. Not called when the input is in the cache.
pub type Watch<'a> = &'a mut dyn FnMut(&'static Package, Step);

/// Tells of a step; `Cancelled` when the fetching was called off.
pub(super) fn report(
    progress: &Progress,
    watch: Watch<'_>,
    package: &'static Package,
    step: Step,
) -> Result<()> {
    watch(package, step);
    progress.check()
}
