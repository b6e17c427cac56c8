//! What a commit says of itself in tantivy's manifest: its number, and how far each ingest stream
//! has come, so that a retried batch is recognised, also by the next process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::StreamPosition;
use crate::error::{Error, ErrorKind, Result};

/// Ingest streams that are remembered; the one silent for longest is forgotten first.
const MAX_STREAMS: usize = 1024;
/// A stream that wrote in so many seconds is not forgotten for another: its last batch may come again.
const REMEMBERED_SECONDS: u64 = 300;
/// Longest name of a stream, in bytes: every commit writes all of them.
const MAX_NAME_BYTES: usize = 128;
/// Runs of batches of a stream that were passed over (refused, or never sent) and may still come.
const MAX_GAPS: usize = 64;

/// The payload of a commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CommitPayload {
    /// The commit's number.
    pub sequence: u64,
    /// Texts written so far of which vectors know the beginning alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_texts: u64,
    streams: BTreeMap<String, Stream>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How far a stream has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stream {
    /// The highest batch written.
    last: u64,
    /// The commit it came with.
    sequence: u64,
    /// When it came, seconds since the epoch.
    seconds: u64,
    /// Runs of batches below it that were not written, first to last: one that was refused can be
    /// corrected and sent again under its number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gaps: BTreeMap<u64, u64>,
}

impl Stream {
    /// The run of batches that were not written, in which a batch lies.
    fn gap(&self, batch: u64) -> Option<(u64, u64)> {
        let (&first, &last) = self.gaps.range(..=batch).next_back()?;
        (batch <= last).then_some((first, last))
    }

    fn is_written(&self, batch: u64) -> bool {
        batch <= self.last && self.gap(batch).is_none()
    }

    fn note(&mut self, batch: u64) {
        if let Some((first, last)) = self.gap(batch) {
            self.gaps.remove(&first);
            if first < batch {
                self.gaps.insert(first, batch - 1);
            }
            if batch < last {
                self.gaps.insert(batch + 1, last);
            }
        } else if batch > self.last {
            if self.last + 1 < batch {
                self.gaps.insert(self.last + 1, batch - 1);
            }
            self.last = batch;
        }
    }
}

impl CommitPayload {
    /// Reads a manifest's payload; none is that of an index nothing was written to.
    pub fn parse(payload: Option<&str>) -> Result<Self> {
        match payload {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::corrupted("the commit payload is not readable").with_source(error)
            }),
        }
    }

    /// The commit that a stream had reached, when this batch of it was written already.
    pub fn written(&self, position: &StreamPosition) -> Option<u64> {
        let stream = self.streams.get(&position.stream)?;
        stream.is_written(position.batch).then_some(stream.sequence)
    }

    /// Checks that a batch's stream can be remembered, at a time in seconds since the epoch.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is too long; `ResourceExhausted` for a new stream while as
    /// many as are remembered wrote a moment ago.
    pub fn admit(&self, position: &StreamPosition, seconds: u64) -> Result<()> {
        let name = &position.stream;
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::invalid(
                "stream_id",
                format!(
                    "has {} bytes; at most {MAX_NAME_BYTES} are accepted",
                    name.len()
                ),
            ));
        }
        // Forgetting a gap would take batches for written that are not.
        if let Some(stream) = self.streams.get(name) {
            let mut after = stream.clone();
            after.note(position.batch);
            if after.gaps.len() > MAX_GAPS {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    format!(
                        "batches before this one are missing in {MAX_GAPS} places, which is the \
                         maximum: send them first, or begin another stream"
                    ),
                ));
            }
        }
        let is_recent =
            |stream: &Stream| stream.seconds.saturating_add(REMEMBERED_SECONDS) > seconds;
        if self.streams.len() >= MAX_STREAMS
            && !self.streams.contains_key(name)
            && self.streams.values().all(is_recent)
        {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "{MAX_STREAMS} ingest streams wrote to this collection in the last \
                     {REMEMBERED_SECONDS} seconds, which is the maximum: go on with one of them, or \
                     write without a stream_id"
                ),
            ));
        }
        Ok(())
    }

    /// Notes that a batch comes with commit `sequence`, at a time in seconds since the epoch.
    pub fn note(&mut self, position: StreamPosition, sequence: u64, seconds: u64) {
        let stream = self.streams.entry(position.stream).or_default();
        stream.sequence = sequence;
        stream.seconds = seconds;
        stream.note(position.batch);
        if self.streams.len() > MAX_STREAMS {
            let oldest = self
                .streams
                .iter()
                .min_by_key(|(_, stream)| stream.sequence);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.streams.remove(&name);
            }
        }
    }

    /// Counts texts of which vectors know the beginning alone.
    pub fn count_cut(&mut self, texts: u64) {
        self.cut_texts = self.cut_texts.saturating_add(texts);
    }

    /// Takes over the streams and the counts of an older generation, and a number above both.
    pub fn adopt(&mut self, older: &CommitPayload) {
        self.sequence = self.sequence.max(older.sequence);
        self.cut_texts = older.cut_texts;
        self.streams.clone_from(&older.streams);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(batch: u64) -> StreamPosition {
        StreamPosition {
            stream: "s".into(),
            batch,
        }
    }

    #[test]
    fn a_batch_counts_as_written_when_it_was() {
        let mut payload = CommitPayload::default();
        let bare = serde_json::to_string(&payload).unwrap();
        assert_eq!(bare, r#"{"sequence":0,"streams":{}}"#);
        payload.count_cut(3);
        assert_eq!(payload.written(&at(1)), None);
        payload.note(at(1), 7, 0);
        payload.note(at(4), 8, 0);
        let seen: Vec<bool> = (1..6)
            .map(|batch| payload.written(&at(batch)).is_some())
            .collect();
        assert_eq!(seen, [true, false, false, true, false]);
        payload.note(at(2), 9, 0);
        assert_eq!(payload.written(&at(2)), Some(9));
        assert_eq!(payload.written(&at(3)), None);
        let text = serde_json::to_string(&payload).unwrap();
        assert_eq!(CommitPayload::parse(Some(&text)).unwrap(), payload);
    }

    #[test]
    fn gaps_and_streams_are_bounded() {
        let mut payload = CommitPayload::default();
        payload.note(at(u64::MAX - 1), 1, 0);
        assert_eq!(payload.streams["s"].gaps.len(), 1);
        for batch in (2..).step_by(2).take(MAX_GAPS - 1) {
            payload.admit(&at(batch), 0).unwrap();
            payload.note(at(batch), 1, 0);
        }
        assert_eq!(payload.streams["s"].gaps.len(), MAX_GAPS);
        let error = payload.admit(&at(1000), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        payload.admit(&at(1), 0).unwrap();
        assert_eq!(payload.written(&at(3)), None, "no gap is forgotten");
        for number in 0..2 * MAX_STREAMS as u64 {
            let stream = number.to_string();
            payload.note(StreamPosition { stream, batch: 1 }, 2 + number, number);
        }
        assert_eq!(payload.streams.len(), MAX_STREAMS);
        let longest = "n".repeat(MAX_NAME_BYTES);
        for number in 0..MAX_STREAMS {
            let stream = format!("{number}{}", &longest[4..]);
            payload.note(StreamPosition { stream, batch: 1 }, u64::MAX, 5000);
        }
        let bytes = serde_json::to_string(&payload).unwrap().len();
        assert!(bytes < 300 << 10, "every commit writes it: {bytes} bytes");
    }

    #[test]
    fn a_stream_that_wrote_a_moment_ago_is_not_forgotten_for_a_new_one() {
        let mut payload = CommitPayload::default();
        let named = |name: &str| StreamPosition {
            stream: name.to_owned(),
            batch: 1,
        };
        for number in 0..MAX_STREAMS {
            payload.note(named(&number.to_string()), 1, 1000);
        }
        let now = 1000 + REMEMBERED_SECONDS;
        payload.admit(&named("7"), now - 1).unwrap();
        let error = payload.admit(&named("new"), now - 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        payload.admit(&named("new"), now).unwrap();
        let error = payload.admit(&named(&"n".repeat(129)), now).unwrap_err();
        assert_eq!(error.field(), Some("stream_id"));
    }
}
