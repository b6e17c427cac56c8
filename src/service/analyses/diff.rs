//! What sets sets apart (Set difference in the methods guide).

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::analysis::{Among, ByValue, DiffOptions, DiffRow, Members, Selection};
use latentdb_index::{Filter, Label, Progress, ResolvedFilter, validate_attribute_name};

use super::same_latents::{self, check_same_latents};
use super::{Analyses, LatentGroup, check_number, check_share, groups_of, n_latents_of, recurring};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::documents::ReadDocument;
use crate::service::labels::ShownLabel;
use crate::service::names::resolve_set;

/// Maximum sets that one set is compared with.
const MAX_SETS: usize = 100;
/// What the union of several sets is called.
const ANY: &str = "any";

/// A set of documents with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSet {
    /// What the result calls it; by its place where empty.
    pub name: String,
    /// Its documents, saved sets not yet resolved.
    pub filter: Filter,
}

/// How documents of two sets are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Design {
    /// As two independent samples.
    #[default]
    Independent,
    /// Row by row: those with the same value of an attribute.
    PairBy(String),
    /// Within strata of an attribute.
    StratifyBy(String),
    /// As clusters of documents with the same value of an attribute.
    ClusterBy(String),
}

impl Design {
    /// The field of a request that asks for it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Independent => "",
            Self::PairBy(_) => "pair_by",
            Self::StratifyBy(_) => "stratify_by",
            Self::ClusterBy(_) => "cluster_by",
        }
    }

    /// The attribute.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Independent => None,
            Self::PairBy(name) | Self::StratifyBy(name) | Self::ClusterBy(name) => Some(name),
        }
    }
}

/// What becomes of documents that are in both sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The call is refused, unless sets are paired.
    #[default]
    Refuse,
    /// They leave both.
    Drop,
    /// They stay in both.
    Keep,
}

impl Overlap {
    /// Two sets of one snapshot, without what they share where that is dropped, and how much that is. `name` is B's.
    ///
    /// # Errors
    /// `InvalidArgument` for `overlap` where they share documents and that is refused.
    pub(super) fn settled<'a>(
        self,
        a: Members<'a>,
        b: Members<'a>,
        name: &str,
    ) -> Result<(Members<'a>, Members<'a>, u64)> {
        match (self, a.shared_with(&b)) {
            (_, 0) => Ok((a, b, 0)),
            (Self::Keep, shared) => Ok((a, b, shared)),
            (Self::Drop, shared) => Ok((a.without(&b), b.without(&a), shared)),
            (Self::Refuse, shared) => Err(Error::invalid(
                "overlap",
                format!(
                    "{shared} documents are in both A and {name:?}, which the tests take as separate: drop \
                     them from both, keep them, or narrow the sets (--overlap drop|keep)"
                ),
            )),
        }
    }
}

/// Which sets are compared, and how.
#[derive(Clone, Debug)]
pub struct DiffRequest {
    /// The collection.
    pub address: Address,
    /// The first set.
    pub a: Filter,
    /// What it is compared with; all documents that are not in A when empty.
    pub b: Vec<NamedSet>,
    /// Another collection with the same SAE, where the sets of B are.
    pub b_address: Option<Address>,
    /// The caller vouches that both collections' latents mean the same, where they record nothing
    /// that says so.
    pub same_latents: bool,
    /// How they are measured.
    pub options: DiffOptions,
    /// How their documents are compared.
    pub design: Design,
    /// What becomes of documents in both sets.
    pub overlap: Overlap,
    /// The share of the documents on which is tested what the others suggest.
    pub confirm: Option<f64>,
    /// How often latents come back in SAEs of other seeds that are tested; all where absent.
    pub min_recurrence: Option<f32>,
    /// Groups that are compared instead of latents.
    pub groups: Vec<LatentGroup>,
    /// Which rows pass.
    pub selection: Selection,
    /// Whether every row is listed, by number, passing or not.
    pub all: bool,
    /// Documents listed per row.
    pub documents: usize,
}

/// Comparisons of one set with others.
#[derive(Clone, Debug)]
pub struct DiffResult {
    /// One per set of B, then their union where there are several.
    pub comparisons: Vec<Comparison>,
}

/// A comparison of A with one set.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The set's name.
    pub name: String,
    /// Documents of A, or pairs.
    pub a_documents: u64,
    /// Documents of B, or pairs.
    pub b_documents: u64,
    /// Documents in both; `None` where B is in another collection.
    pub shared: Option<u64>,
    /// Join values that only A and only B has, where sets are paired.
    pub unpaired: Option<(u64, u64)>,
    /// Strata or clusters, where sets are compared by an attribute's values.
    pub by: Option<ByValue>,
    /// Median number of words of the texts of A and B.
    pub median_lengths: (Option<u64>, Option<u64>),
    /// Units that were tested.
    pub tested: u64,
    /// Rows that passed where they were found, if they were tested on other documents.
    pub found: Option<u64>,
    /// Rows that pass the selection, listed or not.
    pub passing: u64,
    /// What makes the comparison misleading.
    pub warnings: Vec<String>,
    /// The listed rows.
    pub rows: Vec<LabelledDiffRow>,
}

/// A difference with what a person needs to read it.
#[derive(Clone, Debug)]
pub struct LabelledDiffRow {
    /// The figures.
    pub row: DiffRow,
    /// The latent or group.
    pub label: ShownLabel,
    /// Documents of the side that has more, in which it is strongest, with their activations.
    /// Where sets are paired, of pairs in which the other side has it not.
    pub documents: Vec<(ReadDocument, f32)>,
    /// For each of `documents`, the one it is paired with; empty where sets are not paired.
    pub counterparts: Vec<ReadDocument>,
}

/// A request with filters resolved, ready to run over its views.
pub(super) struct ResolvedDiff {
    pub a_view: View,
    pub b_view: View,
    pub is_one_collection: bool,
    pub a: ResolvedFilter,
    /// Names and filters of the comparisons.
    pub b: Vec<(String, ResolvedFilter)>,
    pub options: DiffOptions,
    pub design: Design,
    pub overlap: Overlap,
    pub confirm: Option<f64>,
    /// Latents that are tested.
    pub among: Among,
    pub group_names: Vec<String>,
    pub groups: Vec<Vec<u32>>,
    pub n_latents: usize,
    pub selection: Selection,
    pub all: bool,
    pub documents: usize,
    pub labels: Arc<BTreeMap<u32, Label>>,
}

impl Analyses {
    /// Compares a set of documents with others.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` for empty sets, collections without latents or whose latents do not
    /// mean the same; `Cancelled` after [`Progress::stop`].
    pub async fn diff(
        self: &Arc<Self>,
        request: DiffRequest,
        progress: Arc<Progress>,
    ) -> Result<DiffResult> {
        let resolved = self.resolve_diff(request)?;
        blocking(move || resolved.run(&progress)).await
    }

    fn resolve_diff(&self, request: DiffRequest) -> Result<ResolvedDiff> {
        let a_view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&a_view)?;
        let b_view = match &request.b_address {
            None => a_view.clone(),
            Some(address) => self.core.view(address)?,
        };
        let is_one_collection = a_view.name() == b_view.name();
        // Both sides of one collection read one snapshot, so that what is in both is known.
        let b_view = if is_one_collection {
            a_view.clone()
        } else {
            check_same_latents(side(&a_view), side(&b_view), request.same_latents)?;
            b_view
        };
        check(&request)?;
        let a = resolve_set(&a_view, &request.a, "a")?;
        let b = self.resolve_others(&b_view, &request, &a, is_one_collection)?;
        let among = recurring(&a_view, request.min_recurrence, &request.groups)?;
        let (group_names, groups) = groups_of(request.groups, n_latents)?;
        Ok(ResolvedDiff {
            labels: self.labels.of(&a_view)?,
            a_view,
            b_view,
            is_one_collection,
            a,
            b,
            options: request.options,
            design: request.design,
            overlap: request.overlap,
            confirm: request.confirm,
            among,
            group_names,
            groups,
            n_latents,
            selection: request.selection,
            all: request.all,
            documents: request.documents,
        })
    }

    /// Names and filters of what A is compared with.
    fn resolve_others(
        &self,
        view: &View,
        request: &DiffRequest,
        a: &ResolvedFilter,
        is_one_collection: bool,
    ) -> Result<Vec<(String, ResolvedFilter)>> {
        if request.b.is_empty() {
            let rest = if is_one_collection {
                ("rest", a.clone().negate())
            } else {
                ("all", Filter::All)
            };
            return Ok(vec![(rest.0.to_owned(), rest.1)]);
        }
        let mut others = Vec::with_capacity(request.b.len() + 1);
        for (at, set) in request.b.iter().enumerate() {
            let filter = resolve_set(view, &set.filter, &format!("b[{at}].filter"))?;
            let name = match (&*set.name, request.b.len()) {
                ("", 1) => "b".to_owned(),
                ("", _) => format!("b{}", at + 1),
                (name, _) => name.to_owned(),
            };
            others.push((name, filter));
        }
        if others.len() > 1 {
            let union = others.iter().map(|(_, filter)| filter.clone()).collect();
            others.push((ANY.to_owned(), Filter::Or(union)));
        }
        Ok(others)
    }
}

fn check(request: &DiffRequest) -> Result<()> {
    if request.b.len() > MAX_SETS {
        return Err(Error::invalid(
            "b",
            format!(
                "has {} entries; at most {MAX_SETS} are accepted",
                request.b.len()
            ),
        ));
    }
    if let Some(attribute) = request.design.attribute() {
        validate_attribute_name(attribute).within(request.design.field())?;
    }
    if let Some(share) = request.confirm
        && !(share > 0.0 && share < 1.0)
    {
        let message = format!("is {share}; a share above 0 and below 1 is accepted");
        return Err(Error::invalid("confirm", message));
    }
    let selection = &request.selection;
    check_number(selection.min_delta, "min_delta")?;
    check_share(selection.max_p_adjusted, "max_p_adjusted")?;
    match selection.max_b_share {
        Some(share) => check_share(share, "max_b_share"),
        None => Ok(()),
    }
}

fn side(view: &View) -> same_latents::Side<'_> {
    same_latents::Side {
        spec: &view.spec,
        place: view.place,
    }
}
