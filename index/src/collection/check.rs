//! Which files a segment has, and whether they are as they were written.

use std::path::{Path, PathBuf};

use tantivy::SegmentMeta;
use tantivy::index::SegmentComponent;

use crate::error::Result;
use crate::storage::check_file;
use crate::{dense, latents};

/// Extensions of the files that every segment has.
const COMPONENTS: [&str; 8] = [
    "term",
    "idx",
    "pos",
    "fast",
    "fieldnorm",
    "store",
    latents::EXTENSION,
    dense::EXTENSION,
];

/// The files of a segment, in the directory of its index.
pub(super) fn files(segment: &SegmentMeta) -> impl Iterator<Item = PathBuf> {
    let components = COMPONENTS.map(|extension| SegmentComponent::Custom(extension.to_owned()));
    let deleted = segment.has_deletes().then_some(SegmentComponent::Delete);
    let all = components.into_iter().chain(deleted);
    all.map(|component| segment.relative_path(component))
}

/// Compares the files of a segment with their checksums. `proceed` is asked before each MiB.
///
/// # Errors
/// `Corrupted` naming the file.
pub(super) fn check_segment(
    directory: &Path,
    segment: &SegmentMeta,
    proceed: &dyn Fn() -> Result<()>,
) -> Result<()> {
    files(segment).try_for_each(|file| check_file(&directory.join(file), proceed))
}
