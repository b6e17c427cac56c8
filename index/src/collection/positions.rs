//! What a commit says of itself in tantivy's manifest: its number, and how far each ingest stream
//! has come, so that a retried batch is recognised, also by the next process.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::operation::StreamPosition;
use crate::error::{Error, Result};

/// Ingest streams that are remembered; the one silent for longest is forgotten first.
const MAX_STREAMS: usize = 1024;
/// Batches of a stream that were passed over (refused, or never sent) and may still come.
const MAX_GAPS: usize = 1024;

/// The payload of a commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CommitPayload {
    /// The commit's number.
    pub sequence: u64,
    streams: BTreeMap<String, Stream>,
}

/// How far a stream has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stream {
    /// The highest batch written.
    last: u64,
    /// The commit it came with.
    sequence: u64,
    /// Batches below it that were not written: one that was refused can be corrected and sent
    /// again under its number.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    gaps: BTreeSet<u64>,
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
        let written = position.batch <= stream.last && !stream.gaps.contains(&position.batch);
        written.then_some(stream.sequence)
    }

    /// Notes that a batch comes with commit `sequence`.
    pub fn note(&mut self, position: StreamPosition, sequence: u64) {
        let batch = position.batch;
        let stream = self.streams.entry(position.stream).or_default();
        stream.sequence = sequence;
        if !stream.gaps.remove(&batch) && batch > stream.last {
            let passed = (stream.last + 1).max(batch.saturating_sub(MAX_GAPS as u64))..batch;
            stream.gaps.extend(passed);
            while stream.gaps.len() > MAX_GAPS {
                stream.gaps.pop_first();
            }
            stream.last = batch;
        }
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

    /// Takes over the streams of an older generation, and a number above both.
    pub fn adopt(&mut self, older: &CommitPayload) {
        self.sequence = self.sequence.max(older.sequence);
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
        assert_eq!(payload.written(&at(1)), None);
        payload.note(at(1), 7);
        payload.note(at(4), 8);
        let seen: Vec<bool> = (1..6)
            .map(|batch| payload.written(&at(batch)).is_some())
            .collect();
        assert_eq!(seen, [true, false, false, true, false]);
        payload.note(at(2), 9);
        assert_eq!(payload.written(&at(2)), Some(9));
        assert_eq!(payload.written(&at(3)), None);
        let text = serde_json::to_string(&payload).unwrap();
        assert_eq!(CommitPayload::parse(Some(&text)).unwrap(), payload);
    }

    #[test]
    fn gaps_and_streams_are_bounded() {
        let mut payload = CommitPayload::default();
        payload.note(at(u64::MAX - 1), 1);
        assert_eq!(payload.streams["s"].gaps.len(), MAX_GAPS);
        for number in 0..2 * MAX_STREAMS as u64 {
            let stream = number.to_string();
            payload.note(StreamPosition { stream, batch: 1 }, 2 + number);
        }
        assert_eq!(payload.streams.len(), MAX_STREAMS);
    }
}
