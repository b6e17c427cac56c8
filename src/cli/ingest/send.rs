//! What becomes of batches, in words.

use anyhow::anyhow;
use latentdb_proto::v1::BatchError;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::cli::client::Client;
use crate::cli::interrupt::Interrupt;
use crate::cli::text;
use crate::client::ingest::{self, Batch, Event, Failure, Fault, Outcome, Target};
use crate::error::Result;
use crate::records::rejects::{Rejected, Rejects};
use crate::records::{Position, Record};

/// Where the documents of a batch come from.
#[derive(Debug, Default)]
pub(in crate::cli) struct Origin {
    /// The place of each.
    pub(super) positions: Vec<Position>,
    /// The record of each under its number, where bad ones are set aside.
    pub(super) records: Vec<(u64, Record)>,
}

/// Sends all batches and waits for every answer; `done` gets the documents written so far, now and
/// before. What is not written is added to `rejects`.
///
/// # Errors
/// Whatever ended the stream, with what was written before.
pub(in crate::cli) async fn send(
    client: &Client,
    target: Target,
    batches: mpsc::Receiver<Result<Batch<Origin>>>,
    interrupt: &Interrupt,
    rejects: Option<&Mutex<Rejects>>,
    done: &mut (dyn FnMut(u64, u64) + Send),
) -> anyhow::Result<Outcome<Origin>> {
    let reject = |(number, record): (u64, Record), error: &BatchError| {
        let reason = format!("{}: {}", record.position(), error.message);
        match rejects {
            Some(rejects) => rejects.lock().add(Rejected::new(record, number, reason)),
            None => Ok(()),
        }
    };
    let mut watch = |event: Event<'_, Origin>| {
        match event {
            Event::Done {
                written,
                recognised,
            } => done(written, recognised),
            Event::SetAside {
                context,
                document,
                error,
            } => {
                if let Some(origin) = context.records.get(document) {
                    reject(origin.clone(), error)?;
                }
            }
            Event::Failed(failure) => {
                for origin in std::mem::take(&mut failure.context.records) {
                    reject(origin, &failure.error)?;
                }
            }
            Event::Stopping(sent) => {
                eprintln!(
                    "stopping: {} that the server was sent may still be written",
                    text::counted(sent as u64, "batch")
                );
            }
        }
        Ok(())
    };
    let service = client.documents();
    let mut outcome = ingest::send(service, target, batches, interrupt.asked(), &mut watch).await?;
    let Some(fault) = outcome.fault.take() else {
        return Ok(outcome);
    };
    let fault = match fault {
        Fault::Source(error) => error.into(),
        Fault::Call(status) => status.into(),
        Fault::Unanswered(batches) => {
            anyhow!("the server ended the stream with {batches} batches unanswered")
        }
        Fault::OutOfOrder(batch) => anyhow!("the server answered batch {batch}, which is not next"),
    };
    let documents = outcome.written + outcome.recognised;
    let were = if documents == 1 { "was" } else { "were" };
    let written = text::counted(documents, "document");
    Err(fault.context(format!("stopped after {written} {were} written")))
}

/// Why a batch was not written, with the record at fault if the field tells it.
pub(in crate::cli) fn failure(failure: &Failure<Origin>) -> String {
    let error = &failure.error;
    let positions = failure.context.positions.as_slice();
    let at_fault = record_index(&error.field).and_then(|at| positions.get(at));
    let place = match (at_fault, positions) {
        (Some(position), _) => format!(" at {position}"),
        (None, [first, .., last]) => format!(", {}", first.to(last)),
        (None, [only]) => format!(", {only}"),
        (None, []) => String::new(),
    };
    format!(
        "batch {} of {} was not written{place}: {}",
        failure.number,
        text::counted(failure.documents, "document"),
        error.message
    )
}

/// 12 of `documents[12].vector`.
fn record_index(field: &str) -> Option<usize> {
    let (_, rest) = field.split_once("documents[")?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::sentence;

    #[test]
    fn a_failure_names_the_record() {
        let lines = || (11..14).map(|at| Position::line(&"f.jsonl".into(), at));
        let failed_of = |field: &str, positions: Vec<Position>| {
            failure(&Failure {
                number: 2,
                documents: 3,
                context: Origin {
                    positions,
                    records: Vec::new(),
                },
                error: BatchError {
                    code: 3,
                    message: sentence(field, "has 3 values"),
                    field: field.to_owned(),
                },
            })
        };
        let failed = |field: &str| failed_of(field, lines().collect());
        assert_eq!(
            failed("documents[1].vector"),
            "batch 2 of 3 documents was not written at f.jsonl line 12: documents[1].vector has 3 \
             values"
        );
        assert_eq!(
            failed(""),
            "batch 2 of 3 documents was not written, f.jsonl line 11 to 13: has 3 values"
        );
        // A batch of parts ends in another file than it begins.
        let next = Position::row(&"part-1".into(), 1);
        let positions = lines().take(2).chain([next]).collect();
        assert_eq!(
            failed_of("", positions),
            "batch 2 of 3 documents was not written, f.jsonl line 11 to part-1 row 1: has 3 values"
        );
    }
}
