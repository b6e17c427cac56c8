//! Writing and reading documents: texts become vectors, vectors become latents, on the way in.

mod complete;
mod conditions;
mod matching;
mod passages;
mod projection;
mod size;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latentdb_index::{
    Codes, Document, Filter, Operation, Snapshot, StreamPosition, Update, Written,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::blocking;
use super::core::{Address, Core, View};
use super::gate::Gates;
use super::identity::MadeWith;
use super::names::resolve_filter;
use crate::encoder::Chunking;
use crate::error::{Error, ErrorKind, Result};

pub use conditions::{ExpectedVersions, IfExists};
pub use matching::MatchingChange;
pub use projection::{Projection, ReadDocument, SaeCodes};

pub(crate) use size::AnswerSize;

use conditions::requirements;
use size::MAX_READ_AHEAD;

/// Maximum documents per write.
pub const MAX_BATCH: usize = 10_000;
/// Attempts of a write when an SAE is attached under it.
const ATTEMPTS: usize = 3;

/// A write's place among others: it waits for the one before, and dropping `done` lets the one
/// after go.
#[derive(Debug, Default)]
pub struct WriteOrder {
    /// Resolves when the write before is queued or has failed.
    pub before: Option<oneshot::Receiver<()>>,
    /// Dropped when this write is queued or has failed.
    pub done: Option<oneshot::Sender<()>>,
}

/// A batch of an ingest stream.
#[derive(Debug, Default)]
pub struct Batch {
    /// Its documents.
    pub documents: Vec<Document>,
    /// Codes of each of them by the names of SAEs, in addition to those that they have; may be
    /// shorter. Not with `set_aside`.
    pub codes: Vec<Vec<SaeCodes>>,
    /// Write them as they are given: no model is asked, and nothing is judged. Not with `set_aside`.
    pub as_given: bool,
    /// What their vectors and latents were made with.
    pub made_with: MadeWith,
    /// Its number in a named stream.
    pub position: Option<StreamPosition>,
    /// Its place among the batches that are prepared side by side.
    pub order: WriteOrder,
    /// Write the documents that can be written, instead of all or none.
    pub set_aside: bool,
    /// Split their texts into passages, which are written as documents. Not with `as_given`.
    pub chunk: Option<Chunking>,
    /// What becomes of documents that exist.
    pub if_exists: IfExists,
    /// Versions that are required.
    pub expected: ExpectedVersions,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Ingested {
    /// What was written.
    pub written: Written,
    /// Texts that have more tokens than the encoder reads.
    pub cut: usize,
    /// Places of the documents that were set aside, and why; fields are paths in the document.
    pub refused: Vec<(usize, Error)>,
}

/// What counts texts of which vectors know the beginning alone.
fn counted(cut: usize) -> Option<Operation> {
    (cut > 0).then_some(Operation::CountCut(cut as u64))
}

/// Documents read by id.
#[derive(Clone, Debug, Default)]
pub struct Projected {
    /// Those that exist, in the order asked.
    pub documents: Vec<ReadDocument>,
    /// Ids that do not.
    pub missing: Vec<String>,
}

/// Writes and reads documents, and judges how SAEs fit what is written.
pub struct Documents {
    core: Arc<Core>,
    gates: Gates,
    /// Held while a batch of texts is read token by token.
    reading: Mutex<()>,
}

impl Documents {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            gates: Gates::default(),
            reading: Mutex::default(),
        }
    }

    pub(super) fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Writes the documents of a batch. Texts and vectors are encoded at once, but the batch is
    /// written when its turn has come. One that was written before is not encoded, nor are documents
    /// that will not be written.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, as `documents[3].vector[7]`; `FailedPrecondition` when
    /// the SAE does not fit the vectors, or they were made with other models; `AlreadyExists` and
    /// `Aborted` naming a document that is not as the batch requires.
    pub async fn ingest(self: &Arc<Self>, collection: &str, batch: Batch) -> Result<Ingested> {
        self.core.check_room()?;
        let Batch {
            documents,
            codes,
            as_given,
            made_with,
            position,
            mut order,
            set_aside,
            chunk,
            if_exists,
            expected,
        } = batch;
        check_batch(documents.len(), "documents")?;
        check_batch(expected.len(), "expected_versions")?;
        if let Some(written) = self
            .written_before(collection, &position, &mut order)
            .await?
        {
            return Ok(written);
        }
        let shared = Arc::new((documents, codes, made_with, expected));
        // What an attempt leaves out: documents set aside, ids that exist, and the ends of texts.
        let left_out = Arc::new(Mutex::new((Vec::new(), Vec::new(), 0)));
        let prepare = |view| {
            let (service, shared, left_out) = (self.clone(), shared.clone(), left_out.clone());
            async move {
                let (documents, codes, made_with, expected) = &*shared;
                made_with.check(&view)?;
                let documents = with_codes(&view, documents.clone(), codes)?;
                let sorted = if_exists
                    .sort_out(&view, documents, chunk.is_some())
                    .await?;
                let (documents, existing) = sorted;
                let mut operations = requirements(expected);
                if let Some(chunking) = chunk {
                    let places = documents.into_iter().enumerate();
                    let (left, split) =
                        places.partition::<Vec<_>, _>(|(_, own)| existing.contains(&own.id));
                    let split = service.split(&view, split, chunking, set_aside).await?;
                    let existing = left.into_iter().map(|(_, own)| own.id);
                    *left_out.lock() = (split.refused, existing.collect(), split.cut);
                    operations.extend(counted(split.cut));
                    operations.extend(
                        split
                            .passages
                            .into_iter()
                            .flat_map(|own| if_exists.passages(own)),
                    );
                    return Ok(operations);
                }
                let (mut documents, cut, refused) = if set_aside {
                    service.complete_good(&view, documents).await?
                } else if as_given {
                    service.validate(&view, &documents)?;
                    (documents, 0, Vec::new())
                } else {
                    let (documents, cut) = service.complete(&view, documents).await?;
                    (documents, cut, Vec::new())
                };
                let is_left = |document: &mut Document| existing.contains(&document.id);
                let existing = documents.extract_if(.., is_left).map(|own| own.id);
                *left_out.lock() = (refused, existing.collect(), cut);
                operations.extend(counted(cut));
                operations.extend(
                    documents
                        .into_iter()
                        .flat_map(|own| if_exists.operations(own)),
                );
                Ok(operations)
            }
        };
        let mut written = self.prepared(collection, position, order, prepare).await?;
        let (refused, existing, mut cut) = std::mem::take(&mut *left_out.lock());
        match written.duplicate {
            true => cut = 0,
            false => drop(written.existing.splice(0..0, existing)),
        }
        Ok(Ingested {
            written,
            cut,
            refused,
        })
    }

    /// What became of a batch of a stream that an earlier try wrote, when its turn has come.
    async fn written_before(
        &self,
        collection: &str,
        position: &Option<StreamPosition>,
        order: &mut WriteOrder,
    ) -> Result<Option<Ingested>> {
        let Some(position) = position.clone() else {
            return Ok(None);
        };
        let handle = self.core.view(&Address::from(collection))?.handle.clone();
        let Some(sequence) = blocking(move || handle.written(&position)).await? else {
            return Ok(None);
        };
        if let Some(before) = order.before.take() {
            let _ = before.await;
        }
        Ok(Some(Ingested {
            written: Written {
                sequence,
                duplicate: true,
                ..Written::default()
            },
            ..Ingested::default()
        }))
    }

    /// Changes parts of documents, all or none.
    ///
    /// # Errors
    /// `NotFound` when an id does not exist; `InvalidArgument` naming the field; `Aborted` naming a
    /// document of another version.
    pub async fn update(
        self: &Arc<Self>,
        collection: &str,
        updates: Vec<Update>,
        made_with: MadeWith,
        expected: ExpectedVersions,
    ) -> Result<Ingested> {
        self.core.check_room()?;
        check_batch(updates.len(), "updates")?;
        check_batch(expected.len(), "expected_versions")?;
        let shared = Arc::new((updates, made_with, expected));
        let cut_texts = Arc::new(AtomicUsize::new(0));
        let prepare = |view| {
            let (service, shared, cut_texts) = (self.clone(), shared.clone(), cut_texts.clone());
            async move {
                let (updates, made_with, expected) = &*shared;
                made_with.check(&view)?;
                let (updates, cut) = service.complete(&view, updates.clone()).await?;
                cut_texts.store(cut, Ordering::Relaxed);
                let update = |update| Operation::Update(Box::new(update));
                let mut operations = requirements(expected);
                operations.extend(counted(cut));
                operations.extend(updates.into_iter().map(update));
                Ok(operations)
            }
        };
        let order = WriteOrder::default();
        Ok(Ingested {
            written: self.prepared(collection, None, order, prepare).await?,
            cut: cut_texts.load(Ordering::Relaxed),
            ..Ingested::default()
        })
    }

    /// Deletes by id.
    ///
    /// # Errors
    /// `Aborted` naming a document of another version.
    pub async fn delete_ids(
        self: &Arc<Self>,
        collection: &str,
        ids: Vec<String>,
        expected: ExpectedVersions,
    ) -> Result<Written> {
        if ids.len() > latentdb_index::filter::MAX_LIST_VALUES {
            let message = format!(
                "has {} entries; at most {} are accepted",
                ids.len(),
                latentdb_index::filter::MAX_LIST_VALUES
            );
            return Err(Error::invalid("ids", message));
        }
        check_batch(expected.len(), "expected_versions")?;
        self.prepared(collection, None, WriteOrder::default(), |_| {
            let mut operations = requirements(&expected);
            operations.push(Operation::Delete(ids.clone()));
            async move { Ok(operations) }
        })
        .await
    }

    /// Prepares operations for the collection as it is and writes them; again where an SAE was
    /// attached in between.
    async fn prepared<F: Future<Output = Result<Vec<Operation>>>>(
        self: &Arc<Self>,
        collection: &str,
        position: Option<StreamPosition>,
        mut order: WriteOrder,
        prepare: impl Fn(View) -> F,
    ) -> Result<Written> {
        let address = Address::from(collection);
        // Let go when the write is queued, or when this ends without: an attempt that is refused
        // keeps its place.
        let done = Arc::new(Mutex::new(order.done.take()));
        let mut attempt = 1;
        loop {
            let view = self.core.view(&address)?;
            let (handle, generation) = (view.handle.clone(), view.spec.record.generation);
            let may_try_again =
                |attempt| attempt < ATTEMPTS && handle.record().generation != generation;
            let operations = match prepare(view).await {
                // What it was prepared with may be gone.
                Err(_) if may_try_again(attempt) => {
                    attempt += 1;
                    continue;
                }
                result => result?,
            };
            if let Some(before) = order.before.take() {
                // The batch before is queued, or has failed and will not be.
                let _ = before.await;
            }
            let (writer, position) = (handle.clone(), position.clone());
            let done = done.clone();
            let queued = move || drop(done.lock().take());
            let written =
                blocking(move || writer.write(generation, operations, position, queued)).await;
            match written {
                Err(error) if error.kind() == ErrorKind::Unavailable && may_try_again(attempt) => {
                    attempt += 1;
                }
                result => {
                    let written = result?;
                    if !written.duplicate {
                        let measures = &self.core.measures;
                        measures.written(written.upserted, written.deleted);
                    }
                    return Ok(written);
                }
            }
        }
    }

    /// Documents by id.
    pub async fn get(
        self: &Arc<Self>,
        address: &Address,
        ids: Vec<String>,
        projection: Projection,
    ) -> Result<Projected> {
        check_batch(ids.len(), "ids")?;
        let view = self.core.view(address)?;
        blocking(move || {
            let mut found = Projected::default();
            let mut size = AnswerSize::default();
            for id in ids {
                match view.snapshot.find(&id)? {
                    Some(doc) => {
                        let document = projection.read(&view.snapshot, doc)?;
                        size.add(&document)?;
                        found.documents.push(document);
                    }
                    None => found.missing.push(id),
                }
            }
            Ok(found)
        })
        .await
    }

    /// The documents of a filter over one snapshot, `limit` at most (0: all); with `codes`, with the
    /// codes under every SAE.
    pub async fn scroll(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
        projection: Projection,
        limit: u64,
        codes: bool,
    ) -> Result<Scroll> {
        let view = self.core.view(address)?;
        blocking(move || {
            let filter = resolve_filter(&view, &filter)?;
            let mut docs = view.snapshot.documents_matching(&filter)?;
            if limit > 0 {
                docs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            let names = view.spec.saes.iter().map(|sae| sae.name.clone());
            Ok(Scroll {
                saes: if codes {
                    names.collect()
                } else {
                    Arc::default()
                },
                warnings: view.warnings(),
                snapshot: view.snapshot,
                docs: docs.into(),
                projection,
                next: 0,
            })
        })
        .await
    }
}

/// Documents that are read as they are asked for.
pub struct Scroll {
    snapshot: Arc<Snapshot>,
    docs: Arc<[u32]>,
    projection: Projection,
    /// Names of the SAEs, where their codes are asked for.
    saes: Arc<[String]>,
    next: usize,
    /// Filters that cannot match, each once.
    pub warnings: Vec<String>,
}

impl Scroll {
    /// The next `count` documents, or those of 8 MiB; none at the end.
    pub async fn next(&mut self, count: usize) -> Result<Vec<ReadDocument>> {
        let (snapshot, docs) = (self.snapshot.clone(), self.docs.clone());
        let (projection, from) = (self.projection.clone(), self.next);
        let saes = self.saes.clone();
        let to = from.saturating_add(count).min(docs.len());
        let documents = blocking(move || {
            let mut size = AnswerSize::default();
            let mut documents = Vec::new();
            for &doc in &docs[from..to] {
                let mut read = projection.read(&snapshot, doc)?;
                if !saes.is_empty() {
                    let codes = saes.iter().cloned().zip(snapshot.whole(doc)?.codes);
                    let codes = codes.map(|(sae, codes)| SaeCodes { sae, codes });
                    let is_some = |own: &SaeCodes| {
                        !own.codes.latents.is_empty() || !own.codes.positions.is_empty()
                    };
                    read.codes = codes.filter(is_some).collect();
                }
                if size.is_full(&read, MAX_READ_AHEAD) {
                    break;
                }
                size.add(&read)?;
                documents.push(read);
            }
            Ok(documents)
        })
        .await?;
        self.next += documents.len();
        Ok(documents)
    }
}

/// Documents with the codes that were given by the names of SAEs.
fn with_codes(
    view: &View,
    mut documents: Vec<Document>,
    codes: &[Vec<SaeCodes>],
) -> Result<Vec<Document>> {
    let record = &view.spec.record;
    for (at, (document, given)) in documents.iter_mut().zip(codes).enumerate() {
        for (sae, own) in given.iter().enumerate() {
            let field = || format!("documents[{at}].codes.saes[{sae}]");
            let place = record.place_of(&own.sae);
            let place = place.map_err(|error| Error::invalid(field(), error.message()))?;
            let held = document.codes_mut(place);
            if *held != Codes::default() {
                return Err(Error::invalid(
                    field(),
                    "is of an SAE whose latents are given already; once each is accepted",
                ));
            }
            held.clone_from(&own.codes);
        }
    }
    Ok(documents)
}

fn check_batch(count: usize, field: &str) -> Result<()> {
    if count > MAX_BATCH {
        return Err(Error::invalid(
            field,
            format!("has {count} entries; at most {MAX_BATCH} are accepted"),
        ));
    }
    Ok(())
}
