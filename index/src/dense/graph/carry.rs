//! Takes a graph along when its segment is merged: nodes move to their rows in the merged segment, deleted ones are
//! bridged, and the rows of the other segments are missing until they are inserted.

use std::sync::Arc;

use rayon::prelude::*;

use super::Graph;
use super::file::{GraphParts, NO_NODE, Twin, UpperNode};
use super::grow::{GrowingGraph, best_links};
use super::settings::GraphSettings;
use crate::dense::DenseReader;
use crate::error::Result;

/// A graph that holds less of the merged rows than one of so many is rebuilt: its layers above 0 would be too few.
const LEAST_SHARE: usize = 16;
/// Nodes of an upper layer up to which their links are chosen among all of them.
const COMPARE_ALL: usize = 4096;

/// The graph of a merged segment, from that of one of its sources. `moved` gives the new row of each old one,
/// [`NO_NODE`] for those that were deleted. `None` where it is better rebuilt.
///
/// # Errors
/// `ResourceExhausted` where memory holds no links for all rows.
pub(crate) fn carry(
    graph: &Graph,
    moved: &[u32],
    vectors: &Arc<DenseReader>,
    settings: GraphSettings,
) -> Result<Option<GrowingGraph>> {
    let new_row = |row: u32| {
        moved
            .get(row as usize)
            .copied()
            .filter(|row| *row != NO_NODE)
    };
    let file = &graph.file;
    let is_node = |row: u32| !graph.missing.contains(row) && graph.twins.node_of(row) == row;
    let nodes: Vec<(u32, u32)> = (0..file.n_nodes as u32)
        .filter(|row| is_node(*row))
        .filter_map(|row| Some((row, new_row(row)?)))
        .collect();
    let Some(&(_, first)) = nodes.first() else {
        return Ok(None);
    };
    if nodes.len() * LEAST_SHARE < vectors.n_rows() {
        return Ok(None);
    }
    let codes = vectors.codes();
    let limit = 2 * settings.max_neighbours;
    let lists: Vec<(u32, Vec<u32>)> = nodes
        .par_iter()
        .map(|&(old, new)| {
            let mut list: Vec<u32> = Vec::new();
            let mut is_whole = true;
            for &next in file.ground(old) {
                match new_row(next) {
                    Some(next) => list.push(next),
                    None => {
                        is_whole = false;
                        list.extend(file.ground(next).iter().filter_map(|&row| new_row(row)));
                    }
                }
            }
            if !is_whole {
                list.sort_unstable();
                list.dedup();
                list.retain(|row| *row != new);
                list = best_links(codes, new, &list, limit);
            }
            (new, list)
        })
        .collect();
    let mut parts = GraphParts {
        ground: vec![Vec::new(); vectors.n_rows()],
        ..GraphParts::default()
    };
    let mut is_missing = vec![true; vectors.n_rows()];
    for (row, list) in lists {
        parts.ground[row as usize] = list;
        is_missing[row as usize] = false;
    }
    for Twin { node, row } in file.twins() {
        if let (Some(node), Some(row)) = (new_row(node), new_row(row)) {
            parts.twins.push(Twin { node, row });
            is_missing[row as usize] = false;
        }
    }
    let rows = (0..).zip(is_missing);
    parts.missing = rows.filter_map(|(row, is)| is.then_some(row)).collect();
    parts.upper = upper(graph, &new_row, vectors, settings);
    let highest = parts.upper.iter().max_by_key(|node| node.layer);
    (parts.entry, parts.top) = match highest {
        Some(node) => (node.node, node.layer),
        None => (first, 0),
    };
    GrowingGraph::of(vectors.clone(), settings, parts).map(Some)
}

/// The layers above 0.
fn upper(
    graph: &Graph,
    new_row: &(impl Fn(u32) -> Option<u32> + Sync),
    vectors: &DenseReader,
    settings: GraphSettings,
) -> Vec<UpperNode> {
    let old = graph.file.upper_nodes();
    let n_old = old.len();
    let moved = old.into_iter().filter_map(|node| {
        Some(UpperNode {
            layer: node.layer,
            node: new_row(node.node)?,
            neighbours: node
                .neighbours
                .iter()
                .filter_map(|&row| new_row(row))
                .collect(),
        })
    });
    let mut nodes: Vec<UpperNode> = moved.collect();
    if nodes.len() == n_old || nodes.len() > COMPARE_ALL {
        return nodes;
    }
    let of_layer = |layer: u32| -> Vec<u32> {
        let all = nodes.iter().filter(|node| node.layer == layer);
        all.map(|node| node.node).collect()
    };
    let layers: Vec<Vec<u32>> = (0..=graph.file.top).map(of_layer).collect();
    nodes.par_iter_mut().for_each(|node| {
        let mut others = layers[node.layer as usize].clone();
        others.retain(|other| *other != node.node);
        node.neighbours = best_links(vectors.codes(), node.node, &others, settings.max_neighbours);
    });
    nodes
}
