//! How large an answer gets: what would not fit a message is refused before it is made.

use latentdb_index::{Codes, Value};

use super::ReadDocument;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the documents of one answer; a message takes 64 MiB with what goes with them.
pub(crate) const MAX_ANSWER_BYTES: usize = 48 << 20;
/// Bytes of a scroll that are read ahead of its client; a document that is larger is read alone.
pub(crate) const MAX_READ_AHEAD: usize = 8 << 20;

/// Bytes of the documents of an answer so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AnswerSize(usize);

impl AnswerSize {
    /// Counts a document in.
    ///
    /// # Errors
    /// `ResourceExhausted` where the answer gets larger than [`MAX_ANSWER_BYTES`].
    pub fn add(&mut self, document: &ReadDocument) -> Result<()> {
        self.add_bytes(bytes(document))
    }

    /// Counts in what another answer has.
    pub fn join(&mut self, other: Self) -> Result<()> {
        self.add_bytes(other.0)
    }

    /// Whether it would be larger than `most` with another document; the first is always taken.
    pub fn is_full(self, document: &ReadDocument, most: usize) -> bool {
        self.0 > 0 && self.0 + bytes(document) > most
    }

    /// Counts in so many bytes.
    pub fn add_bytes(&mut self, bytes: usize) -> Result<()> {
        self.0 = self.0.saturating_add(bytes);
        if self.0 > MAX_ANSWER_BYTES {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "the answer is larger than the {} MiB that one message takes: ask for fewer \
                     documents, or for less of each (projection); Scroll reads any number",
                    MAX_ANSWER_BYTES >> 20
                ),
            ));
        }
        Ok(())
    }
}

/// Bytes of a document as a message has it, roughly.
fn bytes(read: &ReadDocument) -> usize {
    let document = &read.document;
    let attributes = document.attributes.iter();
    let attributes = attributes.map(|(name, value)| 8 + name.len() + value_bytes(value));
    let codes = read.codes.iter().map(|own| &own.codes);
    let codes = document.codes.iter().chain(codes).map(code_bytes);
    64 + document.id.len()
        + document.text.as_ref().map_or(0, String::len)
        + document
            .vector
            .as_ref()
            .map_or(0, |vector| 4 * vector.len())
        + attributes.sum::<usize>()
        + codes.sum::<usize>()
}

pub(super) fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => 4 + text.len(),
        Value::List(values) => values.iter().map(value_bytes).sum(),
        _ => 12,
    }
}

fn code_bytes(codes: &Codes) -> usize {
    8 * codes.latents.len() + 12 * codes.positions.len()
}

#[cfg(test)]
mod tests {
    use latentdb_index::Document;

    use super::*;

    fn of_text(bytes: usize) -> ReadDocument {
        ReadDocument {
            document: Document {
                text: Some("a".repeat(bytes)),
                ..Document::default()
            },
            ..ReadDocument::default()
        }
    }

    #[test]
    fn an_answer_that_fits_no_message_is_refused() {
        let mut size = AnswerSize::default();
        let large = of_text(16 << 20);
        assert!(!size.is_full(&large, MAX_READ_AHEAD), "the first is taken");
        size.add(&large).unwrap();
        assert!(size.is_full(&of_text(1), MAX_READ_AHEAD));
        size.add(&large).unwrap();
        let refused = size.add(&large).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted);
        assert!(refused.message().contains("48 MiB"), "{refused}");
    }
}
