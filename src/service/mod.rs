//! What the product does, without wire types: encode and write; resolve, search and explain;
//! train and attach.
//!
//! Blocking work (the engine, SAEs, files) runs on tokio's blocking threads; texts are encoded on
//! the encoder's own thread, in batches across requests.

mod analysis;
mod collections;
mod documents;
mod families;
mod filters;
mod gate;
mod identity;
mod labels;
mod latent_page;
mod latents;
mod models;
mod pages;
mod saes;
mod search;
mod splitting;
mod tokens;
mod training;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use latentdb_index::{Database, View};
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::label::{ChatConfig, ChatModel};
use gate::Gates;
use models::Models;
use pages::Pages;
use tokens::Readers;

pub use analysis::{
    Axis, AxisLatent, AxisRequest, AxisSource, ClusterRequest, ClusterResult, Comparison,
    CorrelateRequest, CorrelateResult, CorrelatedWith, DescribedCluster, DiffRequest, DiffResult,
    DuplicateMember, DuplicatesGroup, DuplicatesRequest, DuplicatesResult, JoinedSide,
    LabelledDiffRow, LabelledPair, LabelledTrendRow, LatentGroup, NamedSet, TrendOrder,
    TrendsRequest, TrendsResult, Unexplained, UnexplainedRequest,
};
pub use collections::{CollectionInfo, CreateCollection, SetInfo};
pub use documents::{MAX_BATCH, Projected, Projection, Turn};
pub use families::{FamilyMemberRecord, FamilyRecord, FindFamilies, LabelledFamily};
pub use gate::{FitInfo, Gate};
pub use identity::MadeWith;
pub(crate) use labels::DEFAULT_DOCUMENTS;
pub use labels::{
    ChatUse, FoundLabel, JudgeChoice, LabelProgress, LabelRequest, LabelSearch, LabellerChoice,
    ScoreProgress, ScoreRequest, ScoreSummary, ScoredLabel,
};
pub use latent_page::{LatentPage, PageRequest, Related};
pub use latents::{LatentOrder, LatentStatistics, NewLabel, ShownLabel};
pub use models::{EncoderRecord, Level, SaeRecord};
pub use saes::{AttachRequest, AttachedSae};
pub use search::{
    AppliedEdit, ChosenLatent, Contribution, DEFAULT_CANDIDATES, DEFAULT_CONCEPT_LATENTS,
    DEFAULT_TEMPERATURE, ExplainedHit, Explanation, FacetBy, FacetResult, LabelledCount,
    MAX_CONCEPT_LATENTS, NearestNode, Node, NodeKind, Preset, PresetUse, PropertyExamples,
    PropertyNode, PropertyReport, PropertyScorer, PropertySelection, PropertySource, SearchOptions,
    SearchResult, SelectedBy, SelectorChoice, SteerChange, SteerEdit, SteerTarget, SteerUnit,
    SteeringReport, SweepHit, SweepStep, Target,
};
pub use splitting::{SplitLatent, SplitRequest};
pub use tokens::{ReaderRecord, ReaderRequest};
pub use training::{TrainRequest, TrainingEnd};

/// The product over one data directory.
pub struct Service {
    database: Database,
    models: Models,
    readers: Readers,
    /// Held while a batch of texts is read token by token.
    reading: Mutex<()>,
    pages: Pages,
    gates: Gates,
    labels: latents::LabelCache,
    label_vectors: labels::LabelVectors,
    language_models: labels::LanguageModels,
    started: Instant,
}

impl Service {
    /// Opens a data directory, creating it where it does not exist. Blocks.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has it open, `Corrupted` when its files do not
    /// pass their checks.
    pub fn open(data: &Path) -> Result<Arc<Self>> {
        Self::open_with_chat(data, None)
    }

    /// The same, with a chat endpoint for labellers and judges.
    ///
    /// # Errors
    /// Those of [`Service::open`], and `InvalidArgument` for an address that is none.
    pub fn open_with_chat(data: &Path, chat: Option<ChatConfig>) -> Result<Arc<Self>> {
        if let Some(config) = &chat {
            ChatModel::new(config.clone())?;
        }
        let database = Database::open(data)?;
        let models = Models::new(data.join("saes"))?;
        Ok(Arc::new(Self {
            database,
            models,
            readers: Readers::default(),
            reading: Mutex::default(),
            pages: Pages::default(),
            gates: Gates::default(),
            labels: latents::LabelCache::default(),
            label_vectors: labels::LabelVectors::default(),
            language_models: labels::LanguageModels::new(chat),
            started: Instant::now(),
        }))
    }

    /// Seconds since it was opened.
    pub fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// How many collections there are.
    pub fn collection_count(&self) -> usize {
        self.database.collections().len()
    }

    fn view(&self, collection: &str) -> Result<View> {
        self.database.collection(collection)?.view()
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(|error| Error::internal("a task failed").with_source(error))?
}
