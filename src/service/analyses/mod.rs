//! Analyses over a collection: the engine's, with filters resolved, labels joined and documents
//! read.

mod axis;
mod clusters;
mod comparison;
mod correlate;
mod diff;
mod explain;
mod hypotheses;
mod map;
mod matching;
mod quality;
mod same_latents;
mod trends;

use std::sync::Arc;

use latentdb_index::analysis::{Among, Units};

use crate::error::{Error, Result, Within as _};
use crate::service::core::{Core, View, no_sae};
use crate::service::labels::Labels;

pub use axis::{Axis, AxisLatent, AxisRequest, AxisSource};
pub use clusters::{ClusterRequest, ClusterResult, DescribedCluster};
pub use correlate::{CorrelateRequest, CorrelateResult, CorrelatedWith, JoinedSide, LabelledPair};
pub use diff::{Comparison, Design, DiffRequest, DiffResult, LabelledDiffRow, NamedSet, Overlap};
pub use explain::{DescribedLatent, ExplainRequest, ExplainResult};
pub use hypotheses::{
    Compared, ComparedSets, Hypothesis, HypothesiseRequest, HypothesiseResult, Judged, LeftOut,
};
pub(super) use map::{KeptPoints, check_name};
pub use map::{MakeMapRequest, MapLayout, MapPoints, MapRecord, MapValue, ReadMapRequest};
pub use matching::{LabelledMatch, MatchRequest, MatchResult, Moved, MovedKind, Moves, Stayed};
pub use quality::{
    DuplicateMember, DuplicatesGroup, DuplicatesRequest, DuplicatesResult, Unexplained,
    UnexplainedRequest,
};
pub use trends::{LabelledTrendRow, TrendOrder, TrendsRequest, TrendsResult};

/// Maximum groups of latents of one analysis.
const MAX_GROUPS: usize = 10_000;

/// Latents that are counted as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatentGroup {
    /// What it is called.
    pub name: String,
    /// Its latents.
    pub latents: Vec<u32>,
}

/// The latents that come back at `least` or more, which groups do not.
fn recurring(view: &View, least: Option<f32>, groups: &[LatentGroup]) -> Result<Among> {
    if least.is_some() && !groups.is_empty() {
        return Err(Error::invalid(
            "min_recurrence",
            "is given with `groups`; it is a bound on latents",
        ));
    }
    view.recurring(least)
}

/// Checks groups against the collection's latents and takes them apart.
fn groups_of(groups: Vec<LatentGroup>, n_latents: usize) -> Result<(Vec<String>, Vec<Vec<u32>>)> {
    if groups.len() > MAX_GROUPS {
        return Err(Error::invalid(
            "groups",
            format!(
                "has {} entries; at most {MAX_GROUPS} are accepted",
                groups.len()
            ),
        ));
    }
    for (at, group) in groups.iter().enumerate() {
        check_latents(&group.latents, n_latents).within(&format!("groups[{at}].latents"))?;
        if group.latents.is_empty() {
            return Err(Error::invalid(
                format!("groups[{at}].latents"),
                "is empty; at least one latent is accepted",
            ));
        }
    }
    let pairs = groups.into_iter().map(|group| (group.name, group.latents));
    Ok(pairs.unzip())
}

/// Checks that latents exist; errors name the place in the list.
fn check_latents(latents: &[u32], n_latents: usize) -> Result<()> {
    match latents
        .iter()
        .position(|&latent| latent as usize >= n_latents)
    {
        None => Ok(()),
        Some(at) => Err(Error::invalid(
            format!("[{at}]"),
            format!(
                "is {}; this collection's latents are 0 to {}",
                latents[at],
                n_latents.saturating_sub(1)
            ),
        )),
    }
}

/// Groups where there are any, else latents.
fn units(groups: &[Vec<u32>], n_latents: usize) -> Units<'_> {
    if groups.is_empty() {
        Units::Latents(n_latents)
    } else {
        Units::Groups(groups)
    }
}

/// How many latents a collection has; `FailedPrecondition` when it has no SAE.
fn n_latents_of(view: &View) -> Result<usize> {
    view.n_latents().ok_or_else(|| no_sae(view))
}

/// Checks a share of 0 to 1.
fn check_share(value: f64, field: &str) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("is {value}; a share of 0 to 1 is accepted"),
    ))
}

/// Checks a bound that may be any number.
fn check_number(value: f64, field: &str) -> Result<()> {
    if value.is_nan() {
        return Err(Error::invalid(field, "is NaN; a number is accepted"));
    }
    Ok(())
}

/// Analyses over sets of documents.
pub struct Analyses {
    core: Arc<Core>,
    labels: Arc<Labels>,
}

impl Analyses {
    pub(super) fn new(core: Arc<Core>, labels: Arc<Labels>) -> Self {
        Self { core, labels }
    }
}
