//! Whether the files of a data directory are as they were written: the engine's, and the SAEs'.

use std::fs;
use std::path::Path;

use latentdb_index::{Damaged, Verified};

use crate::error::{Error, Result};
use crate::sae::format;

/// The folder of SAEs in a data directory, each by its hash.
pub(crate) const SAE_DIRECTORY: &str = "saes";

/// Checks the engine's files ([`latentdb_index::verify`]) and every SAE that the data directory keeps:
/// its weights against their checksum, and what it is against the hash that it is named by.
///
/// # Errors
/// Those of [`latentdb_index::verify`].
pub fn verify(data: &Path, deep: bool) -> Result<Verified> {
    let mut found = latentdb_index::verify(data, deep)?;
    let folder = data.join(SAE_DIRECTORY);
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Uploads that broke off go with the next start; folders of other names are somebody's own.
        let is_hash = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            continue;
        }
        found.files += 1;
        match check_sae(&path, &name) {
            Ok(bytes) => found.bytes += bytes,
            Err(error) => found.damage.push(Damaged {
                collection: String::new(),
                problem: error.to_string(),
                path: path.clone(),
            }),
        }
    }
    Ok(found)
}

fn check_sae(folder: &Path, hash: &str) -> Result<u64> {
    let sae = format::open(folder)?;
    if sae.hash() != hash {
        return Err(Error::corrupted(format!(
            "the SAE kept as {hash} has the hash {}",
            sae.hash()
        )));
    }
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
