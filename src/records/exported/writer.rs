//! Writing the files of an export.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use latentdb_index::Document;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::columns::Columns;
use super::manifest::FileEntry;
use super::{RECORDS, Shape, documents, row};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::records::Format;
use crate::records::record::ordered;
use crate::whole_file::WholeFile;

/// Documents of a batch of columns.
const BATCH: usize = 1024;
/// Rows of a group: what is held in memory of a Parquet file on its way.
const GROUP: usize = 16 * 1024;

/// A file on its way whose checksum is known when it is whole.
struct Summed {
    file: WholeFile,
    sum: Sha256,
    bytes: u64,
}

impl Summed {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: WholeFile::create(path)?,
            sum: Sha256::new(),
            bytes: 0,
        })
    }

    fn finish(self, name: &str, rows: u64) -> Result<FileEntry> {
        self.file.finish()?;
        Ok(FileEntry {
            file: name.to_owned(),
            rows,
            bytes: self.bytes,
            sha256: hex(self.sum.finalize()),
        })
    }
}

impl io::Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes documents.
pub struct DocumentWriter {
    path: PathBuf,
    shape: Shape,
    rows: u64,
    target: Target,
}

enum Target {
    Lines(Summed),
    /// What columns there are is known after the last document: until then they are lines.
    Columns {
        spool: BufWriter<NamedTempFile>,
        columns: Columns,
    },
}

impl DocumentWriter {
    /// Begins the file of documents in a folder, in JSON Lines or Parquet.
    ///
    /// # Errors
    /// `InvalidArgument` for another format; `Internal` where the folder cannot be written.
    pub fn create(folder: &Path, format: Format, shape: Shape) -> Result<Self> {
        let path = folder.join(format!("documents.{format}"));
        let target = match format {
            Format::JsonLines => Target::Lines(Summed::create(&path)?),
            Format::Parquet => {
                let mut builder = tempfile::Builder::new();
                let spool = builder
                    .prefix(".latentdb-")
                    .suffix(".jsonl")
                    .tempfile_in(folder)?;
                Target::Columns {
                    spool: BufWriter::with_capacity(1 << 18, spool),
                    columns: Columns::default(),
                }
            }
            other => {
                return Err(Error::invalid(
                    "format",
                    format!("is {other}; jsonl and parquet are accepted"),
                ));
            }
        };
        Ok(Self {
            path,
            shape,
            rows: 0,
            target,
        })
    }

    /// Writes a document.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&mut self, document: &Document) -> Result<()> {
        let line = ordered(&row::encode(document, &self.shape)?)?;
        match &mut self.target {
            Target::Lines(file) => writeln!(file, "{line}")?,
            Target::Columns { spool, columns } => {
                columns.fit(document);
                writeln!(spool, "{line}")?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Makes the file whole. Blocks: columns are written now.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn finish(self) -> Result<FileEntry> {
        let name = self.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        match self.target {
            Target::Lines(file) => file.finish(&name, self.rows),
            Target::Columns { spool, columns } => {
                let spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
                let file = Summed::create(&self.path)?;
                let file = write_columns(spool.path(), &columns, &self.shape.saes, file)?;
                file.finish(&name, self.rows)
            }
        }
    }
}

fn write_columns(spool: &Path, columns: &Columns, saes: &[String], file: Summed) -> Result<Summed> {
    let fault = |error: ParquetError| {
        Error::internal("cannot write the Parquet file of an export").with_source(error)
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let schema = columns.batch(&[], saes)?.schema();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(fault)?;
    let mut batch = Vec::with_capacity(BATCH);
    for document in documents(spool, saes.to_vec())? {
        batch.push(document?);
        if batch.len() == BATCH {
            writer.write(&columns.batch(&batch, saes)?).map_err(fault)?;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        writer.write(&columns.batch(&batch, saes)?).map_err(fault)?;
    }
    writer.into_inner().map_err(fault)
}

/// Writes records, a line each.
pub struct RecordWriter {
    file: Summed,
    rows: u64,
}

impl RecordWriter {
    /// Begins the file of records in a folder.
    ///
    /// # Errors
    /// `Internal` where the folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        Ok(Self {
            file: Summed::create(&folder.join(RECORDS))?,
            rows: 0,
        })
    }

    /// Writes a record, which is JSON on one line.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&mut self, record: &str) -> Result<()> {
        writeln!(self.file, "{record}")?;
        self.rows += 1;
        Ok(())
    }

    /// Makes the file whole.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn finish(self) -> Result<FileEntry> {
        self.file.finish(RECORDS, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use latentdb_index::{Activation, Codes, LatentPosition, Value};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn saes() -> Vec<String> {
        vec![String::new(), "second".to_owned()]
    }

    fn shape() -> Shape {
        Shape {
            saes: saes(),
            vectors: true,
        }
    }

    fn scalar(random: &mut StdRng, kind: usize) -> Value {
        match kind {
            0 => Value::String(
                ["", "a", "2025-03-01", "\u{1f600} \"\\\n"][random.random_range(0..4)].into(),
            ),
            1 => Value::Integer([i64::MIN, i64::MAX, 0, 3][random.random_range(0..4)]),
            2 => Value::Float(match random.random_range(0..4) {
                0 => [-0.0, 3.0, 5e-324, 1e300][random.random_range(0..4)],
                _ => f64::from_bits(random.random::<u64>() >> 2),
            }),
            3 => Value::Boolean(random.random()),
            _ => Value::Timestamp(
                [0, -1, 1_740_787_200_123_456, i64::MAX / 1000][random.random_range(0..4)],
            ),
        }
    }

    fn activations(random: &mut StdRng) -> Vec<Activation> {
        let latents = (0..40)
            .filter(|_| random.random_bool(0.1))
            .collect::<Vec<u32>>();
        latents
            .into_iter()
            .map(|latent| Activation {
                latent,
                activation: half::f16::from_bits(random.random_range(1..0x7bff)).to_f32(),
            })
            .collect()
    }

    /// Attributes of one kind each, lists, one of all kinds, and those with the names of parts.
    fn document(random: &mut StdRng, at: usize) -> Document {
        let mut document = Document::new(format!("d {at}/\u{e9}"));
        document.text = match random.random_range(0..3) {
            0 => None,
            1 => Some(String::new()),
            _ => Some("words,\n\"quoted\" \u{1f600}".into()),
        };
        for kind in 0..5 {
            let mut put = |name: String, value| {
                if random.random_bool(0.7) {
                    document.attributes.insert(name, value);
                }
            };
            let mut source = StdRng::seed_from_u64((at * 5 + kind) as u64);
            put(format!("scalar{kind}"), scalar(&mut source, kind));
            let length = source.random_range(0..3);
            let list = (0..length).map(|_| scalar(&mut source, kind)).collect();
            put(format!("list.{kind}"), Value::List(list));
            put("empty".into(), Value::List(Vec::new()));
            let any = source.random_range(0..5);
            put("mixed".into(), scalar(&mut source, any));
            put(
                ["id", "text", "vector", "latents", "_latentdb_codes"][kind].into(),
                Value::Integer(7),
            );
        }
        if random.random_bool(0.8) {
            let value = |_| f32::from_bits(random.random::<u32>() & 0xbfff_ffff | 0x0080_0000);
            document.vector = Some((0..6).map(value).collect());
        }
        document.codes_mut(0).latents = activations(random);
        let latents = activations(random);
        let positions = latents.iter().map(|entry| LatentPosition {
            latent: entry.latent,
            token: 3,
            start: 1,
            end: 9,
        });
        let positions = positions.collect();
        *document.codes_mut(1) = Codes { latents, positions };
        document
    }

    /// Documents with trailing empty codes left out.
    fn trimmed(mut document: Document) -> Document {
        while document.codes.last() == Some(&Codes::default()) {
            document.codes.pop();
        }
        document
    }

    #[test]
    fn documents_come_back_to_the_bit_in_both_formats() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(1);
        let all: Vec<Document> = (0..3000).map(|at| document(&mut random, at)).collect();
        for format in [Format::JsonLines, Format::Parquet] {
            let mut writer = DocumentWriter::create(folder.path(), format, shape()).unwrap();
            all.iter().for_each(|own| writer.write(own).unwrap());
            let entry = writer.finish().unwrap();
            let path = folder.path().join(&entry.file);
            assert_eq!(entry.rows, 3000);
            assert_eq!(entry.bytes, std::fs::metadata(&path).unwrap().len());
            let read = documents(&path, saes()).unwrap();
            for (read, own) in read.zip(&all) {
                // As text, so that -0 is not 0.
                let read = format!("{:?}", trimmed(read.unwrap()));
                assert_eq!(read, format!("{:?}", trimmed(own.clone())), "{format}");
            }
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "temporary files are gone");
    }

    #[test]
    fn an_empty_collection_has_files_too() {
        let folder = tempfile::tempdir().unwrap();
        for format in [Format::JsonLines, Format::Parquet] {
            let writer = DocumentWriter::create(folder.path(), format, shape()).unwrap();
            let entry = writer.finish().unwrap();
            let path = folder.path().join(entry.file);
            assert_eq!(documents(&path, saes()).unwrap().count(), 0);
        }
        assert!(DocumentWriter::create(folder.path(), Format::Csv, shape()).is_err());
    }
}
