//! Counts: of a filter, and by facets.

use std::sync::Arc;

use latentdb_index::analysis::{Facet, FacetCounts, facets};
use latentdb_index::filter::{AttributeTest, Resolver as _};
use latentdb_index::{Filter, ResolvedFilter, validate_attribute_name};

use super::part::Search;
use super::result::CountedFacets;
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View, no_sae};
use crate::service::names::resolve_filter;

/// Maximum facets of a request.
const MAX_FACETS: usize = 100;

/// Facets over the documents of a filter.
#[derive(Clone, Debug)]
pub struct FacetResult {
    /// The counts.
    pub facets: CountedFacets,
    /// Documents in the set.
    pub documents: u64,
    /// Filters and attributes that cannot match, each once.
    pub warnings: Vec<String>,
    /// Number of the commit the snapshot shows.
    pub sequence: u64,
}

impl Search {
    /// The exact number of documents a filter describes, and warnings of filters that cannot match.
    pub async fn count(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
    ) -> Result<(u64, Vec<String>)> {
        let view = self.core.view(address)?;
        let filter = resolve_filter(&view, &filter)?;
        blocking(move || Ok((view.snapshot.count(&filter)?, view.warnings()))).await
    }

    /// Exact counts by several facets over one snapshot.
    ///
    /// # Errors
    /// As [`facets()`], with fields under `facets`; `FailedPrecondition` for latents of a collection
    /// that has no SAE.
    pub async fn facet(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
        facets: Vec<Facet>,
    ) -> Result<FacetResult> {
        if facets.is_empty() {
            let message = format!("has no entries; 1 to {MAX_FACETS} are accepted");
            return Err(Error::invalid("facets", message));
        }
        let view = self.core.view(address)?;
        let filter = resolve_filter(&view, &filter)?;
        let labels = self.labels.of(&view)?;
        blocking(move || {
            let counts = counted(&view, &filter, &facets)?;
            Ok(FacetResult {
                facets: CountedFacets { counts, labels },
                documents: view.snapshot.count(&filter)?,
                warnings: view.warnings(),
                sequence: view.snapshot.sequence(),
            })
        })
        .await
    }
}

/// The counts of facets over the documents of a filter; attributes that no document has leave a doubt.
pub(super) fn counted(
    view: &View,
    filter: &ResolvedFilter,
    asked: &[Facet],
) -> Result<Vec<FacetCounts>> {
    if asked.len() > MAX_FACETS {
        let message = format!(
            "has {} entries; at most {MAX_FACETS} are accepted",
            asked.len()
        );
        return Err(Error::invalid("facets", message));
    }
    if asked.iter().any(Facet::counts_latents) && view.n_latents().is_none() {
        return Err(no_sae(view));
    }
    for name in asked.iter().flat_map(Facet::attributes) {
        // A malformed name is refused below, with its place.
        if validate_attribute_name(name).is_ok() {
            view.consider(name, &AttributeTest::Exists)?;
        }
    }
    facets(&view.snapshot, filter, asked).within("facets")
}
