//! The labels of latents as one part of the service: its state, which the files of this folder share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use latentdb_index::Label;
use parking_lot::Mutex;

use super::language_models::LanguageModels;
use super::vectors::LabelVectors;
use crate::error::Result;
use crate::label::ChatConfig;
use crate::progress::Progress;
use crate::service::core::{Core, LabelKey, View};

/// Latents whose documents are gathered between two checks for cancellation.
pub(super) const EVIDENCE_TOGETHER: usize = 1024;
/// Labels written together, and how long one may wait for others.
pub(super) const KEPT_TOGETHER: usize = 256;
pub(super) const KEPT_AFTER: Duration = Duration::from_secs(2);

/// The labels of latents, and the models that make, judge and compare them.
pub struct Labels {
    pub(super) core: Arc<Core>,
    pub(super) cache: LabelCache,
    pub(super) vectors: LabelVectors,
    pub(in crate::service) language_models: LanguageModels,
}

/// Labels by latent, as the catalog holds them.
pub(super) type ByLatent = Arc<BTreeMap<u32, Label>>;

/// Labels by collection and SAE, as last read.
#[derive(Default)]
pub(super) struct LabelCache {
    read: Mutex<HashMap<LabelKey, ByLatent>>,
}

impl LabelCache {
    /// Has the labels read again when they are needed next.
    pub fn forget(&self, key: &LabelKey) {
        self.read.lock().remove(key);
    }
}

impl Labels {
    pub(in crate::service) fn new(core: Arc<Core>, chat: Option<ChatConfig>) -> Self {
        Self {
            core,
            cache: LabelCache::default(),
            vectors: LabelVectors::default(),
            language_models: LanguageModels::new(chat),
        }
    }

    /// The labels of the latents of a view's SAE.
    pub(in crate::service) fn of(&self, view: &View) -> Result<ByLatent> {
        let key = view.label_key();
        let mut read = self.cache.read.lock();
        if let Some(labels) = read.get(&key) {
            return Ok(labels.clone());
        }
        let labels = Arc::new(view.handle.catalog().labels(&key.0, &key.1)?);
        read.insert(key, labels.clone());
        Ok(labels)
    }

    /// Makes labels the current ones.
    pub(super) fn put<'l>(
        &self,
        view: &View,
        labels: impl Iterator<Item = (u32, &'l Label)>,
    ) -> Result<()> {
        let key = view.label_key();
        view.handle.catalog().put_labels(&key.0, &key.1, labels)?;
        self.cache.forget(&key);
        Ok(())
    }

    /// Forgets a collection.
    pub(in crate::service) fn forget(&self, id: &str) {
        self.cache
            .read
            .lock()
            .retain(|(collection, _), _| collection != id);
        self.vectors.forget(id);
    }
}

/// Whoever waits for long work: may stop it, and watches it.
pub(super) struct Caller<'c, E> {
    pub progress: &'c Progress,
    pub watch: &'c mut dyn FnMut(E),
}

impl<E> Caller<'_, E> {
    /// Tells of an event; `Cancelled` when the work was stopped.
    pub fn tell(&mut self, event: E) -> Result<()> {
        (self.watch)(event);
        self.progress.check()
    }
}
