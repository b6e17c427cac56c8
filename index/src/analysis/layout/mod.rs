//! Documents laid out in the plane, those alike near each other.
//!
//! Rows (unit vectors, or latents' activations over their 90th percentiles at unit length) are brought
//! to their leading principal components (`components`). The first two are a layout; or t-SNE lays out
//! a sample from there (van der Maaten and Hinton 2008, by the `bhtsne` crate), and every other
//! document is placed among its nearest documents of the sample (`neighbours`). Along an axis of latents
//! documents lie where spectral clustering draws them ([`lay_out_along`]).

mod components;
mod neighbours;
mod rows;
mod values;

use std::panic::{self, AssertUnwindSafe};

use bhtsne::{Neighbor, tSNE};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index;

use super::cluster::{ClusterOptions, cluster};
use crate::error::{Error, Result};
use crate::filter::ResolvedFilter;
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use components::Components;
use neighbours::nearest;
use rows::Rows;

pub use rows::LayoutSpace;
pub use values::{PointValues, attribute_values, latent_values};

/// Principal components that documents are compared by.
const WIDTH: usize = 50;
/// Documents that the components are found on.
const FITTED: usize = 50_000;
/// Steps of t-SNE, the first quarter of them with early exaggeration.
const EPOCHS: usize = 750;
/// Documents of the sample that another is placed among.
const PLACED_AMONG: usize = 5;
/// Documents that are placed between two looks at whether anybody waits.
const BLOCK: usize = 256;
/// Standard deviation of the first coordinate that t-SNE starts from.
const START: f32 = 1e-4;

/// How documents are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayoutMethod {
    /// t-SNE of a sample of so many documents; the others are placed.
    Tsne {
        /// Documents of the sample.
        sample: usize,
        /// Effective number of neighbours; lowered where documents are few.
        perplexity: f32,
    },
    /// The first two principal components of every document.
    Components,
}

/// What is laid out and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayoutOptions {
    /// What documents are compared by.
    pub space: LayoutSpace,
    /// How they are laid out.
    pub method: LayoutMethod,
    /// Decides the sample and the start.
    pub seed: u64,
}

/// Documents in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Numbers of the snapshot, ascending.
    pub docs: Vec<u32>,
    /// Where each lies; both coordinates between -1 and 1.
    pub points: Vec<[f32; 2]>,
    /// Documents that were laid out by themselves.
    pub laid_out: usize,
    /// Documents asked for that have nothing in the space.
    pub left_out: usize,
}

/// Lays documents out. `progress` counts about what each part costs.
///
/// # Errors
/// `FailedPrecondition` where fewer than two documents have something in the space; `Cancelled`.
pub fn lay_out(
    snapshot: &Snapshot,
    docs: &[u32],
    options: &LayoutOptions,
    progress: &Progress,
) -> Result<Layout> {
    let rows = Rows::of(snapshot, docs, options.space);
    let count = rows.docs().len();
    if count < 2 {
        return Err(Error::precondition(format!(
            "{count} of {} documents have {}; a map takes two or more",
            docs.len(),
            options.space.what()
        )));
    }
    let mut random = StdRng::seed_from_u64(options.seed);
    let (sample, width) = match options.method {
        LayoutMethod::Tsne { sample, .. } => (sample.clamp(2, count), WIDTH),
        LayoutMethod::Components => (count, 2),
    };
    let mut fitted = index::sample(&mut random, count, FITTED.min(count)).into_vec();
    fitted.sort_unstable();
    progress.announce(match options.method {
        LayoutMethod::Components => count as u64,
        // Projecting, laying out, placing.
        LayoutMethod::Tsne { .. } => 3 * count as u64,
    })?;
    let components = Components::of(&rows, &fitted, width, &mut random, progress)?;
    let width = components.width();
    let reduced = components.project(&rows, progress)?;
    let flat = |at: usize| -> [f32; 2] {
        let row = &reduced[at * width..(at + 1) * width];
        [row[0], row.get(1).copied().unwrap_or(0.0)]
    };
    let (mut points, laid_out) = match options.method {
        LayoutMethod::Components => ((0..count).map(flat).collect(), count),
        LayoutMethod::Tsne { perplexity, .. } => {
            let mut chosen = index::sample(&mut random, count, sample).into_vec();
            chosen.sort_unstable();
            let of = |at: &usize| &reduced[at * width..(at + 1) * width];
            let own: Vec<f32> = chosen.iter().flat_map(of).copied().collect();
            let start: Vec<[f32; 2]> = chosen.iter().map(|&at| flat(at)).collect();
            let laid = tsne(&own, width, &start, perplexity, (count as u64, progress))?;
            let points = place(&reduced, &own, width, &chosen, &laid, progress)?;
            (points, chosen.len())
        }
    };
    into_square(&mut points);
    Ok(Layout {
        docs: rows.docs().to_vec(),
        points,
        laid_out,
        left_out: docs.len() - count,
    })
}

/// Lays documents out by the latents of an axis alone (distinct, ascending): principal components of the
/// spectral embedding that they are clustered by ([`cluster`]).
///
/// # Errors
/// `InvalidArgument` naming the axis; `FailedPrecondition` where the latents of the axis are active in
/// fewer than two documents; `Cancelled`.
pub fn lay_out_along(
    snapshot: &Snapshot,
    filter: &ResolvedFilter,
    axis: &[u32],
    seed: u64,
    progress: &Progress,
) -> Result<Layout> {
    let options = ClusterOptions {
        seed,
        representatives: 0,
        distinctive: 0,
        ..ClusterOptions::default()
    };
    let found = cluster(snapshot, filter, axis, &options, progress)?;
    let left_out = found.uncovered.len() + found.unreached.len();
    let count = found.members.len();
    if count < 2 {
        return Err(Error::precondition(format!(
            "the latents of the axis are active in {count} of {} documents; a map takes two or more",
            count + left_out
        )));
    }
    let members = found.members.iter();
    let (docs, mut points): (Vec<u32>, Vec<[f32; 2]>) = members
        .map(|member| (member.doc, member.position.map(|value| value as f32)))
        .unzip();
    into_square(&mut points);
    Ok(Layout {
        docs,
        points,
        laid_out: found.landmarks.unwrap_or(count),
        left_out,
    })
}

/// Why t-SNE was left before its end.
struct Stopped;

/// Lays out rows of `width` by t-SNE, from `start`; `progress` advances by so many units in all.
fn tsne(
    rows: &[f32],
    width: usize,
    start: &[[f32; 2]],
    perplexity: f32,
    (units, progress): (u64, &Progress),
) -> Result<Vec<[f32; 2]>> {
    let count = start.len();
    // A third of the neighbours has to be there.
    let perplexity = perplexity.min((count - 1) as f32 / 3.0).max(1.0);
    let k = ((3.0 * perplexity) as usize).clamp(1, count - 1);
    let neighbours: Vec<Vec<Neighbor<f32>>> = nearest(rows, rows, width, k + 1, progress)?
        .into_iter()
        .enumerate()
        .map(|(own, found)| {
            let others = found.into_iter().filter(|(index, _)| *index != own);
            let others = others.take(k);
            others
                .map(|(index, squared)| Neighbor {
                    index,
                    distance: squared.max(0.0).sqrt(),
                })
                .collect()
        })
        .collect();
    if count < 4 {
        return Ok(start.to_vec());
    }
    let spread = start.iter().map(|point| point[0] * point[0]).sum::<f32>() / count as f32;
    let scale = START / spread.sqrt().max(f32::MIN_POSITIVE);
    let start: Vec<f32> = start.iter().flatten().map(|value| value * scale).collect();
    let samples: Vec<&[f32]> = rows.chunks_exact(width).collect();
    // The library ends early in no other way.
    let fit = || {
        let mut tsne: tSNE<'_, f32, &[f32], 2> = tSNE::new(&samples);
        tsne.perplexity(perplexity)
            .epochs(EPOCHS)
            .stop_lying_epoch(EPOCHS / 4)
            .momentum_switch_epoch(EPOCHS / 4)
            .learning_rate((count as f32 / 12.0).max(50.0))
            .initial_embedding(start)
            .epoch_callback(|epoch, _| {
                let until = |epoch: usize| units * epoch as u64 / EPOCHS as u64;
                if progress.advance(until(epoch + 1) - until(epoch)).is_err() {
                    panic::resume_unwind(Box::new(Stopped));
                }
            })
            .fit_sne_with_neighbors(&neighbours);
        tsne.embedding()
    };
    let found =
        panic::catch_unwind(AssertUnwindSafe(fit)).map_err(|why| match why.is::<Stopped>() {
            true => Error::cancelled(),
            false => Error::internal("t-SNE failed on these documents"),
        })?;
    if found.iter().any(|value| !value.is_finite()) {
        return Err(Error::internal("t-SNE did not converge on these documents"));
    }
    Ok(found
        .chunks_exact(2)
        .map(|point| [point[0], point[1]])
        .collect())
}

/// The points of all documents: those of the sample where they were laid out, the others at the mean of
/// the nearest of it, weighted by the inverse of the distance.
fn place(
    reduced: &[f32],
    own: &[f32],
    width: usize,
    chosen: &[usize],
    laid: &[[f32; 2]],
    progress: &Progress,
) -> Result<Vec<[f32; 2]>> {
    let count = reduced.len() / width;
    progress.advance(chosen.len() as u64)?;
    let mut points = vec![[0.0; 2]; count];
    let mut others = Vec::with_capacity(count - chosen.len());
    let mut sampled = chosen.iter().zip(laid).peekable();
    for (at, point) in points.iter_mut().enumerate() {
        match sampled.next_if(|(place, _)| **place == at) {
            Some((_, laid)) => *point = *laid,
            None => others.push(at),
        }
    }
    for block in others.chunks(BLOCK * rayon::current_num_threads().max(1)) {
        let of = |at: &usize| &reduced[at * width..(at + 1) * width];
        let rows: Vec<f32> = block.iter().flat_map(of).copied().collect();
        let found = nearest(&rows, own, width, PLACED_AMONG, progress)?;
        for (&at, near) in block.iter().zip(found) {
            let (mut mass, mut mean) = (0.0, [0.0; 2]);
            for (place, squared) in near {
                let weight = 1.0 / squared.max(1e-6).sqrt();
                mass += weight;
                for (sum, value) in mean.iter_mut().zip(laid[place]) {
                    *sum += weight * value;
                }
            }
            points[at] = mean.map(|sum| sum / mass);
        }
        progress.advance(block.len() as u64)?;
    }
    Ok(points)
}

/// Moves and scales points so that both coordinates are between -1 and 1; one scale for both.
fn into_square(points: &mut [[f32; 2]]) {
    let mut bounds = [[f32::INFINITY, f32::NEG_INFINITY]; 2];
    for point in points.iter() {
        for (bound, value) in bounds.iter_mut().zip(point) {
            *bound = [bound[0].min(*value), bound[1].max(*value)];
        }
    }
    let middle = bounds.map(|[low, high]| f32::midpoint(low, high));
    let half = bounds
        .iter()
        .map(|[low, high]| (high - low) / 2.0)
        .fold(f32::MIN_POSITIVE, f32::max);
    for point in points {
        for (value, middle) in point.iter_mut().zip(middle) {
            *value = ((*value - middle) / half).clamp(-1.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn points_fill_the_square_and_keep_their_proportions() {
        let mut points = [[0.0, 5.0], [10.0, 5.0], [5.0, 7.5]];
        into_square(&mut points);
        assert_eq!(points, [[-1.0, -0.25], [1.0, -0.25], [0.0, 0.25]]);
        let mut same = [[3.0, 4.0]; 3];
        into_square(&mut same);
        assert_eq!(same, [[0.0, 0.0]; 3]);
    }

    #[test]
    fn tsne_keeps_groups_together() {
        let mut random = StdRng::seed_from_u64(1);
        let (per_group, width) = (60, 5);
        let mut rows = Vec::new();
        for group in 0..3 {
            for _ in 0..per_group {
                rows.extend((0..width).map(|axis| {
                    f32::from(u8::from(axis == group)) + random.random_range(-0.1..0.1)
                }));
            }
        }
        let start: Vec<[f32; 2]> = rows.chunks(width).map(|row| [row[0], row[1]]).collect();
        let points = tsne(&rows, width, &start, 20.0, (1000, &Progress::default())).unwrap();
        let squared = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        for at in 0..points.len() {
            let nearest = (0..points.len())
                .filter(|&other| other != at)
                .min_by(|&a, &b| {
                    let near = |other: usize| squared(points[at], points[other]);
                    near(a).total_cmp(&near(b))
                });
            assert_eq!(nearest.unwrap() / per_group, at / per_group);
        }
    }

    #[test]
    fn tsne_ends_when_nobody_waits() {
        let rows: Vec<f32> = (0..400).map(|at| (at as f32).sin()).collect();
        let start: Vec<[f32; 2]> = rows.chunks(4).map(|row| [row[0], row[1]]).collect();
        let progress = Progress::default();
        progress.stop();
        let found = tsne(&rows, 4, &start, 10.0, (0, &progress));
        assert_eq!(
            found.unwrap_err().kind(),
            crate::error::ErrorKind::Cancelled
        );
    }
}
