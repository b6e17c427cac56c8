//! Every kind of query.

use std::collections::HashSet;

use anyhow::Result;
use latentdb_index::filter::Shape;
use latentdb_index::query::{
    ActivationScale, DEFAULT_EF, Kind, LatentWeight, Latents, Nearest, Ranking, execute,
};
use latentdb_index::{Filter, Query, ResolvedQuery, Snapshot};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::arxiv::N_LATENTS;
use crate::rows::Rows;
use crate::times;

pub const QUERIES: usize = 200;
pub const TOP: usize = 10;

pub fn shape(rows: &Rows) -> Shape {
    Shape {
        dimension: Some(rows.dimension),
        n_latents: Some(N_LATENTS),
        ..Shape::default()
    }
}

pub fn nearest(
    rows: &Rows,
    vector: Vec<f32>,
    exact: bool,
    filter: Option<Filter>,
) -> Result<ResolvedQuery> {
    let query = Query::new(Kind::Nearest(Nearest {
        vector,
        exact,
        ef: DEFAULT_EF,
    }));
    let query = match filter {
        Some(filter) => query.filtered(filter),
        None => query,
    };
    Ok(query.resolve(&shape(rows))?)
}

/// The share of the best of `exact` that `found` has.
pub fn recall(exact: &Ranking, found: &Ranking) -> f64 {
    let best: HashSet<u32> = exact.hits.iter().map(|hit| hit.doc).collect();
    let hits = found.hits.iter().filter(|hit| best.contains(&hit.doc));
    hits.count() as f64 / best.len().max(1) as f64
}

pub fn measure(snapshot: &Snapshot, rows: &Rows) -> Result<()> {
    let mut random = StdRng::seed_from_u64(4);
    let mut weighted = Vec::new();
    for _ in 0..QUERIES {
        let mut latents: HashSet<u32> = HashSet::new();
        while latents.len() < 20 {
            latents.insert(random.random_range(0..N_LATENTS as u32));
        }
        let weights = latents.into_iter().map(|latent| LatentWeight {
            latent,
            weight: random.random_range(-0.25_f32..1.0),
        });
        let query = Query::new(Kind::Latents(Latents {
            weights: weights.collect(),
            scale: ActivationScale::default(),
            idf: false,
        }));
        weighted.push(query.resolve(&shape(rows))?);
    }
    let found = times(QUERIES, |at| {
        execute(&weighted[at], snapshot, TOP)?;
        Ok(())
    })?;
    eprintln!(
        "20 weighted latents: p50 {:.2} ms, p99 {:.2}",
        found.p50, found.p99
    );
    let mut exact = Vec::new();
    let scans: Vec<ResolvedQuery> = (0..QUERIES)
        .map(|at| nearest(rows, rows.query(at), true, None))
        .collect::<Result<_>>()?;
    let scan = times(QUERIES, |at| {
        exact.push(execute(&scans[at], snapshot, TOP)?);
        Ok(())
    })?;
    let walks: Vec<ResolvedQuery> = (0..QUERIES)
        .map(|at| nearest(rows, rows.query(at), false, None))
        .collect::<Result<_>>()?;
    let mut total = 0.0;
    let walk = times(QUERIES, |at| {
        total += recall(&exact[at], &execute(&walks[at], snapshot, TOP)?);
        Ok(())
    })?;
    eprintln!(
        "nearest: p50 {:.2} ms, p99 {:.2}, recall {:.4}; exact: p50 {:.2} ms, p99 {:.2}",
        walk.p50,
        walk.p99,
        total / QUERIES as f64,
        scan.p50,
        scan.p99
    );
    Ok(())
}
