//! Encoders and SAEs in memory, each opened once.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use latentdb_index::Activation;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::opened::Opened;
use super::spec::EncoderRecord;
use crate::encoder::{BatchingEncoder, EncoderOptions, SentenceEncoder};
use crate::error::{Error, Result};
use crate::inputs::Cache;
use crate::reading::Precision;
use crate::sae::{Codes, Sae, format};

/// Models by name and by hash.
pub(super) struct Models {
    sae_directory: PathBuf,
    encoders: Opened<(String, Precision), BatchingEncoder>,
    saes: Opened<String, Arc<Sae>>,
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
        Ok(Self::existing(sae_directory))
    }

    /// The SAEs of a folder in which nothing is changed.
    pub fn existing(sae_directory: PathBuf) -> Self {
        Self {
            sae_directory,
            encoders: Opened::default(),
            saes: Opened::default(),
            importing: Mutex::default(),
        }
    }

    /// The encoder of a name: a pinned model, a folder, or a hub id. Blocks while it is opened.
    pub fn encoder(&self, model: &str, precision: Precision) -> Result<BatchingEncoder> {
        let key = (model.to_owned(), precision);
        self.encoders.get_or_open(&key, || {
            let options = EncoderOptions {
                name: Some(model.to_owned()),
                precision,
                ..EncoderOptions::default()
            };
            let place = Cache::of_user().place_of_model(model)?;
            let opened = Arc::new(SentenceEncoder::open(&place, &options)?);
            Ok(BatchingEncoder::new(opened))
        })
    }

    /// The encoder of a record, checked to be the one that the record's vectors were made with.
    pub fn recorded_encoder(&self, recorded: &EncoderRecord) -> Result<BatchingEncoder> {
        let encoder = self.encoder(&recorded.model, recorded.identity.precision)?;
        let found = encoder.encoder().identity();
        if found != &recorded.identity {
            return Err(Error::precondition(format!(
                "the model {:?} is not the one this collection was made with: its weights are {}, \
                 the collection's {}; bring the old model back or build the collection anew",
                recorded.model, found.weights_sha256, recorded.identity.weights_sha256
            )));
        }
        Ok(encoder)
    }

    /// The SAE of a folder or of a hash, kept in the data directory.
    pub fn named_sae(&self, name: &str) -> Result<Arc<Sae>> {
        match self.has_sae(name) {
            true => self.sae(name),
            false => self.import_sae(Path::new(name)),
        }
    }

    /// The SAE of a hash of the data directory, or as it lies in a folder.
    pub fn found_sae(&self, name: &str) -> Result<Arc<Sae>> {
        match self.has_sae(name) {
            true => self.sae(name),
            false => Ok(Arc::new(format::open(Path::new(name))?)),
        }
    }

    /// A place for the files of an SAE that is on its way; gone with what is returned, or with the
    /// next start.
    pub fn place_of_upload(&self) -> Result<TempDir> {
        let mut named = tempfile::Builder::new();
        let named = named.prefix("upload-").suffix(".tmp");
        Ok(named.tempdir_in(&self.sae_directory)?)
    }

    /// Loads an SAE from a folder and keeps a copy in the data directory, under its hash.
    pub fn import_sae(&self, folder: &Path) -> Result<Arc<Sae>> {
        let sae = Arc::new(format::open(folder)?);
        let kept = self.sae_directory.join(sae.hash());
        {
            let _one = self.importing.lock();
            if !kept.exists() {
                format::save(&sae, &kept)?;
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
