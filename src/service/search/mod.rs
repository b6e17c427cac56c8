//! Searching: resolve texts, documents and edits to vectors, run the query tree, say why each hit
//! matched.

mod edits;
mod examples;
mod explain;
mod facets;
mod node;
mod pages;
mod presets;
mod property;
mod resolve;
mod result;
mod selector;
mod steering;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::query::{self, Hit, MAX_HITS, Plan};
use latentdb_index::{Label, ResolvedQuery};

use crate::error::{Error, Result, Within as _};
use crate::sae::Sae;
use crate::service::blocking;
use crate::service::core::{Address, Core, View};
use crate::service::identity::MadeWith;
use crate::service::labels::Labels;
use explain::{Leaf, explain};
use pages::{Pages, Session};

pub use edits::{
    AppliedEdit, DEFAULT_CONCEPT_LATENTS, MAX_CONCEPT_LATENTS, SteerChange, SteerEdit, SteerTarget,
    SteerUnit,
};
pub use examples::PropertyExamples;
pub use facets::{FacetBy, FacetResult, LabelledCount};
pub use node::{NearestNode, Node, NodeKind, Target};
pub use presets::{Preset, PresetUse};
pub use property::{
    ChosenLatent, DEFAULT_CANDIDATES, DEFAULT_TEMPERATURE, PropertyNode, PropertyReport,
    PropertyScorer, PropertySelection, PropertySource,
};

pub use result::{
    Contribution, ExplainedHit, Explanation, SearchOptions, SearchResult, SteeringReport,
};
pub use selector::{SelectedBy, SelectorChoice};
pub use sweep::{SweepHit, SweepStep};

/// Most hits of one page.
pub(super) const MAX_PAGE: usize = 1000;
/// Most searches of one batch.
const MAX_SEARCHES: usize = 1000;
/// Most latents listed per hit.
const MAX_LATENTS_PER_HIT: usize = 1000;

/// A query ready to run over one view, as a page session keeps it.
pub(in crate::service) struct Ready {
    view: View,
    query: ResolvedQuery,
    leaves: Vec<(String, Leaf)>,
    steering: Vec<SteeringReport>,
    properties: Vec<PropertyReport>,
    sae: Option<Arc<Sae>>,
    labels: Arc<BTreeMap<u32, Label>>,
    encode: Duration,
}

impl Ready {
    /// The collection's id, whichever of its SAEs is looked through.
    pub fn collection_id(&self) -> &str {
        &self.view.spec.record.id
    }

    /// The best `count` hits.
    pub fn execute(&self, count: usize) -> Result<(Vec<Hit>, Plan)> {
        let ranking = query::execute(&self.query, &self.view.snapshot, count)?;
        Ok((ranking.hits, ranking.plan))
    }
}

/// Searching over collections, with the pages that are kept.
pub struct Search {
    core: Arc<Core>,
    labels: Arc<Labels>,
    pages: Pages,
}

impl Search {
    pub(super) fn new(core: Arc<Core>, labels: Arc<Labels>) -> Self {
        Self {
            core,
            labels,
            pages: Pages::default(),
        }
    }

    /// Forgets the pages of a collection.
    pub(super) fn forget(&self, id: &str) {
        self.pages.forget(id);
    }

    /// Compares what a query was made with against a collection.
    ///
    /// # Errors
    /// `NotFound` for the collection, `FailedPrecondition` for a difference.
    pub fn check_made_with(&self, address: &Address, made_with: &MadeWith) -> Result<()> {
        made_with.check(&self.core.view(address)?)
    }

    /// The best hits of a query.
    ///
    /// # Errors
    /// `InvalidArgument` naming the part of the query; `NotFound` for a collection, document or
    /// saved set; `FailedPrecondition` where the query needs an encoder or an SAE that the
    /// collection has not.
    pub async fn search(
        self: &Arc<Self>,
        address: &Address,
        node: Node,
        options: SearchOptions,
    ) -> Result<SearchResult> {
        check_options(&options)?;
        let view = self.core.view(address)?;
        self.search_view(view, node, options).await
    }

    /// Several searches over one snapshot.
    pub async fn search_batch(
        self: &Arc<Self>,
        address: &Address,
        searches: Vec<(Node, SearchOptions)>,
    ) -> Result<Vec<SearchResult>> {
        if searches.len() > MAX_SEARCHES {
            return Err(Error::invalid(
                "searches",
                format!(
                    "has {} entries; at most {MAX_SEARCHES} are accepted",
                    searches.len()
                ),
            ));
        }
        let view = self.core.view(address)?;
        let mut results = Vec::with_capacity(searches.len());
        for (at, (node, options)) in searches.into_iter().enumerate() {
            let place = format!("searches[{at}]");
            check_options(&options).within(&place)?;
            let result = self.search_view(view.clone(), node, options).await;
            results.push(result.within(&place)?);
        }
        Ok(results)
    }

    async fn search_view(
        self: &Arc<Self>,
        view: View,
        mut node: Node,
        options: SearchOptions,
    ) -> Result<SearchResult> {
        let started = Instant::now();
        self.insert_presets(&view, &mut node)?;
        let encoded = self.encode_texts_of(&view, &node).await?;
        let service = self.clone();
        blocking(move || {
            let ready = service.ready(view, node, &encoded, started)?;
            let running = Instant::now();
            let (hits, plan) = ready.execute((options.limit + 1).min(MAX_HITS))?;
            let execute = running.elapsed();
            let session = Session::new(ready, hits, options);
            let page = session.page(0);
            let mut result = explain(&session, &page, started)?;
            result.explanation.plan = plan;
            result.explanation.execute = execute;
            if page.more {
                let next = page.range.end;
                result.next_page_token = Some(service.pages.keep(session, next));
            }
            Ok(result)
        })
        .await
    }

    /// The next page of an earlier search.
    pub async fn next_page(self: &Arc<Self>, token: String) -> Result<SearchResult> {
        let service = self.clone();
        blocking(move || {
            let started = Instant::now();
            let (session, offset) = service.pages.find(&token)?;
            let mut session = session.lock();
            let running = Instant::now();
            let plan = session.extend_to(offset)?;
            let execute = running.elapsed();
            let page = session.page(offset);
            let mut result = explain(&session, &page, started)?;
            result.explanation.plan = plan;
            result.explanation.execute = execute;
            if page.more {
                result.next_page_token = Some(Session::token(&token, page.range.end)?);
            }
            Ok(result)
        })
        .await
    }
}

fn check_options(options: &SearchOptions) -> Result<()> {
    if !(1..=MAX_PAGE).contains(&options.limit) {
        return Err(Error::invalid(
            "limit",
            format!(
                "is {}; 1 to {MAX_PAGE} is accepted (use page tokens)",
                options.limit
            ),
        ));
    }
    if options.latents_per_hit > MAX_LATENTS_PER_HIT {
        return Err(Error::invalid(
            "latents_per_hit",
            format!(
                "is {}; 0 to {MAX_LATENTS_PER_HIT} is accepted",
                options.latents_per_hit
            ),
        ));
    }
    Ok(())
}
