//! Records in batches of documents, as they are written together.

use std::sync::Arc;

use super::document::{Converter, Document, Rows};
use super::mapping::Mapping;
use super::rejects::Rejected;
use super::{Position, Record, Records, Unread};
use crate::error::{Error, ErrorKind, Result};

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
    /// The record of each under its number, where bad ones are set aside.
    pub records: Vec<(u64, Record)>,
}

/// What the reading of batches tells.
pub trait Sink {
    /// Takes the next batch, or the error that ends the reading; false when nobody takes more.
    fn take(&mut self, batch: Result<Batch>) -> bool;

    /// Takes a record that cannot be read.
    ///
    /// # Errors
    /// Those that end the reading.
    fn set_aside(&mut self, rejected: Rejected) -> Result<()>;

    /// Passes a remark on.
    fn tell(&mut self, message: String);
}

/// How records become batches.
#[derive(Debug, Default)]
pub struct Batching {
    /// What of a record goes where.
    pub mapping: Mapping,
    /// Ready vectors, a row for each record.
    pub rows: Option<Rows>,
    /// Documents get no text.
    pub no_text: bool,
    /// Documents of a batch.
    pub size: usize,
    /// Set aside records that cannot be read.
    pub keep_going: bool,
    /// Whether some record is known to have every field of the mapping. Else the records of the
    /// first batch must have them.
    pub checked: bool,
}

impl Batching {
    /// Reads all records into batches; ends early when the sink takes no more.
    pub fn read(self, records: Records, sink: &mut dyn Sink) {
        let Self {
            mapping,
            rows,
            no_text,
            ..
        } = self;
        let mut reader = Reader {
            converter: Converter::new(mapping, rows, no_text),
            size: self.size,
            keep_going: self.keep_going,
            checked: self.checked,
            is_first: true,
            batch: Batch::default(),
            bytes: 0,
        };
        let mut fault = None;
        for record in records {
            match reader.take(record, sink) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        // Under a stream's name a batch is known by its number: one that a fault cut short would be
        // taken for the whole one later.
        if fault.is_none() && !reader.batch.documents.is_empty() {
            match reader.close(sink) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => fault = Some(error),
            }
        }
        if let Some(fault) = fault.or_else(|| reader.converter.finish().err()) {
            // Nobody listens after a failed batch, which is then the error that is told.
            sink.take(Err(fault));
        }
    }
}

/// Records on their way into batches.
struct Reader {
    converter: Converter,
    size: usize,
    keep_going: bool,
    checked: bool,
    is_first: bool,
    batch: Batch,
    bytes: usize,
}

impl Reader {
    /// Adds a record to the batch, which is passed on when it is full; false when nobody takes more.
    fn take(&mut self, record: Result<Record, Unread>, sink: &mut dyn Sink) -> Result<bool> {
        let record = match record {
            Ok(record) => record,
            Err(unread) => {
                let rejected = Rejected {
                    reason: unread.error.message().to_owned(),
                    number: self.converter.skip(),
                    fields: unread.fields,
                    text: unread.text,
                    times: Arc::default(),
                };
                return self.set_aside(unread.error, rejected, sink);
            }
        };
        self.converter.settle(&record)?;
        let number = self.converter.number(&record);
        let document = match self.converter.document(&record) {
            Ok(document) => document,
            Err(error) => {
                let rejected = Rejected::new(record, number, error.message().to_owned());
                return self.set_aside(error, rejected, sink);
            }
        };
        self.bytes += document.bytes();
        self.batch.documents.push(document);
        self.batch.positions.push(record.position().clone());
        if self.keep_going {
            self.batch.records.push((number, record));
        }
        if self.batch.documents.len() >= self.size || self.bytes >= BATCH_BYTES {
            return self.close(sink);
        }
        Ok(true)
    }

    fn set_aside(&self, error: Error, rejected: Rejected, sink: &mut dyn Sink) -> Result<bool> {
        if !self.keep_going || error.kind() != ErrorKind::InvalidArgument {
            return Err(error);
        }
        sink.set_aside(rejected)?;
        Ok(true)
    }

    /// Passes the batch on; false when nobody takes more.
    fn close(&mut self, sink: &mut dyn Sink) -> Result<bool> {
        if std::mem::take(&mut self.is_first) {
            if !self.checked {
                self.converter.check_seen()?;
            }
            for name in self.converter.dates() {
                sink.tell(format!(
                    "the attribute {name:?} holds dates as strings; --attribute {name}:timestamp \
                     takes them as points in time, and {name}:string says that they are text"
                ));
            }
        }
        for (name, what) in self.converter.newly_left_out() {
            sink.tell(format!(
                "the field {name:?} is {what}, which no attribute holds: it is left out"
            ));
        }
        self.bytes = 0;
        Ok(sink.take(Ok(std::mem::take(&mut self.batch))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Taken {
        sizes: Vec<usize>,
        ids: Vec<String>,
        fault: Option<String>,
        rejected: Vec<Rejected>,
        told: Vec<String>,
    }

    impl Sink for Taken {
        fn take(&mut self, batch: Result<Batch>) -> bool {
            match batch {
                Ok(batch) => {
                    self.sizes.push(batch.documents.len());
                    self.ids
                        .extend(batch.documents.into_iter().map(|own| own.id));
                }
                Err(error) => self.fault = Some(error.to_string()),
            }
            true
        }

        fn set_aside(&mut self, rejected: Rejected) -> Result<()> {
            self.rejected.push(rejected);
            Ok(())
        }

        fn tell(&mut self, message: String) {
            self.told.push(message);
        }
    }

    fn source(broken: u64, text: usize) -> Records {
        Box::new((0..5).map(move |number| {
            if number == broken {
                return Err(Error::new(ErrorKind::InvalidArgument, "is broken").into());
            }
            let mut fields = vec![("text".to_owned(), json!("x".repeat(text)))];
            if number == 4 {
                fields.push(("rare".to_owned(), json!("2025-03-01")));
            }
            Ok(Record::new(fields, Position::line(&"f".into(), number + 1)))
        }))
    }

    fn read(keep_going: bool, records: Records) -> Taken {
        let batching = Batching {
            size: 2,
            keep_going,
            ..Batching::default()
        };
        read_by(batching, records)
    }

    fn read_by(batching: Batching, records: Records) -> Taken {
        let mut taken = Taken::default();
        batching.read(records, &mut taken);
        taken
    }

    #[test]
    fn a_batch_is_closed_by_number_or_size() {
        assert_eq!(read(false, source(9, 1)).sizes, [2, 2, 1]);
        assert_eq!(read(false, source(9, BATCH_BYTES)).sizes, [1; 5]);
    }

    #[test]
    fn a_fault_leaves_no_short_batch() {
        let taken = read(false, source(3, 1));
        assert_eq!(taken.sizes, [2]);
        assert!(taken.fault.unwrap().contains("is broken"));
    }

    #[test]
    fn a_bad_record_is_set_aside_alone_and_the_others_keep_their_numbers() {
        for (broken, ids) in [(3, ["0", "1", "2", "4"]), (0, ["1", "2", "3", "4"])] {
            let taken = read(true, source(broken, 1));
            assert_eq!(taken.sizes, [2, 2]);
            assert_eq!(taken.ids, ids);
            assert_eq!(taken.fault, None);
            let [rejected] = &taken.rejected[..] else {
                panic!("{:?}", taken.rejected);
            };
            assert_eq!((rejected.number, &*rejected.reason), (broken, "is broken"));
        }
    }

    #[test]
    fn a_field_that_no_record_has_is_refused_before_anything_is_written() {
        let batching = |field: &str, checked| {
            let mut mapping = Mapping::default();
            mapping.add_attribute(field).unwrap();
            Batching {
                mapping,
                size: 2,
                checked,
                ..Batching::default()
            }
        };
        let taken = read_by(batching("tets", false), source(9, 1));
        assert!(
            taken
                .fault
                .unwrap()
                .contains("the field \"tets\"; there are text")
        );
        assert!(taken.sizes.is_empty());
        // One that only later records have is no fault where all were looked at.
        let taken = read_by(batching("rare", true), source(9, 1));
        assert_eq!((taken.fault, taken.sizes.len()), (None, 3));
        let taken = read_by(batching("text", false), source(9, 1));
        assert_eq!((taken.fault, taken.sizes.len()), (None, 3));
    }

    #[test]
    fn dates_as_strings_are_told() {
        let fields = vec![("day".to_owned(), json!("2025-03-01"))];
        let record = Record::new(fields, Position::line(&"f".into(), 1));
        let batching = Batching {
            mapping: Mapping {
                all_attributes: true,
                ..Mapping::default()
            },
            no_text: true,
            size: 2,
            ..Batching::default()
        };
        let taken = read_by(batching, Box::new([Ok(record)].into_iter()));
        assert!(taken.told[0].contains("day:timestamp"), "{:?}", taken.told);
    }

    #[test]
    fn values_that_no_attribute_holds_are_told_or_refused() {
        let record = |at| {
            let record = Record::new(Vec::new(), Position::row(&"f".into(), at));
            Ok(record.with_formless(vec![("image".to_owned(), "raw bytes")]))
        };
        let mapping = |attribute: Option<&str>| {
            let mut mapping = Mapping::default();
            let added = mapping.add_attribute(attribute.unwrap_or("*"));
            added.unwrap();
            mapping
        };
        let read = |attribute| {
            let batching = Batching {
                mapping: mapping(attribute),
                no_text: true,
                size: 2,
                ..Batching::default()
            };
            read_by(batching, Box::new((1..6).map(record)))
        };
        let all = read(None);
        assert_eq!(all.told.len(), 1, "{:?}", all.told);
        assert!(
            all.told[0].contains("\"image\" is raw bytes"),
            "{:?}",
            all.told
        );
        let named = read(Some("image")).fault.unwrap();
        assert!(
            named.contains("f row 1, field \"image\": is raw bytes"),
            "{named}"
        );
    }
}
