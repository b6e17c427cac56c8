//! SAEs that clients bring, file by file, into the data directory, and take from it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

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

/// Bytes of a piece that a client takes.
const PIECE: u64 = 1 << 20;

/// The files of an SAE, read as they are asked for.
pub struct Download {
    /// Those not read to their end, the next one last.
    files: Vec<PathBuf>,
    reading: Option<File>,
}

impl Download {
    /// The files of a folder.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let entries = fs::read_dir(folder)?;
        let files = entries.map(|entry| Ok(entry?.path()));
        let mut files = files.collect::<Result<Vec<_>>>()?;
        files.sort_by(|a, b| b.cmp(a));
        Ok(Self {
            files,
            reading: None,
        })
    }

    /// The next piece; `None` at the end. Blocks.
    ///
    /// # Errors
    /// What reading gives.
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        loop {
            let mut name = String::new();
            let file = match self.reading.take() {
                Some(file) => file,
                None => match self.files.pop() {
                    Some(path) => {
                        let file_name = path.file_name().unwrap_or_default();
                        name = file_name.to_string_lossy().into_owned();
                        File::open(path)?
                    }
                    None => return Ok(None),
                },
            };
            let mut content = Vec::new();
            (&file).take(PIECE).read_to_end(&mut content)?;
            if content.is_empty() && name.is_empty() {
                continue;
            }
            self.reading = Some(file);
            return Ok(Some((name, content)));
        }
    }
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
