//! Comparisons of one set with others, run and listed.

use std::collections::HashSet;

use latentdb_index::analysis::{
    Counterparts, Diff, DiffRow, LENGTH, Members, Selection, Side, Units, adjust_together, compare,
    compare_clustered, compare_paired, compare_stratified, cover_selected, measure, select,
};
use latentdb_index::{Progress, ResolvedFilter};

use super::diff::{Comparison, Design, DiffResult, LabelledDiffRow, Overlap, ResolvedDiff};
use super::units;
use crate::error::Result;
use crate::service::documents::Projection;
use crate::service::labels::ShownLabel;

/// Median lengths that differ by this factor make token-level sets hard to compare.
const LENGTHS_DIFFER: f64 = 1.25;

/// A and what it is compared with.
struct Sets<'a> {
    a: Members<'a>,
    b: Members<'a>,
    /// Documents in both, before any were dropped.
    shared: Option<u64>,
}

/// What comes of comparisons: one each, the rows that pass, and how many did where they were found.
struct Tested {
    diffs: Vec<Diff>,
    passing: Vec<Vec<DiffRow>>,
    found: Option<Vec<u64>>,
}

impl ResolvedDiff {
    /// Compares the sets, and lists what passes.
    pub(super) fn run(&self, progress: &Progress) -> Result<DiffResult> {
        let sets = self.b.iter().map(|(name, filter)| self.sets(name, filter));
        let sets: Vec<Sets> = sets.collect::<Result<_>>()?;
        let (sets, mut tested) = match self.confirm {
            None => {
                let tested = self.found(&sets, progress)?;
                (sets, tested)
            }
            Some(share) => self.confirmed(&sets, share, progress)?,
        };
        let n_tested = tested.diffs.iter().map(|diff| diff.tested).sum();
        let mut passing: Vec<&mut DiffRow> = tested.passing.iter_mut().flatten().collect();
        cover_selected(&mut passing, n_tested, &self.options);
        let comparisons = (0..).zip(self.b.iter().zip(&sets));
        Ok(DiffResult {
            comparisons: comparisons
                .map(|(at, (set, members))| self.listed(set, members, &tested, at))
                .collect::<Result<_>>()?,
        })
    }

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

    /// The sets of a comparison, without what they share where that is dropped.
    fn sets<'a>(&'a self, name: &str, filter: &'a ResolvedFilter) -> Result<Sets<'a>> {
        let a = Members::of(self.side_a())?;
        let b = Members::of(self.side_b(filter))?;
        if !self.is_one_collection {
            return Ok(Sets { a, b, shared: None });
        }
        let overlap = match (self.overlap, &self.design) {
            // What is paired is not taken as separate.
            (Overlap::Refuse, Design::PairBy(_)) => Overlap::Keep,
            (overlap, _) => overlap,
        };
        let (a, b, shared) = overlap.settled(a, b, name)?;
        let shared = Some(shared);
        Ok(Sets { a, b, shared })
    }

    /// Compares sets, and what passes.
    fn found(&self, sets: &[Sets], progress: &Progress) -> Result<Tested> {
        let diffs = sets.iter().map(|sets| self.diff(sets, progress));
        let mut diffs: Vec<Diff> = diffs.collect::<Result<_>>()?;
        adjust_together(&mut diffs);
        let unlimited = Selection {
            limit: usize::MAX,
            ..self.selection
        };
        Ok(Tested {
            passing: diffs.iter().map(|diff| select(diff, &unlimited)).collect(),
            diffs,
            found: None,
        })
    }

    /// Finds on one part of the documents, and tests what was found on the other, `share` of them:
    /// there it passes when it differs to the same side, with an adjusted p-value as small.
    fn confirmed<'a>(
        &self,
        sets: &[Sets<'a>],
        share: f64,
        progress: &Progress,
    ) -> Result<(Vec<Sets<'a>>, Tested)> {
        // What is compared as one must not be on both sides of the split.
        let by = match &self.design {
            Design::PairBy(name) | Design::ClusterBy(name) => Some(&**name),
            Design::Independent | Design::StratifyBy(_) => None,
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for sets in sets {
            let (a, b) = (sets.a.split(share, by)?, sets.b.split(share, by)?);
            let shared = sets.shared;
            first.push(Sets {
                a: a.0,
                b: b.0,
                shared,
            });
            second.push(Sets {
                a: a.1,
                b: b.1,
                shared,
            });
        }
        let found = self.found(&first, progress)?.passing;
        let diffs = second.iter().map(|sets| self.diff(sets, progress));
        let mut diffs: Vec<Diff> = diffs.collect::<Result<_>>()?;
        for (diff, found) in diffs.iter_mut().zip(&found) {
            let units: HashSet<u32> = found.iter().map(|row| row.unit).collect();
            diff.test_only(|unit| units.contains(&unit));
        }
        adjust_together(&mut diffs);
        let bound = Selection {
            max_p_adjusted: self.selection.max_p_adjusted,
            ..Selection::default()
        };
        let confirmed = diffs.iter().zip(&found).map(|(diff, found)| {
            let is_same = |row: &DiffRow| {
                let mut found = found.iter();
                found.any(|first| first.unit == row.unit && first.delta * row.delta > 0.0)
            };
            let mut rows = select(diff, &bound);
            rows.retain(is_same);
            rows
        });
        let tested = Tested {
            passing: confirmed.collect(),
            diffs,
            found: Some(found.iter().map(|rows| rows.len() as u64).collect()),
        };
        Ok((second, tested))
    }

    fn diff(&self, sets: &Sets, progress: &Progress) -> Result<Diff> {
        let mut diff = self.compared(sets, progress)?;
        if !self.among.is_all() {
            diff.test_only(|latent| self.among.has(latent));
        }
        Ok(diff)
    }

    fn compared(&self, Sets { a, b, .. }: &Sets, progress: &Progress) -> Result<Diff> {
        let (units, options) = (self.units(), &self.options);
        match &self.design {
            Design::Independent => {
                let of_a = measure(a, units, options, progress)?;
                compare(&of_a, &measure(b, units, options, progress)?, options)
            }
            Design::PairBy(name) => compare_paired(a, b, name, units, options, progress),
            Design::StratifyBy(name) => compare_stratified(a, b, name, units, options, progress),
            Design::ClusterBy(name) => compare_clustered(a, b, name, units, options, progress),
        }
    }

    fn listed(
        &self,
        (name, filter): &(String, ResolvedFilter),
        sets: &Sets,
        tested: &Tested,
        at: usize,
    ) -> Result<Comparison> {
        let pairs = self.pairs(filter)?;
        let (diff, passing) = (&tested.diffs[at], &tested.passing[at]);
        let rows = match self.all {
            true => &diff.rows[..],
            false => &passing[..passing.len().min(self.selection.limit)],
        };
        let median_lengths = (sets.a.median_length()?, sets.b.median_length()?);
        Ok(Comparison {
            name: name.clone(),
            a_documents: diff.a_documents,
            b_documents: diff.b_documents,
            shared: sets.shared,
            unpaired: diff.unpaired,
            by: diff.by,
            median_lengths,
            tested: diff.tested,
            found: tested.found.as_ref().map(|found| found[at]),
            passing: passing.len() as u64,
            warnings: self.warnings(median_lengths),
            rows: rows
                .iter()
                .map(|row| self.labelled(*row, &sets.a, &sets.b, pairs.as_ref()))
                .collect::<Result<_>>()?,
        })
    }

    /// What makes the comparison doubtful.
    fn warnings(&self, lengths: (Option<u64>, Option<u64>)) -> Vec<String> {
        let mut warnings = self.a_view.warnings();
        // One collection has one list for both sides.
        if !self.is_one_collection {
            warnings.extend(self.b_view.warnings());
        }
        warnings.extend(self.length_warning(lengths));
        warnings
    }

    /// At level token, longer texts have more latents active.
    fn length_warning(&self, lengths: (Option<u64>, Option<u64>)) -> Option<String> {
        let (a, b) = (lengths.0?, lengths.1?);
        let is_within = self.design == Design::StratifyBy(LENGTH.to_owned());
        let differ = a.max(b) as f64 >= LENGTHS_DIFFER * a.min(b) as f64;
        (differ && !is_within && self.a_view.reader().is_some()).then(|| {
            format!(
                "the median text of A has {a} words, that of B {b}: longer texts have more latents \
                 active, whatever they say; --stratify-by length compares texts of equal length"
            )
        })
    }

    /// Who is paired with whom, from A's side and from B's, where documents are asked for.
    fn pairs(&self, b: &ResolvedFilter) -> Result<Option<(Counterparts<'_>, Counterparts<'_>)>> {
        let Design::PairBy(attribute) = &self.design else {
            return Ok(None);
        };
        if self.documents == 0 {
            return Ok(None);
        }
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
            (self.a_view.shown(&self.labels, row.unit), &single[..])
        } else {
            let at = row.unit as usize;
            (
                self.group_names
                    .get(at)
                    .map(|name| ShownLabel::of_group(name))
                    .unwrap_or_default(),
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
