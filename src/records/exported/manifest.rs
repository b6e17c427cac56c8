//! The manifest of an export.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::whole_file;

/// Its file.
const FILE: &str = "manifest.json";
/// What it says that it is.
const FORMAT: &str = "latentdb-export";
/// The version of the files that this program writes and reads.
const VERSION: u32 = 1;
/// Bytes of a file that are summed at a time.
const CHUNK: usize = 1 << 20;

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    /// The collection's name.
    pub collection: String,
    /// When it was made, RFC 3339.
    pub exported: String,
    /// The collection's definition, as the server gives it.
    pub definition: Json,
    /// The file of documents.
    pub documents: FileEntry,
    /// The file of records.
    pub records: FileEntry,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub file: String,
    /// Its lines or rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of files that are whole.
    pub fn new(
        collection: String,
        exported: String,
        definition: Json,
        documents: FileEntry,
        records: FileEntry,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            collection,
            exported,
            definition,
            documents,
            records,
        }
    }

    /// Writes it to a folder, which is an export from then on.
    ///
    /// # Errors
    /// `Internal` where the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::internal("a manifest").with_source(error))?;
        text.push('\n');
        whole_file::write(&folder.join(FILE), text.as_bytes())
    }

    /// Takes the manifest of a folder away, if any: its files are about to be replaced.
    ///
    /// # Errors
    /// `Internal` where it cannot be removed.
    pub fn remove(folder: &Path) -> Result<()> {
        match fs::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// `NotFound` where there is none; `FailedPrecondition` for one of another version;
    /// `Corrupted` for one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(format!(
                "{} holds no {FILE}: it is no export, or one that was not finished",
                folder.display()
            )),
            _ => error.into(),
        })?;
        let unreadable =
            |what: &str| Error::new(ErrorKind::Corrupted, format!("{} {what}", path.display()));
        let json: Json = serde_json::from_str(&text)
            .map_err(|error| unreadable("cannot be read").with_source(error))?;
        if json["format"] != FORMAT {
            return Err(Error::invalid(
                "folder",
                format!("{} is not the manifest of an export", path.display()),
            ));
        }
        if json["version"] != VERSION {
            return Err(Error::precondition(format!(
                "{} is of version {} of exports, and this program reads version {VERSION}: import \
                 it with the version of latentdb that wrote it, or a later one",
                path.display(),
                json["version"]
            )));
        }
        serde_json::from_value(json)
            .map_err(|error| unreadable("is not as an export writes it").with_source(error))
    }

    /// Compares the files of a folder with what the manifest says of them.
    ///
    /// # Errors
    /// `Corrupted` naming a file that is missing, of another length or with other bytes.
    pub fn check_files(&self, folder: &Path) -> Result<()> {
        self.documents.check(folder)?;
        self.records.check(folder)
    }
}

impl FileEntry {
    fn check(&self, folder: &Path) -> Result<()> {
        // The manifest may come from anywhere, and names files of its folder only.
        if Path::new(&self.file).file_name() != Some(self.file.as_ref()) {
            return Err(Error::invalid(
                "manifest",
                format!("names {:?}, which is no file of its folder", self.file),
            ));
        }
        let path = folder.join(&self.file);
        let damaged = |what: String| {
            Error::new(
                ErrorKind::Corrupted,
                format!("{} {what}; export the collection again", path.display()),
            )
        };
        let mut file = File::open(&path)
            .map_err(|error| damaged("cannot be opened".to_owned()).with_source(error))?;
        let bytes = file.metadata()?.len();
        if bytes != self.bytes {
            return Err(damaged(format!(
                "is damaged: it has {bytes} bytes, and the manifest says {}",
                self.bytes
            )));
        }
        let mut sum = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            sum.update(&buffer[..read]);
        }
        if hex(sum.finalize()) != self.sha256 {
            return Err(damaged(
                "is damaged: its checksum is not that of the manifest".to_owned(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> Manifest {
        let entry = |file: &str, content: &str| {
            fs::write(folder.join(file), content).unwrap();
            FileEntry {
                file: file.to_owned(),
                rows: 1,
                bytes: content.len() as u64,
                sha256: hex(Sha256::digest(content)),
            }
        };
        let files = (entry("documents.jsonl", "{}\n"), entry("records.jsonl", ""));
        let definition = serde_json::json!({"dimension": 3});
        let manifest = Manifest::new("c".into(), "now".into(), definition, files.0, files.1);
        manifest.write(folder).unwrap();
        manifest
    }

    #[test]
    fn damage_another_version_and_another_folder_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        let missing = Manifest::read(folder).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let manifest = written(folder);
        assert_eq!(Manifest::read(folder).unwrap(), manifest);
        manifest.check_files(folder).unwrap();
        for content in ["{]\n", "{}\n{}\n"] {
            fs::write(folder.join("documents.jsonl"), content).unwrap();
            let error = manifest.check_files(folder).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted);
            assert!(
                error.message().contains("documents.jsonl is damaged"),
                "{error}"
            );
        }
        fs::remove_file(folder.join("documents.jsonl")).unwrap();
        let error = manifest.check_files(folder).unwrap_err();
        assert!(error.message().contains("cannot be opened"), "{error}");
        let mut outside = manifest.clone();
        outside.documents.file = "../x".into();
        assert!(outside.check_files(folder).is_err());

        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        let error = Manifest::read(folder).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        assert!(error.message().contains("of version 2"), "{error}");
        fs::write(&path, text.replace(FORMAT, "other")).unwrap();
        assert!(Manifest::read(folder).is_err());
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert_eq!(
            Manifest::read(folder).unwrap_err().kind(),
            ErrorKind::Corrupted
        );
        Manifest::remove(folder).unwrap();
        Manifest::remove(folder).unwrap();
    }
}
