//! DocumentService.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use latentdb_index::{StreamPosition, Update, Written};
use latentdb_proto::v1;
use latentdb_proto::v1::document_service_server::DocumentService;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use super::access::{carried, check_collection};
use super::address::{address, changed};
use super::calls::calls;
use super::paths::without_places;
use super::status::{MAX_FIELD_BYTES, MAX_MESSAGE_BYTES, code, required, shortened, status};
use super::streams::{AnswerSender, Answers, MESSAGE_BYTES, answers, cut};
use super::types::{
    attributes, codes, codes_of, count_or, document, documents, expected_versions, filter,
    if_exists, made_with, projection, set, wire_document,
};
use crate::encoder::Chunking;
use crate::error::{Error, Result, Within as _};
use crate::service::{
    Batch, Documents, IfExists, Ingested, MAX_BATCH, MatchingChange, Projection, SaeCodes,
    WriteOrder,
};

/// Batches of one ingest stream that are worked on at once. The next is read when one is done.
const BATCHES_IN_FLIGHT: usize = 4;

/// Serves documents.
#[derive(Clone)]
pub(super) struct DocumentAdapter {
    pub documents: Arc<Documents>,
    /// How long an ingest stream may send nothing.
    pub idle: Duration,
    /// Whether the server stops: streams answer what they have, and end.
    pub stopping: watch::Receiver<bool>,
}

calls! {
    DocumentService of DocumentAdapter {
        upsert(v1::UpsertRequest) -> v1::WriteResponse;
        update(v1::UpdateRequest) -> v1::WriteResponse;
        delete(v1::DeleteRequest) -> v1::WriteResponse;
        get(v1::GetRequest) -> v1::GetResponse;
    }
    streams {
        ingest(Streaming<v1::IngestRequest>) -> IngestStream = v1::IngestResponse;
        scroll(v1::ScrollRequest) -> ScrollStream = v1::ScrollResponse;
    }
}

impl DocumentAdapter {
    async fn upsert(&self, mut wire: v1::UpsertRequest) -> Result<v1::WriteResponse> {
        let batch = Batch {
            codes: codes_of(&mut wire.documents),
            documents: documents(wire.documents)?,
            made_with: made_with(wire.made_with),
            chunk: wire.chunk.map(chunking),
            if_exists: if_exists(wire.if_exists)?,
            expected: expected_versions(wire.expected_versions)?,
            ..Batch::default()
        };
        let collection = changed(wire.collection)?;
        Ok(completed(self.documents.ingest(&collection, batch).await?))
    }

    async fn ingest(
        &self,
        batches: Streaming<v1::IngestRequest>,
    ) -> Result<Answers<v1::IngestResponse>> {
        let api = self.clone();
        let ingest = |send| async move { api.run_ingest(batches, &send).await };
        Ok(answers(1, ingest))
    }

    async fn update(&self, wire: v1::UpdateRequest) -> Result<v1::WriteResponse> {
        let expected = expected_versions(wire.expected_versions)?;
        if let Some(change) = wire.matching {
            if !wire.updates.is_empty() {
                let message = "is given with updates; one of them is accepted";
                return Err(Error::invalid("matching", message));
            }
            let change = matching(change).within("matching")?;
            let collection = changed(wire.collection)?;
            let written = self
                .documents
                .update_matching(&collection, change, expected);
            return Ok(answer(written.await?));
        }
        let updates = wire.updates.into_iter().enumerate();
        let updates = updates.map(|(at, one)| update(one).within(&format!("updates[{at}]")));
        let updates = updates.collect::<Result<_>>()?;
        let made_with = made_with(wire.made_with);
        let collection = changed(wire.collection)?;
        let written = self
            .documents
            .update(&collection, updates, made_with, expected);
        Ok(completed(written.await?))
    }

    async fn delete(&self, wire: v1::DeleteRequest) -> Result<v1::WriteResponse> {
        if wire.filter.is_some() && !wire.ids.is_empty() {
            let message = "is given with ids; one of them is accepted";
            return Err(Error::invalid("filter", message));
        }
        let collection = changed(wire.collection)?;
        let expected = expected_versions(wire.expected_versions)?;
        let written = match wire.filter {
            Some(described) => {
                let described = filter(Some(described))?;
                let ignore = wire.ignore_warnings;
                self.documents
                    .delete_matching(&collection, described, ignore, expected)
                    .await?
            }
            None => {
                self.documents
                    .delete_ids(&collection, wire.ids, expected)
                    .await?
            }
        };
        Ok(answer(written))
    }

    async fn get(&self, wire: v1::GetRequest) -> Result<v1::GetResponse> {
        let projection = projection(wire.projection, Projection::everything());
        let address = address(wire.collection)?;
        let found = self.documents.get(&address, wire.ids, projection).await?;
        Ok(v1::GetResponse {
            documents: found.documents.into_iter().map(wire_document).collect(),
            missing: found.missing,
        })
    }

    async fn scroll(&self, wire: v1::ScrollRequest) -> Result<Answers<v1::ScrollResponse>> {
        let described = filter(wire.filter)?;
        let address = address(wire.collection)?;
        let projection = projection(wire.projection, Projection::readable());
        let batch = count_or(wire.batch_size, 500, MAX_BATCH, "batch_size")?;
        let scroll = self
            .documents
            .scroll(&address, described, projection, wire.limit, wire.codes)
            .await?;
        // Read as the client takes them: who does not read keeps nothing busy.
        let state = (scroll, VecDeque::new());
        let messages =
            futures::stream::try_unfold(state, move |(mut scroll, mut read)| async move {
                if read.is_empty() {
                    let documents = scroll.next(batch).await.map_err(status)?;
                    let lists = cut(documents.into_iter().map(wire_document)).into_iter();
                    read.extend(lists.map(|documents| v1::ScrollResponse {
                        documents,
                        warnings: Vec::new(),
                    }));
                }
                let warnings = std::mem::take(&mut scroll.warnings);
                if read.is_empty() && !warnings.is_empty() {
                    read.push_back(v1::ScrollResponse::default());
                }
                Ok(read.pop_front().map(|mut message| {
                    message.warnings = warnings;
                    (message, (scroll, read))
                }))
            });
        Ok(Box::pin(messages))
    }
}

/// A batch on its way: its number and the task that writes it.
type Flying = VecDeque<(u64, JoinHandle<Result<Answered>>)>;

/// Batches on their way, which are called off when nobody waits for their answers any more. What is
/// queued for writing by then is written.
#[derive(Default)]
struct InFlight(Flying);

impl Drop for InFlight {
    fn drop(&mut self) {
        for (_, task) in &self.0 {
            task.abort();
        }
    }
}

/// What became of a batch, and the documents of it that were set aside, by their place.
struct Answered {
    written: Written,
    cut: usize,
    rejected: Vec<(usize, Error)>,
}

impl DocumentAdapter {
    /// Reads batches, has up to [`BATCHES_IN_FLIGHT`] written at once, and answers in order.
    ///
    /// The answers' channel holds one: a client that does not read them stops being read.
    async fn run_ingest(
        &self,
        mut batches: Streaming<v1::IngestRequest>,
        send: &AnswerSender<v1::IngestResponse>,
    ) -> Result<(), Status> {
        let mut stream = None;
        let mut flying = InFlight::default();
        let mut counted = 0;
        let (mut reading, mut stopping) = (true, self.stopping.clone());
        let mut is_cut = false;
        // Batches are prepared side by side and written in order: a later one wins.
        let mut before = None;
        while reading || !flying.0.is_empty() {
            tokio::select! {
                biased;
                // Nobody waits for what is being encoded.
                () = send.closed() => return Ok(()),
                written = next_done(&mut flying.0), if !flying.0.is_empty() => {
                    let (batch, ingested) = written?;
                    if send.send(Ok(batch_answer(batch, ingested))).await.is_err() {
                        return Ok(());
                    }
                }
                () = stopped(&mut stopping), if reading => {
                    is_cut = true;
                    reading = false;
                }
                () = tokio::time::sleep(self.idle), if reading && flying.0.is_empty() => {
                    return Err(Status::deadline_exceeded(format!(
                        "no batch came for {} s (--idle-timeout), so the stream ended; what was \
                         acknowledged is kept: open it again",
                        self.idle.as_secs_f64()
                    )));
                }
                message = batches.next(), if reading && flying.0.len() < BATCHES_IN_FLIGHT => {
                    let Some(message) = message.transpose()? else {
                        reading = false;
                        continue;
                    };
                    if stream.is_none() {
                        check_collection(&message.collection).map_err(status)?;
                    }
                    counted += 1;
                    let number = if message.batch == 0 { counted } else { message.batch };
                    let target = stream.get_or_insert_with(|| {
                        (message.collection.clone(), message.stream_id.clone())
                    });
                    let (done, next) = oneshot::channel();
                    let order = WriteOrder {
                        before: before.replace(next),
                        done: Some(done),
                    };
                    flying.0.push_back((number, self.start_batch(target, number, order, message)));
                }
            }
        }
        // A stream that its client had ended by then is whole.
        match is_cut {
            false => Ok(()),
            true => Err(Status::unavailable(
                "the server is stopping; what was acknowledged is kept: send the rest again",
            )),
        }
    }

    fn start_batch(
        &self,
        (collection, stream_id): &(String, String),
        number: u64,
        order: WriteOrder,
        mut message: v1::IngestRequest,
    ) -> JoinHandle<Result<Answered>> {
        let (service, collection) = (self.documents.clone(), collection.clone());
        let position = (!stream_id.is_empty()).then(|| StreamPosition {
            stream: stream_id.clone(),
            batch: number,
        });
        tokio::spawn(carried(async move {
            if !message.collection.is_empty() && message.collection != collection {
                return Err(Error::invalid(
                    "collection",
                    "differs from the first message's; a stream writes to one collection",
                ));
            }
            let set_aside = message.set_aside;
            let if_exists = if_exists(message.if_exists)?;
            let codes = codes_of(&mut message.documents);
            if set_aside {
                check_set_aside(if_exists, message.as_given, &codes)?;
            }
            if message.as_given && message.chunk.is_some() {
                let message = "is set with chunk; one of them is accepted";
                return Err(Error::invalid("as_given", message));
            }
            let (mut good, mut places, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
            for (at, wire) in message.documents.into_iter().enumerate() {
                match document(wire) {
                    Ok(document) => {
                        good.push(document);
                        places.push(at);
                    }
                    Err(error) if set_aside => rejected.push((at, error)),
                    Err(error) => return Err(error.within(&format!("documents[{at}]"))),
                }
            }
            let batch = Batch {
                documents: good,
                codes,
                as_given: message.as_given,
                made_with: made_with(message.made_with),
                position,
                order,
                set_aside,
                chunk: message.chunk.map(chunking),
                if_exists,
                ..Batch::default()
            };
            let ingested = service.ingest(&changed(collection)?, batch).await?;
            let refused = ingested.refused.into_iter();
            rejected.extend(refused.map(|(at, error)| (places[at], error)));
            if ingested.written.duplicate {
                rejected.clear();
            }
            rejected.sort_by_key(|(at, _)| *at);
            Ok(Answered {
                written: ingested.written,
                cut: ingested.cut,
                rejected,
            })
        }))
    }
}

/// Refuses what a batch cannot be asked together with `set_aside`.
fn check_set_aside(if_exists: IfExists, as_given: bool, codes: &[Vec<SaeCodes>]) -> Result<()> {
    if if_exists == IfExists::Fail {
        return Err(Error::invalid(
            "if_exists",
            "is IF_EXISTS_FAIL with set_aside; IF_EXISTS_SKIP names those that exist and writes the \
             others",
        ));
    }
    if as_given {
        let message = "is set with set_aside; one of them is accepted";
        return Err(Error::invalid("as_given", message));
    }
    match codes.iter().position(|own| !own.is_empty()) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(
            format!("documents[{at}].codes"),
            "is given with set_aside, with which `latents` alone is accepted",
        )),
    }
}

/// Resolves when the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _ = stopping.wait_for(|is_so| *is_so).await;
}

async fn next_done(flying: &mut Flying) -> Result<(u64, Result<Answered>), Status> {
    let Some((batch, task)) = flying.front_mut() else {
        return Err(Status::internal("no batch is being written"));
    };
    let batch = *batch;
    let written = task
        .await
        .map_err(|error| Status::internal(format!("a task failed: {error}")))?;
    flying.pop_front();
    Ok((batch, written))
}

fn batch_answer(batch: u64, answered: Result<Answered>) -> v1::IngestResponse {
    match answered {
        Ok(Answered {
            written,
            cut,
            rejected,
        }) => v1::IngestResponse {
            batch,
            sequence: written.sequence,
            upserted: written.upserted,
            duplicate: written.duplicate,
            error: None,
            rejected: rejections(rejected),
            existing: written.existing,
            cut_texts: cut as u64,
        },
        Err(error) => v1::IngestResponse {
            batch,
            error: Some(batch_error(error, MAX_MESSAGE_BYTES)),
            ..v1::IngestResponse::default()
        },
    }
}

/// Documents that were set aside, with reasons as long as a message has room for.
fn rejections(rejected: Vec<(usize, Error)>) -> Vec<v1::RejectedDocument> {
    let room = MESSAGE_BYTES / rejected.len().max(1);
    rejected
        .into_iter()
        .map(|(at, error)| v1::RejectedDocument {
            // A batch has at most 10,000.
            document: u32::try_from(at).unwrap_or(u32::MAX),
            error: Some(batch_error(error, room.min(MAX_MESSAGE_BYTES))),
        })
        .collect()
}

fn batch_error(error: Error, room: usize) -> v1::BatchError {
    v1::BatchError {
        code: code(error.kind()) as i32,
        message: shortened(without_places(error.to_string()), room),
        field: shortened(error.field().unwrap_or_default(), room.min(MAX_FIELD_BYTES)),
    }
}

fn answer(written: Written) -> v1::WriteResponse {
    v1::WriteResponse {
        sequence: written.sequence,
        upserted: written.upserted,
        deleted: written.deleted,
        existing: written.existing,
        cut_texts: 0,
    }
}

/// The answer to a write that models completed.
fn completed(ingested: Ingested) -> v1::WriteResponse {
    v1::WriteResponse {
        cut_texts: ingested.cut as u64,
        ..answer(ingested.written)
    }
}

fn chunking(wire: v1::Chunking) -> Chunking {
    Chunking {
        tokens: wire.tokens as usize,
        overlap: wire.overlap as usize,
    }
}

fn matching(wire: v1::MatchingUpdate) -> Result<MatchingChange> {
    Ok(MatchingChange {
        filter: set(Some(required(wire.filter, "filter")?), "filter")?,
        set: attributes(wire.set_attributes).within("set_attributes")?,
        remove: wire.remove_attributes,
        ignore_warnings: wire.ignore_warnings,
    })
}

fn update(wire: v1::DocumentUpdate) -> Result<Update> {
    Ok(Update {
        id: wire.id,
        text: wire.text,
        vector: wire.vector.map(|vector| vector.values),
        codes: wire
            .latents
            .map(|latents| Some(codes(latents)))
            .into_iter()
            .collect(),
        set: attributes(wire.set_attributes).within("set_attributes")?,
        remove: wire.remove_attributes,
    })
}
