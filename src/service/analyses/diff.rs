//! What sets sets apart (Set difference in the methods guide).

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::analysis::{
    Counterparts, Diff, DiffOptions, DiffRow, Members, Selection, Side, Units, compare,
    compare_paired, measure, select,
};
use latentdb_index::{Document, Filter, Label, Progress, ResolvedFilter, validate_attribute_name};

use super::same_latents::{self, check_same_latents};
use super::{Analyses, LatentGroup, check_number, check_share, groups_of, n_latents_of, units};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::documents::Projection;
use crate::service::labels::ShownLabel;
use crate::service::names::resolve_set;

/// Most sets that one set is compared with.
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
    /// The attribute whose values pair documents of A and B.
    pub pair_by: Option<String>,
    /// Groups that are compared instead of latents.
    pub groups: Vec<LatentGroup>,
    /// Which rows are listed; all of them, by number, where absent.
    pub selection: Option<Selection>,
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
    /// Units that were tested.
    pub tested: u64,
    /// Rows that pass the selection, listed or not.
    pub passing: u64,
    /// The listed rows.
    pub rows: Vec<LabelledDiffRow>,
}

/// A difference with what a person needs to read it.
#[derive(Clone, Debug)]
pub struct LabelledDiffRow {
    /// The figures.
    pub row: DiffRow,
    /// The latent's label or the group's name.
    pub label: Option<ShownLabel>,
    /// Documents of the side that has more, in which it is strongest, with their activations.
    /// Where sets are paired, of pairs in which the other side has it not.
    pub documents: Vec<(Document, f32)>,
    /// Beside each of `documents`, the one it is paired with; empty where sets are not paired.
    pub counterparts: Vec<Document>,
}

/// A request with filters resolved, ready to run over its views.
struct Ready {
    a_view: View,
    b_view: View,
    is_one_collection: bool,
    a: ResolvedFilter,
    /// Names and filters of the comparisons.
    b: Vec<(String, ResolvedFilter)>,
    options: DiffOptions,
    pair_by: Option<String>,
    group_names: Vec<String>,
    groups: Vec<Vec<u32>>,
    n_latents: usize,
    selection: Option<Selection>,
    documents: usize,
    labels: Arc<BTreeMap<u32, Label>>,
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
        let ready = self.ready_diff(request)?;
        blocking(move || ready.run(&progress)).await
    }

    fn ready_diff(&self, request: DiffRequest) -> Result<Ready> {
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
        let (group_names, groups) = groups_of(request.groups, n_latents)?;
        Ok(Ready {
            labels: self.labels.of(&a_view)?,
            a_view,
            b_view,
            is_one_collection,
            a,
            b,
            options: request.options,
            pair_by: request.pair_by,
            group_names,
            groups,
            n_latents,
            selection: request.selection,
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
    if let Some(attribute) = &request.pair_by {
        validate_attribute_name(attribute).within("pair_by")?;
    }
    if let Some(selection) = &request.selection {
        check_number(selection.min_delta, "min_delta")?;
        check_share(selection.max_p_adjusted, "max_p_adjusted")?;
        if let Some(share) = selection.max_b_share {
            check_share(share, "max_b_share")?;
        }
    }
    Ok(())
}

impl Ready {
    fn units(&self) -> Units<'_> {
        units(&self.groups, self.n_latents)
    }

    fn side_a(&self) -> Side<'_> {
        Side {
            snapshot: &self.a_view.snapshot,
            filter: &self.a,
        }
    }

    fn side_b<'a>(&'a self, filter: &'a ResolvedFilter) -> Side<'a> {
        Side {
            snapshot: &self.b_view.snapshot,
            filter,
        }
    }

    fn run(&self, progress: &Progress) -> Result<DiffResult> {
        let a = Members::of(self.side_a())?;
        let others = self
            .b
            .iter()
            .map(|(_, filter)| Members::of(self.side_b(filter)));
        let others: Vec<Members> = others.collect::<Result<_>>()?;
        let diffs = self.diffs(&a, &others, progress)?;
        let comparisons = self.b.iter().zip(&others).zip(&diffs);
        Ok(DiffResult {
            comparisons: comparisons
                .map(|((set, b), diff)| self.listed(set, diff, &a, b))
                .collect::<Result<_>>()?,
        })
    }

    fn diffs(&self, a: &Members, others: &[Members], progress: &Progress) -> Result<Vec<Diff>> {
        let (units, options) = (self.units(), &self.options);
        if let Some(attribute) = &self.pair_by {
            let paired = self.b.iter().map(|(_, filter)| {
                let (a, b) = (self.side_a(), self.side_b(filter));
                compare_paired(a, b, attribute, units, options, progress)
            });
            return paired.collect();
        }
        let of_a = measure(a, units, options, progress)?;
        let compared = others.iter().map(|b| {
            let of_b = measure(b, units, options, progress)?;
            compare(&of_a, &of_b, options)
        });
        compared.collect()
    }

    fn listed(
        &self,
        (name, filter): &(String, ResolvedFilter),
        diff: &Diff,
        a: &Members,
        b: &Members,
    ) -> Result<Comparison> {
        let pairs = self.pairs(filter)?;
        let (passing, rows) = match &self.selection {
            None => (diff.rows.len(), diff.rows.clone()),
            Some(selection) => {
                let unlimited = Selection {
                    limit: usize::MAX,
                    ..*selection
                };
                let mut rows = select(diff, &unlimited);
                let passing = rows.len();
                rows.truncate(selection.limit);
                (passing, rows)
            }
        };
        Ok(Comparison {
            name: name.clone(),
            a_documents: diff.a_documents,
            b_documents: diff.b_documents,
            shared: self.is_one_collection.then(|| a.shared_with(b)),
            unpaired: diff.unpaired,
            tested: diff.tested,
            passing: passing as u64,
            rows: rows
                .into_iter()
                .map(|row| self.labelled(row, a, b, pairs.as_ref()))
                .collect::<Result<_>>()?,
        })
    }

    /// Who is paired with whom, from A's side and from B's, where documents are asked for.
    fn pairs(&self, b: &ResolvedFilter) -> Result<Option<(Counterparts<'_>, Counterparts<'_>)>> {
        let Some(attribute) = self.pair_by.as_ref().filter(|_| self.documents > 0) else {
            return Ok(None);
        };
        let of_a = Counterparts::new(self.side_a(), &self.b_view.snapshot, b, attribute)?;
        let of_b = Counterparts::new(self.side_b(b), &self.a_view.snapshot, &self.a, attribute)?;
        Ok(Some((of_a, of_b)))
    }

    fn labelled(
        &self,
        row: DiffRow,
        a: &Members,
        b: &Members,
        pairs: Option<&(Counterparts, Counterparts)>,
    ) -> Result<LabelledDiffRow> {
        let a_has_more = row.delta >= 0.0;
        let (members, view, other) = if a_has_more {
            (a, &self.a_view, &self.b_view)
        } else {
            (b, &self.b_view, &self.a_view)
        };
        let pairs = pairs.map(|(of_a, of_b)| if a_has_more { of_a } else { of_b });
        let single = [row.unit];
        let (label, latents) = if self.groups.is_empty() {
            let label = self.labels.get(&row.unit).map(ShownLabel::from);
            (label, &single[..])
        } else {
            let at = row.unit as usize;
            (
                self.group_names
                    .get(at)
                    .map(|name| ShownLabel::of_group(name)),
                self.groups.get(at).map_or(&[][..], |group| &group[..]),
            )
        };
        let projection = Projection::readable();
        let above = self.options.active_above;
        let alone = |doc: u32| pairs.and_then(|pairs| pairs.without(doc, latents, above));
        let shows =
            |doc, activation| pairs.is_none() || (activation > above && alone(doc).is_some());
        let (mut documents, mut counterparts) = (Vec::new(), Vec::new());
        for (doc, activation) in members.strongest_where(latents, self.documents, shows) {
            documents.push((projection.read(&view.snapshot, doc)?, activation));
            if let Some(counterpart) = alone(doc) {
                counterparts.push(projection.read(&other.snapshot, counterpart)?);
            }
        }
        Ok(LabelledDiffRow {
            row,
            label,
            documents,
            counterparts,
        })
    }
}

fn side(view: &View) -> same_latents::Side<'_> {
    same_latents::Side {
        spec: &view.spec,
        place: view.place,
    }
}
