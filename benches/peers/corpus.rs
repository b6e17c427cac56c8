//! What is measured on: embeddings and categories of arXiv abstracts, and an SAE for them.

use anyhow::Result;
use latentdb::inputs::cache_dir;
use latentdb::progress::Progress;
use latentdb::sae::{Sae, TrainConfig, format, train};

use crate::arxiv::{self, N_LATENTS};

const K: usize = 32;
/// Enough for document frequencies like those of a finished training.
const EPOCHS: usize = 6;

pub struct Corpus {
    /// `[rows, dimension]`, row-major.
    pub vectors: Vec<f32>,
    pub dimension: usize,
    /// The primary category of each row.
    pub categories: Vec<String>,
}

impl Corpus {
    /// `None` where the files are not.
    pub fn read() -> Result<Option<Self>> {
        let (Some((mut vectors, dimension)), Some(abstracts)) =
            (arxiv::vectors(), arxiv::abstracts())
        else {
            return Ok(None);
        };
        let rows = vectors.len() / dimension;
        // Rounding to f16 has moved the norms; peers that take inner products need them at 1.
        for vector in vectors.chunks_exact_mut(dimension) {
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|value| *value /= norm);
        }
        let categories = abstracts
            .take(rows)
            .map(|line| Ok(line?.categories.into_iter().next().unwrap_or_default()))
            .collect::<Result<Vec<_>>>()?;
        anyhow::ensure!(categories.len() == rows, "fewer abstracts than embeddings");
        Ok(Some(Self {
            vectors,
            dimension,
            categories,
        }))
    }

    pub fn rows(&self) -> usize {
        self.categories.len()
    }

    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dimension..(row + 1) * self.dimension]
    }

    /// The SAE in the cache, trained when there is none.
    pub fn sae(&self) -> Result<Sae> {
        let folder = cache_dir().join(format!("arxiv-{N_LATENTS}-{K}"));
        if folder.is_dir() {
            let sae = format::open(&folder)?;
            if sae.d_in() == self.dimension && sae.n_latents() == N_LATENTS {
                return Ok(sae);
            }
        }
        let config = TrainConfig {
            n_latents: N_LATENTS,
            k: K,
            epochs: EPOCHS,
            held_out: 0.0,
            ..TrainConfig::for_rows(self.rows())
        };
        eprintln!("training an SAE of {N_LATENTS} latents, {EPOCHS} epochs, once");
        let mut epoch = 0;
        let progress = Progress::default();
        let trained = train(
            &self.vectors,
            self.dimension,
            &config,
            None,
            &progress,
            &mut |at| {
                if at.epoch > epoch {
                    epoch = at.epoch;
                    eprintln!(
                        "epoch {epoch} of {EPOCHS}: FVU {:.3}, {:.0} examples/s",
                        at.fvu, at.examples_per_second
                    );
                }
            },
        )?;
        format::save(&trained.sae, &folder)?;
        Ok(trained.sae)
    }
}
