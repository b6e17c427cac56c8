//! AnalysisService.Explain.

use latentdb_index::analysis::explain::{
    Choice, ExplainOptions, ExplainedLatent, ExplainedPair, Form, MAX_LATENTS, MAX_SAMPLE,
    TargetKind,
};
use latentdb_proto::v1;
use latentdb_proto::v1::explain_response::Part;

use super::address::address;
use super::status::entry;
use super::streams::cut;
use super::types::{count_or, filter, non_empty, projection, wire_document, wire_value};
use crate::error::{Error, Result};
use crate::service::{DescribedLatent, ExplainRequest, ExplainResult, Projection};

/// Documents that are listed per latent, unless said otherwise, and at most.
const DOCUMENTS: u32 = 2;
const MAX_DOCUMENTS: u32 = 20;

pub(super) fn request(wire: v1::ExplainRequest) -> Result<ExplainRequest> {
    let defaults = ExplainOptions::default();
    let documents = wire.documents.unwrap_or(DOCUMENTS);
    if documents > MAX_DOCUMENTS {
        let message = format!("is {documents}; at most {MAX_DOCUMENTS} is accepted");
        return Err(Error::invalid("documents", message));
    }
    Ok(ExplainRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        target: wire.target,
        target_filter: match wire.target_filter {
            Some(own) => Some(filter(Some(own))?),
            None => None,
        },
        min_recurrence: wire.min_recurrence,
        options: ExplainOptions {
            choice: match entry(wire.choice, "choice")? {
                v1::ExplainChoice::Gain => Choice::Gain,
                v1::ExplainChoice::Means => Choice::Means,
            },
            latents: count_or(wire.latents, defaults.latents, MAX_LATENTS, "latents")?,
            held_out: match wire.held_out {
                0.0 => defaults.held_out,
                share => share,
            },
            split_by: non_empty(wire.split_by),
            sample: count_or(wire.sample, defaults.sample, MAX_SAMPLE, "sample")?,
            seed: wire.seed,
            ..defaults
        },
        documents: documents as usize,
        projection: projection(wire.projection, Projection::readable()),
    })
}

pub(super) fn answer(result: ExplainResult) -> Vec<v1::ExplainResponse> {
    let latents = result.latents.iter().map(latent);
    let lists = cut(latents).into_iter();
    let mut messages = vec![response(Part::Summary(summary(result)))];
    messages.extend(lists.map(|latents| response(Part::Latents(v1::ExplainedLatents { latents }))));
    messages
}

fn response(part: Part) -> v1::ExplainResponse {
    v1::ExplainResponse { part: Some(part) }
}

fn summary(result: ExplainResult) -> v1::ExplainSummary {
    let found = result.found;
    let scored = |score: f64| target_score(&found.kind, score);
    let path = found.path.iter().map(|point| v1::ExplainPathPoint {
        // At most MAX_LATENTS.
        latents: point.latents as u32,
        score: Some(scored(point.score)),
        error: point.error,
    });
    let place = |at: usize| found.latents.get(at).map_or(0, |own| own.latent);
    let pairs = found
        .pairs
        .iter()
        .map(|pair: &ExplainedPair| v1::ExplainedPair {
            first: place(pair.latents.0),
            second: place(pair.latents.1),
            weights: pair.weights.clone(),
        });
    v1::ExplainSummary {
        held_out: Some(scored(found.score)),
        dense: found.dense.map(scored),
        length: found.length.map(scored),
        path: path.collect(),
        form: match found.form {
            Form::Amounts => v1::ExplainForm::Amounts,
            Form::Presence => v1::ExplainForm::Presence,
            Form::Pairs => v1::ExplainForm::Pairs,
        }
        .into(),
        held_out_documents: found.held_out,
        discovery_documents: found.discovery,
        fitted_documents: found.fitted,
        documents_without: found.without,
        dense_documents: found.dense_fitted,
        pairs: pairs.collect(),
        classes: match found.kind {
            TargetKind::Number => Vec::new(),
            TargetKind::Classes(classes) => {
                let wire = |(value, documents)| v1::TargetClass {
                    value: Some(wire_value(value)),
                    documents,
                };
                classes.into_iter().map(wire).collect()
            }
        },
        warnings: result.warnings,
    }
}

fn target_score(kind: &TargetKind, score: f64) -> v1::TargetScore {
    let mut wire = v1::TargetScore::default();
    match kind {
        TargetKind::Number => wire.r2 = Some(score),
        TargetKind::Classes(classes) if classes.len() == 2 => wire.auc = Some(score),
        TargetKind::Classes(_) => wire.macro_f1 = Some(score),
    }
    wire
}

fn latent(described: &DescribedLatent) -> v1::ExplainedLatent {
    let ExplainedLatent {
        latent,
        alike,
        weights,
        presence,
        class,
        active,
        effect,
        interval: (effect_low, effect_high),
        p_value,
        p_adjusted,
    } = described.own.clone();
    let label = described.label.clone();
    v1::ExplainedLatent {
        latent,
        label: label.text,
        low_confidence: label.low_confidence,
        recurrence: label.recurrence,
        alike,
        weights,
        presence_weights: presence,
        // At most MAX_CLASSES.
        effect_class: class.map(|class| class as u32),
        effect,
        effect_low,
        effect_high,
        p_value,
        p_adjusted,
        active_documents: active,
        documents: described
            .documents
            .iter()
            .cloned()
            .map(wire_document)
            .collect(),
    }
}
