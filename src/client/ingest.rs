//! Sending batches over the ingest stream, several in flight, and what becomes of them.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use latentdb_proto::v1::document_service_client::DocumentServiceClient;
use latentdb_proto::v1::{
    BatchError, Chunking, Document, IfExists, IngestRequest, IngestResponse, MadeWith,
};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;

use super::connection::Link;

use crate::error::{Error, Result};

/// Batches that are sent and not answered at a time. The server encodes one while it commits
/// another and a third is on the wire.
const IN_FLIGHT: usize = 6;
/// How long answers are waited for after the caller asked to stop. A server that still encodes has
/// nothing to lose: it gives up what nobody waits for.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// Documents that are written together, with what the caller knows of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<C> {
    /// The documents.
    pub documents: Vec<Document>,
    /// Comes back with a failure, for example where the documents come from.
    pub context: C,
}

/// Where batches go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// The collection.
    pub collection: String,
    /// Name under which batches of an earlier try are recognised; empty: they are not.
    pub stream_id: String,
    /// Have documents set aside that cannot be written, and continue after a batch that was not.
    pub keep_going: bool,
    /// What becomes of documents that exist.
    pub if_exists: IfExists,
    /// Have documents written as they are given, without models.
    pub as_given: bool,
    /// Have texts split into passages.
    pub chunk: Option<Chunking>,
    /// What the documents' vectors and latents were made with, if known.
    pub made_with: Option<MadeWith>,
}

/// What became of all batches.
#[derive(Debug)]
pub struct Outcome<C> {
    /// Documents acknowledged, those of recognised batches not counted.
    pub written: u64,
    /// Passages that those were split into, where they were.
    pub passages: u64,
    /// Documents of batches that an earlier try had written.
    pub recognised: u64,
    /// Documents that exist and were left alone.
    pub existing: u64,
    /// Texts that have more tokens than the encoder reads.
    pub cut_texts: u64,
    /// Documents that the server set aside.
    pub set_aside: u64,
    /// Batches answered.
    pub batches: u64,
    /// Batches that were not written.
    pub failures: Vec<Failure<C>>,
    /// The caller asked to stop.
    pub stopped: bool,
    /// Batches that were sent and not answered when it stopped.
    pub unanswered: usize,
    /// What ended the stream early.
    pub fault: Option<Fault>,
}

/// A batch that was not written.
#[derive(Debug)]
pub struct Failure<C> {
    /// Its number in the stream, from 1.
    pub number: u64,
    /// Its documents.
    pub documents: u64,
    /// Why.
    pub error: BatchError,
    /// What the caller knows of the batch.
    pub context: C,
}

/// What ended a stream early.
#[derive(Debug)]
pub enum Fault {
    /// The source of the batches failed.
    Source(Error),
    /// The call failed.
    Call(Status),
    /// The server ended the stream with so many batches unanswered.
    Unanswered(usize),
    /// The server answered this batch, which was not next.
    OutOfOrder(u64),
}

/// News of a stream.
#[derive(Debug)]
pub enum Event<'e, C> {
    /// So many documents are done.
    Done {
        /// Written now, or found to exist and left alone.
        written: u64,
        /// Written by an earlier try.
        recognised: u64,
    },
    /// A document of a batch was set aside.
    SetAside {
        /// What the caller knows of the batch.
        context: &'e C,
        /// The document's place in it.
        document: usize,
        /// Why.
        error: &'e BatchError,
    },
    /// A batch was not written.
    Failed(&'e mut Failure<C>),
    /// The caller asked to stop; so many batches are still to be answered.
    Stopping(usize),
}

/// What follows a stream; an error ends it.
pub type Watch<'w, C> = dyn FnMut(Event<'_, C>) -> Result<()> + Send + 'w;

/// A batch that is not answered yet.
struct Pending<C> {
    number: u64,
    documents: u64,
    context: C,
}

/// What sending and receiving share.
struct Shared<C> {
    pending: Mutex<VecDeque<Pending<C>>>,
    /// The source's error, which ended the sending.
    fault: Mutex<Option<Error>>,
}

/// Sends all batches and waits for every answer. When `stop` ends, no more are sent, and answers are
/// waited for no longer than [`PATIENCE`].
///
/// # Errors
/// The status of a call that cannot start. What ends it later is the outcome's fault, and what was
/// acknowledged before stays written.
pub async fn send<C: Send + 'static>(
    mut service: DocumentServiceClient<Link>,
    target: Target,
    batches: mpsc::Receiver<Result<Batch<C>>>,
    stop: impl Future<Output = ()>,
    watch: &mut Watch<'_, C>,
) -> Result<Outcome<C>, Status> {
    tokio::pin!(stop);
    let keep_going = target.keep_going;
    let shared = Arc::new(Shared {
        pending: Mutex::default(),
        fault: Mutex::default(),
    });
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let splits = target.chunk.is_some();
    let (end, ended) = oneshot::channel::<()>();
    // Requests end when `end` is dropped, also with the caller. Otherwise a call that is dropped
    // while they wait (for a permit or for the source) would keep its connection open for ever.
    let requests =
        requests(target, batches, Arc::clone(&shared), Arc::clone(&permits)).take_until(ended);
    let mut end = Some(end);
    let mut outcome = Outcome::default();
    let mut responses = tokio::select! {
        result = service.ingest(requests) => result?.into_inner(),
        () = &mut stop => {
            outcome.stopped = true;
            return Ok(outcome);
        }
    };
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    loop {
        let response = tokio::select! {
            response = responses.message() => response,
            () = &mut stop, if !outcome.stopped => {
                outcome.stopped = true;
                drop(end.take());
                patience.as_mut().reset(Instant::now() + PATIENCE);
                let pending = shared.pending.lock().len();
                if let Err(fault) = watch(Event::Stopping(pending)) {
                    outcome.fault = Some(Fault::Source(fault));
                    return Ok(outcome);
                }
                continue;
            }
            () = &mut patience, if outcome.stopped => {
                outcome.unanswered = shared.pending.lock().len();
                return Ok(outcome);
            }
        };
        let response = match response {
            Ok(Some(response)) => response,
            Ok(None) => break,
            Err(status) => {
                outcome.fault = Some(Fault::Call(status));
                return Ok(outcome);
            }
        };
        permits.add_permits(1);
        let pending = shared.pending.lock().pop_front();
        if let Err(fault) = outcome.settle(response, pending, splits, watch) {
            outcome.fault = Some(fault);
            return Ok(outcome);
        }
        if !outcome.failures.is_empty() && !keep_going {
            drop(end.take());
        }
    }
    let unanswered = shared.pending.lock().len();
    outcome.fault = match shared.fault.lock().take() {
        Some(fault) => Some(Fault::Source(fault)),
        None => (unanswered > 0).then_some(Fault::Unanswered(unanswered)),
    };
    Ok(outcome)
}

/// The stream of requests: a batch each, when there is a permit for it.
fn requests<C: Send + 'static>(
    target: Target,
    batches: mpsc::Receiver<Result<Batch<C>>>,
    shared: Arc<Shared<C>>,
    permits: Arc<Semaphore>,
) -> impl Stream<Item = IngestRequest> + Send {
    let (made_with, set_aside) = (target.made_with, target.keep_going);
    let (if_exists, as_given) = (target.if_exists.into(), target.as_given);
    let chunk = target.chunk;
    let first = (target.collection, target.stream_id);
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
                context: batch.context,
            });
            let request = IngestRequest {
                collection,
                documents: batch.documents,
                batch: number,
                stream_id,
                set_aside,
                if_exists,
                as_given,
                chunk,
                made_with,
            };
            // Only the first message names the collection and the stream.
            let next = (String::new(), String::new());
            Some((request, (batches, shared, permits, next, number + 1)))
        }
    })
}

impl<C> Default for Outcome<C> {
    fn default() -> Self {
        Self {
            written: 0,
            passages: 0,
            recognised: 0,
            existing: 0,
            cut_texts: 0,
            set_aside: 0,
            batches: 0,
            failures: Vec::new(),
            stopped: false,
            unanswered: 0,
            fault: None,
        }
    }
}

impl<C> Outcome<C> {
    /// Counts an answer; a fault when it is not that of the batch that is next.
    fn settle(
        &mut self,
        response: IngestResponse,
        pending: Option<Pending<C>>,
        splits: bool,
        watch: &mut Watch<'_, C>,
    ) -> Result<(), Fault> {
        let Some(pending) = pending.filter(|pending| pending.number == response.batch) else {
            return Err(Fault::OutOfOrder(response.batch));
        };
        self.batches += 1;
        for rejected in &response.rejected {
            self.set_aside += 1;
            watch(Event::SetAside {
                context: &pending.context,
                document: rejected.document as usize,
                error: &rejected.error.clone().unwrap_or_default(),
            })
            .map_err(Fault::Source)?;
        }
        if let Some(error) = response.error {
            let mut failure = Failure {
                number: pending.number,
                documents: pending.documents,
                error,
                context: pending.context,
            };
            watch(Event::Failed(&mut failure)).map_err(Fault::Source)?;
            self.failures.push(failure);
        } else if response.duplicate {
            self.recognised += pending.documents;
        } else {
            let existing = response.existing.len() as u64;
            self.existing += existing;
            if splits {
                let left = existing + response.rejected.len() as u64;
                self.written += pending.documents.saturating_sub(left);
                self.passages += response.upserted;
            } else {
                self.written += response.upserted;
            }
            self.cut_texts += response.cut_texts;
        }
        watch(Event::Done {
            written: self.written + self.existing,
            recognised: self.recognised,
        })
        .map_err(Fault::Source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_batches() {
        let mut outcome = Outcome::default();
        let pending = |number| {
            Some(Pending {
                number,
                documents: 5,
                context: (),
            })
        };
        let response = |batch, upserted, duplicate| IngestResponse {
            batch,
            upserted,
            duplicate,
            ..IngestResponse::default()
        };
        let mut settle =
            |response, pending| outcome.settle(response, pending, false, &mut |_| Ok(()));
        settle(response(1, 5, false), pending(1)).unwrap();
        settle(response(2, 0, true), pending(2)).unwrap();
        let fault = settle(response(4, 5, false), pending(3)).unwrap_err();
        assert!(matches!(fault, Fault::OutOfOrder(4)));
        assert!(settle(response(4, 5, false), None).is_err());
        assert_eq!((outcome.written, outcome.recognised), (5, 5));
    }
}
