//! What occurs together (Correlations in the methods guide).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latentdb_index::analysis::{
    CorrelateOptions, Correlations, Pair, Scope, Side, Strata, correlate, correlate_attribute,
    correlate_joined,
};
use latentdb_index::{Filter, Label, Progress, ResolvedFilter, Value, validate_attribute_name};

use super::{Analyses, check_latents, check_number, check_share, n_latents_of};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::labels::{ShownLabel, SimilarLabels};
use crate::service::names::resolve_set;

/// The other documents of a join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinedSide {
    /// The attribute whose values join.
    pub attribute: String,
    /// The documents whose latents are second in a pair.
    pub filter: Filter,
}

/// Which pairs are looked for.
#[derive(Clone, Debug)]
pub struct CorrelateRequest {
    /// The collection.
    pub address: Address,
    /// The documents.
    pub filter: Filter,
    /// Latents, one of which is in every pair; all when empty.
    pub latents: Vec<u32>,
    /// The latents on the other side; all when empty.
    pub others: Vec<u32>,
    /// The attribute whose values are on the other side.
    pub attribute: Option<String>,
    /// Documents that are joined to those of `filter`.
    pub join: Option<JoinedSide>,
    /// What is tested and kept.
    pub options: CorrelateOptions,
    /// How often latents come back in SAEs of other seeds that are tested; all where absent.
    pub min_recurrence: Option<f32>,
    /// Cosine of labels from which on a pair of latents is dropped.
    pub max_label_similarity: f64,
}

/// The pairs that were found.
#[derive(Clone, Debug, Default)]
pub struct CorrelateResult {
    /// Documents, or joined values.
    pub documents: u64,
    /// Pairs that could reach the support, over which p-values are adjusted.
    pub eligible: u64,
    /// Pairs that were tested.
    pub tested: u64,
    /// Latents left out as too dense.
    pub stopped: Vec<u32>,
    /// Pairs dropped for their labels; `None` where labels were not compared.
    pub similar_labels: Option<u64>,
    /// Join values that only one side has.
    pub unpaired: Option<(u64, u64)>,
    /// Pairs without support apart from documents in which both fire on the same word; `None`
    /// where words were not looked at.
    pub adjacent_pairs: Option<u64>,
    /// How documents were taken apart, where pairs are tested within strata.
    pub strata: Option<Strata>,
    /// Tests in the filters that no document can pass.
    pub warnings: Vec<String>,
    /// The pairs, highest lower bound of NPMI first.
    pub pairs: Vec<LabelledPair>,
}

/// What a latent goes with.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelatedWith {
    /// The latent `j` of the pair, and its label.
    Latent(ShownLabel),
    /// A value of the attribute.
    Value(Value),
}

/// A pair with what a person needs to read it.
#[derive(Clone, Debug)]
pub struct LabelledPair {
    /// The figures.
    pub pair: Pair,
    /// The label of `i`.
    pub label: ShownLabel,
    /// The other side.
    pub with: CorrelatedWith,
    /// Cosine of the two labels, where they were compared.
    pub label_similarity: Option<f32>,
}

/// A request with filters resolved, ready to run over its view.
struct ResolvedCorrelation {
    view: View,
    n_latents: usize,
    filter: ResolvedFilter,
    scope: Scope,
    attribute: Option<String>,
    /// The attribute that joins, and the documents whose latents are second in a pair.
    join: Option<(String, ResolvedFilter)>,
    options: CorrelateOptions,
    labels: Arc<BTreeMap<u32, Label>>,
    similar: Option<SimilarLabels>,
    max_label_similarity: f64,
}

impl Analyses {
    /// Pairs of latents that occur together, or of latents and values.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` for an empty set and a collection without latents;
    /// `ResourceExhausted` when too many pairs reach the support; `Cancelled` after
    /// [`Progress::stop`].
    pub async fn correlate(
        self: &Arc<Self>,
        request: CorrelateRequest,
        progress: Arc<Progress>,
    ) -> Result<CorrelateResult> {
        let view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&view)?;
        check(&request, n_latents)?;
        let among = view.recurring(request.min_recurrence)?;
        let compares_labels = request.attribute.is_none() && request.max_label_similarity < 1.0;
        let similar = if compares_labels {
            self.labels.similar(&view).await?
        } else {
            None
        };
        let filter = resolve_set(&view, &request.filter, "filter")?;
        let join = match request.join {
            None => None,
            Some(join) => {
                let filter = resolve_set(&view, &join.filter, "other_filter")?;
                Some((join.attribute, filter))
            }
        };
        let resolved = ResolvedCorrelation {
            labels: self.labels.of(&view)?,
            view,
            n_latents,
            filter,
            scope: match (request.latents.is_empty(), request.others.is_empty()) {
                (true, _) => Scope::All,
                (false, true) => Scope::With(request.latents),
                (false, false) => Scope::Between(request.latents, request.others),
            },
            attribute: request.attribute,
            join,
            options: CorrelateOptions {
                among,
                ..request.options
            },
            similar,
            max_label_similarity: request.max_label_similarity,
        };
        blocking(move || resolved.run(&progress)).await
    }
}

fn check(request: &CorrelateRequest, n_latents: usize) -> Result<()> {
    for (latents, field) in [(&request.latents, "latents"), (&request.others, "others")] {
        check_latents(latents, n_latents).within(field)?;
    }
    if !request.others.is_empty() && request.latents.is_empty() {
        return Err(Error::invalid(
            "others",
            "is given without `latents`, which it is paired with",
        ));
    }
    if let Some(attribute) = &request.attribute {
        validate_attribute_name(attribute).within("attribute")?;
        if !request.others.is_empty() || request.join.is_some() {
            return Err(Error::invalid(
                "attribute",
                "is given with `others` or `join_by`; one of them is accepted",
            ));
        }
    }
    if let Some(attribute) = &request.options.stratify_by {
        validate_attribute_name(attribute).within("stratify_by")?;
        if request.join.is_some() {
            return Err(Error::invalid(
                "stratify_by",
                "is given with `join_by`; it is for pairs of one document",
            ));
        }
    }
    if request.options.exclude_adjacent && (request.attribute.is_some() || request.join.is_some()) {
        return Err(Error::invalid(
            "exclude_adjacent",
            "is given with `attribute` or `join_by`, where nothing fires on one word",
        ));
    }
    if let Some(join) = &request.join {
        validate_attribute_name(&join.attribute).within("join_by")?;
    }
    check_share(request.options.max_density, "max_density")?;
    check_number(request.options.min_npmi, "min_npmi")?;
    check_share(request.options.max_p_adjusted, "max_p_adjusted")?;
    check_number(request.max_label_similarity, "max_label_similarity")
}

impl ResolvedCorrelation {
    fn side(&self) -> Side<'_> {
        Side {
            snapshot: &self.view.snapshot,
            filter: &self.filter,
        }
    }

    fn label(&self, latent: u32) -> ShownLabel {
        self.view.shown(&self.labels, latent)
    }

    fn similarity(&self, i: u32, j: u32) -> Option<f32> {
        self.similar.as_ref().and_then(|labels| labels.cosine(i, j))
    }

    fn run(&self, progress: &Progress) -> Result<CorrelateResult> {
        match &self.attribute {
            Some(attribute) => self.with_values(attribute, progress),
            None => self.with_latents(progress),
        }
    }

    fn with_values(&self, attribute: &str, progress: &Progress) -> Result<CorrelateResult> {
        let latents = match &self.scope {
            Scope::With(latents) => Some(&latents[..]),
            _ => None,
        };
        let (n, options) = (self.n_latents, &self.options);
        let found = correlate_attribute(self.side(), n, latents, attribute, options, progress)?;
        let pairs = found.pairs.into_iter().map(|pair| LabelledPair {
            pair,
            label: self.label(pair.i),
            with: CorrelatedWith::Value(found.values[pair.j as usize].0.clone()),
            label_similarity: None,
        });
        Ok(CorrelateResult {
            documents: found.documents,
            eligible: found.eligible,
            tested: found.tested,
            strata: found.strata,
            warnings: self.view.warnings(),
            pairs: pairs.collect(),
            ..CorrelateResult::default()
        })
    }

    fn with_latents(&self, progress: &Progress) -> Result<CorrelateResult> {
        let dropped = AtomicU64::new(0);
        let keep = |i: u32, j: u32| {
            let is_distinct = self
                .similarity(i, j)
                .is_none_or(|cosine| f64::from(cosine) < self.max_label_similarity);
            if !is_distinct {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            is_distinct
        };
        let (n, options) = (self.n_latents, &self.options);
        let Correlations {
            documents,
            eligible,
            tested,
            stopped,
            unpaired,
            adjacent_pairs,
            strata,
            pairs,
        } = match &self.join {
            None => correlate(self.side(), n, &self.scope, options, &keep, progress)?,
            Some((attribute, filter)) => {
                let other = Side {
                    snapshot: &self.view.snapshot,
                    filter,
                };
                let on = (self.side(), other, &**attribute);
                correlate_joined(on, n, &self.scope, options, &keep, progress)?
            }
        };
        let pairs = pairs.into_iter().map(|pair| LabelledPair {
            pair,
            label: self.label(pair.i),
            with: CorrelatedWith::Latent(self.label(pair.j)),
            label_similarity: self.similarity(pair.i, pair.j),
        });
        Ok(CorrelateResult {
            documents,
            eligible,
            tested,
            stopped,
            similar_labels: self
                .similar
                .is_some()
                .then(|| dropped.load(Ordering::Relaxed)),
            unpaired,
            adjacent_pairs,
            strata,
            warnings: self.view.warnings(),
            pairs: pairs.collect(),
        })
    }
}
