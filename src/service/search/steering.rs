//! Steering a query vector and boosting latents, and what that did.

use std::collections::BTreeMap;

use latentdb_index::query::{Boosts, LatentWeight};
use latentdb_index::validate_vector;

use super::encoded::Encoded;
use super::node::{NearestNode, SteerChange};
use super::part::Search;
use super::result::{AppliedEdit, SteeringReport};
use crate::error::{Error, Result, Within as _};
use crate::sae::steer::{Edit, steer};
use crate::sae::{Codes, Sae};
use crate::service::core::View;
use crate::service::models;

/// Maximum steps that make a steered vector's code agree with the edited one.
const MAX_CONSISTENT_STEPS: usize = 100;

/// A steered node.
pub(super) struct Steered {
    pub report: SteeringReport,
    /// What is added to cosines, where anything is.
    pub boosts: Option<Boosts>,
}

impl Search {
    /// Applies a node's edits to its vector. Boosts alone need no SAE.
    pub(super) fn steered(
        &self,
        view: &View,
        vector: &[f32],
        nearest: &NearestNode,
        encoded: &Encoded,
    ) -> Result<Steered> {
        validate_vector(vector, view.spec.record.dimension).within("vector")?;
        if nearest.consistent_steps > MAX_CONSISTENT_STEPS {
            return Err(Error::invalid(
                "consistent_steps",
                format!(
                    "is {}; at most {MAX_CONSISTENT_STEPS} are accepted",
                    nearest.consistent_steps
                ),
            ));
        }
        let applied = self.applied_edits(view, encoded, &nearest.edits)?;
        let edits: Vec<Edit> = applied.iter().filter_map(vector_edit).collect();
        let sae = if edits.is_empty() {
            self.core.sae_of(view)?
        } else {
            Some(self.core.required_sae(view)?)
        };
        let mut report = match sae {
            None => unchanged(vector),
            Some(sae) => moved(&sae, vector, &edits, nearest.consistent_steps)?,
        };
        let boosts = boosts(&applied);
        report.applied = applied;
        Ok(Steered { report, boosts })
    }
}

fn vector_edit(applied: &AppliedEdit) -> Option<Edit> {
    let latent = applied.latent;
    match applied.change {
        SteerChange::Add(strength) => Some(Edit::Add { latent, strength }),
        SteerChange::Scale(factor) => Some(Edit::Scale { latent, factor }),
        SteerChange::Set(activation) => Some(Edit::Set { latent, activation }),
        SteerChange::Zero => Some(Edit::Zero { latent }),
        SteerChange::Boost(_) => None,
    }
}

/// The boosts, those of one latent added up.
fn boosts(applied: &[AppliedEdit]) -> Option<Boosts> {
    let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
    for edit in applied {
        if let SteerChange::Boost(amount) = edit.change {
            *weights.entry(edit.latent).or_default() += amount;
        }
    }
    let weights: Vec<LatentWeight> = weights
        .into_iter()
        .map(|(latent, weight)| LatentWeight { latent, weight })
        .collect();
    (!weights.is_empty()).then_some(Boosts {
        weights,
        unit: None,
    })
}

fn moved(sae: &Sae, vector: &[f32], edits: &[Edit], steps: usize) -> Result<SteeringReport> {
    let steered = steer(sae, vector, edits, (steps > 0).then_some(steps))?;
    let row = |codes: &Codes| models::activations(codes).swap_remove(0);
    // What is not moved is the same vector to the last bit.
    let vector = if edits.is_empty() {
        vector.to_vec()
    } else {
        steered.vector
    };
    Ok(SteeringReport {
        component: String::new(),
        cosine: steered.cosine,
        residual_norm: steered.residual_norm,
        before: row(&steered.before),
        after: row(&steered.after),
        vector,
        applied: Vec::new(),
        inconsistency: steered.inconsistency,
    })
}

/// The report of a vector that is boosted where latents are the client's own.
fn unchanged(vector: &[f32]) -> SteeringReport {
    SteeringReport {
        component: String::new(),
        cosine: 1.0,
        residual_norm: 0.0,
        before: Vec::new(),
        after: Vec::new(),
        vector: vector.to_vec(),
        applied: Vec::new(),
        inconsistency: None,
    }
}
