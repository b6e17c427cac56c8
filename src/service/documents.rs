//! Writing and reading documents: texts become vectors, vectors become latents, on the way in.

use std::sync::Arc;

use latentdb_index::{
    Activation, CollectionRecord, Document, Filter, Operation, Snapshot, StreamPosition, Update,
    Written,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::models::{activations, beyond_storage};
use super::saes::{lend_documents, lend_updates, return_documents, return_updates};
use super::{MadeWith, Service, blocking, gate};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::sae::Codes;

/// Most documents of one write.
pub const MAX_BATCH: usize = 10_000;
/// Times a write is prepared anew when an SAE is attached under it.
const ATTEMPTS: usize = 3;

/// Which parts of documents are read, besides ids.
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
            document.latents = snapshot.latents(doc);
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

impl Service {
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
        self.upsert_in_turn(collection, documents, made_with, None, Turn::default())
            .await
    }

    /// As [`Self::upsert`], for a batch of a stream: texts and vectors are encoded at once, but
    /// the batch is written when its turn has come.
    pub async fn upsert_in_turn(
        self: &Arc<Self>,
        collection: &str,
        documents: Vec<Document>,
        made_with: MadeWith,
        position: Option<StreamPosition>,
        turn: Turn,
    ) -> Result<Written> {
        check_batch(documents.len(), "documents")?;
        let shared = Arc::new((documents, made_with));
        self.prepared(collection, position, turn, |record| {
            let (service, shared) = (self.clone(), shared.clone());
            async move {
                let (documents, made_with) = &*shared;
                made_with.check(&record)?;
                let documents = service.complete(&record, documents.clone()).await?;
                let upsert = |document| Operation::Upsert(Box::new(document));
                Ok(documents.into_iter().map(upsert).collect())
            }
        })
        .await
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
        self.prepared(collection, None, Turn::default(), |record| {
            let (service, shared) = (self.clone(), shared.clone());
            async move {
                let (updates, made_with) = &*shared;
                made_with.check(&record)?;
                let updates = service.complete_updates(&record, updates.clone()).await?;
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
            return Err(Error::invalid("ids", "has more than 100,000 entries"));
        }
        self.prepared(collection, None, Turn::default(), |_| {
            let ids = ids.clone();
            async move { Ok(vec![Operation::Delete(ids)]) }
        })
        .await
    }

    /// Deletes what a filter describes.
    pub async fn delete_matching(
        self: &Arc<Self>,
        collection: &str,
        filter: Filter,
    ) -> Result<Written> {
        self.prepared(collection, None, Turn::default(), |_| {
            let (service, filter, name) = (self.clone(), filter.clone(), collection.to_owned());
            async move {
                let view = service.view(&name)?;
                let resolved = service.resolve_filter(&view, &filter)?;
                Ok(vec![Operation::DeleteMatching(resolved)])
            }
        })
        .await
    }

    /// Prepares operations for the collection's record and writes them; anew where an SAE was
    /// attached in between.
    async fn prepared<F: Future<Output = Result<Vec<Operation>>>>(
        self: &Arc<Self>,
        collection: &str,
        position: Option<StreamPosition>,
        mut turn: Turn,
        prepare: impl Fn(CollectionRecord) -> F,
    ) -> Result<Written> {
        let handle = self.database.collection(collection)?;
        handle.check_writable()?;
        // Let go when the write is queued, or when this ends without: an attempt that is refused
        // keeps its place.
        let done = Arc::new(Mutex::new(turn.done.take()));
        let mut attempt = 1;
        loop {
            let record = handle.record();
            let generation = record.generation;
            let may_try_again =
                |attempt| attempt < ATTEMPTS && handle.record().generation != generation;
            let operations = match prepare(record).await {
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

    /// Checks documents and adds the vectors and latents that the server makes.
    async fn complete(
        self: &Arc<Self>,
        record: &CollectionRecord,
        mut documents: Vec<Document>,
    ) -> Result<Vec<Document>> {
        for (at, document) in documents.iter().enumerate() {
            document
                .validate(record.dimension, record.n_latents)
                .within(&format!("documents[{at}]"))?;
        }
        let texts: Vec<Option<String>> = documents
            .iter()
            .map(|document| match document.vector {
                Some(_) => None,
                None => document.text.clone(),
            })
            .collect();
        let mut vectors = self.encode_missing(record, texts).await?.into_iter();
        for document in &mut documents {
            let made = vectors.next().flatten();
            document.vector = document.vector.take().or(made);
        }
        self.add_codes(record, &mut documents).await?;
        for space in 1..=record.beside.len() {
            let mut lent = lend_documents(&mut documents);
            let coded = self.add_codes(&record.through(space), &mut lent).await;
            return_documents(&mut documents, lent, space);
            coded?;
        }
        Ok(documents)
    }

    /// Adds the latents that one SAE makes of documents, and judges how it fits them.
    async fn add_codes(
        self: &Arc<Self>,
        record: &CollectionRecord,
        documents: &mut [Document],
    ) -> Result<()> {
        let rows = documents
            .iter()
            .map(|document| {
                let bare = document.latents.is_empty();
                document.vector.clone().filter(|_| bare)
            })
            .collect();
        let codes = self.code_missing(record, rows, "documents").await?;
        for (document, code) in documents.iter_mut().zip(codes) {
            if let Some(code) = code {
                document.latents = code;
            }
        }
        let coded = documents.iter().filter_map(|document| {
            let vector = document.vector.as_deref()?;
            Some((vector, document.latents.as_slice()))
        });
        self.admit(record, coded).await?;
        self.add_token_codes(record, documents).await
    }

    /// Judges how the SAE fits vectors that are about to be written.
    async fn admit<'a>(
        self: &Arc<Self>,
        record: &CollectionRecord,
        coded: impl Iterator<Item = (&'a [f32], &'a [Activation])>,
    ) -> Result<()> {
        if record.sae.is_none() || record.reader.is_some() || self.gates.is_full(record) {
            return Ok(());
        }
        let (mut vectors, mut codes) = (Vec::new(), Codes::new());
        for (vector, latents) in coded.take(gate::MOST) {
            vectors.extend_from_slice(vector);
            gate::push(&mut codes, latents);
        }
        let (service, record) = (self.clone(), record.clone());
        blocking(move || {
            let Some(sae) = service.models.sae_of(&record)? else {
                return Ok(());
            };
            let view = service.view(&record.name)?;
            service
                .gates
                .admit(&record, &view.snapshot, &sae, &vectors, &codes)
        })
        .await
    }

    async fn complete_updates(
        self: &Arc<Self>,
        record: &CollectionRecord,
        mut updates: Vec<Update>,
    ) -> Result<Vec<Update>> {
        for (at, update) in updates.iter().enumerate() {
            update
                .validate(record.dimension, record.n_latents)
                .within(&format!("updates[{at}]"))?;
        }
        let texts = updates
            .iter()
            .map(|update| match update.vector {
                Some(_) => None,
                None => update.text.clone(),
            })
            .collect();
        let mut vectors = self.encode_missing(record, texts).await?.into_iter();
        for update in &mut updates {
            let made = vectors.next().flatten();
            update.vector = update.vector.take().or(made);
        }
        self.add_codes_to_updates(record, &mut updates).await?;
        for space in 1..=record.beside.len() {
            let mut lent = lend_updates(&mut updates);
            let through = record.through(space);
            let coded = self.add_codes_to_updates(&through, &mut lent).await;
            return_updates(&mut updates, lent);
            coded?;
        }
        Ok(updates)
    }

    /// [`Self::add_codes`] for updates of vectors or texts.
    async fn add_codes_to_updates(
        self: &Arc<Self>,
        record: &CollectionRecord,
        updates: &mut [Update],
    ) -> Result<()> {
        let rows = updates
            .iter()
            .map(|update| {
                let bare = update.latents.is_none();
                update.vector.clone().filter(|_| bare)
            })
            .collect();
        let codes = self.code_missing(record, rows, "updates").await?;
        for (update, code) in updates.iter_mut().zip(codes) {
            update.latents = code.or(update.latents.take());
        }
        let coded = updates.iter().filter_map(|update| {
            let (vector, latents) = (update.vector.as_deref()?, update.latents.as_deref()?);
            Some((vector, latents))
        });
        self.admit(record, coded).await?;
        self.add_token_codes_to_updates(record, updates).await
    }

    /// Vectors of the texts that are there, where the collection has an encoder.
    async fn encode_missing(
        self: &Arc<Self>,
        record: &CollectionRecord,
        texts: Vec<Option<String>>,
    ) -> Result<Vec<Option<Vec<f32>>>> {
        if record.encoder.is_none() || texts.iter().all(Option::is_none) {
            return Ok(texts.into_iter().map(|_| None).collect());
        }
        let (service, owned) = (self.clone(), record.clone());
        let encoder = blocking(move || service.models.encoder_of(&owned)).await?;
        let Some(encoder) = encoder else {
            return Ok(texts.into_iter().map(|_| None).collect());
        };
        let given = texts.iter().flatten().cloned().collect();
        let mut made = encoder.encode(given).await?.into_iter();
        Ok(texts
            .into_iter()
            .map(|text| text.and_then(|_| made.next()))
            .collect())
    }

    /// Latents of the vectors that are there, where the collection has an SAE.
    async fn code_missing(
        self: &Arc<Self>,
        record: &CollectionRecord,
        rows: Vec<Option<Vec<f32>>>,
        field: &'static str,
    ) -> Result<Vec<Option<Vec<Activation>>>> {
        if record.sae.is_none() || rows.iter().all(Option::is_none) {
            return Ok(rows.into_iter().map(|_| None).collect());
        }
        let (service, record) = (self.clone(), record.clone());
        blocking(move || {
            let Some(sae) = service.models.sae_of(&record)? else {
                return Ok(rows.into_iter().map(|_| None).collect());
            };
            let flat: Vec<f32> = rows.iter().flatten().flatten().copied().collect();
            let mut codes = activations(&sae.encode_parallel(&flat, 0)?).into_iter();
            let codes: Vec<Option<Vec<Activation>>> = rows
                .into_iter()
                .map(|row| row.and_then(|_| codes.next()))
                .collect();
            for (at, code) in codes.iter().enumerate() {
                if let Some(what) = code.as_deref().and_then(beyond_storage) {
                    return Err(Error::invalid(format!("{field}[{at}]"), what));
                }
            }
            Ok(codes)
        })
        .await
    }

    /// Documents by id.
    pub async fn get(
        self: &Arc<Self>,
        collection: &str,
        ids: Vec<String>,
        projection: Projection,
    ) -> Result<Projected> {
        check_batch(ids.len(), "ids")?;
        let view = self.view(collection)?;
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

    /// Hands the documents of a filter to `send` in batches, over one snapshot, until `limit`
    /// (0: all) or until `send` returns false. Blocks.
    pub fn scroll(
        &self,
        collection: &str,
        filter: &Filter,
        projection: &Projection,
        batch_size: usize,
        limit: u64,
        send: &mut dyn FnMut(Vec<Document>) -> bool,
    ) -> Result<()> {
        let view = self.view(collection)?;
        let filter = self.resolve_filter(&view, filter)?;
        let mut docs = view.snapshot.documents_matching(&filter)?;
        if limit > 0 {
            docs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        for batch in docs.chunks(batch_size) {
            let documents = batch
                .iter()
                .map(|&doc| projection.read(&view.snapshot, doc))
                .collect::<Result<_>>()?;
            if !send(documents) {
                break;
            }
        }
        Ok(())
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
