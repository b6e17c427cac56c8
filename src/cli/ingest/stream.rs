//! Sending batches over the ingest stream, several in flight, and what becomes of them.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use futures::{Stream, StreamExt as _};
use latentdb_proto::v1::{BatchError, Document, IngestRequest, IngestResponse, MadeWith};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::cli::client::Client;
use crate::cli::failure::with_field;
use crate::cli::interrupt::Interrupt;
use crate::cli::text;
use crate::records::Position;

/// Batches that are sent and not answered at a time. The server encodes one while it commits
/// another and a third is on the wire.
const IN_FLIGHT: usize = 6;

/// Documents that are written together.
pub(crate) struct Batch {
    pub(crate) documents: Vec<Document>,
    /// Where the documents come from, one place each; empty where they have none.
    pub(crate) positions: Vec<Position>,
}

/// Where batches go.
pub(crate) struct Target<'a> {
    pub(crate) client: &'a Client,
    pub(crate) collection: String,
    /// Name under which batches of an earlier try are recognised; empty: they are not.
    pub(crate) stream_id: String,
    /// Go on after a batch that was not written.
    pub(crate) keep_going: bool,
    /// What the documents' vectors and latents were made with, where that is known.
    pub(crate) made_with: Option<MadeWith>,
}

/// What became of all batches.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Documents acknowledged, those of recognised batches not counted.
    pub(crate) written: u64,
    /// Documents of batches that an earlier try had written.
    pub(crate) recognised: u64,
    /// Batches answered.
    pub(crate) batches: u64,
    /// Why batches were not written, with the place of their documents.
    pub(crate) failures: Vec<String>,
    /// The user asked to stop; what was sent by then is answered.
    pub(crate) stopped: bool,
}

/// A batch that is not answered yet.
struct Pending {
    number: u64,
    documents: u64,
    positions: Vec<Position>,
}

/// What sending and receiving share.
#[derive(Default)]
struct Shared {
    pending: Mutex<VecDeque<Pending>>,
    /// The reader's error, which ended the sending.
    fault: Mutex<Option<crate::error::Error>>,
}

/// Sends all batches and waits for every answer; `acknowledged` gets the documents done so far.
///
/// # Errors
/// The reader's, and those of the stream itself. What was acknowledged before stays written.
pub(crate) async fn send(
    target: Target<'_>,
    batches: mpsc::Receiver<crate::error::Result<Batch>>,
    interrupt: &Interrupt,
    acknowledged: &mut (dyn FnMut(u64) + Send),
) -> anyhow::Result<Outcome> {
    let shared = Arc::new(Shared::default());
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let (stop, stopped) = oneshot::channel::<()>();
    // Requests end when `stop` is dropped, also with the caller. Otherwise a call that is dropped
    // while they wait (for a permit or for the reader) would keep its connection open for ever.
    let requests =
        requests(&target, batches, Arc::clone(&shared), Arc::clone(&permits)).take_until(stopped);
    let mut stop = Some(stop);
    let mut outcome = Outcome::default();
    let mut documents = target.client.documents();
    let mut responses = tokio::select! {
        result = documents.ingest(requests) => result?.into_inner(),
        () = interrupt.asked() => {
            outcome.stopped = true;
            return Ok(outcome);
        }
    };
    loop {
        let response = tokio::select! {
            response = responses.message() => response,
            () = interrupt.asked(), if !outcome.stopped => {
                outcome.stopped = true;
                drop(stop.take());
                let sent = shared.pending.lock().len();
                eprintln!("stopping: the server finishes {sent} batches that it was sent");
                continue;
            }
        };
        let response = response.with_context(|| lost(&outcome))?;
        let Some(response) = response else {
            break;
        };
        permits.add_permits(1);
        let pending = shared.pending.lock().pop_front();
        settle(&mut outcome, &response, pending)?;
        acknowledged(outcome.written + outcome.recognised);
        if !outcome.failures.is_empty() && !target.keep_going {
            drop(stop.take());
        }
    }
    if let Some(fault) = shared.fault.lock().take() {
        return Err(anyhow::Error::from(fault).context(lost(&outcome)));
    }
    let unanswered = shared.pending.lock().len();
    if unanswered > 0 {
        return Err(
            anyhow!("the server ended the stream with {unanswered} batches unanswered")
                .context(lost(&outcome)),
        );
    }
    Ok(outcome)
}

/// What an error leaves behind.
fn lost(outcome: &Outcome) -> String {
    let done = outcome.written + outcome.recognised;
    format!(
        "stopped after {} documents were written",
        text::thousands(done)
    )
}

/// The stream of requests: a batch each, when there is a permit for it.
fn requests(
    target: &Target<'_>,
    batches: mpsc::Receiver<crate::error::Result<Batch>>,
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
) -> impl Stream<Item = IngestRequest> + Send + use<> {
    let first = (target.collection.clone(), target.stream_id.clone());
    let made_with = target.made_with.clone();
    let state = (batches, shared, permits, first, 1);
    futures::stream::unfold(state, move |state| {
        let made_with = made_with.clone();
        async move {
            let (mut batches, shared, permits, (collection, stream_id), number) = state;
            permits.acquire().await.ok()?.forget();
            let batch = match batches.recv().await? {
                Ok(batch) => batch,
                Err(fault) => {
                    *shared.fault.lock() = Some(fault);
                    return None;
                }
            };
            shared.pending.lock().push_back(Pending {
                number,
                documents: batch.documents.len() as u64,
                positions: batch.positions,
            });
            let request = IngestRequest {
                collection,
                documents: batch.documents,
                batch: number,
                stream_id,
                made_with,
            };
            // Only the first message names the collection and the stream.
            let next = (String::new(), String::new());
            Some((request, (batches, shared, permits, next, number + 1)))
        }
    })
}

fn settle(
    outcome: &mut Outcome,
    response: &IngestResponse,
    pending: Option<Pending>,
) -> anyhow::Result<()> {
    let pending = pending
        .filter(|pending| pending.number == response.batch)
        .ok_or_else(|| {
            anyhow!(
                "the server answered batch {}, which is not next",
                response.batch
            )
        })?;
    outcome.batches += 1;
    match &response.error {
        Some(error) => outcome.failures.push(failure(error, &pending)),
        None if response.duplicate => outcome.recognised += pending.documents,
        None => outcome.written += response.upserted,
    }
    Ok(())
}

/// Why a batch was not written, with the record at fault where the field tells it.
fn failure(error: &BatchError, pending: &Pending) -> String {
    let at_fault = record_index(&error.field).and_then(|at| pending.positions.get(at));
    let place = match (at_fault, pending.positions.as_slice()) {
        (Some(position), _) => format!(" at {position}"),
        (None, [first, .., last]) => format!(", {first} to {}", last.number()),
        (None, [only]) => format!(", {only}"),
        (None, []) => String::new(),
    };
    format!(
        "batch {} of {} documents was not written{place}: {}",
        pending.number,
        pending.documents,
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
    use super::*;

    #[test]
    fn a_failure_names_the_record() {
        let source: Arc<str> = "f.jsonl".into();
        let pending = Pending {
            number: 2,
            documents: 3,
            positions: (11..14).map(|at| Position::line(&source, at)).collect(),
        };
        let error = |field: &str| BatchError {
            code: 3,
            message: "has 3 values".to_owned(),
            field: field.to_owned(),
        };
        assert_eq!(
            failure(&error("documents[1].vector"), &pending),
            "batch 2 of 3 documents was not written at f.jsonl line 12: has 3 values (field \
             documents[1].vector)"
        );
        assert_eq!(
            failure(&error(""), &pending),
            "batch 2 of 3 documents was not written, f.jsonl line 11 to 13: has 3 values"
        );
    }

    #[test]
    fn answers_come_in_the_order_of_batches() {
        let mut outcome = Outcome::default();
        let pending = |number| {
            Some(Pending {
                number,
                documents: 5,
                positions: Vec::new(),
            })
        };
        let response = |batch, upserted, duplicate| IngestResponse {
            batch,
            upserted,
            duplicate,
            ..IngestResponse::default()
        };
        settle(&mut outcome, &response(1, 5, false), pending(1)).unwrap();
        settle(&mut outcome, &response(2, 0, true), pending(2)).unwrap();
        assert_eq!((outcome.written, outcome.recognised), (5, 5));
        assert!(settle(&mut outcome, &response(4, 5, false), pending(3)).is_err());
        assert!(settle(&mut outcome, &response(4, 5, false), None).is_err());
    }
}
