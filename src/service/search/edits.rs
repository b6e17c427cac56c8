//! Resolving edits: the latents they stand for, and amounts in raw units.

use std::collections::BTreeMap;

use super::encoded::Encoded;
use super::examples;
use super::node::{PropertySelection, SteerChange, SteerEdit, SteerTarget, SteerUnit};
use super::part::Search;
use super::property::{choose, rank_weight};
use super::result::AppliedEdit;
use crate::error::{Error, Result, Within as _};
use crate::service::core::{View, no_sae};
use crate::service::families;

/// Maximum edits per node, presets included.
pub(super) const MAX_EDITS: usize = 1000;
/// Latents that examples stand for.
const EXAMPLE_LATENTS: usize = 10;
/// How fast the weights of a concept's latents fall with their ranks (T of Property
/// retrieval in the methods guide).
const CONCEPT_TEMPERATURE: f32 = 0.5;

impl Search {
    /// Edits of single latents, in order. Errors name the edit.
    pub(super) fn applied_edits(
        &self,
        view: &View,
        encoded: &Encoded,
        edits: &[SteerEdit],
    ) -> Result<Vec<AppliedEdit>> {
        let mut applied = Vec::new();
        for (at, edit) in edits.iter().enumerate() {
            let within = |error: Error| error.within(&format!("steer[{at}]"));
            check_amount(edit.change).map_err(within)?;
            let latents = self
                .target_latents(view, encoded, &edit.of)
                .map_err(within)?;
            for (latent, share) in latents {
                check_number(view, latent).map_err(within)?;
                let unit = match edit.unit {
                    SteerUnit::Raw => 1.0,
                    // What no document has, has no unit: nothing is done to it.
                    SteerUnit::Percentile90 => view.snapshot.percentile90(latent).unwrap_or(0.0),
                };
                let change = match edit.change {
                    SteerChange::Add(amount) => SteerChange::Add(amount * share * unit),
                    SteerChange::Boost(amount) => SteerChange::Boost(amount * share),
                    SteerChange::Set(amount) => SteerChange::Set(amount * unit),
                    other => other,
                };
                applied.push(AppliedEdit { latent, change });
            }
        }
        Ok(applied)
    }

    /// The latents of a target, with shares that sum to 1.
    fn target_latents(
        &self,
        view: &View,
        encoded: &Encoded,
        target: &SteerTarget,
    ) -> Result<Vec<(u32, f32)>> {
        match target {
            SteerTarget::Latent(latent) => Ok(vec![(*latent, 1.0)]),
            SteerTarget::Concept { text, latents } => {
                let vector = encoded.text(text).within("concept")?;
                let chosen = choose(view, encoded, vector, PropertySelection::Both, *latents)?;
                let kept = chosen.len();
                let weighted = chosen.iter().enumerate().map(|(at, (latent, _))| {
                    (*latent, rank_weight(at + 1, kept, CONCEPT_TEMPERATURE))
                });
                Ok(shared(weighted.collect()))
            }
            SteerTarget::Family(root) => {
                let family = families::family(view, *root)?;
                let members = family.members.iter().map(|member| (member.latent, 1.0));
                Ok(shared(members.collect()))
            }
            SteerTarget::Examples(ids) => example_latents(view, ids).within("examples"),
        }
    }
}

/// Weights brought to the sum 1.
fn shared(weights: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    let sum: f32 = weights.iter().map(|(_, weight)| weight).sum();
    let parts = weights.into_iter();
    parts
        .map(|(latent, weight)| (latent, weight / sum))
        .collect()
}

/// The latents whose mean a / p90 over the documents exceeds that over the collection most, by
/// how much they do.
fn example_latents(view: &View, ids: &[String]) -> Result<Vec<(u32, f32)>> {
    let snapshot = &view.snapshot;
    let docs = examples::documents(view, ids)?;
    let mut means: BTreeMap<u32, f32> = BTreeMap::new();
    for &doc in &docs {
        snapshot.for_each_latent(doc, |entry| {
            *means.entry(entry.latent).or_default() += entry.activation / docs.len() as f32;
        });
    }
    let all = snapshot.n_docs().max(1) as f32;
    let mut lifts: Vec<(u32, f32)> = means
        .into_iter()
        .filter_map(|(latent, mean)| {
            let percentile = snapshot.percentile90(latent)?;
            let everywhere: f32 = snapshot.activations(latent).iter().sum();
            let lift = (mean - everywhere / all) / percentile;
            (lift > 0.0).then_some((latent, lift))
        })
        .collect();
    lifts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    lifts.truncate(EXAMPLE_LATENTS);
    if lifts.is_empty() {
        return Err(Error::precondition(
            "no latent is stronger in these documents than in the collection",
        ));
    }
    Ok(shared(lifts))
}

fn check_number(view: &View, latent: u32) -> Result<()> {
    match view.n_latents() {
        None => Err(no_sae(view)),
        Some(n_latents) if latent as usize >= n_latents => Err(Error::invalid(
            "latent",
            format!(
                "is {latent}; this collection's latents are 0 to {}",
                n_latents - 1
            ),
        )),
        Some(_) => Ok(()),
    }
}

fn check_amount(change: SteerChange) -> Result<()> {
    let (field, amount, accepted) = match change {
        SteerChange::Add(amount) => ("add", amount, amount.is_finite()),
        SteerChange::Boost(amount) => ("boost", amount, amount.is_finite()),
        SteerChange::Scale(amount) => ("scale", amount, amount.is_finite() && amount >= 0.0),
        SteerChange::Set(amount) => ("set", amount, amount.is_finite() && amount >= 0.0),
        SteerChange::Zero => return Ok(()),
    };
    if accepted {
        return Ok(());
    }
    let range = match change {
        SteerChange::Scale(_) | SteerChange::Set(_) => "a finite number from 0 up",
        _ => "a finite number",
    };
    Err(Error::invalid(
        field,
        format!("is {amount}; {range} is accepted"),
    ))
}
