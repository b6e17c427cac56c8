//! SAEs that clients bring, file by file, into the data directory.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

use super::core::Core;
use super::spec::SaeRecord;
use crate::error::{Error, ErrorKind, Result};

/// Maximum bytes of an SAE's files together.
pub const MAX_UPLOAD_BYTES: u64 = 4 << 30;
/// Longest name of a file, in bytes.
const MAX_NAME: usize = 128;

/// A piece of a file: the file's name in its first piece, and what comes next in it.
pub type Piece = (String, Vec<u8>);

/// Takes the pieces of an SAE's files, of which the last is `None`, and keeps what they are under its
/// hash. Blocks. Nothing is kept where they end without it, or are no SAE.
pub(super) fn receive_sae(core: &Core, mut pieces: Receiver<Option<Piece>>) -> Result<SaeRecord> {
    core.check_room()?;
    let mut upload = Upload {
        place: core.models.place_of_upload()?,
        file: None,
        names: HashSet::new(),
        bytes: 0,
    };
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Some((name, content)) => upload.take(name, &content)?,
            None => {
                drop(upload.file);
                let place = upload.place.path();
                let sae = core
                    .models
                    .import_sae(place)
                    .map_err(|e| unplaced(&e, place))?;
                return Ok(SaeRecord::of(&sae));
            }
        }
    }
    Err(Error::new(ErrorKind::Cancelled, "the upload broke off"))
}

/// An error as the client knows its files, without where they lie on the server.
fn unplaced(error: &Error, place: &Path) -> Error {
    let folder = place.display().to_string();
    let message = error.message().replace(&format!("{folder}/"), "");
    Error::new(error.kind(), message.replace(&folder, "the folder"))
}

struct Upload {
    place: TempDir,
    file: Option<File>,
    names: HashSet<String>,
    bytes: u64,
}

impl Upload {
    fn take(&mut self, name: String, content: &[u8]) -> Result<()> {
        if !name.is_empty() {
            check_name(&name)?;
            self.file = Some(
                File::create_new(self.place.path().join(&name)).map_err(|error| {
                    match self.names.contains(&name) {
                        true => Error::invalid("file", format!("{name:?} comes twice")),
                        false => error.into(),
                    }
                })?,
            );
            self.names.insert(name);
        }
        let Some(file) = &mut self.file else {
            return Err(Error::invalid(
                "file",
                "is empty in the first piece; the file's name is accepted",
            ));
        };
        self.bytes += content.len() as u64;
        if self.bytes > MAX_UPLOAD_BYTES {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!("the files have more than {MAX_UPLOAD_BYTES} bytes together"),
            ));
        }
        file.write_all(content)?;
        Ok(())
    }
}

fn check_name(name: &str) -> Result<()> {
    let accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.len() > MAX_NAME || name.starts_with('.') || !name.chars().all(accepted) {
        return Err(Error::invalid(
            "file",
            format!(
                "is {name:?}; a name of letters, digits, _ - and . is accepted, at most {MAX_NAME} \
                 bytes, not starting with a dot"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for name in ["cfg.json", "sae_weights.safetensors", "a"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["../a", "a/b", ".hidden", "a\\b", "a\0", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
