//! Encoders and SAEs in memory, each opened once.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::gate::Gate;
use crate::encoder::{BatchingEncoder, EncoderIdentity, EncoderOptions, SentenceEncoder};
use crate::error::{Error, Result};
use crate::inputs::{self, Model};
use crate::reading::{Precision, Reading};
use crate::sae::{Codes, Normalisation, Sae, TrainingRecord};
use latentdb_index::{Activation, CollectionRecord, Document};

/// What a collection records of the encoder that makes its vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderRecord {
    /// As the user named it.
    pub model: String,
    /// Which weights it was and how they are used; checked whenever the model is opened.
    pub identity: EncoderIdentity,
    /// Values of a vector.
    pub dimension: usize,
}

/// What a collection records of its SAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaeRecord {
    /// Its hash ([`Sae::hash`]); it lies under this name in the data directory.
    pub sha256: String,
    /// Values of the vectors it reads.
    pub d_in: usize,
    /// Its latents.
    pub n_latents: usize,
    /// Latents active at once, where that is fixed.
    pub k: Option<usize>,
    /// Its architecture's name.
    pub architecture: String,
    /// Where it came from.
    pub training: TrainingRecord,
    /// What it does to a vector first.
    #[serde(default)]
    pub normalisation: Normalisation,
    /// What it reads.
    #[serde(default)]
    pub level: Level,
    /// What the collection asks of its fit.
    #[serde(default)]
    pub gate: Gate,
}

/// What an SAE reads (METHODS: two levels that never mix).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One vector per document.
    #[default]
    Pooled,
    /// The states of tokens; their codes are pooled.
    Token,
}

impl Level {
    /// The name that records show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Token => "token",
        }
    }
}

impl SaeRecord {
    /// What there is to record of an SAE.
    pub fn of(sae: &Sae) -> Self {
        Self {
            sha256: sae.hash().to_owned(),
            d_in: sae.d_in(),
            n_latents: sae.n_latents(),
            k: sae.k(),
            architecture: sae.architecture().name().to_owned(),
            training: sae.record().clone(),
            normalisation: sae.normalisation(),
            // A hook that no reader gives is one of tokens all the same.
            level: match sae.record().made_for() {
                Ok(None | Some(Reading::Pooled(_))) => Level::Pooled,
                Ok(Some(Reading::Token(_))) | Err(_) => Level::Token,
            },
            gate: Gate::default(),
        }
    }
}

/// Models by name and by hash.
pub(super) struct Models {
    sae_directory: PathBuf,
    encoders: Mutex<HashMap<(String, Precision), BatchingEncoder>>,
    saes: Mutex<HashMap<String, Arc<Sae>>>,
    /// Held while an SAE is copied into the data directory.
    importing: Mutex<()>,
}

impl Models {
    pub fn new(sae_directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&sae_directory)?;
        for entry in fs::read_dir(&sae_directory)? {
            let path = entry?.path();
            // Copies that a crash broke off.
            if path.extension().is_some_and(|extension| extension == "tmp") {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(Self {
            sae_directory,
            encoders: Mutex::default(),
            saes: Mutex::default(),
            importing: Mutex::default(),
        })
    }

    /// The encoder of a name: a pinned model, a folder, or a hub id. Blocks while it is opened.
    pub fn encoder(&self, model: &str, precision: Precision) -> Result<BatchingEncoder> {
        let key = (model.to_owned(), precision);
        let mut encoders = self.encoders.lock();
        if let Some(encoder) = encoders.get(&key) {
            return Ok(encoder.clone());
        }
        let options = EncoderOptions {
            name: Some(model.to_owned()),
            precision,
            ..EncoderOptions::default()
        };
        let place = match inputs::resolve_model(model, &mut |_, _| true)? {
            Model::Pinned(folder) => folder.to_string_lossy().into_owned(),
            Model::Named(name) => name,
        };
        let opened = Arc::new(SentenceEncoder::open(&place, &options)?);
        let encoder = BatchingEncoder::new(opened);
        encoders.insert(key, encoder.clone());
        Ok(encoder)
    }

    /// The encoder a collection records, checked to be the one its vectors were made with.
    pub fn encoder_of(&self, record: &CollectionRecord) -> Result<Option<BatchingEncoder>> {
        let Some(recorded) = encoder_record(record)? else {
            return Ok(None);
        };
        let encoder = self.encoder(&recorded.model, recorded.identity.precision)?;
        let found = encoder.encoder().identity();
        if found != &recorded.identity {
            return Err(Error::precondition(format!(
                "the model {:?} is not the one this collection was made with: its weights are {}, \
                 the collection's {}; bring the old model back or build the collection anew",
                recorded.model, found.weights_sha256, recorded.identity.weights_sha256
            )));
        }
        Ok(Some(encoder))
    }

    /// Loads an SAE from a folder and keeps a copy in the data directory, under its hash.
    pub fn import_sae(&self, folder: &Path) -> Result<Arc<Sae>> {
        let sae = Arc::new(Sae::load(folder)?);
        let kept = self.sae_directory.join(sae.hash());
        {
            let _one = self.importing.lock();
            if !kept.exists() {
                sae.save(&kept)?;
            }
        }
        // What is served is what a restart would load.
        self.sae(sae.hash())
    }

    /// An SAE of the data directory by its hash.
    pub fn sae(&self, hash: &str) -> Result<Arc<Sae>> {
        let mut saes = self.saes.lock();
        if let Some(sae) = saes.get(hash) {
            return Ok(sae.clone());
        }
        let sae = Arc::new(Sae::load(&self.sae_directory.join(hash))?);
        if sae.hash() != hash {
            return Err(Error::corrupted(format!(
                "the SAE kept as {hash} has the hash {}",
                sae.hash()
            )));
        }
        saes.insert(hash.to_owned(), sae.clone());
        Ok(sae)
    }

    /// Closes the SAEs whose hashes are not in use; their files stay.
    pub fn close_others(&self, used: &HashSet<String>) {
        self.saes.lock().retain(|hash, _| used.contains(hash));
    }

    /// Bytes that the weights of an SAE hold in memory; 0 while it is not opened.
    pub fn sae_bytes(&self, hash: &str) -> u64 {
        let saes = self.saes.lock();
        saes.get(hash).map_or(0, |sae| sae.memory_bytes())
    }

    /// The SAE that reads a collection's vectors. One that reads token states never meets them.
    pub fn sae_of(&self, record: &CollectionRecord) -> Result<Option<Arc<Sae>>> {
        match sae_record(record)? {
            None => Ok(None),
            Some(_) if record.reader.is_some() => Ok(None),
            Some(recorded) => self.sae(&recorded.sha256).map(Some),
        }
    }
}

/// What a collection records of its encoder.
pub(super) fn encoder_record(record: &CollectionRecord) -> Result<Option<EncoderRecord>> {
    read(record.encoder.as_ref())
}

/// What a collection records of its SAE.
pub(super) fn sae_record(record: &CollectionRecord) -> Result<Option<SaeRecord>> {
    read(record.sae.as_ref())
}

fn read<T: for<'a> Deserialize<'a>>(value: Option<&serde_json::Value>) -> Result<Option<T>> {
    value
        .map(|value| serde_json::from_value(value.clone()))
        .transpose()
        .map_err(|error| Error::corrupted("a model's record is not readable").with_source(error))
}

/// The JSON a record is kept as.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::internal("a record").with_source(error))
}

/// What is wrong with latents that are too strong to be stored.
pub(super) fn beyond_storage(code: &[Activation]) -> Option<String> {
    let most = f32::from(f16::MAX);
    let large = code.iter().find(|one| one.activation > most)?;
    Some(format!(
        "activates latent {} with {}; at most {most} is stored: what the SAE reads is scaled in \
         another way than in its training, or codes of tokens are added up (pool by max or mean)",
        large.latent, large.activation
    ))
}

/// [`beyond_storage`] of documents that were coded anew.
pub(super) fn check_storable(documents: &[Document]) -> Result<()> {
    for document in documents {
        if let Some(what) = beyond_storage(&document.latents) {
            return Err(Error::precondition(format!(
                "document {:?} {what}",
                document.id
            )));
        }
    }
    Ok(())
}

/// Makes the latents of documents anew, from their vectors; those without vector lose them.
pub(super) fn recode_vectors(sae: &Sae, documents: &mut [Document]) -> Result<()> {
    let vectors = documents
        .iter()
        .filter_map(|document| document.vector.as_deref());
    let rows: Vec<f32> = vectors.flatten().copied().collect();
    let mut codes = activations(&sae.encode_parallel(&rows, 0)?).into_iter();
    for document in documents.iter_mut() {
        let code = document.vector.as_ref().and_then(|_| codes.next());
        document.latents = code.unwrap_or_default();
        document.positions.clear();
    }
    check_storable(documents)
}

/// Rows of codes as the engine takes them.
pub(super) fn activations(codes: &Codes) -> Vec<Vec<Activation>> {
    codes
        .iter()
        .map(|(latents, activations)| {
            latents
                .iter()
                .zip(activations)
                .map(|(&latent, &activation)| Activation { latent, activation })
                .collect()
        })
        .collect()
}
