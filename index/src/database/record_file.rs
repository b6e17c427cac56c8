//! The copy of a collection's record in each of its generations, from which a lost catalog is
//! rebuilt.

use std::fs;
use std::path::Path;

use crate::catalog::CollectionRecord;
use crate::error::{Error, Result};
use crate::storage::{Storage, seal, unseal};

/// The file in a generation's directory.
const FILE: &str = "record.json";

/// Writes a generation's record and makes it and the generation's directories outlast a power cut,
/// before the catalog names it: a generation with a record is whole.
pub(super) fn complete(
    generation: &Path,
    record: &CollectionRecord,
    storage: &Storage,
) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::internal("a collection's record").with_source(error))?;
    storage.replace(&generation.join(FILE), &seal([bytes, vec![b'\n']].concat()))?;
    // The generation's own, the collection's and the one of all collections.
    for directory in generation.ancestors().take(3) {
        storage.sync_directory(directory)?;
    }
    Ok(())
}

/// The record of a generation.
///
/// # Errors
/// `Corrupted` where it fails its checksum.
pub(super) fn read(generation: &Path) -> Result<CollectionRecord> {
    let path = generation.join(FILE);
    let bytes = unseal(fs::read(&path)?, &path)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::corrupted(format!("{} is not readable", path.display())).with_source(error)
    })
}

/// Removes a generation that nothing names any more, its record first: what is left of it is not
/// taken for a collection.
pub(super) fn discard(generation: &Path) -> Result<()> {
    let record = generation.join(FILE);
    if record.exists() {
        fs::remove_file(record)?;
    }
    fs::remove_dir_all(generation)?;
    Ok(())
}
