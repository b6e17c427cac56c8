//! Latents as columns over the rows of a fit: activations over their 90th percentile.

use rayon::prelude::*;

use crate::analysis::Among;
use crate::error::Result;
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use crate::snapshot::percentile;

/// Activations count up to this many times their 90th percentile.
const CLIP: f32 = 2.0;
/// Rows in which a latent is active, and in which it is not, that it takes part with.
pub(super) const MIN_SUPPORT: usize = 10;
/// Cosine of two columns from which on they are one.
const ALIKE: f32 = 0.8;

/// The rows where a column is not zero, ascending, with its values.
pub(super) type Column = Vec<(u32, f32)>;

/// Latents over rows.
pub(super) struct Columns {
    /// Per latent; empty for one that is active in too few rows, or in all but a few.
    columns: Vec<Column>,
    norms: Vec<f32>,
    /// 90th percentiles over the rows.
    scales: Vec<f32>,
    pub rows: usize,
}

impl Columns {
    /// Reads some latents of documents, a row each.
    pub fn read(
        snapshot: &Snapshot,
        n_latents: usize,
        among: &Among,
        docs: &[u32],
        progress: &Progress,
    ) -> Result<Self> {
        let mut columns: Vec<Column> = vec![Vec::new(); n_latents];
        for (row, &doc) in (0..).zip(docs) {
            snapshot.for_each_latent(doc, |own| {
                if own.activation > 0.0 && among.has(own.latent) {
                    columns[own.latent as usize].push((row, own.activation));
                }
            });
            if row % 4096 == 0 {
                progress.check()?;
            }
        }
        Ok(Self::of(columns, docs.len()))
    }

    /// The latents of a few documents, by their 90th percentiles over the collection, however few have them.
    pub fn of_examples(snapshot: &Snapshot, n_latents: usize, docs: &[u32]) -> Self {
        let mut columns: Vec<Column> = vec![Vec::new(); n_latents];
        let mut scales = vec![1.0; n_latents];
        for (row, &doc) in (0..).zip(docs) {
            snapshot.for_each_latent(doc, |own| {
                let scale = snapshot.percentile90(own.latent);
                if let Some(scale) = scale.filter(|_| own.activation > 0.0) {
                    let at = own.latent as usize;
                    scales[at] = scale;
                    columns[at].push((row, (own.activation / scale).min(CLIP)));
                }
            });
        }
        Self::scaled_by(columns, scales, docs.len())
    }

    /// Columns of activations.
    pub fn of(mut columns: Vec<Column>, rows: usize) -> Self {
        let scales: Vec<f32> = columns
            .par_iter_mut()
            .map(|column| {
                if column.len() < MIN_SUPPORT || column.len() + MIN_SUPPORT > rows {
                    *column = Vec::new();
                    return 1.0;
                }
                let mut values: Vec<f32> = column.iter().map(|entry| entry.1).collect();
                let scale = percentile(&mut values, 0.9).unwrap_or(1.0);
                for (_, value) in column.iter_mut() {
                    *value = (*value / scale).min(CLIP);
                }
                scale
            })
            .collect();
        Self::scaled_by(columns, scales, rows)
    }

    fn scaled_by(columns: Vec<Column>, scales: Vec<f32>, rows: usize) -> Self {
        let norm = |column: &Column| column.iter().map(|(_, x)| x * x).sum::<f32>().sqrt();
        Self {
            norms: columns.par_iter().map(norm).collect(),
            columns,
            scales,
            rows,
        }
    }

    /// How many latents there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Activations over the 90th percentile.
    pub fn column(&self, latent: usize) -> &Column {
        &self.columns[latent]
    }

    /// An activation as it counts in a column.
    pub fn scaled(&self, latent: u32, activation: f32) -> f32 {
        (activation / self.scales[latent as usize]).min(CLIP)
    }

    /// Other latents, of those that are free, whose columns are nearly the same as that of `latent`, and what they
    /// are together: the largest value of each row.
    pub fn merged(&self, latent: usize, free: &[bool]) -> (Vec<u32>, Column) {
        let mut dense = vec![0.0_f32; self.rows];
        for &(row, value) in &self.columns[latent] {
            dense[row as usize] = value;
        }
        let others: Vec<u32> = (0..self.columns.len())
            .into_par_iter()
            .filter(|&other| other != latent && free[other] && !self.columns[other].is_empty())
            .filter(|&other| {
                let column = self.columns[other].iter();
                let dot: f32 = column.map(|&(row, x)| dense[row as usize] * x).sum();
                dot >= ALIKE * self.norms[latent] * self.norms[other]
            })
            .map(|other| other as u32)
            .collect();
        for &other in &others {
            for &(row, value) in &self.columns[other as usize] {
                let own = &mut dense[row as usize];
                *own = own.max(value);
            }
        }
        let column = (0..).zip(dense).filter(|entry| entry.1 > 0.0).collect();
        (others, column)
    }
}
