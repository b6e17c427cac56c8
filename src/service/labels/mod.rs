//! Latents and their labels: listing, labelling, scoring, finding, families and counterparts.

mod corpus;
mod families;
mod find;
mod labelling;
mod language_models;
mod list;
mod page;
mod scores;
mod similar;
mod splitting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use latentdb_index::Label;
use parking_lot::Mutex;

use crate::error::Result;
use crate::label::ChatConfig;
use crate::progress::Progress;
use crate::service::core::{Core, LabelKey, View};
use find::LabelVectors;
use language_models::LanguageModels;

pub use families::{FindFamilies, LabelledFamily};
pub use find::{FoundLabel, LabelSearch};
pub use labelling::{LabelProgress, LabelRequest, LabellerChoice};
pub use language_models::ChatUse;
pub use list::{LatentOrder, LatentStatistics, NewLabel, ShownLabel};
pub use page::{LatentPage, PageRequest, Related};
pub(crate) use scores::DEFAULT_DOCUMENTS;
pub use scores::{JudgeChoice, ScoreProgress, ScoreRequest, ScoreSummary, ScoredLabel};
pub(super) use similar::SimilarLabels;
pub use splitting::{SplitLatent, SplitRequest};

/// Latents whose documents are gathered between two looks at whether to go on.
const EVIDENCE_TOGETHER: usize = 1024;
/// Labels that are kept together, and how long one may wait for others.
const KEPT_TOGETHER: usize = 256;
const KEPT_AFTER: Duration = Duration::from_secs(2);

/// The labels of latents, and the models that make, judge and compare them.
pub struct Labels {
    core: Arc<Core>,
    cache: LabelCache,
    vectors: LabelVectors,
    pub(in crate::service) language_models: LanguageModels,
}

/// Labels by latent, as the catalog holds them.
type ByLatent = Arc<BTreeMap<u32, Label>>;

/// Labels by collection and SAE, as last read.
#[derive(Default)]
struct LabelCache {
    read: Mutex<HashMap<LabelKey, ByLatent>>,
}

impl LabelCache {
    /// Has the labels read again when they are needed next.
    fn forget(&self, key: &LabelKey) {
        self.read.lock().remove(key);
    }
}

impl Labels {
    pub(super) fn new(core: Arc<Core>, chat: Option<ChatConfig>) -> Self {
        Self {
            core,
            cache: LabelCache::default(),
            vectors: LabelVectors::default(),
            language_models: LanguageModels::new(chat),
        }
    }

    /// The labels of the latents of a view's SAE.
    pub(super) fn of(&self, view: &View) -> Result<ByLatent> {
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
    fn put<'l>(&self, view: &View, labels: impl Iterator<Item = (u32, &'l Label)>) -> Result<()> {
        let key = view.label_key();
        view.handle.catalog().put_labels(&key.0, &key.1, labels)?;
        self.cache.forget(&key);
        Ok(())
    }

    /// Forgets a collection.
    pub(super) fn forget(&self, id: &str) {
        self.cache
            .read
            .lock()
            .retain(|(collection, _), _| collection != id);
        self.vectors.forget(id);
    }
}

/// Whoever waits for long work: may stop it, and watches it.
struct Caller<'c, E> {
    progress: &'c Progress,
    watch: &'c mut dyn FnMut(E),
}

impl<E> Caller<'_, E> {
    /// Tells of an event; `Cancelled` when the work was stopped.
    fn tell(&mut self, event: E) -> Result<()> {
        (self.watch)(event);
        self.progress.check()
    }
}
