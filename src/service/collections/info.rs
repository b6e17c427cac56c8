//! What a collection is created with and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use latentdb_index::{Analyzer, GraphProgress, SavedSet, Snapshot};

use crate::error::{Error, ErrorKind, Result};
use crate::reading::{CodePooling, Precision, TokenPolicy};
use crate::service::core::{Address, Core, View};
use crate::service::documents::Documents;
use crate::service::gate::FitInfo;
use crate::service::labels::Labels;
use crate::service::models::EncoderSettings;
use crate::service::search::Search;
use crate::service::spec::{EncoderRecord, Gate, ReaderRecord, SaeRecord};

/// The reader that a collection is made with. What is absent is as in the SAE's training, where
/// that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReaderRequest {
    /// A pinned model, a folder, a GGUF file or a hub id.
    pub model: String,
    /// The layer, counted from 0.
    pub layer: Option<usize>,
    /// What texts are wrapped in.
    pub chat_template: Option<String>,
    /// Tokens of a window.
    pub window: Option<usize>,
    /// Tokens of the text between the starts of two windows.
    pub stride: Option<usize>,
    /// Which tokens other than those of the text are read.
    pub tokens: Option<TokenPolicy>,
    /// Whether a beginning-of-sequence token stands before a text that is not wrapped.
    pub prepend_bos: Option<bool>,
    /// How codes are pooled.
    pub pooling: Option<CodePooling>,
    /// Whether the place where a latent is strongest is stored with each document.
    pub positions: bool,
    /// What the reader's products are computed on.
    pub precision: Option<Precision>,
}

/// Creates, changes, describes and drops collections.
pub struct Collections {
    pub(super) core: Arc<Core>,
    pub(super) documents: Arc<Documents>,
    pub(super) labels: Arc<Labels>,
    pub(super) search: Arc<Search>,
}

/// What a collection is made with.
#[derive(Clone, Debug, Default)]
pub struct CreateCollection {
    /// Its name.
    pub name: String,
    /// The model that makes vectors from text.
    pub encoder: Option<String>,
    /// Values of its vectors, where neither encoder nor SAE says.
    pub dimension: Option<usize>,
    /// A folder with an SAE.
    pub sae: Option<String>,
    /// Number of latents, where the client brings them.
    pub n_latents: Option<usize>,
    /// What is asked of the SAE's fit.
    pub gate: Gate,
    /// The model whose token states the SAE reads; absent at level pooled.
    pub reader: Option<ReaderRequest>,
    /// What the products of the encoder and the reader are computed on; absent, `f32`, and for a
    /// reader what the SAE's training took.
    pub precision: Option<Precision>,
    /// How the encoder is used; its precision is that above.
    pub encoder_settings: EncoderSettings,
    /// How its text becomes words.
    pub analyzer: Analyzer,
    /// The states of a model that the client's vectors are, as `MODEL HOOK`.
    pub states: Option<String>,
}

/// A collection's record and statistics.
#[derive(Clone)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// When it was created, microseconds since the epoch.
    pub created: i64,
    /// Values of its vectors.
    pub dimension: Option<usize>,
    /// Latents a document can have.
    pub n_latents: Option<usize>,
    /// How its text becomes words.
    pub analyzer: Analyzer,
    /// Its encoder.
    pub encoder: Option<EncoderRecord>,
    /// Its SAE.
    pub sae: Option<SaeRecord>,
    /// How its SAE fits its first vectors, where it was asked for.
    pub fit: Option<FitInfo>,
    /// Its reader, at level token.
    pub reader: Option<ReaderRecord>,
    /// Its SAEs; the first is the default.
    pub saes: Vec<AttachedSae>,
    /// Its attributes with the kinds of their values, where it was asked for.
    pub attributes: BTreeMap<String, BTreeSet<&'static str>>,
    /// Its documents; `None` where it cannot be opened.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Texts written so far of which the encoder read the beginning alone.
    pub cut_texts: u64,
    /// How far the graphs of its vectors are.
    pub graphs: GraphProgress,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// What is damaged, if anything is known to be.
    pub damage: Option<String>,
    /// Further names of it.
    pub aliases: Vec<String>,
}

/// A saved set and what it describes now.
#[derive(Debug)]
pub struct SetInfo {
    /// The set as it is kept.
    pub set: SavedSet,
    /// Documents it describes now, or why that cannot be said.
    pub documents: Result<u64>,
    /// Tests in its filter that no document can pass, where it was just saved.
    pub warnings: Vec<String>,
}

/// One SAE of a collection.
#[derive(Clone, Debug)]
pub struct AttachedSae {
    /// Its name; empty for the one that was attached without a name.
    pub name: String,
    /// What is recorded of it.
    pub sae: SaeRecord,
    /// What it reads, at level token.
    pub reader: Option<ReaderRecord>,
    /// How it fits its first vectors, where it was asked for.
    pub fit: Option<FitInfo>,
    /// Bytes of its latents, on disk and mapped.
    pub latents_bytes: u64,
    /// Bytes of its weights in memory; 0 while it is not opened.
    pub weights_bytes: u64,
}

impl Collections {
    pub(in crate::service) fn new(
        core: Arc<Core>,
        documents: Arc<Documents>,
        labels: Arc<Labels>,
        search: Arc<Search>,
    ) -> Self {
        Self {
            core,
            documents,
            labels,
            search,
        }
    }

    /// `measure` opens the SAE to say how it fits, and looks which attributes there are.
    pub(super) fn describe(&self, address: &Address, measure: bool) -> Result<CollectionInfo> {
        let view = match self.core.view(address) {
            Err(error) if error.kind() == ErrorKind::Corrupted => {
                return self.describe_damaged(address, error);
            }
            view => view?,
        };
        let (fit, attributes) = if measure {
            (self.fit_info(&view)?, view.snapshot.attribute_kinds()?)
        } else {
            (None, BTreeMap::new())
        };
        Ok(CollectionInfo {
            fit,
            attributes,
            saes: self.attached_saes(&view, address, measure)?,
            encoder: view.encoder().cloned(),
            sae: view.sae().cloned(),
            reader: view.reader().cloned(),
            name: address.to_string(),
            created: view.spec.record.created,
            analyzer: view.spec.record.analyzer,
            dimension: view.spec.record.dimension,
            n_latents: view.n_latents(),
            cut_texts: view.handle.cut_texts()?,
            graphs: view.handle.graph_progress()?,
            disk_bytes: view.handle.disk_bytes()?,
            damage: view.handle.damage(),
            aliases: self.core.database.aliases_of(&view.spec.record.name),
            snapshot: Some(view.snapshot),
        })
    }

    /// What is recorded of a collection that cannot be opened; its error where it can.
    fn describe_damaged(&self, address: &Address, error: Error) -> Result<CollectionInfo> {
        let handle = self.core.database.collection(&address.collection)?;
        let damage = handle.damage().ok_or(error)?;
        let spec = self.core.spec(&handle.record())?;
        let default = spec.saes.first();
        Ok(CollectionInfo {
            name: address.to_string(),
            created: spec.record.created,
            analyzer: spec.record.analyzer,
            dimension: spec.record.dimension,
            n_latents: default.map(|sae| sae.n_latents),
            encoder: spec.encoder.clone(),
            sae: default.and_then(|sae| sae.sae.clone()),
            reader: default.and_then(|sae| sae.reader.clone()),
            fit: None,
            saes: Vec::new(),
            attributes: BTreeMap::new(),
            snapshot: None,
            cut_texts: 0,
            graphs: GraphProgress::default(),
            disk_bytes: 0,
            damage: Some(damage),
            aliases: self.core.database.aliases_of(&spec.record.name),
        })
    }

    /// How a view's SAE fits what it has met.
    pub(super) fn fit_info(&self, view: &View) -> Result<Option<FitInfo>> {
        let Some(recorded) = view.sae() else {
            return Ok(None);
        };
        let sae = self.core.models.sae(&recorded.sha256)?;
        self.documents.gates().info(view, &sae)
    }
}

/// Takes `found` where nothing was asked, and refuses it where something else was.
pub(super) fn agree(
    asked: &mut Option<usize>,
    found: usize,
    field: &str,
    whose: &str,
) -> Result<()> {
    match *asked {
        Some(asked) if asked != found => Err(Error::invalid(
            field,
            format!("is {asked}, but {whose} have {found}"),
        )),
        _ => {
            *asked = Some(found);
            Ok(())
        }
    }
}
