//! Encoders and SAEs in memory, each opened once.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use half::f16;
use latentdb_index::Activation;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::opened::Opened;
use super::places::ModelPlaces;
use super::spec::EncoderRecord;
use crate::encoder::{BatchingEncoder, EncoderIdentity, EncoderOptions, SentenceEncoder};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::measures::Measures;
use crate::reading::Precision;
use crate::sae::{Codes, Sae, format};

/// Ending of the state that a training leaves on its way, and how long it is kept.
const CHECKPOINT: &str = "checkpoint";
const CHECKPOINT_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ways of using encoders that are kept at once.
const MOST_USES: usize = 64;

/// How a sentence encoder is used, where its own files are not to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncoderSettings {
    /// What its products are computed on.
    pub precision: Precision,
    /// What stands before queries.
    pub query_prompt: Option<String>,
    /// What stands before documents.
    pub document_prompt: Option<String>,
    /// The first values that are kept of a vector.
    pub dimensions: Option<usize>,
    /// Tokens after which a text is cut.
    pub max_tokens: Option<usize>,
}

/// Bytes of a prompt.
const MAX_PROMPT: usize = 4096;

impl EncoderSettings {
    /// Checks what can be checked before a model is opened.
    ///
    /// # Errors
    /// `InvalidArgument` naming a prompt that is too long.
    pub fn check(&self) -> Result<()> {
        for (field, prompt) in [
            ("query_prompt", &self.query_prompt),
            ("document_prompt", &self.document_prompt),
        ] {
            let length = prompt.as_ref().map_or(0, String::len);
            if length > MAX_PROMPT {
                return Err(Error::invalid(
                    field,
                    format!("has {length} bytes; at most {MAX_PROMPT} are accepted"),
                ));
            }
        }
        Ok(())
    }

    /// Those that vectors of this identity were made with.
    fn of(identity: &EncoderIdentity) -> Self {
        Self {
            precision: identity.precision,
            query_prompt: Some(identity.prompts.query.clone()),
            document_prompt: Some(identity.prompts.document.clone()),
            dimensions: identity.dimensions,
            max_tokens: Some(identity.max_tokens),
        }
    }
}

fn length_of(identity: &EncoderIdentity) -> &'static str {
    match identity.normalised {
        true => "unit",
        false => "their own",
    }
}

/// Models by name and by hash.
pub(super) struct Models {
    sae_directory: PathBuf,
    places: Arc<ModelPlaces>,
    measures: Measures,
    /// Sentence encoders as their files say.
    networks: Opened<(String, Precision), Arc<SentenceEncoder>>,
    /// The same as collections and calls use them.
    encoders: Opened<(String, EncoderSettings), BatchingEncoder>,
    saes: Opened<String, Arc<Sae>>,
    /// Held while an SAE is copied into the data directory.
    importing: Mutex<()>,
}

impl Models {
    pub fn new(
        sae_directory: PathBuf,
        places: Arc<ModelPlaces>,
        measures: Measures,
    ) -> Result<Self> {
        fs::create_dir_all(&sae_directory)?;
        for entry in fs::read_dir(&sae_directory)? {
            let path = entry?.path();
            // Copies that a crash broke off.
            if path.extension().is_some_and(|extension| extension == "tmp") {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(Self::existing(sae_directory, places, measures))
    }

    /// The SAEs of a folder in which nothing is changed.
    pub fn existing(sae_directory: PathBuf, places: Arc<ModelPlaces>, measures: Measures) -> Self {
        Self {
            sae_directory,
            places,
            measures,
            networks: Opened::default(),
            encoders: Opened::default(),
            saes: Opened::default(),
            importing: Mutex::default(),
        }
    }

    /// The encoder of a name ([`ModelPlaces::model`]), used as `settings` say. Blocks while it is opened. A model is
    /// opened once, however it is used.
    pub fn encoder(&self, model: &str, settings: &EncoderSettings) -> Result<BatchingEncoder> {
        let options = |settings: &EncoderSettings| EncoderOptions {
            name: Some(model.to_owned()),
            precision: settings.precision,
            query_prompt: settings.query_prompt.clone(),
            document_prompt: settings.document_prompt.clone(),
            dimensions: settings.dimensions,
            max_tokens: settings.max_tokens,
            offline: !self.places.downloads,
            ..EncoderOptions::default()
        };
        let name = (model.to_owned(), settings.precision);
        let opened = self.networks.get_or_open(&name, || {
            let unsaid = EncoderSettings {
                precision: settings.precision,
                ..EncoderSettings::default()
            };
            let place = self.places.model(model)?;
            Ok(Arc::new(SentenceEncoder::open(&place, &options(&unsaid))?))
        })?;
        let own = EncoderSettings::of(opened.identity());
        let settled = EncoderSettings {
            precision: settings.precision,
            query_prompt: settings.query_prompt.clone().or(own.query_prompt),
            document_prompt: settings.document_prompt.clone().or(own.document_prompt),
            dimensions: settings
                .dimensions
                .filter(|count| *count != opened.dimension()),
            max_tokens: settings.max_tokens.or(own.max_tokens),
        };
        let key = (model.to_owned(), settled);
        if self.encoders.get(&key).is_none() && self.encoders.all().len() >= MOST_USES {
            // Each is a tokenizer and a thread, made again at once where it is wanted.
            self.encoders.retain(|_| false);
        }
        self.encoders.get_or_open(&key, || {
            let used = Arc::new(opened.used_as(&options(&key.1))?);
            let measures = self.measures.clone();
            Ok(BatchingEncoder::new(used, move |texts, took| {
                measures.encoded(texts, took);
            }))
        })
    }

    /// The encoder of a record, checked to be the one that the record's vectors were made with.
    pub fn recorded_encoder(&self, recorded: &EncoderRecord) -> Result<BatchingEncoder> {
        let own = &recorded.identity;
        let encoder = self.encoder(&recorded.model, &EncoderSettings::of(own))?;
        let found = encoder.encoder().identity();
        if found.weights_sha256 != own.weights_sha256 {
            return Err(Error::precondition(format!(
                "the model {:?} is not the one this collection was made with: its weights are {}, \
                 the collection's {}; bring the old model back or rebuild the collection",
                recorded.model, found.weights_sha256, own.weights_sha256
            )));
        }
        if found != own {
            return Err(Error::precondition(format!(
                "the model {:?} is used otherwise than when this collection was made: its files ask for {} pooling, \
                 {} length, the collection's vectors have {} pooling, {} length; bring the old files back or rebuild \
                 the collection",
                recorded.model,
                found.pooling.name(),
                length_of(found),
                own.pooling.name(),
                length_of(own)
            )));
        }
        Ok(encoder)
    }

    /// The SAE of a folder or of a hash, kept in the data directory.
    pub fn named_sae(&self, name: &str) -> Result<Arc<Sae>> {
        match self.has_sae(name) {
            true => self.sae(name),
            false => self.import_sae(&self.places.sae(name)?),
        }
    }

    /// The SAE of a hash of the data directory, or as it lies in a folder.
    pub fn found_sae(&self, name: &str) -> Result<Arc<Sae>> {
        match self.has_sae(name) {
            true => self.sae(name),
            false => Ok(Arc::new(format::open(&self.places.sae(name)?)?)),
        }
    }

    /// A place for the files of an SAE that is on its way; gone with what is returned, or with the
    /// next start.
    pub fn place_of_upload(&self) -> Result<TempDir> {
        let mut named = tempfile::Builder::new();
        let named = named.prefix("upload-").suffix(".tmp");
        Ok(named.tempdir_in(&self.sae_directory)?)
    }

    /// Where a training that is described so leaves its state on the way. Those that nobody went on with
    /// for a week are removed.
    pub fn checkpoint(&self, training: &str) -> PathBuf {
        let folder = fs::read_dir(&self.sae_directory).into_iter().flatten();
        for entry in folder.flatten() {
            let path = entry.path();
            let age = entry.metadata().and_then(|found| found.modified());
            let age = age.ok().and_then(|at| at.elapsed().ok());
            let is_old = age.is_some_and(|age| age > CHECKPOINT_KEPT);
            if path.extension().is_some_and(|own| own == CHECKPOINT) && is_old {
                // It costs space, and nothing else.
                let _ = fs::remove_file(path);
            }
        }
        let name = hex(Sha256::digest(training));
        self.sae_directory.join(name).with_extension(CHECKPOINT)
    }

    /// The folder of an SAE of the data directory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn folder_of(&self, hash: &str) -> Result<PathBuf> {
        match self.has_sae(hash) {
            true => Ok(self.sae_directory.join(hash)),
            false => Err(Error::not_found(format!(
                "the server holds no SAE of the hash {hash:?}"
            ))),
        }
    }

    /// Loads an SAE from a folder and keeps a copy in the data directory, under its hash.
    pub fn import_sae(&self, folder: &Path) -> Result<Arc<Sae>> {
        self.keep(&format::open(folder)?)
    }

    /// Keeps an SAE in the data directory, under its hash. Where one of that hash is there already, its record stays,
    /// but for how often its latents come back, which the hash does not tell.
    pub fn keep(&self, sae: &Sae) -> Result<Arc<Sae>> {
        let kept = self.sae_directory.join(sae.hash());
        {
            let _one = self.importing.lock();
            if !kept.exists() {
                format::save(sae, &kept)?;
            } else if let Some(recurrence) = &sae.record().recurrence {
                let mut there = Sae::clone(&*self.sae(sae.hash())?);
                if there.record().recurrence.as_ref() != Some(recurrence) {
                    there.set_recurrence(recurrence.clone())?;
                    format::save(&there, &kept)?;
                    self.saes.retain(|hash| hash != sae.hash());
                }
            }
        }
        // What is served is what a restart would load.
        self.sae(sae.hash())
    }

    /// An SAE of the data directory by its hash.
    pub fn sae(&self, hash: &str) -> Result<Arc<Sae>> {
        self.saes.get_or_open(&hash.to_owned(), || {
            let sae = Arc::new(format::open(&self.sae_directory.join(hash))?);
            if sae.hash() != hash {
                return Err(Error::corrupted(format!(
                    "the SAE kept as {hash} has the hash {}",
                    sae.hash()
                )));
            }
            Ok(sae)
        })
    }

    /// Whether the data directory has an SAE of a hash.
    pub fn has_sae(&self, hash: &str) -> bool {
        // A hash comes with a definition, and must name no other folder.
        let is_hash = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash && !hash.is_empty() && self.sae_directory.join(hash).is_dir()
    }

    /// Closes the SAEs whose hashes are not in use; their files stay.
    pub fn close_others(&self, used: &HashSet<String>) {
        self.saes.retain(|hash| used.contains(hash));
    }

    /// Bytes that the weights of the SAEs in memory hold.
    pub fn open_sae_bytes(&self) -> u64 {
        self.saes.all().iter().map(|sae| sae.memory_bytes()).sum()
    }

    /// Bytes that the weights of an SAE hold in memory; 0 while it is not opened.
    pub fn sae_bytes(&self, hash: &str) -> u64 {
        let sae = self.saes.get(&hash.to_owned());
        sae.map_or(0, |sae| sae.memory_bytes())
    }
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
