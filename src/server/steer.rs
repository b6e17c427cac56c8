//! Edits, presets and sweeps on the wire.

use latentdb_proto::v1;

use super::status::{entry, required};
use super::types::{count_or, wire_activations};
use crate::error::{Error, Result, Within as _};
use crate::service::{
    AppliedEdit, DEFAULT_CONCEPT_LATENTS, MAX_CONCEPT_LATENTS, Preset, PresetUse, SteerChange,
    SteerEdit, SteerTarget, SteerUnit, SteeringReport, SweepHit, SweepStep,
};

/// Edits; errors name them as entries of `place`.
pub(super) fn edits(wire: Vec<v1::SteerEdit>, place: &str) -> Result<Vec<SteerEdit>> {
    let entries = wire.into_iter().enumerate();
    entries
        .map(|(at, wire)| edit(wire).within(&format!("{place}[{at}]")))
        .collect()
}

fn edit(wire: v1::SteerEdit) -> Result<SteerEdit> {
    use v1::steer_edit::Edit;
    let unit = match entry(wire.unit, "unit")? {
        v1::SteerUnit::Raw => SteerUnit::Raw,
        v1::SteerUnit::P90 => SteerUnit::Percentile90,
    };
    let change = match required(wire.edit, "edit")? {
        Edit::Add(amount) => SteerChange::Add(amount),
        Edit::Scale(factor) => SteerChange::Scale(factor),
        Edit::Set(activation) => SteerChange::Set(activation),
        Edit::Zero(_) => SteerChange::Zero,
        Edit::Boost(amount) => SteerChange::Boost(amount),
    };
    let named = [
        wire.latent != 0,
        !wire.concept.is_empty(),
        wire.family.is_some(),
        !wire.examples.is_empty(),
    ];
    if named.into_iter().filter(|named| *named).count() > 1 {
        return Err(Error::invalid(
            "",
            "names latents in two ways; one of latent, concept, family and examples is accepted",
        ));
    }
    let of = if !wire.concept.is_empty() {
        SteerTarget::Concept {
            text: wire.concept,
            latents: count_or(
                wire.concept_latents,
                DEFAULT_CONCEPT_LATENTS,
                MAX_CONCEPT_LATENTS,
                "concept_latents",
            )?,
        }
    } else if let Some(root) = wire.family {
        SteerTarget::Family(root)
    } else if !wire.examples.is_empty() {
        SteerTarget::Examples(wire.examples)
    } else {
        SteerTarget::Latent(wire.latent)
    };
    Ok(SteerEdit { of, change, unit })
}

/// Presets in a query.
pub(super) fn preset_uses(wire: Vec<v1::PresetUse>) -> Result<Vec<PresetUse>> {
    let entries = wire.into_iter().enumerate();
    entries
        .map(|(at, wire)| {
            let strength = wire.strength.unwrap_or(1.0);
            if !(strength.is_finite() && strength >= 0.0) {
                return Err(Error::invalid(
                    format!("presets[{at}].strength"),
                    format!("is {strength}; a finite number from 0 up is accepted"),
                ));
            }
            Ok(PresetUse {
                name: wire.name,
                strength,
            })
        })
        .collect()
}

/// A preset to save.
pub(super) fn preset(wire: v1::Preset) -> Result<Preset> {
    Ok(Preset {
        name: wire.name,
        edits: edits(wire.edits, "edits")?,
        // The service says which.
        sae: None,
    })
}

pub(super) fn wire_preset(preset: Preset) -> v1::Preset {
    v1::Preset {
        name: preset.name,
        edits: preset.edits.into_iter().map(wire_edit).collect(),
    }
}

fn wire_change(change: SteerChange) -> v1::steer_edit::Edit {
    use v1::steer_edit::Edit;
    match change {
        SteerChange::Add(amount) => Edit::Add(amount),
        SteerChange::Scale(factor) => Edit::Scale(factor),
        SteerChange::Set(activation) => Edit::Set(activation),
        SteerChange::Zero => Edit::Zero(v1::Everything {}),
        SteerChange::Boost(amount) => Edit::Boost(amount),
    }
}

fn wire_edit(edit: SteerEdit) -> v1::SteerEdit {
    let mut wire = v1::SteerEdit {
        edit: Some(wire_change(edit.change)),
        unit: match edit.unit {
            SteerUnit::Raw => v1::SteerUnit::Raw,
            SteerUnit::Percentile90 => v1::SteerUnit::P90,
        }
        .into(),
        ..v1::SteerEdit::default()
    };
    match edit.of {
        SteerTarget::Latent(latent) => wire.latent = latent,
        SteerTarget::Concept { text, latents } => {
            wire.concept = text;
            wire.concept_latents = latents as u32;
        }
        SteerTarget::Family(root) => wire.family = Some(root),
        SteerTarget::Examples(ids) => wire.examples = ids,
    }
    wire
}

pub(super) fn wire_steering(report: SteeringReport) -> v1::Steering {
    let applied = |edit: AppliedEdit| v1::SteerEdit {
        latent: edit.latent,
        edit: Some(wire_change(edit.change)),
        ..v1::SteerEdit::default()
    };
    v1::Steering {
        component: report.component,
        cosine: report.cosine as f32,
        residual_norm: report.residual_norm as f32,
        before: wire_activations(&report.before),
        after: wire_activations(&report.after),
        vector: Some(v1::Vector {
            values: report.vector,
        }),
        applied: report.applied.into_iter().map(applied).collect(),
        inconsistency_before: report.inconsistency.map(|(before, _)| before as f32),
        inconsistency_after: report.inconsistency.map(|(_, after)| after as f32),
    }
}

pub(super) fn wire_step(step: SweepStep) -> v1::SweepStep {
    let hit = |hit: SweepHit| v1::SweepHit {
        id: hit.id,
        score: hit.score,
        unsteered_rank: hit.unsteered_rank.unwrap_or(0) as u32,
    };
    v1::SweepStep {
        strength: step.strength,
        steering: Some(wire_steering(step.steering)),
        hits: step.hits.into_iter().map(hit).collect(),
        overlap: step.overlap,
        relevance_kept: step.relevance_kept,
        target_share: step.target_share,
    }
}
