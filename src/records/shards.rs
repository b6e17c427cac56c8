//! One of N workers that share the records of a file.
//!
//! Records are dealt in chunks of [`CHUNK`] that follow one another: chunk c goes to worker
//! c mod N, which makes a part of it. A part exists whole or not at all, under the number of its
//! chunk; a worker that was killed makes the missing parts, with the same N or another.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::parts::{self, About, Computed};
use super::{Record, Records};
use crate::error::{Error, Result};

/// Records of a part: enough that batches of like length can be made of them, few enough that
/// little is lost with a worker.
pub const CHUNK: u64 = 512;

/// One of several workers, written `I/N`.
///
/// ```
/// use latentdb::records::shards::Shard;
///
/// assert!("0/3".parse::<Shard>().is_ok());
/// assert!("3/3".parse::<Shard>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, count)| {
            let shard = Self {
                index: index.parse().ok()?,
                count: count.parse().ok()?,
            };
            (shard.index < shard.count).then_some(shard)
        });
        parsed.ok_or_else(|| "accepted is I/N with I from 0 to N - 1, for example 0/3".to_owned())
    }
}

impl Shard {
    fn has(self, chunk: u64) -> bool {
        chunk % self.count == self.index
    }
}

/// Vectors and latents of several records, one each, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Vectors, if any are made.
    pub vectors: Option<Vec<Vec<f32>>>,
    /// Latents, ascending, if any are made.
    pub latents: Option<Vec<Vec<(u32, f32)>>>,
}

/// The parts that a worker makes.
#[derive(Debug)]
pub struct ShardWriter {
    folder: PathBuf,
    about: About,
    missing: BTreeSet<u64>,
    /// Parts of the shard.
    pub parts: usize,
    /// Parts that existed before.
    pub resumed_parts: usize,
    /// Records of the shard.
    pub records: u64,
    /// Records that are in parts by now.
    pub done: u64,
}

impl ShardWriter {
    /// Finds the parts of `shard` that do not yet exist in `folder`, which is created.
    ///
    /// # Errors
    /// `FailedPrecondition` for a part of another run, `InvalidArgument` for a file that is not a part.
    pub fn open(folder: &Path, shard: Shard, about: About) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut writer = Self {
            folder: folder.to_owned(),
            missing: BTreeSet::new(),
            parts: 0,
            resumed_parts: 0,
            records: 0,
            done: 0,
            about,
        };
        for chunk in (0..writer.about.chunks()).filter(|&chunk| shard.has(chunk)) {
            let records = writer
                .about
                .chunk
                .min(writer.about.records - chunk * writer.about.chunk);
            writer.parts += 1;
            writer.records += records;
            let path = parts::part_path(folder, chunk);
            match parts::about_part(&path)? {
                None => {
                    writer.missing.insert(chunk);
                }
                Some(found) if found == writer.about => {
                    writer.resumed_parts += 1;
                    writer.done += records;
                }
                Some(_) => {
                    return Err(Error::precondition(format!(
                        "{} is a part of another run: its records, text, model or SAE differ; name \
                         another folder, or remove the parts",
                        path.display()
                    )));
                }
            }
        }
        Ok(writer)
    }

    /// What all parts have in common.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Makes the missing parts of the records of the whole source, each by one call of `make`.
    ///
    /// # Errors
    /// `FailedPrecondition` if there are fewer records than were counted; those of `make`.
    pub fn write(
        &mut self,
        source: Records,
        make: &mut dyn FnMut(&[Record]) -> Result<Batch>,
    ) -> Result<()> {
        let mut rows: Vec<(u64, Record)> = Vec::new();
        let size = self.about.chunk;
        for (number, record) in (0..).zip(source) {
            let chunk = number / size;
            if self.missing.is_empty() {
                break;
            }
            if !self.missing.contains(&chunk) {
                continue;
            }
            rows.push((number, record?));
            if number % size == size - 1 || number == self.about.records - 1 {
                self.part(chunk, std::mem::take(&mut rows), make)?;
            }
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(Error::precondition(
            "the file has fewer records than when they were counted; nobody may write to it \
             meanwhile",
        ))
    }

    fn part(
        &mut self,
        chunk: u64,
        rows: Vec<(u64, Record)>,
        make: &mut dyn FnMut(&[Record]) -> Result<Batch>,
    ) -> Result<()> {
        let (numbers, records): (Vec<u64>, Vec<Record>) = rows.into_iter().unzip();
        let batch = make(&records)?;
        let mut vectors = batch.vectors.map(Vec::into_iter);
        let mut latents = batch.latents.map(Vec::into_iter);
        let rows: Vec<(Record, Computed)> = records
            .into_iter()
            .zip(numbers)
            .map(|(record, number)| {
                let computed = Computed {
                    number,
                    vector: vectors.as_mut().and_then(Iterator::next),
                    latents: latents.as_mut().and_then(Iterator::next),
                };
                (record, computed)
            })
            .collect();
        parts::write_part(&self.folder, chunk, &self.about, &rows)?;
        self.missing.remove(&chunk);
        self.done += rows.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::Position;
    use crate::records::parts::Parts;

    #[test]
    fn shards_share_all_chunks() {
        let shards: Vec<Shard> = ["0/3", "1/3", "2/3"]
            .map(|text| text.parse().unwrap())
            .into();
        for chunk in 0..20 {
            let takers = shards.iter().filter(|shard| shard.has(chunk)).count();
            assert_eq!(takers, 1);
        }
        for text in ["", "1", "3/3", "-1/3", "0/0", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text:?}");
        }
    }

    fn source(records: u64) -> Records {
        Box::new((0..records).map(|number| {
            let fields = vec![("n".to_owned(), json!(number))];
            Ok(Record::new(fields, Position::line(&"f".into(), number + 1)))
        }))
    }

    #[test]
    fn a_stopped_worker_makes_the_missing_parts() {
        let folder = tempfile::tempdir().unwrap();
        let about = About {
            records: 9,
            chunk: 2,
            made: json!({"model": "m"}),
        };
        let open = |shard: &str, about: &About| {
            ShardWriter::open(folder.path(), shard.parse().unwrap(), about.clone())
        };
        let make = |records: &[Record]| -> Result<Batch> {
            let number = |record: &Record| record.get("n").unwrap().as_f64().unwrap() as f32;
            Ok(Batch {
                vectors: Some(records.iter().map(|record| vec![number(record)]).collect()),
                latents: None,
            })
        };
        let mut first = open("0/2", &about).unwrap();
        let mut calls = 0;
        let mut stopped = first.write(source(9), &mut |records| {
            calls += 1;
            match calls {
                2 => Err(Error::cancelled()),
                _ => make(records),
            }
        });
        assert!(stopped.is_err() && first.done == 2);
        let mut first = open("0/2", &about).unwrap();
        assert_eq!((first.parts, first.resumed_parts, first.records), (3, 1, 5));
        first.write(source(9), &mut { make }).unwrap();
        assert_eq!(first.done, 5);
        stopped = open("1/2", &about).unwrap().write(source(5), &mut { make });
        let message = stopped.unwrap_err().to_string();
        assert!(message.contains("fewer records"), "{message}");
        open("1/2", &about)
            .unwrap()
            .write(source(9), &mut { make })
            .unwrap();
        let read = Parts::open(folder.path()).unwrap().records();
        for (number, record) in read.enumerate() {
            let computed = record.unwrap().computed().unwrap().clone();
            assert_eq!(computed.vector, Some(vec![number as f32]));
        }
        let other = About {
            made: json!({"model": "other"}),
            ..about
        };
        let message = open("0/2", &other).unwrap_err().to_string();
        assert!(message.contains("another run"), "{message}");
    }
}
