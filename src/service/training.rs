//! Encoders and SAEs as services: texts to vectors, vectors to latents and back, training and
//! measuring on a collection's vectors.

use std::ops::Range;
use std::sync::Arc;

use latentdb_index::{Activation, Snapshot, Value, validate_latents, validate_vector};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::documents::MAX_BATCH;
use super::models::{EncoderSettings, activations};
use super::readers::check_reads;
use super::spec::SaeRecord;
use super::transfers::{Download, Piece, receive_sae};
use crate::error::{Error, Result, Within as _};
use crate::progress::Progress;
use crate::reading::Role;
use crate::sae::{
    Codes, EvaluateOptions, InMemory, Objective, Quality, RowSource, TrainOptions, TrainProgress,
    evaluate_source, train_seeds,
};
use crate::service::core::{Address, Core, View, no_sae};
use crate::service::{blocking, cancellable};

/// Fewest vectors that an SAE is trained on.
const MIN_TRAINING_ROWS: usize = 100;

/// What to train.
#[derive(Clone, Debug, Default)]
pub struct TrainRequest {
    /// The collection whose vectors are read.
    pub address: Address,
    /// How.
    pub options: TrainOptions,
    /// For the retrieval objective: the attribute, or `text`, whose text is a document's query. Without, documents
    /// near each other are pairs.
    pub query_field: Option<String>,
    /// SAEs that are trained, from its seed and those that follow; the first is kept. 0 is 1.
    pub seeds: usize,
}

/// Where a training stands.
#[derive(Clone, Copy, Debug)]
pub enum TrainingStage<'a> {
    /// Queries are being encoded.
    Queries {
        /// How many are.
        encoded: usize,
        /// How many there are.
        of: usize,
    },
    /// Steps are being done.
    Steps(&'a TrainProgress),
}

/// What came of a training.
#[derive(Clone, Debug)]
pub struct TrainingEnd {
    /// The SAE, as the data directory keeps it.
    pub sae: SaeRecord,
    /// Its quality on held-out vectors, or on trained ones where none was held out.
    pub quality: Quality,
}

/// Encoders and SAEs as services, and the training of new SAEs.
pub struct Training {
    core: Arc<Core>,
}

impl Training {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Vectors of texts of a role, with a collection's encoder or a model by name, used as `settings` say.
    pub async fn encode_texts(
        self: &Arc<Self>,
        collection: Option<Address>,
        model: Option<String>,
        settings: EncoderSettings,
        texts: Vec<String>,
        role: Role,
    ) -> Result<Vec<Vec<f32>>> {
        if texts.len() > MAX_BATCH {
            return Err(Error::invalid(
                "texts",
                format!(
                    "has {} entries; at most {MAX_BATCH} are accepted",
                    texts.len()
                ),
            ));
        }
        settings.check().within("settings")?;
        let service = self.clone();
        let encoder = blocking(move || match (collection, model) {
            (Some(address), _) => {
                let view = service.core.view(&address)?;
                service.core.encoder_of(&view)?.ok_or_else(|| {
                    let name = view.name();
                    Error::precondition(format!("collection {name:?} has no encoder"))
                })
            }
            (None, Some(model)) => service.core.models.encoder(&model, &settings),
            (None, None) => Err(Error::invalid(
                "with",
                "is missing; a collection or a model is named",
            )),
        })
        .await?;
        encoder.encode(texts, role).await
    }

    /// Latents of vectors, with a collection's SAE.
    pub async fn encode_vectors(
        self: &Arc<Self>,
        address: &Address,
        vectors: Vec<Vec<f32>>,
    ) -> Result<Vec<Vec<Activation>>> {
        let view = self.core.view(address)?;
        for (at, vector) in vectors.iter().enumerate() {
            validate_vector(vector, view.spec.record.dimension)
                .within(&format!("vectors[{at}]"))?;
        }
        let service = self.clone();
        blocking(move || {
            let sae = service.core.required_sae(&view)?;
            Ok(activations(&sae.encode_parallel(&vectors.concat(), 0)?))
        })
        .await
    }

    /// Vectors of latents, with a collection's SAE.
    pub async fn decode_latents(
        self: &Arc<Self>,
        address: &Address,
        rows: Vec<Vec<Activation>>,
    ) -> Result<Vec<Vec<f32>>> {
        let view = self.core.view(address)?;
        for (at, row) in rows.iter().enumerate() {
            validate_latents(row, view.n_latents()).within(&format!("rows[{at}]"))?;
        }
        let service = self.clone();
        blocking(move || {
            let sae = service.core.required_sae(&view)?;
            let mut codes = Codes::new();
            for row in &rows {
                let active = row.iter().filter(|entry| entry.activation > 0.0);
                codes.push_row(active.map(|entry| (entry.latent, entry.activation)));
            }
            let flat = sae.decode(&codes)?;
            Ok(flat.chunks_exact(sae.d_in()).map(<[f32]>::to_vec).collect())
        })
        .await
    }

    /// Trains an SAE on a collection's vectors and keeps it in the data directory. A training of the same
    /// settings on the same documents that was broken off resumes. `progress` counts steps and stops it.
    pub async fn train_sae(
        self: &Arc<Self>,
        request: TrainRequest,
        progress: Arc<Progress>,
        mut watch: impl FnMut(TrainingStage) + Send + 'static,
    ) -> Result<TrainingEnd> {
        let view = Arc::new(self.core.view(&request.address)?);
        if request.query_field.is_some() && request.options.objective != Objective::Retrieval {
            return Err(Error::invalid(
                "query_field",
                "is of no use to objective \"reconstruction\"; accepted with \"retrieval\"",
            ));
        }
        let (service, shown, stop) = (self.clone(), view.clone(), progress.clone());
        let source = blocking(move || {
            service.core.check_room()?;
            SnapshotRows::of(shown.snapshot.clone(), &stop)
        })
        .await?;
        let source = Arc::new(source);
        let mut queries = None;
        if let Some(field) = request.query_field.clone() {
            queries = Some(
                self.queries(&view, &source, field, &progress, &mut watch)
                    .await?,
            );
        }
        let service = self.clone();
        blocking(move || {
            let rows = source.rows();
            if rows < MIN_TRAINING_ROWS {
                return Err(Error::precondition(format!(
                    "collection {:?} has {rows} vectors; training takes at least \
                     {MIN_TRAINING_ROWS}",
                    view.name()
                )));
            }
            let config = request.options.config(rows);
            let models = &service.core.models;
            let checkpoint = models.checkpoint(&format!(
                "{} {} {:?} {config:?}",
                view.spec.record.id,
                view.snapshot.sequence(),
                request.query_field
            ));
            let asked = queries.as_deref().map(|vectors| InMemory {
                vectors,
                d: source.dimension(),
            });
            let mut trained = train_seeds(
                (
                    &*source,
                    asked.as_ref().map(|asked| asked as &dyn RowSource),
                ),
                &config,
                request.seeds.max(1),
                Some(&checkpoint),
                &progress,
                &mut |now| watch(TrainingStage::Steps(now)),
            )?;
            trained.sae.set_about("collection", view.name());
            if let Some(field) = request.query_field {
                trained.sae.set_about("query_field", field);
            }
            trained.sae.set_reading(view.spec.vectors());
            let sae = models.keep(&trained.sae)?;
            Ok(TrainingEnd {
                sae: SaeRecord::of(&sae),
                quality: trained.report.held_out.unwrap_or(trained.report.trained),
            })
        })
        .await
    }

    /// The vectors of the queries that `field` holds, one for each row of `source`, zero where it has none.
    async fn queries(
        &self,
        view: &Arc<View>,
        source: &Arc<SnapshotRows>,
        field: String,
        progress: &Arc<Progress>,
        watch: &mut (impl FnMut(TrainingStage) + Send),
    ) -> Result<Vec<f32>> {
        let (core, shown, rows) = (self.core.clone(), view.clone(), source.clone());
        let (encoder, texts) = blocking(move || {
            let encoder = core.encoder_of(&shown)?.ok_or_else(|| {
                let name = shown.name();
                Error::precondition(format!(
                    "collection {name:?} has no encoder that queries could be encoded with; without query_field \
                     documents near each other are pairs"
                ))
            })?;
            let texts = rows.texts(&field)?;
            if texts.is_empty() {
                return Err(Error::invalid(
                    "query_field",
                    format!(
                        "is {field:?}, in which no document of collection {:?} that has a vector holds a text; an \
                         attribute of text, or \"text\", is accepted",
                        shown.name()
                    ),
                ));
            }
            Ok((encoder, texts))
        })
        .await?;
        let d = source.dimension();
        let mut vectors = vec![0.0; source.rows() * d];
        let of = texts.len();
        let mut encoded = 0;
        let mut texts = texts.into_iter();
        loop {
            let (rows, piece): (Vec<usize>, Vec<String>) = texts.by_ref().take(MAX_BATCH).unzip();
            if rows.is_empty() {
                return Ok(vectors);
            }
            let found = encoder.encode(piece, Role::Query).await?;
            for (row, vector) in rows.iter().zip(&found) {
                vectors[row * d..][..d].copy_from_slice(vector);
            }
            encoded += rows.len();
            watch(TrainingStage::Queries { encoded, of });
            progress.check()?;
        }
    }

    /// Measures an SAE, in a folder or a collection's own, on the collection's vectors.
    pub async fn evaluate_sae(
        self: &Arc<Self>,
        address: &Address,
        folder: Option<String>,
    ) -> Result<(SaeRecord, Quality)> {
        let view = self.core.view(address)?;
        let service = self.clone();
        cancellable(move |progress| {
            let sae = match folder {
                Some(folder) => {
                    let sae = service.core.models.found_sae(&folder)?;
                    check_reads(&view.spec.vectors(), &sae, &view.name())?;
                    sae
                }
                None => service.core.required_sae(&view)?,
            };
            let source = SnapshotRows::of(view.snapshot.clone(), progress)?;
            let quality = evaluate_source(&sae, &source, &EvaluateOptions::default())?;
            Ok((SaeRecord::of(&sae), quality))
        })
        .await
    }

    /// Brings an SAE into the data directory; see [`Piece`]. The last piece is `None`.
    pub async fn upload_sae(
        self: &Arc<Self>,
        pieces: mpsc::Receiver<Option<Piece>>,
    ) -> Result<SaeRecord> {
        let service = self.clone();
        blocking(move || receive_sae(&service.core, pieces)).await
    }

    /// The files of an SAE of the data directory.
    ///
    /// # Errors
    /// `NotFound` for a hash that it has not.
    pub async fn download_sae(self: &Arc<Self>, hash: String) -> Result<Download> {
        let service = self.clone();
        blocking(move || Download::of(&service.core.models.folder_of(&hash)?)).await
    }

    /// What a folder holds, or a collection's SAE.
    pub async fn sae_info(
        self: &Arc<Self>,
        folder: Option<String>,
        collection: Option<Address>,
    ) -> Result<SaeRecord> {
        let service = self.clone();
        blocking(move || match (folder, collection) {
            (Some(folder), _) => Ok(SaeRecord::of(&*service.core.models.found_sae(&folder)?)),
            (None, Some(name)) => {
                let view = service.core.view(&name)?;
                view.sae().cloned().ok_or_else(|| no_sae(&view))
            }
            (None, None) => Err(Error::invalid(
                "of",
                "is missing; a path or a collection is named",
            )),
        })
        .await
    }
}

/// The vectors of a snapshot, read where they lie, in an order that follows from the vectors alone: merges number
/// documents anew whenever they happen, and the same vectors train the same SAE.
struct SnapshotRows {
    snapshot: Arc<Snapshot>,
    docs: Vec<u32>,
    dimension: usize,
    progress: Arc<Progress>,
}

impl SnapshotRows {
    /// Reading ends with `Cancelled` once the work is called off.
    fn of(snapshot: Arc<Snapshot>, progress: &Arc<Progress>) -> Result<Self> {
        let living: Vec<u32> = snapshot.living().collect();
        let keyed = |&doc: &u32| snapshot.vector(doc).map(|vector| (key_of(vector), doc));
        let mut keyed: Vec<(u64, u32)> = living.par_iter().filter_map(keyed).collect();
        // Vectors of one key are equal, so that their order is of no matter.
        keyed.par_sort_unstable();
        let docs: Vec<u32> = keyed.into_iter().map(|(_, doc)| doc).collect();
        let first = docs.first().and_then(|doc| snapshot.vector(*doc));
        let Some(dimension) = first.map(<[f32]>::len) else {
            return Err(no_vectors());
        };
        Ok(Self {
            snapshot,
            docs,
            dimension,
            progress: progress.clone(),
        })
    }
}

impl SnapshotRows {
    /// The texts that a field holds, with their rows.
    fn texts(&self, field: &str) -> Result<Vec<(usize, String)>> {
        let text = |(row, doc): (usize, &u32)| {
            if let Err(stopped) = self.progress.check() {
                return Some(Err(stopped));
            }
            let mut document = match self.snapshot.stored(*doc) {
                Ok(document) => document,
                Err(error) => return Some(Err(error)),
            };
            let text = match document.attributes.remove(field) {
                Some(Value::String(text)) => Some(text),
                None if field == "text" => document.text,
                _ => None,
            };
            let text = text.filter(|text| !text.trim().is_empty())?;
            Some(Ok((row, text)))
        };
        self.docs.par_iter().enumerate().filter_map(text).collect()
    }
}

impl RowSource for SnapshotRows {
    fn rows(&self) -> usize {
        self.docs.len()
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn read(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.progress.check()?;
        out.clear();
        let docs = self.docs.get(rows.clone()).ok_or_else(|| {
            Error::invalid(
                "rows",
                format!("{}..{} passes the end", rows.start, rows.end),
            )
        })?;
        for doc in docs {
            out.extend_from_slice(self.snapshot.vector(*doc).unwrap_or_default());
        }
        Ok(())
    }
}

/// The start of a hash of a vector's bits.
fn key_of(vector: &[f32]) -> u64 {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(bytemuck::cast_slice(vector))[..8]);
    u64::from_le_bytes(key)
}

fn no_vectors() -> Error {
    Error::precondition("the collection holds no vectors to read")
}
