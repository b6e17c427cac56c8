//! What becomes of batches, in words.

use anyhow::anyhow;
use tokio::sync::mpsc;

use crate::cli::client::Client;
use crate::cli::failure::with_field;
use crate::cli::interrupt::Interrupt;
use crate::cli::text;
use crate::client::ingest::{self, Batch, Event, Failure, Fault, Outcome, Target};
use crate::error::Result;
use crate::records::Position;

/// Sends all batches and waits for every answer; `done` gets the documents done so far.
///
/// # Errors
/// Whatever ended the stream, with what was written before.
pub(in crate::cli) async fn send(
    client: &Client,
    target: Target,
    batches: mpsc::Receiver<Result<Batch<Vec<Position>>>>,
    interrupt: &Interrupt,
    done: &mut (dyn FnMut(u64) + Send),
) -> anyhow::Result<Outcome<Vec<Position>>> {
    let mut watch = |event| match event {
        Event::Done(documents) => done(documents),
        Event::Stopping(sent) => {
            eprintln!("stopping: the server finishes {sent} batches that it was sent");
        }
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
    let written = text::thousands(outcome.written + outcome.recognised);
    Err(fault.context(format!("stopped after {written} documents were written")))
}

/// Why a batch was not written, with the record at fault if the field tells it.
pub(in crate::cli) fn failure(failure: &Failure<Vec<Position>>) -> String {
    let error = &failure.error;
    let at_fault = record_index(&error.field).and_then(|at| failure.context.get(at));
    let place = match (at_fault, failure.context.as_slice()) {
        (Some(position), _) => format!(" at {position}"),
        (None, [first, .., last]) => format!(", {first} to {}", last.number()),
        (None, [only]) => format!(", {only}"),
        (None, []) => String::new(),
    };
    format!(
        "batch {} of {} documents was not written{place}: {}",
        failure.number,
        failure.documents,
        with_field(&error.message, &error.field)
    )
}

/// 12 of `documents[12].vector`.
fn record_index(field: &str) -> Option<usize> {
    let (_, rest) = field.split_once("documents[")?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::BatchError;

    use super::*;

    #[test]
    fn a_failure_names_the_record() {
        let failed = |field: &str| {
            failure(&Failure {
                number: 2,
                documents: 3,
                context: (11..14)
                    .map(|at| Position::line(&"f.jsonl".into(), at))
                    .collect(),
                error: BatchError {
                    code: 3,
                    message: "has 3 values".to_owned(),
                    field: field.to_owned(),
                },
            })
        };
        assert_eq!(
            failed("documents[1].vector"),
            "batch 2 of 3 documents was not written at f.jsonl line 12: has 3 values (field \
             documents[1].vector)"
        );
        assert_eq!(
            failed(""),
            "batch 2 of 3 documents was not written, f.jsonl line 11 to 13: has 3 values"
        );
    }
}
