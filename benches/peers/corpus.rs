//! What is measured on: embeddings and categories of arXiv abstracts, and an SAE for them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result};
use half::f16;
use latentdb::inputs::cache_dir;
use latentdb::progress::Progress;
use latentdb::sae::{Sae, TrainConfig, format, train};
use safetensors::SafeTensors;

pub const EMBEDDINGS: &str = "arxiv-embeddings.safetensors";
pub const ABSTRACTS: &str = "arxiv-abstracts.jsonl.zst";

const N_LATENTS: usize = 3072;
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

/// A line of the abstracts' file.
#[derive(serde::Deserialize)]
struct Abstract {
    title: String,
    #[serde(rename = "abstract")]
    text: String,
    categories: Vec<String>,
}

pub fn data_folder() -> PathBuf {
    std::env::var_os("LATENTDB_DATA").map_or_else(|| "data".into(), PathBuf::from)
}

impl Corpus {
    /// `None` where the files are not.
    pub fn read() -> Result<Option<Self>> {
        let path = data_folder().join(EMBEDDINGS);
        if !path.is_file() || !data_folder().join(ABSTRACTS).is_file() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path)?;
        let tensors = SafeTensors::deserialize(&bytes)?;
        let tensor = tensors.tensor("embeddings")?;
        let [rows, dimension] = *tensor.shape() else {
            anyhow::bail!("{} is not a matrix", path.display());
        };
        let values = tensor.data().as_chunks::<2>().0;
        let mut vectors: Vec<f32> = values
            .iter()
            .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
            .collect();
        // Rounding to f16 has moved the norms; peers that take inner products need them at 1.
        for vector in vectors.chunks_exact_mut(dimension) {
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|value| *value /= norm);
        }
        let categories = abstracts()?
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

/// The first `count` texts, as the embeddings were made from them.
pub fn texts(count: usize) -> Result<Vec<String>> {
    abstracts()?
        .take(count)
        .map(|line| line.map(|line| format!("{}. {}", line.title, line.text)))
        .collect()
}

fn abstracts() -> Result<impl Iterator<Item = Result<Abstract>>> {
    let path = data_folder().join(ABSTRACTS);
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let lines = BufReader::new(zstd::Decoder::new(file)?).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}
