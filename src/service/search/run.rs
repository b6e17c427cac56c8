//! Running searches: one, a batch, the next page.

use std::sync::Arc;
use std::time::Instant;

use latentdb_index::Filter;
use latentdb_index::query::MAX_HITS;
use latentdb_index::validate_attribute_name;
use tracing::Instrument as _;

use super::explain::explain;
use super::facets::counted;
use super::node::{Node, NodeKind};
use super::pages::Session;
use super::part::Search;
use super::result::{CountedFacets, SearchOptions, SearchResult};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::documents::AnswerSize;

/// Maximum hits per page.
const MAX_PAGE: usize = 1000;
/// Maximum searches per batch.
const MAX_SEARCHES: usize = 1000;
/// Maximum latents listed per hit.
const MAX_LATENTS_PER_HIT: usize = 1000;

impl Search {
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
        check_options(&node, &options)?;
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
        let mut size = AnswerSize::default();
        let mut results = Vec::with_capacity(searches.len());
        for (at, (node, options)) in searches.into_iter().enumerate() {
            let place = format!("searches[{at}]");
            check_options(&node, &options).within(&place)?;
            let result = self.search_view(view.for_another(), node, options).await;
            let result = result.within(&place)?;
            size.join(result.size)?;
            results.push(result);
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
        let asked = node.clone();
        self.insert_presets(&view, &mut node)?;
        let encoding = self.encode_texts_of(&view, &node);
        let encoded = encoding.instrument(tracing::info_span!("encode")).await?;
        let (service, name) = (self.clone(), view.name());
        blocking(move || {
            let search = service.resolved(view, node, &encoded, started)?;
            let counts = match &search.query.filter {
                Some(filter) => counted(&search.view, filter, &options.facets)?,
                None => counted(&search.view, &Filter::All, &options.facets)?,
            };
            let labels = search.labels.clone();
            let running = Instant::now();
            let offset = options.offset;
            let mut session = Session::new(asked, search, options)?;
            let executing = tracing::info_span!("execute");
            let plan = executing.in_scope(|| session.extend_to(offset))?;
            let execute = running.elapsed();
            let page = session.page(offset);
            let fetching = tracing::info_span!("fetch");
            let mut result = fetching.in_scope(|| explain(&session, &page, started))?;
            result.explanation.plan = plan;
            result.explanation.execute = execute;
            let explanation = &result.explanation;
            let measures = &service.core.measures;
            measures.search(explanation.encode, explanation.execute, explanation.fetch);
            if service.slow.note(name, explanation) {
                measures.slow_search();
            }
            result.facets = CountedFacets { counts, labels };
            if page.more {
                let next = page.range.end;
                result.next_page_token = Some(service.pages.keep(session, next));
            }
            Ok(result)
        })
        .await
    }

    /// The next page of an earlier search; a query that comes with the token is to be that of the
    /// search, and `check` lets in to its collection.
    ///
    /// # Errors
    /// `NotFound` for a token that is not known, `InvalidArgument` for another query, and what `check`
    /// says.
    pub async fn next_page(
        self: &Arc<Self>,
        token: String,
        query: Option<Node>,
        check: impl Fn(&str) -> Result<()> + Send + 'static,
    ) -> Result<SearchResult> {
        let service = self.clone();
        blocking(move || {
            let started = Instant::now();
            let (session, offset) = service.pages.find(&token)?;
            let mut session = session.lock();
            check(&session.search.view.spec.record.name)?;
            if query.is_some_and(|query| query != session.node) {
                return Err(Error::invalid(
                    "page_token",
                    "is of another query; leave the query out, or search from the first page",
                ));
            }
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

fn check_options(node: &Node, options: &SearchOptions) -> Result<()> {
    if !(1..=MAX_PAGE).contains(&options.limit) {
        return Err(Error::invalid(
            "limit",
            format!(
                "is {}; 1 to {MAX_PAGE} is accepted (use page tokens)",
                options.limit
            ),
        ));
    }
    if options.offset + options.limit > MAX_HITS {
        return Err(Error::invalid(
            "offset",
            format!(
                "is {}, which with a limit of {} passes {MAX_HITS}; page tokens reach further",
                options.offset, options.limit
            ),
        ));
    }
    if let Some(least) = options.min_score {
        if !least.is_finite() {
            return Err(Error::invalid(
                "min_score",
                format!("is {least}; a finite number is accepted"),
            ));
        }
        if matches!(node.kind, NodeKind::Matching(_)) {
            return Err(Error::invalid(
                "min_score",
                "is of a query that gives no scores; leave it out, or rank by something",
            ));
        }
    }
    if let Some(group) = &options.group_by {
        validate_attribute_name(&group.attribute).within("group_by")?;
        if !(1..=MAX_PAGE).contains(&group.most) {
            return Err(Error::invalid(
                "per_group",
                format!("is {}; 1 to {MAX_PAGE} is accepted", group.most),
            ));
        }
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
