//! Families of latents that were found, kept in the catalog by the SAE and used by their roots.

use latentdb_index::{Filter, RecordKind, ResolvedFilter};
use serde::{Deserialize, Serialize};

use super::core::View;
use crate::error::{Error, Result, Within as _};

/// A general latent and special ones below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyRecord {
    /// The root, by which it is named.
    pub root: u32,
    /// The root first, then what is below it.
    pub members: Vec<FamilyMemberRecord>,
    /// How much closer members are to the root than to each other; none where no two are ever
    /// active together.
    pub score: Option<f64>,
    /// Documents in which any of them is active.
    pub documents: u64,
    /// The round it was found in, from 1.
    pub round: usize,
}

/// A member of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyMemberRecord {
    /// The latent.
    pub latent: u32,
    /// The denser latent it hangs below; itself for the root.
    pub below: u32,
    /// Edges from the root.
    pub depth: usize,
}

/// The families that were found last.
///
/// # Errors
/// `FailedPrecondition` where none were looked for.
pub(super) fn families(view: &View) -> Result<Vec<FamilyRecord>> {
    let kept = view
        .handle
        .record_of(RecordKind::Families, &view.label_key().1)?;
    kept.ok_or_else(|| {
        let name = view.name();
        Error::precondition(format!(
            "the families of collection {name:?} have not been looked for: find them (`latentdb \
             latents families {name} --find`)"
        ))
    })
}

/// Keeps families in place of those before.
pub(super) fn keep(view: &View, families: &[FamilyRecord]) -> Result<()> {
    let sae = view.label_key().1;
    view.handle
        .put_record(RecordKind::Families, &sae, &families)
}

/// A family by its root.
pub(super) fn family(view: &View, root: u32) -> Result<FamilyRecord> {
    of_root(&families(view)?, view, root)
}

/// Families by their roots; `NotFound` names the place in the list.
pub(super) fn families_at(view: &View, roots: &[u32]) -> Result<Vec<FamilyRecord>> {
    let known = families(view)?;
    let places = roots.iter().enumerate();
    places
        .map(|(at, &root)| of_root(&known, view, root).within(&format!("[{at}]")))
        .collect()
}

/// The documents in which any member of a family is active.
pub(super) fn family_filter(view: &View, root: u32) -> Result<ResolvedFilter> {
    Ok(union(&family(view, root)?.members))
}

fn of_root(families: &[FamilyRecord], view: &View, root: u32) -> Result<FamilyRecord> {
    let found = families.iter().find(|family| family.root == root);
    found.cloned().ok_or_else(|| {
        Error::not_found(format!(
            "no family has the root {root} (list them with `latentdb latents families {}`)",
            view.name()
        ))
    })
}

pub(super) fn union(members: &[FamilyMemberRecord]) -> ResolvedFilter {
    let members = members.iter().map(|member| Filter::latent(member.latent));
    Filter::Or(members.collect())
}
