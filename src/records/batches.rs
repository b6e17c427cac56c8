//! Records in batches of documents, as they are written together.

use super::document::{Converter, Document, Rows};
use super::mapping::Mapping;
use super::{Position, Record, Records};
use crate::error::{ErrorKind, Result};

/// A batch is closed when it passes this, however few documents it has: far below the 64 MiB of a
/// message.
const BATCH_BYTES: usize = 16 << 20;

/// Documents that are written together, and where each comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The documents.
    pub documents: Vec<Document>,
    /// The place of each in its file.
    pub positions: Vec<Position>,
}

/// What the reading of batches tells.
pub trait Sink {
    /// Takes the next batch, or the error that ends the reading; false when nobody takes more.
    fn take(&mut self, batch: Result<Batch>) -> bool;

    /// Passes a warning on.
    fn warn(&mut self, message: String);
}

/// How records become batches.
#[derive(Debug, Default)]
pub struct Batching {
    /// What of a record goes where.
    pub mapping: Mapping,
    /// Ready vectors, a row for each record.
    pub rows: Option<Rows>,
    /// Documents may have no text.
    pub no_text: bool,
    /// Documents of a batch.
    pub size: usize,
    /// Skip records that cannot be read.
    pub keep_going: bool,
}

impl Batching {
    /// Reads all records into batches; returns how many were skipped. Ends early when the sink takes
    /// no more.
    pub fn read(self, records: Records, sink: &mut dyn Sink) -> u64 {
        let mut reader = Reader {
            batching: self,
            converter: None,
            batch: Batch::default(),
            bytes: 0,
            skipped: 0,
        };
        let mut fault = None;
        for record in records {
            match reader.take(record, sink) {
                Ok(full) => {
                    if full && !sink.take(Ok(reader.close())) {
                        return reader.skipped;
                    }
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        // Under a stream's name a batch is known by its number: one that a fault cut short would be
        // taken for the whole one later.
        if fault.is_none() && !reader.batch.documents.is_empty() && !sink.take(Ok(reader.close())) {
            return reader.skipped;
        }
        let fault = fault.or_else(|| reader.converter.as_ref()?.finish().err());
        if let Some(fault) = fault {
            // Nobody listens after a failed batch, which is then the error that is told.
            sink.take(Err(fault));
        } else if let Some(converter) = &reader.converter {
            for field in converter.unseen() {
                sink.warn(format!("no record has the field {field:?} of --attribute"));
            }
        }
        reader.skipped
    }
}

/// Records on their way into batches.
struct Reader {
    batching: Batching,
    /// Made with the first record, which settles what the mapping leaves open.
    converter: Option<Converter>,
    batch: Batch,
    bytes: usize,
    skipped: u64,
}

impl Reader {
    /// Adds a record to the batch; true when the batch is full.
    fn take(&mut self, record: Result<Record>, sink: &mut dyn Sink) -> Result<bool> {
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let mapping = std::mem::take(&mut self.batching.mapping);
                let first = record.as_ref().ok();
                let rows = self.batching.rows.take();
                let converter = Converter::new(mapping, rows, first);
                if let Some(first) = first.filter(|_| !self.batching.no_text) {
                    converter.check_content(first)?;
                }
                none.insert(converter)
            }
        };
        let is_read = record.is_ok();
        let document = record.and_then(|record| {
            let document = converter.document(&record)?;
            Ok((document, record.position().clone()))
        });
        match document {
            Ok((document, position)) => {
                self.bytes += document.bytes();
                self.batch.documents.push(document);
                self.batch.positions.push(position);
            }
            Err(error)
                if self.batching.keep_going && error.kind() == ErrorKind::InvalidArgument =>
            {
                if !is_read {
                    converter.skip();
                }
                self.skipped += 1;
                sink.warn(format!("passed over: {}", error.message()));
            }
            Err(error) => return Err(error),
        }
        Ok(self.batch.documents.len() >= self.batching.size || self.bytes >= BATCH_BYTES)
    }

    fn close(&mut self) -> Batch {
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Error;

    #[derive(Default)]
    struct Taken {
        sizes: Vec<usize>,
        fault: Option<String>,
        warnings: usize,
    }

    impl Sink for Taken {
        fn take(&mut self, batch: Result<Batch>) -> bool {
            match batch {
                Ok(batch) => self.sizes.push(batch.documents.len()),
                Err(error) => self.fault = Some(error.to_string()),
            }
            true
        }

        fn warn(&mut self, _: String) {
            self.warnings += 1;
        }
    }

    fn source(broken: u64, text: usize) -> Records {
        Box::new((0..5).map(move |number| {
            if number == broken {
                return Err(Error::invalid("", "is broken"));
            }
            let fields = vec![("text".to_owned(), json!("x".repeat(text)))];
            Ok(Record::new(fields, Position::line(&"f".into(), number + 1)))
        }))
    }

    fn read(keep_going: bool, records: Records) -> (Taken, u64) {
        let mut taken = Taken::default();
        let batching = Batching {
            size: 2,
            keep_going,
            ..Batching::default()
        };
        let skipped = batching.read(records, &mut taken);
        (taken, skipped)
    }

    #[test]
    fn a_batch_is_closed_by_number_or_size() {
        assert_eq!(read(false, source(9, 1)).0.sizes, [2, 2, 1]);
        assert_eq!(read(false, source(9, BATCH_BYTES)).0.sizes, [1; 5]);
    }

    #[test]
    fn a_fault_leaves_no_short_batch() {
        let (taken, skipped) = read(false, source(3, 1));
        assert_eq!((taken.sizes, skipped), (vec![2], 0));
        assert!(taken.fault.unwrap().contains("is broken"));
        let (taken, skipped) = read(true, source(3, 1));
        assert_eq!((taken.sizes, taken.warnings, skipped), (vec![2, 2], 1, 1));
        assert_eq!(taken.fault, None);
    }
}
