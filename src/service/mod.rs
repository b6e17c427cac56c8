//! What the product does, without wire types: encode and write; resolve, search and explain;
//! train and attach.
//!
//! Blocking work (the engine, SAEs, files) runs on tokio's blocking threads; texts are encoded on
//! the encoder's own thread, in batches across requests.

mod analyses;
mod blocking;
mod coder;
mod collections;
mod core;
mod documents;
mod families;
mod gate;
mod identity;
mod labels;
mod models;
mod names;
mod opened;
mod places;
mod readers;
mod recurring;
mod room;
mod search;
mod snapshots;
mod spec;
mod training;
mod transfers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::label::{ChatConfig, ChatModel};
use snapshots::Store;

pub use analyses::{
    Analyses, Axis, AxisLatent, AxisRequest, AxisSource, ClusterRequest, ClusterResult, Compared,
    ComparedSets, Comparison, CorrelateRequest, CorrelateResult, CorrelatedWith, DescribedCluster,
    DescribedLatent, Design, DiffRequest, DiffResult, DuplicateMember, DuplicatesGroup,
    DuplicatesRequest, DuplicatesResult, ExplainRequest, ExplainResult, Hypothesis,
    HypothesiseRequest, HypothesiseResult, JoinedSide, Judged, LabelledDiffRow, LabelledMatch,
    LabelledPair, LabelledTrendRow, LatentGroup, LeftOut, MakeMapRequest, MapLayout, MapPoints,
    MapRecord, MapValue, MatchRequest, MatchResult, Moved, MovedKind, Moves, NamedSet, Overlap,
    ReadMapRequest, Stayed, TrendOrder, TrendsRequest, TrendsResult, Unexplained,
    UnexplainedRequest,
};
pub(crate) use blocking::{blocking, cancellable};
pub use collections::{
    AttachRequest, AttachedSae, CollectionInfo, Collections, CreateCollection, ExportedRecords,
    ReaderRequest, RestoreRequest, SetInfo,
};
pub use core::{Address, CollectionState, Core};
pub use documents::{
    Batch, Documents, ExpectedVersions, IfExists, Ingested, MAX_BATCH, MatchingChange, Projected,
    Projection, ReadDocument, SaeCodes, Scroll, WriteOrder,
};
pub use families::{FamilyMemberRecord, FamilyRecord};
pub use gate::FitInfo;
pub use identity::MadeWith;
pub use labels::{
    ChatUse, FindFamilies, FoundLabel, JudgeChoice, LabelProgress, LabelRequest, LabelSearch,
    LabelledFamily, LabellerChoice, Labels, LatentList, LatentOrder, LatentPage, LatentStatistics,
    NewLabel, PageRequest, Related, ScoreProgress, ScoreRequest, ScoreSummary, ScoredLabel,
    ShownLabel, SplitLatent, SplitRequest,
};
pub use models::EncoderSettings;
pub use places::ModelPlaces;
pub use room::MIN_FREE_DISK;
pub use search::{
    AppliedEdit, ChosenLatent, Contribution, CountedFacets, DEFAULT_CANDIDATES,
    DEFAULT_CONCEPT_LATENTS, DEFAULT_TEMPERATURE, ExplainedHit, Explanation, FacetResult, GroupBy,
    Highlight, MAX_CONCEPT_LATENTS, NearestNode, Node, NodeKind, Preset, PresetUse,
    PropertyExamples, PropertyNode, PropertyReport, PropertyScorer, PropertySelection,
    PropertySource, Search, SearchOptions, SearchResult, SelectedBy, SelectorChoice, SlowSearch,
    SteerChange, SteerEdit, SteerTarget, SteerUnit, SteeringReport, SweepHit, SweepStep, Target,
};
pub use snapshots::{CollectionManifest, Manifest, Snapshots};
pub use spec::{EncoderRecord, Gate, Level, ReaderRecord, SaeRecord, SaeSpec, Spec};
pub use training::{TrainRequest, Training, TrainingEnd, TrainingStage};
pub use transfers::{Download, Piece};

/// The parts of the product over one data directory; each owns its state, and uses those before it.
#[derive(Clone)]
pub struct Service {
    /// The data directory and the models in memory.
    pub core: Arc<Core>,
    /// Writing and reading documents.
    pub documents: Arc<Documents>,
    /// Latents and their labels.
    pub labels: Arc<Labels>,
    /// Searching, counting and steering.
    pub search: Arc<Search>,
    /// Analyses over sets of documents.
    pub analyses: Arc<Analyses>,
    /// Training and measuring SAEs, and their use on texts and vectors.
    pub training: Arc<Training>,
    /// Creating, changing and dropping collections.
    pub collections: Arc<Collections>,
    /// Snapshots in a store elsewhere.
    pub snapshots: Arc<Snapshots>,
}

/// How a data directory is served.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// Writes are refused while the disk has fewer bytes free.
    pub min_free_disk: u64,
    /// Nothing in the data directory is changed.
    pub read_only: bool,
    /// Searches that take so long are kept to be listed.
    pub slow_search: Option<Duration>,
    /// A chat endpoint for labellers and judges.
    pub chat: Option<ChatConfig>,
    /// Directories of the models that clients may name.
    pub places: ModelPlaces,
    /// The store of snapshots: a folder, or `s3://BUCKET/PREFIX`.
    pub snapshots: Option<String>,
}

impl Service {
    /// Opens a data directory, creating it where it does not exist. Blocks.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has it open, `Corrupted` when its files do not
    /// pass their checks, `InvalidArgument` for a malformed address of the chat endpoint.
    pub fn open(data: &Path, options: ServiceOptions) -> Result<Self> {
        let ServiceOptions {
            min_free_disk,
            read_only,
            slow_search,
            chat,
            places,
            snapshots,
        } = options;
        let store = snapshots.as_deref().map(Store::open).transpose()?;
        if let Some(config) = &chat {
            ChatModel::new(config.clone())?;
        }
        let core = Arc::new(Core::open(data, min_free_disk, read_only, places)?);
        let documents = Arc::new(Documents::new(core.clone()));
        let labels = Arc::new(Labels::new(core.clone(), chat));
        let search = Arc::new(Search::new(core.clone(), labels.clone(), slow_search));
        let analyses = Arc::new(Analyses::new(core.clone(), labels.clone()));
        let training = Arc::new(Training::new(core.clone()));
        let collections = Arc::new(Collections::new(
            core.clone(),
            documents.clone(),
            labels.clone(),
            search.clone(),
        ));
        Ok(Self {
            core: core.clone(),
            documents,
            labels,
            search,
            analyses,
            training,
            collections,
            snapshots: Arc::new(Snapshots::new(core, store)),
        })
    }
}
