//! The wire form of hypotheses.

use latentdb_index::analysis::CorrelateOptions;
use latentdb_index::analysis::cluster::{ClusterOptions, MAX_CLUSTERS, MAX_EXACT};
use latentdb_proto::v1;
use latentdb_proto::v1::hypothesise_request as wire;
use latentdb_proto::v1::hypothesise_response::Part;

use super::address::address;
use super::annotators::{judge, labeller};
use super::cluster::axis;
use super::correlate::DEFAULT_LABEL_SIMILARITY;
use super::diff::{DEFAULT_MAX_P, named_set, overlap, support};
use super::status::required;
use super::streams::cut;
use super::types::{count_or, non_empty, non_zero, projection, set, wire_document};
use crate::error::{Error, Result};
use crate::service::{
    Compared, ComparedSets, Hypothesis, HypothesiseRequest, HypothesiseResult, Judged, LeftOut,
    Projection,
};

/// Latents that become hypotheses, unless said otherwise: of two sets and of pairs, of each cluster; and at
/// most.
const LATENTS: usize = 10;
const CLUSTER_LATENTS: usize = 3;
const MAX_LATENTS: usize = 200;
/// The share held back, unless said otherwise.
const CONFIRM: f64 = 0.5;
/// Documents judged of each set at most.
const MAX_JUDGED: usize = 10_000;
/// Documents listed per hypothesis, unless said otherwise, and at most.
const DOCUMENTS: u32 = 2;
const MAX_DOCUMENTS: u32 = 20;

pub(super) fn request(wire: v1::HypothesiseRequest) -> Result<HypothesiseRequest> {
    let compared = required(wire.compared, "sets, clusters or pairs")?;
    let latents = match compared {
        wire::Compared::Clusters(_) => CLUSTER_LATENTS,
        wire::Compared::Sets(_) | wire::Compared::Pairs(_) => LATENTS,
    };
    let documents = wire.documents.unwrap_or(DOCUMENTS);
    if documents > MAX_DOCUMENTS {
        let message = format!("is {documents}; at most {MAX_DOCUMENTS} is accepted");
        return Err(Error::invalid("documents", message));
    }
    Ok(HypothesiseRequest {
        address: address(wire.collection)?,
        compared: match compared {
            wire::Compared::Sets(sets) => sets_of(sets)?,
            wire::Compared::Clusters(clusters) => clusters_of(clusters, wire.seed)?,
            wire::Compared::Pairs(pairs) => Compared::Pairs {
                filter: set(pairs.filter, "pairs.filter")?,
                latents: pairs.latents,
                min_support: support(pairs.min_support, CorrelateOptions::default().min_support),
                max_label_similarity: pairs
                    .max_label_similarity
                    .unwrap_or(DEFAULT_LABEL_SIMILARITY),
            },
        },
        min_recurrence: wire.min_recurrence,
        latents: count_or(wire.latents, latents, MAX_LATENTS, "latents")?,
        max_p_adjusted: wire.max_p_adjusted.unwrap_or(DEFAULT_MAX_P),
        confirm: match wire.confirm {
            0.0 => CONFIRM,
            share => share,
        },
        split_by: non_empty(wire.split_by),
        labeller: labeller(wire.labeller, wire.labeller_model, wire.chat)?,
        judge: judge(wire.judge, wire.judge_model, wire.judge_encoder, wire.chat)?,
        judged: match non_zero(wire.judged) {
            Some(_) => Some(count_or(wire.judged, 0, MAX_JUDGED, "judged")?),
            None => None,
        },
        seed: wire.seed,
        documents: documents as usize,
        projection: projection(wire.projection, Projection::readable()),
    })
}

fn sets_of(sets: v1::ComparedSets) -> Result<Compared> {
    Ok(Compared::Sets {
        a: named_set(required(sets.a, "sets.a")?, "sets.a")?,
        b: match sets.b {
            Some(b) => Some(named_set(b, "sets.b")?),
            None => None,
        },
        overlap: overlap(sets.overlap, "sets.overlap")?,
    })
}

fn clusters_of(clusters: v1::ComparedClusters, seed: u64) -> Result<Compared> {
    let defaults = ClusterOptions::default();
    let landmarks = defaults.landmarks;
    Ok(Compared::Clusters {
        filter: set(clusters.filter, "clusters.filter")?,
        axis: axis(required(clusters.axis, "clusters.axis")?)?,
        options: ClusterOptions {
            clusters: match non_zero(clusters.clusters) {
                Some(_) => Some(count_or(
                    clusters.clusters,
                    0,
                    MAX_CLUSTERS,
                    "clusters.clusters",
                )?),
                None => None,
            },
            seed,
            landmarks: count_or(
                clusters.landmarks,
                landmarks,
                MAX_EXACT,
                "clusters.landmarks",
            )?,
            ..defaults
        },
    })
}

pub(super) fn answer(mut result: HypothesiseResult) -> Vec<v1::HypothesiseResponse> {
    let hypotheses = std::mem::take(&mut result.hypotheses);
    let lists = cut(hypotheses.into_iter().map(hypothesis)).into_iter();
    let mut messages = vec![response(Part::Summary(summary(result)))];
    messages
        .extend(lists.map(|hypotheses| response(Part::Hypotheses(v1::Hypotheses { hypotheses }))));
    messages
}

fn response(part: Part) -> v1::HypothesiseResponse {
    v1::HypothesiseResponse { part: Some(part) }
}

/// The place of a comparison: there are at most [`MAX_LATENTS`] or [`MAX_CLUSTERS`].
fn place(comparison: usize) -> u32 {
    comparison as u32
}

fn summary(result: HypothesiseResult) -> v1::HypothesiseSummary {
    let left_out = |own: LeftOut| v1::LeftOutLatent {
        latent: own.latent,
        comparison: place(own.comparison),
        label: own.label,
        why: own.why,
    };
    v1::HypothesiseSummary {
        comparisons: result.comparisons.into_iter().map(halves).collect(),
        left_out: result.left_out.into_iter().map(left_out).collect(),
        labeller: result.labeller,
        judge: result.judge,
        tokens: result.tokens.0 + result.tokens.1,
        naming_tokens: result.tokens.0,
        expected_tokens: result.expected_tokens,
        naming_seconds: result.seconds.0,
        judging_seconds: result.seconds.1,
        warnings: result.warnings,
    }
}

fn halves(sets: ComparedSets) -> v1::ComparedHalves {
    v1::ComparedHalves {
        a: sets.names.0,
        b: sets.names.1,
        a_discovery: sets.discovery.0,
        b_discovery: sets.discovery.1,
        a_confirmation: sets.confirmation.0,
        b_confirmation: sets.confirmation.1,
        differing: sets.differing,
    }
}

fn hypothesis(own: Hypothesis) -> v1::Hypothesis {
    let (found_a, found_b, found_p_adjusted) = own.found;
    v1::Hypothesis {
        sentence: own.sentence,
        label: own.label,
        relabelled: own.relabelled,
        label_score: own.label_score,
        comparison: place(own.comparison),
        more_in_a: own.more_in_a,
        latent: own.latent,
        alike: own.alike,
        given: own.given,
        found_a,
        found_b,
        found_p_adjusted,
        judged: own.judged.map(judged),
    }
}

fn judged(own: Judged) -> v1::JudgedHypothesis {
    v1::JudgedHypothesis {
        a_documents: own.a.0,
        a_yes: own.a.1,
        b_documents: own.b.0,
        b_yes: own.b.1,
        a_active: own.active.0,
        b_active: own.active.1,
        unusable: own.unusable,
        delta: own.delta,
        low: own.interval.0,
        high: own.interval.1,
        p_value: own.p_value,
        p_adjusted: own.p_adjusted,
        holds: own.holds,
        kappa: own.kappa,
        documents: own.documents.into_iter().map(wire_document).collect(),
    }
}
