//! Search as one part of the service: its state, which the files of this folder share.

use std::sync::Arc;
use std::time::Duration;

use super::pages::Pages;
use super::slow::{SlowSearch, SlowSearches};
use crate::error::Result;
use crate::service::core::{Address, Core};
use crate::service::identity::MadeWith;
use crate::service::labels::Labels;

/// Searching over collections, with the pages that are kept.
pub struct Search {
    pub(super) core: Arc<Core>,
    pub(super) labels: Arc<Labels>,
    pub(super) pages: Pages,
    pub(super) slow: SlowSearches,
}

impl Search {
    /// Searches that take `slow` or longer are kept to be listed.
    pub(in crate::service) fn new(
        core: Arc<Core>,
        labels: Arc<Labels>,
        slow: Option<Duration>,
    ) -> Self {
        Self {
            core,
            labels,
            pages: Pages::default(),
            slow: SlowSearches::new(slow),
        }
    }

    /// The latest searches that took long, latest last.
    pub fn slow_searches(&self) -> Vec<SlowSearch> {
        self.slow.list()
    }

    /// Forgets the pages of a collection.
    pub(in crate::service) fn forget(&self, id: &str) {
        self.pages.forget(id);
    }

    /// Compares what a query was made with against a collection.
    ///
    /// # Errors
    /// `NotFound` for the collection, `FailedPrecondition` for a difference.
    pub fn check_made_with(&self, address: &Address, made_with: &MadeWith) -> Result<()> {
        made_with.check(&self.core.view(address)?)
    }
}
