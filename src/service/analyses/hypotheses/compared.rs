//! The sets that are compared, each in two halves, and the latents that set them apart on the first.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use latentdb_index::analysis::cluster::{ClusterOptions, cluster};
use latentdb_index::analysis::{
    Among, CorrelateOptions, DiffOptions, DiffRow, Direction, Members, Scope, Selection, Side,
    Units, compare, correlate, measure, select,
};
use latentdb_index::filter::Referent;
use latentdb_index::{Filter, Label, Progress, ResolvedFilter, Snapshot};

use super::request::HypothesiseRequest;
use super::result::ComparedSets;
use crate::error::{Error, Result, Within as _};
use crate::service::analyses::diff::Overlap;
use crate::service::core::View;
use crate::service::labels::SimilarLabels;

/// Fewest documents on either side of either half that tell anything.
const FEWEST: u64 = 10;

/// Where hypotheses come from, with filters resolved.
pub(super) enum Source {
    Sets {
        names: (String, String),
        a: ResolvedFilter,
        b: Option<ResolvedFilter>,
        overlap: Overlap,
    },
    Clusters {
        filter: ResolvedFilter,
        axis: Vec<u32>,
        options: ClusterOptions,
    },
    Pairs {
        filter: ResolvedFilter,
        latents: Vec<u32>,
        min_support: u64,
        similar: Option<SimilarLabels>,
        max_label_similarity: f64,
    },
}

/// Two sets in halves.
pub(super) struct Halves<'a> {
    pub sets: ComparedSets,
    /// Documents that differences are found and named on.
    pub discovery: (Members<'a>, Members<'a>),
    /// Documents held back.
    pub confirmation: (Members<'a>, Members<'a>),
    /// The latent whose documents are the first set, where a pair made them.
    pub given: Option<u32>,
}

/// A latent that sets two sets apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub latent: u32,
    /// Which of the comparisons.
    pub comparison: usize,
    pub more_in_a: bool,
    /// Shares of A and B, and the adjusted p-value.
    pub found: (f64, f64, f64),
}

/// What there is to make hypotheses of.
pub(super) struct Found<'a> {
    pub comparisons: Vec<Halves<'a>>,
    pub candidates: Vec<Candidate>,
    /// What was not compared, and why.
    pub warnings: Vec<String>,
}

/// Compares on the discovery halves. Blocks.
pub(super) fn find<'a>(
    (view, n_latents): (&'a View, usize),
    among: &Among,
    source: &Source,
    request: &HypothesiseRequest,
    labels: &BTreeMap<u32, Label>,
    progress: &Progress,
) -> Result<Found<'a>> {
    let finding = Finding {
        snapshot: &view.snapshot,
        n_latents,
        among,
        request,
        progress,
    };
    match source {
        Source::Sets {
            names,
            a,
            b,
            overlap,
        } => finding.sets(names, a, b.as_ref(), *overlap),
        Source::Clusters {
            filter,
            axis,
            options,
        } => finding.clusters(filter, axis, options, labels),
        Source::Pairs {
            filter,
            latents,
            min_support,
            similar,
            max_label_similarity,
        } => {
            let keep = |i: u32, j: u32| {
                let cosine = similar.as_ref().and_then(|labels| labels.cosine(i, j));
                cosine.is_none_or(|cosine| f64::from(cosine) < *max_label_similarity)
            };
            finding.pairs(filter, latents, *min_support, &keep, labels)
        }
    }
}

struct Finding<'a, 'r> {
    snapshot: &'a Arc<Snapshot>,
    n_latents: usize,
    among: &'r Among,
    request: &'r HypothesiseRequest,
    progress: &'r Progress,
}

impl<'a> Finding<'a, '_> {
    fn members(&self, filter: &ResolvedFilter) -> Result<Members<'a>> {
        Members::matching(self.snapshot, filter)
    }

    /// Takes two sets apart into halves.
    fn halves(
        &self,
        names: (String, String),
        a: &Members<'a>,
        b: &Members<'a>,
    ) -> Result<Halves<'a>> {
        let by = self.request.split_by.as_deref();
        let (a, b) = (
            a.split(self.request.confirm, by)?,
            b.split(self.request.confirm, by)?,
        );
        let sets = ComparedSets {
            names,
            discovery: (a.0.documents(), b.0.documents()),
            confirmation: (a.1.documents(), b.1.documents()),
            differing: 0,
        };
        Ok(Halves {
            sets,
            discovery: (a.0, b.0),
            confirmation: (a.1, b.1),
            given: None,
        })
    }

    fn sets(
        &self,
        names: &(String, String),
        a: &ResolvedFilter,
        b: Option<&ResolvedFilter>,
        overlap: Overlap,
    ) -> Result<Found<'a>> {
        let a_members = self.members(a)?;
        let rest;
        let b_members = self.members(match b {
            Some(b) => b,
            None => {
                rest = a.clone().negate();
                &rest
            }
        })?;
        let (a_members, b_members, _) = overlap
            .settled(a_members, b_members, &names.1)
            .within("sets")?;
        let mut halves = self.halves(names.clone(), &a_members, &b_members)?;
        enough(&halves.sets)?;
        let candidates = self.differing(&mut halves, 0, Direction::Both)?;
        Ok(Found {
            comparisons: vec![halves],
            candidates,
            warnings: Vec::new(),
        })
    }

    /// The latents that differ most on the discovery half.
    fn differing(
        &self,
        halves: &mut Halves<'a>,
        comparison: usize,
        direction: Direction,
    ) -> Result<Vec<Candidate>> {
        let options = DiffOptions::default();
        let units = Units::Latents(self.n_latents);
        let a = measure(&halves.discovery.0, units, &options, self.progress)?;
        let b = measure(&halves.discovery.1, units, &options, self.progress)?;
        let mut diff = compare(&a, &b, &options)?;
        if !self.among.is_all() {
            diff.test_only(|latent| self.among.has(latent));
        }
        let selection = Selection {
            max_p_adjusted: self.request.max_p_adjusted,
            direction,
            ..Selection::default()
        };
        let mut rows = select(&diff, &selection);
        halves.sets.differing = rows.len() as u64;
        rows.truncate(self.request.latents);
        let candidate = |row: &DiffRow| Candidate {
            latent: row.unit,
            comparison,
            more_in_a: row.delta > 0.0,
            found: (row.a, row.b, row.p_adjusted),
        };
        Ok(rows.iter().map(candidate).collect())
    }

    fn clusters(
        &self,
        filter: &ResolvedFilter,
        axis: &[u32],
        options: &ClusterOptions,
        labels: &BTreeMap<u32, Label>,
    ) -> Result<Found<'a>> {
        let found = cluster(self.snapshot, filter, axis, options, self.progress)?;
        let of: BTreeMap<u32, usize> = found
            .members
            .iter()
            .map(|member| (member.doc, member.cluster))
            .collect();
        let all = self.members(filter)?;
        let (mut comparisons, mut candidates) = (Vec::new(), Vec::new());
        let mut warnings = Vec::new();
        for (number, own) in found.clusters.iter().enumerate() {
            let a = all.kept(|doc| of.get(&doc) == Some(&number));
            let b = all.kept(|doc| of.get(&doc).is_some_and(|other| *other != number));
            let name = match own.over.first().and_then(|over| labels.get(&over.latent)) {
                Some(label) => format!("cluster {} ({})", number + 1, label.text),
                None => format!("cluster {}", number + 1),
            };
            let mut halves = self.halves((name, "the other clusters".to_owned()), &a, &b)?;
            // A cluster may be too small to be told anything of; the others are told.
            match enough(&halves.sets) {
                Ok(()) => {
                    candidates.extend(self.differing(&mut halves, number, Direction::MoreInA)?)
                }
                Err(error) => warnings.push(format!("left out: {error}")),
            }
            comparisons.push(halves);
        }
        Ok(Found {
            comparisons,
            candidates,
            warnings,
        })
    }

    fn pairs(
        &self,
        filter: &ResolvedFilter,
        latents: &[u32],
        min_support: u64,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
        labels: &BTreeMap<u32, Label>,
    ) -> Result<Found<'a>> {
        let all = self.members(filter)?;
        let (discovery, confirmation) =
            all.split(self.request.confirm, self.request.split_by.as_deref())?;
        let ids = discovery.documents_of();
        let ids: Vec<String> = ids
            .iter()
            .map(|&doc| self.snapshot.id(doc))
            .collect::<Result<_>>()?;
        let half = Filter::Named(Referent::Ids(ids.into()));
        let side = Side {
            snapshot: self.snapshot,
            filter: &half,
        };
        let options = CorrelateOptions {
            min_support,
            min_npmi: 0.0,
            max_p_adjusted: self.request.max_p_adjusted,
            limit: self.request.latents,
            among: self.among.clone(),
            ..CorrelateOptions::default()
        };
        let scope = match latents {
            [] => Scope::All,
            some => Scope::With(some.to_vec()),
        };
        let found = correlate(side, self.n_latents, &scope, &options, &keep, self.progress)?;
        let (mut comparisons, mut candidates) = (Vec::new(), Vec::new());
        let mut warnings = Vec::new();
        for (comparison, pair) in found.pairs.iter().enumerate() {
            let mut with = HashSet::new();
            self.snapshot.for_each_posting(pair.i, |doc, _| {
                with.insert(doc);
            });
            let label = match labels.get(&pair.i) {
                Some(label) => format!("{:?}", label.text),
                None => format!("latent {}", pair.i),
            };
            let parts = |half: &Members<'a>| {
                let (with, without) = (
                    half.kept(|doc| with.contains(&doc)),
                    half.kept(|doc| !with.contains(&doc)),
                );
                (with, without)
            };
            let (discovery, confirmation) = (parts(&discovery), parts(&confirmation));
            let count = |pair: &(Members, Members)| (pair.0.documents(), pair.1.documents());
            let others = found.documents.saturating_sub(pair.i_count).max(1);
            let in_others = pair.j_count.saturating_sub(pair.count) as f64 / others as f64;
            let sets = ComparedSets {
                names: (with_label(&label), WITHOUT.to_owned()),
                discovery: count(&discovery),
                confirmation: count(&confirmation),
                differing: 1,
            };
            match enough(&sets) {
                Ok(()) => candidates.push(Candidate {
                    latent: pair.j,
                    comparison,
                    more_in_a: true,
                    found: (pair.j_given_i, in_others, pair.p_adjusted),
                }),
                Err(error) => warnings.push(format!("left out: {error}")),
            }
            comparisons.push(Halves {
                sets,
                discovery,
                confirmation,
                given: Some(pair.i),
            });
        }
        Ok(Found {
            comparisons,
            candidates,
            warnings,
        })
    }
}

/// What documents without the given latent of a pair are called.
const WITHOUT: &str = "texts without it";

/// What documents with it are called, by its label in quotes or its number.
pub(super) fn with_label(label: &str) -> String {
    format!("texts with {label}")
}

/// `FailedPrecondition` where either half of either set is too small.
fn enough(sets: &ComparedSets) -> Result<()> {
    let halves = [
        (&sets.names.0, sets.discovery.0, sets.confirmation.0),
        (&sets.names.1, sets.discovery.1, sets.confirmation.1),
    ];
    for (name, discovery, confirmation) in halves {
        if discovery.min(confirmation) < FEWEST {
            return Err(Error::precondition(format!(
                "set {name:?} has {discovery} documents to find differences on and {confirmation} to test \
                 them on; {FEWEST} of each are needed: widen the set, or change the share that is held back \
                 (--confirm)"
            )));
        }
    }
    Ok(())
}
