//! The arXiv files that benchmarks read (from `LATENTDB_CORPORA`, else `data`), and codes of their
//! vectors without an SAE.
#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use latentdb::records::vectors::VectorFile;
use latentdb_index::Activation;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rayon::prelude::*;

pub const EMBEDDINGS: &str = "arxiv-embeddings.safetensors";
pub const ABSTRACTS: &str = "arxiv-abstracts.jsonl.zst";
pub const N_LATENTS: usize = 3072;
/// Active latents of a document.
pub const ACTIVE: usize = 32;

/// A line of the abstracts' file.
#[derive(serde::Deserialize)]
pub struct Abstract {
    title: String,
    #[serde(rename = "abstract")]
    text: String,
    pub categories: Vec<String>,
}

impl Abstract {
    /// What the embedding was made from.
    pub fn text(&self) -> String {
        format!("{}. {}", self.title, self.text)
    }
}

pub fn folder() -> PathBuf {
    std::env::var_os("LATENTDB_CORPORA").map_or_else(|| "data".into(), PathBuf::from)
}

/// The embeddings, `[rows, dimension]` row-major, and their dimension; `None` where they are not.
pub fn vectors() -> Option<(Vec<f32>, usize)> {
    let file = VectorFile::open(&folder().join(EMBEDDINGS), Some("embeddings")).ok()?;
    let mut values = Vec::new();
    file.read_rows(0..file.rows(), &mut values).ok()?;
    Some((values, file.dimension()))
}

/// The abstracts, in the order of the embeddings; `None` where they are not.
pub fn abstracts() -> Option<impl Iterator<Item = anyhow::Result<Abstract>>> {
    let file = File::open(folder().join(ABSTRACTS)).ok()?;
    let lines = BufReader::new(zstd::Decoder::new(file).ok()?).lines();
    Some(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// The first `count` texts.
pub fn texts(count: usize) -> Option<Vec<String>> {
    let lines = abstracts()?.take(count);
    lines.map(|line| Some(line.ok()?.text())).collect()
}

/// Of 3,072 centred documents, the 32 most similar to each centred document: latents as uneven in
/// their frequencies as an SAE's.
pub fn codes(vectors: &[f32], dimension: usize) -> Vec<Vec<Activation>> {
    let count = (vectors.len() / dimension) as f32;
    let mut mean = vec![0.0_f32; dimension];
    for row in vectors.chunks_exact(dimension) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / count);
    }
    let rows = vectors.par_chunks_exact(dimension);
    let centre = |row: &[f32]| row.iter().zip(&mean).map(|(v, m)| v - m).collect();
    let rows: Vec<Vec<f32>> = rows.map(centre).collect();
    let mut random = StdRng::seed_from_u64(1);
    let dictionary: Vec<&Vec<f32>> = rows.sample(&mut random, N_LATENTS).collect();
    let encode = |row: &Vec<f32>| {
        let similar = (0..).zip(&dictionary).map(|(latent, entry)| Activation {
            latent,
            activation: dot(row, entry),
        });
        let mut similar: Vec<Activation> = similar.collect();
        similar.select_nth_unstable_by(ACTIVE, |a, b| b.activation.total_cmp(&a.activation));
        similar.truncate(ACTIVE);
        similar.retain(|entry| entry.activation > 0.0);
        similar.sort_by_key(|entry| entry.latent);
        similar
    };
    rows.par_iter().map(encode).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}
