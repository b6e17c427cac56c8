//! The labels of latents as one part of the service: its state, which the files of this folder share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::Label;
use parking_lot::Mutex;

use super::language_models::LanguageModels;
use super::vectors::LabelVectors;
use crate::error::Result;
use crate::label::{ChatConfig, Event, run_each};
use crate::progress::Progress;
use crate::service::core::{Core, LabelKey, View};

/// Latents whose documents are gathered between two checks for cancellation.
pub(super) const EVIDENCE_TOGETHER: usize = 1024;
/// Labels written together, and how long one may wait for others.
const KEPT_TOGETHER: usize = 256;
const KEPT_AFTER: Duration = Duration::from_secs(2);

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
        let places = core.places.clone();
        Self {
            core,
            cache: LabelCache::default(),
            vectors: LabelVectors::default(),
            language_models: LanguageModels::new(places, chat),
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
    pub(in crate::service) fn put<'l>(
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

    /// Runs an annotator's `work` on every item, up to `concurrency` at once. `keep` keeps what comes
    /// of them, by their places: many together, at the latest after a while, often none. It makes the
    /// event that is told, of that and of the number done.
    ///
    /// # Errors
    /// Those of `keep` and of `work`, and `Cancelled`; all after what was done is kept.
    pub fn keep_each<T: Sync, R: Send>(
        &mut self,
        items: &[T],
        concurrency: usize,
        work: impl Fn(&T) -> Result<R> + Sync,
        mut keep: impl FnMut(usize, Vec<(usize, R)>) -> Result<E>,
    ) -> Result<()> {
        let (mut done, mut pending) = (0, Vec::new());
        let (mut failure, mut last_kept) = (None, Instant::now());
        let (progress, watch) = (self.progress, &mut *self.watch);
        let outcome = run_each(items, concurrency, progress, work, &mut |event| {
            if let Event::Done(at, result) = event {
                done += 1;
                pending.push((at, result));
            }
            let mut due = Vec::new();
            if pending.len() >= KEPT_TOGETHER || last_kept.elapsed() >= KEPT_AFTER {
                last_kept = Instant::now();
                due = std::mem::take(&mut pending);
            }
            match keep(done, due) {
                Ok(event) => watch(event),
                Err(error) => {
                    failure = Some(error);
                    progress.stop();
                }
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        watch(keep(done, pending)?);
        outcome
    }
}
