//! AnalysisService: maps of documents.

use latentdb_index::analysis::{LayoutMethod, LayoutOptions, LayoutSpace};
use latentdb_proto::v1;
use latentdb_proto::v1::read_map_request::Value as WireValue;

use super::address::address;
use super::cluster::axis;
use super::status::{entry, required};
use super::types::{count_or, filter, timestamp};
use crate::error::{Error, Result};
use crate::service::{MakeMapRequest, MapLayout, MapPoints, MapRecord, MapValue, ReadMapRequest};

/// Documents that t-SNE lays out, where the caller does not say, and at most.
const SAMPLE: usize = 10_000;
const MAX_SAMPLE: usize = 50_000;
/// Points of a message.
const POINTS: usize = 16_384;
/// Perplexity where the caller does not say, and at most.
const PERPLEXITY: f32 = 30.0;
const MAX_PERPLEXITY: f32 = 100.0;

pub(super) fn make_request(wire: v1::MakeMapRequest) -> Result<MakeMapRequest> {
    let sample = count_or(wire.sample, SAMPLE, MAX_SAMPLE, "sample")?;
    if sample < 2 {
        return Err(Error::invalid(
            "sample",
            format!("is 1; 2 to {MAX_SAMPLE} is accepted"),
        ));
    }
    let perplexity = match wire.perplexity {
        0.0 => PERPLEXITY,
        asked if (1.0..=MAX_PERPLEXITY).contains(&asked) => asked,
        asked => {
            let message = format!("is {asked}; 1 to {MAX_PERPLEXITY} is accepted");
            return Err(Error::invalid("perplexity", message));
        }
    };
    let method = match entry(wire.layout, "layout")? {
        v1::MapLayout::Tsne => Some(LayoutMethod::Tsne { sample, perplexity }),
        v1::MapLayout::Pca => Some(LayoutMethod::Components),
        v1::MapLayout::Axis => None,
    };
    let space = match entry(wire.space, "space")? {
        v1::MapSpace::Vectors => LayoutSpace::Vectors,
        v1::MapSpace::Latents => LayoutSpace::Latents,
    };
    let seed = wire.seed;
    let layout = match method {
        None => MapLayout::Axis(axis(required(wire.axis, "axis")?)?, seed),
        Some(_) if wire.axis.is_some() => {
            let message = "is given, which the layout does not read: MAP_LAYOUT_AXIS does";
            return Err(Error::invalid("axis", message));
        }
        Some(method) => MapLayout::Whole(LayoutOptions {
            space,
            method,
            seed,
        }),
    };
    Ok(MakeMapRequest {
        address: address(wire.collection)?,
        name: wire.name,
        filter: filter(wire.filter)?,
        layout,
    })
}

pub(super) fn make_answer(map: MapRecord) -> Vec<v1::MakeMapResponse> {
    vec![v1::MakeMapResponse {
        part: Some(v1::make_map_response::Part::Map(wire_map(map))),
    }]
}

pub(super) fn read_request(wire: v1::ReadMapRequest) -> Result<ReadMapRequest> {
    Ok(ReadMapRequest {
        address: address(wire.collection)?,
        name: wire.name,
        value: wire.value.map(|value| match value {
            WireValue::Attribute(name) => MapValue::Attribute(name),
            WireValue::Latent(latent) => MapValue::Latent(latent),
        }),
        filter: match wire.filter {
            Some(own) => Some(filter(Some(own))?),
            None => None,
        },
        ids: wire.ids,
    })
}

pub(super) fn read_answer(found: MapPoints) -> Vec<v1::ReadMapResponse> {
    use v1::read_map_response::Part;
    let count = found.points.len();
    let message = |part| v1::ReadMapResponse { part: Some(part) };
    let mut messages = vec![message(Part::Head(v1::MapHead {
        map: Some(wire_map(found.map)),
        points: count as u64,
        categories: found.values.categories,
        times: found.values.times,
        warnings: found.warnings,
    }))];
    for start in (0..count).step_by(POINTS) {
        let range = start..count.min(start + POINTS);
        let points = &found.points[range.clone()];
        messages.push(message(Part::Points(v1::MapPoints {
            x: points.iter().map(|point| point[0]).collect(),
            y: points.iter().map(|point| point[1]).collect(),
            values: part_of(&found.values.numbers, range.clone()),
            marked: part_of(&found.marked, range.clone()),
            ids: part_of(&found.ids, range),
        })));
    }
    messages
}

/// A part of a list that is empty where it was not asked for.
fn part_of<T: Clone>(list: &[T], range: std::ops::Range<usize>) -> Vec<T> {
    list.get(range).unwrap_or_default().to_vec()
}

pub(super) fn wire_map(map: MapRecord) -> v1::DocumentMap {
    v1::DocumentMap {
        name: map.name,
        space: match map.by_latents {
            true => v1::MapSpace::Latents,
            false => v1::MapSpace::Vectors,
        }
        .into(),
        layout: match (map.is_axis, map.is_tsne) {
            (true, _) => v1::MapLayout::Axis,
            (false, true) => v1::MapLayout::Tsne,
            (false, false) => v1::MapLayout::Pca,
        }
        .into(),
        documents: map.documents,
        laid_out: map.laid_out,
        created: Some(timestamp(map.created)),
        sequence: map.sequence,
        left_out: map.left_out,
    }
}
