//! Writing and reading documents: texts become vectors, vectors become latents, on the way in.

mod complete;

use std::sync::Arc;

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
use crate::error::{Error, ErrorKind, Result};

/// Most documents of one write.
pub const MAX_BATCH: usize = 10_000;
/// Times a write is prepared again when an SAE is attached under it.
const ATTEMPTS: usize = 3;

/// Which parts of documents are read, in addition to ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Their text.
    pub text: bool,
    /// Their attributes: all of them where `attribute_names` is empty.
    pub attributes: bool,
    /// Only these attributes.
    pub attribute_names: Vec<String>,
    /// Their vectors.
    pub vector: bool,
    /// Their latents.
    pub latents: bool,
}

/// A write's place among others: it waits for the one before, and dropping `done` lets the one
/// after go.
#[derive(Debug, Default)]
pub struct Turn {
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
    /// What their vectors and latents were made with.
    pub made_with: MadeWith,
    /// Its number in a named stream.
    pub position: Option<StreamPosition>,
    /// Its place among the batches that are prepared side by side.
    pub turn: Turn,
    /// Write the documents that can be written, instead of all or none.
    pub set_aside: bool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Ingested {
    /// What was written.
    pub written: Written,
    /// Places of the documents that were set aside, and why; fields are paths in the document.
    pub refused: Vec<(usize, Error)>,
}

impl Projection {
    /// Text and attributes, what a search shows.
    pub fn readable() -> Self {
        Self {
            text: true,
            attributes: true,
            ..Self::default()
        }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self {
            vector: true,
            latents: true,
            ..Self::readable()
        }
    }

    /// The projected document of a snapshot.
    pub fn read(&self, snapshot: &Snapshot, doc: u32) -> Result<Document> {
        let mut document = snapshot.stored(doc)?;
        if !self.text {
            document.text = None;
        }
        if !self.attribute_names.is_empty() {
            document
                .attributes
                .retain(|name, _| self.attribute_names.contains(name));
        } else if !self.attributes {
            document.attributes.clear();
        }
        if self.vector {
            document.vector = snapshot.vector(doc).map(<[f32]>::to_vec);
        }
        if self.latents {
            let latents = snapshot.latents(doc);
            match document.codes.first_mut() {
                Some(codes) => codes.latents = latents,
                None => document.codes.push(Codes {
                    latents,
                    positions: Vec::new(),
                }),
            }
        }
        Ok(document)
    }
}

/// Documents read by id.
#[derive(Clone, Debug, Default)]
pub struct Projected {
    /// Those that exist, in the order asked.
    pub documents: Vec<Document>,
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

    /// Inserts or replaces documents, all or none.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, as `documents[3].vector[7]`; `FailedPrecondition` when
    /// the SAE does not fit the vectors, or they were made with other models.
    pub async fn upsert(
        self: &Arc<Self>,
        collection: &str,
        documents: Vec<Document>,
        made_with: MadeWith,
    ) -> Result<Written> {
        let batch = Batch {
            documents,
            made_with,
            ..Batch::default()
        };
        Ok(self.ingest(collection, batch).await?.written)
    }

    /// As [`Self::upsert`], for a batch of a stream: texts and vectors are encoded at once, but
    /// the batch is written when its turn has come. One that was written before is not encoded.
    ///
    /// # Errors
    /// Those of [`Self::upsert`].
    pub async fn ingest(self: &Arc<Self>, collection: &str, batch: Batch) -> Result<Ingested> {
        let Batch {
            documents,
            made_with,
            position,
            mut turn,
            set_aside,
        } = batch;
        check_batch(documents.len(), "documents")?;
        if let Some(position) = position.clone() {
            let handle = self.core.view(&Address::from(collection))?.handle.clone();
            if let Some(sequence) = blocking(move || handle.written(&position)).await? {
                if let Some(before) = turn.before.take() {
                    let _ = before.await;
                }
                return Ok(Ingested {
                    written: Written {
                        sequence,
                        duplicate: true,
                        ..Written::default()
                    },
                    refused: Vec::new(),
                });
            }
        }
        let shared = Arc::new((documents, made_with));
        let refused = Arc::new(Mutex::new(Vec::new()));
        let prepare = |view| {
            let (service, shared, refused) = (self.clone(), shared.clone(), refused.clone());
            async move {
                let (documents, made_with) = &*shared;
                made_with.check(&view)?;
                let documents = documents.clone();
                let documents = if set_aside {
                    let (good, bad) = service.complete_good(&view, documents).await?;
                    *refused.lock() = bad;
                    good
                } else {
                    service.complete(&view, documents).await?
                };
                let upsert = |document| Operation::Upsert(Box::new(document));
                Ok(documents.into_iter().map(upsert).collect())
            }
        };
        let written = self.prepared(collection, position, turn, prepare).await?;
        let refused = std::mem::take(&mut *refused.lock());
        Ok(Ingested { written, refused })
    }

    /// Changes parts of documents, all or none.
    ///
    /// # Errors
    /// `NotFound` when an id does not exist; `InvalidArgument` naming the field.
    pub async fn update(
        self: &Arc<Self>,
        collection: &str,
        updates: Vec<Update>,
        made_with: MadeWith,
    ) -> Result<Written> {
        check_batch(updates.len(), "updates")?;
        let shared = Arc::new((updates, made_with));
        self.prepared(collection, None, Turn::default(), |view| {
            let (service, shared) = (self.clone(), shared.clone());
            async move {
                let (updates, made_with) = &*shared;
                made_with.check(&view)?;
                let updates = service.complete(&view, updates.clone()).await?;
                let update = |update| Operation::Update(Box::new(update));
                Ok(updates.into_iter().map(update).collect())
            }
        })
        .await
    }

    /// Deletes by id.
    pub async fn delete_ids(
        self: &Arc<Self>,
        collection: &str,
        ids: Vec<String>,
    ) -> Result<Written> {
        if ids.len() > latentdb_index::filter::MAX_LIST_VALUES {
            let message = format!(
                "has {} entries; at most {} are accepted",
                ids.len(),
                latentdb_index::filter::MAX_LIST_VALUES
            );
            return Err(Error::invalid("ids", message));
        }
        self.prepared(collection, None, Turn::default(), |_| {
            let ids = ids.clone();
            async move { Ok(vec![Operation::Delete(ids)]) }
        })
        .await
    }

    /// Deletes what a filter describes.
    ///
    /// # Errors
    /// `FailedPrecondition` where a test in the filter cannot match and warnings are not ignored;
    /// `InvalidArgument` for an `all_of` of nothing.
    pub async fn delete_matching(
        self: &Arc<Self>,
        collection: &str,
        filter: Filter,
        ignore_warnings: bool,
    ) -> Result<Written> {
        if filter.has_empty_and() {
            return Err(Error::invalid(
                "filter",
                "has an `all_of` of nothing, which every document meets; to delete all of them the \
                 filter is `all`",
            ));
        }
        self.prepared(collection, None, Turn::default(), |view| {
            let filter = filter.clone();
            async move {
                let resolved = resolve_filter(&view, &filter)?;
                let warnings = view.warnings();
                if !ignore_warnings && !warnings.is_empty() {
                    return Err(Error::precondition(format!(
                        "filter: {}; nothing was deleted (ignore_warnings, or \
                         `--ignore-warnings`, deletes what it matches nevertheless)",
                        warnings.join("; ")
                    )));
                }
                Ok(vec![Operation::DeleteMatching(resolved)])
            }
        })
        .await
    }

    /// Prepares operations for the collection as it is and writes them; again where an SAE was
    /// attached in between.
    async fn prepared<F: Future<Output = Result<Vec<Operation>>>>(
        self: &Arc<Self>,
        collection: &str,
        position: Option<StreamPosition>,
        mut turn: Turn,
        prepare: impl Fn(View) -> F,
    ) -> Result<Written> {
        let address = Address::from(collection);
        // Let go when the write is queued, or when this ends without: an attempt that is refused
        // keeps its place.
        let done = Arc::new(Mutex::new(turn.done.take()));
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
            if let Some(before) = turn.before.take() {
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
                result => return result,
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
            for id in ids {
                match view.snapshot.find(&id)? {
                    Some(doc) => found.documents.push(projection.read(&view.snapshot, doc)?),
                    None => found.missing.push(id),
                }
            }
            Ok(found)
        })
        .await
    }

    /// The documents of a filter over one snapshot, `limit` at most (0: all).
    pub async fn scroll(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
        projection: Projection,
        limit: u64,
    ) -> Result<Scroll> {
        let view = self.core.view(address)?;
        blocking(move || {
            let filter = resolve_filter(&view, &filter)?;
            let mut docs = view.snapshot.documents_matching(&filter)?;
            if limit > 0 {
                docs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            Ok(Scroll {
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
    next: usize,
    /// Filters that cannot match, each once.
    pub warnings: Vec<String>,
}

impl Scroll {
    /// The next `count` documents; none at the end.
    pub async fn next(&mut self, count: usize) -> Result<Vec<Document>> {
        let (snapshot, docs) = (self.snapshot.clone(), self.docs.clone());
        let (projection, from) = (self.projection.clone(), self.next);
        let to = from.saturating_add(count).min(docs.len());
        self.next = to;
        blocking(move || {
            let docs = docs[from..to].iter();
            docs.map(|&doc| projection.read(&snapshot, doc)).collect()
        })
        .await
    }
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
