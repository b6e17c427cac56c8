//! Partial output of an encode run: rows that a later run of the same kind resumes from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Source;
use super::parts::Parts;
use super::template::Template;
use super::vectors::VectorWriter;
use crate::error::{Error, Result};
use crate::reading::Reading;
use crate::whole_file::with_suffix;

/// Rows that are copied to the output at a time.
const COPY_ROWS: u64 = 1024;

/// What vectors and latents are made of and with. A run that differs in any of it does not resume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The file of records.
    pub source: String,
    /// Its size; 0 for standard input.
    pub source_bytes: u64,
    /// What makes a text of a record.
    pub template: String,
    /// What makes rows of a text.
    pub reading: Reading,
    /// SHA-256 of the SAE that makes latents of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sae: Option<String>,
}

impl Run {
    /// A run over a source.
    pub fn new(source: &Source, template: String, reading: Reading) -> Self {
        Self {
            source: source.to_string(),
            source_bytes: match source {
                Source::Path(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
                Source::Stdin => 0,
            },
            template,
            reading,
            sae: None,
        }
    }

    /// The run that made the parts of a folder.
    ///
    /// # Errors
    /// `Corrupted` if the parts do not say.
    pub fn of_parts(parts: &Parts) -> Result<Self> {
        serde_json::from_value(parts.about().made.clone()).map_err(|error| {
            Error::corrupted("the parts do not say what they were made with").with_source(error)
        })
    }

    /// The template of the texts that were encoded.
    ///
    /// # Errors
    /// `FailedPrecondition` if another one is `asked` for.
    pub fn template(&self, asked: Option<Template>) -> Result<Template> {
        match asked {
            Some(asked) if asked.to_string() != self.template => Err(Error::precondition(format!(
                "the parts were made of the text {:?}; leave --text out, or recompute them",
                self.template
            ))),
            Some(asked) => Ok(asked),
            None => self.template.parse(),
        }
    }
}

/// How far the work is: whole records and their rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Records that are complete.
    pub records: u64,
    /// Their rows.
    pub rows: u64,
}

/// The rows so far: little-endian f32, row-major, in `OUT.partial`; `OUT.partial.json` says of which
/// [`Run`] and [`Place`] they are.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    about: PathBuf,
    run: Run,
    width: usize,
    place: Place,
    /// Rows of the chunk under way.
    pending: u64,
    /// Whether a later run can resume.
    is_kept: bool,
}

impl Partial {
    /// Resumes from the rows next to `out` if they are of the same run. `is_kept` says whether a
    /// later run can resume; not for standard input, which comes only once.
    ///
    /// # Errors
    /// `Internal` where the files cannot be written.
    pub fn open(out: &Path, run: Run, width: usize, is_kept: bool) -> Result<Self> {
        let path = with_suffix(out, ".partial");
        let about = with_suffix(out, ".partial.json");
        let known = fs::read(&about)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<(Run, Place)>(&bytes).ok());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| {
                Error::internal(format!("cannot write {}", path.display())).with_source(error)
            })?;
        let row_bytes = width as u64 * 4;
        let held = file.metadata()?.len() / row_bytes;
        let place = match known {
            Some((known, place)) if is_kept && known == run && place.rows <= held => place,
            _ => Place::default(),
        };
        // Rows after the last note are made again.
        file.set_len(place.rows * row_bytes)?;
        file.seek(SeekFrom::End(0))?;
        let partial = Self {
            file,
            path,
            about,
            run,
            width,
            place,
            pending: 0,
            is_kept,
        };
        partial.write_note()?;
        Ok(partial)
    }

    /// How far the work is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether a later run can resume.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Adds rows of the chunk under way, as [`row_bytes`] gives them.
    ///
    /// # Errors
    /// `Internal` where the file cannot be written; the same of the others.
    pub fn append(&mut self, rows: &[u8]) -> Result<()> {
        self.file.write_all(rows)?;
        self.pending += (rows.len() / (self.width * 4)) as u64;
        Ok(())
    }

    /// Notes that the rows of `records` more records are complete.
    ///
    /// # Errors
    /// See [`append`](Self::append).
    pub fn note(&mut self, records: usize) -> Result<()> {
        self.place.records += records as u64;
        self.place.rows += std::mem::take(&mut self.pending);
        self.write_note()
    }

    fn write_note(&self) -> Result<()> {
        let note = serde_json::to_vec(&(&self.run, &self.place))
            .map_err(|error| Error::internal("a note is not JSON").with_source(error))?;
        let next = with_suffix(&self.about, ".next");
        fs::write(&next, note)?;
        fs::rename(&next, &self.about)?;
        Ok(())
    }

    /// Leaves what a later run can use.
    ///
    /// # Errors
    /// See [`append`](Self::append).
    pub fn keep(&self) -> Result<()> {
        if self.is_kept {
            self.file.sync_all()?;
            return Ok(());
        }
        self.remove()
    }

    fn remove(&self) -> Result<()> {
        fs::remove_file(&self.path)?;
        fs::remove_file(&self.about)?;
        Ok(())
    }

    /// Writes the rows out as safetensors and removes the partial file.
    ///
    /// # Errors
    /// See [`append`](Self::append).
    pub fn finish(mut self, out: &Path, metadata: BTreeMap<String, String>) -> Result<()> {
        let mut writer = VectorWriter::create(out, self.width, metadata)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&self.file);
        let mut left = self.place.rows;
        let mut bytes = Vec::new();
        while left > 0 {
            let rows = left.min(COPY_ROWS);
            left -= rows;
            bytes.resize(rows as usize * self.width * 4, 0);
            reader.read_exact(&mut bytes)?;
            let (values, _) = bytes.as_chunks::<4>();
            let values: Vec<f32> = values.iter().map(|raw| f32::from_le_bytes(*raw)).collect();
            writer.write_rows(&values)?;
        }
        writer.finish()?;
        self.remove()
    }
}

/// Rows as a partial file holds them.
pub fn row_bytes(rows: &[f32]) -> Vec<u8> {
    rows.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::PooledReading;
    use crate::records::vectors::VectorFile;

    fn run(template: &str) -> Run {
        Run {
            source: "f.jsonl".to_owned(),
            source_bytes: 10,
            template: template.to_owned(),
            reading: Reading::Pooled(PooledReading::default()),
            sae: None,
        }
    }

    #[test]
    fn a_stopped_run_goes_on_after_its_last_whole_chunk() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("s.safetensors");
        let mut partial = Partial::open(&out, run("{a}"), 2, true).unwrap();
        partial.append(&row_bytes(&[1.0, 2.0, 3.0, 4.0])).unwrap();
        partial.note(3).unwrap();
        // A chunk that was not finished is made again, also where it broke off within a row.
        partial.append(&row_bytes(&[9.0, 9.0])).unwrap();
        partial.file.write_all(&[0; 5]).unwrap();
        drop(partial);
        let mut partial = Partial::open(&out, run("{a}"), 2, true).unwrap();
        let place = Place {
            records: 3,
            rows: 2,
        };
        assert_eq!(partial.place(), place);
        partial.append(&row_bytes(&[5.0, 6.0])).unwrap();
        partial.note(1).unwrap();
        let metadata: BTreeMap<_, _> = [("k".to_owned(), "v".to_owned())].into();
        partial.finish(&out, metadata.clone()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = VectorFile::open(&out, None).unwrap();
        let mut values = Vec::new();
        file.read_rows(0..3, &mut values).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(file.metadata().unwrap(), metadata);

        let mut partial = Partial::open(&out, run("{a}"), 2, true).unwrap();
        partial.append(&row_bytes(&[1.0, 2.0])).unwrap();
        partial.note(1).unwrap();
        drop(partial);
        let other = Partial::open(&out, run("{b}"), 2, true).unwrap();
        assert_eq!(other.place(), Place::default());
    }

    #[test]
    fn what_cannot_be_gone_on_with_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("s.safetensors");
        let mut partial = Partial::open(&out, run("{a}"), 2, false).unwrap();
        partial.append(&row_bytes(&[1.0, 2.0])).unwrap();
        partial.note(1).unwrap();
        partial.keep().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
