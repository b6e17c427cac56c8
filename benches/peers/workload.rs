//! The queries, and the files from which the peers build and ask the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use half::f16;
use latentdb::sae::Codes;
use rand::seq::{IndexedRandom, index};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

use crate::build::Built;
use crate::corpus::Corpus;

/// Hits of every ranking.
pub const LIMIT: usize = 10;
/// Queries of a kind.
const QUERIES: usize = 200;
/// Latents of a weighted query.
const WEIGHTS: usize = 20;
/// How far a dense query lies from the row it was made of: cosine about .9.
const NOISE: f32 = 0.5;

/// Queries of every kind, equal for equal data.
#[derive(Serialize)]
pub struct Workload {
    pub limit: usize,
    pub latents: Vec<Weighted>,
    /// The same with a quarter of the weights negative.
    pub signed: Vec<Weighted>,
    /// `a and (b or c) and not d`.
    pub counts: Vec<[u32; 4]>,
    /// Lowest positions of windows over half of the rows.
    pub halves: Vec<i64>,
    pub filters: Vec<Windows>,
    #[serde(skip)]
    pub dense: Vec<Vec<f32>>,
}

/// A weighted latent query.
#[derive(Clone, Serialize)]
pub struct Weighted {
    /// Ascending.
    pub latents: Vec<u32>,
    pub weights: Vec<f32>,
}

/// Windows of positions, each `width` wide, that allow `percent` of the rows.
#[derive(Serialize)]
pub struct Windows {
    pub percent: usize,
    pub width: i64,
    pub starts: Vec<i64>,
}

impl Workload {
    pub fn draw(corpus: &Corpus, codes: &Codes) -> Self {
        let random = &mut StdRng::seed_from_u64(11);
        let rows = corpus.rows();
        let latents: Vec<Weighted> = repeat(|| weighted(codes, random));
        let signed = latents.iter().map(|query| signed(query, random)).collect();
        let counts = repeat(|| boolean(codes, random));
        let mut windows = |percent: usize| {
            let width = (rows * percent / 100) as i64;
            let starts = repeat(|| random.random_range(0..=rows as i64 - width));
            Windows {
                percent,
                width,
                starts,
            }
        };
        let halves = windows(50).starts;
        let filters = [1, 10, 50].map(&mut windows).into();
        let dense = repeat(|| perturbed(corpus.vector(random.random_range(0..rows)), random));
        Self {
            limit: LIMIT,
            latents,
            signed,
            counts,
            halves,
            filters,
            dense,
        }
    }

    /// What a reader needs to know about the queries.
    pub fn figures(&self, codes: &Codes) -> serde_json::Value {
        let frequencies = document_frequencies(codes);
        let total: usize = self
            .latents
            .iter()
            .flat_map(|query| &query.latents)
            .map(|&latent| frequencies[latent as usize])
            .sum();
        let mut active: Vec<usize> = frequencies.into_iter().filter(|&count| count > 0).collect();
        active.sort_unstable();
        serde_json::json!({
            "queries": QUERIES,
            "postings_per_query": total / QUERIES,
            "latents_in_use": active.len(),
            "least_frequency": active.first(),
            "median_frequency": active.get(active.len() / 2),
            "greatest_frequency": active.last(),
        })
    }

    /// Writes the queries as JSON and the data as `.npy` files.
    pub fn write(&self, folder: &Path, corpus: &Corpus, built: &Built) -> Result<()> {
        let file = BufWriter::new(File::create(folder.join("workload.json"))?);
        serde_json::to_writer(file, self)?;
        let npy = |name: &str| folder.join(name).with_extension("npy");

        // As LatentDB stores them: f16, without what rounds to 0.
        let mut indptr = vec![0_i64];
        let (mut indices, mut activations) = (Vec::new(), Vec::new());
        for (latents, values) in built.codes.iter() {
            for (&latent, &value) in latents.iter().zip(values) {
                let stored = f16::from_f32(value);
                if stored > f16::ZERO {
                    indices.push(latent);
                    activations.push(stored.to_f32());
                }
            }
            indptr.push(indices.len() as i64);
        }
        write_npy(&npy("indptr"), "<i8", &[indptr.len()], &indptr)?;
        write_npy(&npy("indices"), "<u4", &[indices.len()], &indices)?;
        write_npy(
            &npy("activations"),
            "<f4",
            &[activations.len()],
            &activations,
        )?;

        let shape = [corpus.rows(), corpus.dimension];
        write_npy(&npy("vectors"), "<f4", &shape, &corpus.vectors)?;
        write_npy(&npy("positions"), "<i8", &[corpus.rows()], &built.positions)?;
        let queries = self.dense.concat();
        write_npy(
            &npy("queries"),
            "<f4",
            &[QUERIES, corpus.dimension],
            &queries,
        )?;
        let file = BufWriter::new(File::create(folder.join("categories.json"))?);
        Ok(serde_json::to_writer(file, &corpus.categories)?)
    }
}

fn repeat<T>(mut draw: impl FnMut() -> T) -> Vec<T> {
    (0..QUERIES).map(|_| draw()).collect()
}

pub fn document_frequencies(codes: &Codes) -> Vec<usize> {
    let width = codes
        .latents()
        .iter()
        .max()
        .map_or(0, |&top| top as usize + 1);
    let mut counts = vec![0; width];
    for &latent in codes.latents() {
        counts[latent as usize] += 1;
    }
    counts
}

/// Some of the latents of a random row that has enough of them, as "more like this" would take.
fn weighted(codes: &Codes, random: &mut StdRng) -> Weighted {
    loop {
        let (latents, _) = codes.row(random.random_range(0..codes.rows()));
        if latents.len() < WEIGHTS {
            continue;
        }
        let mut chosen: Vec<u32> = latents.sample(random, WEIGHTS).copied().collect();
        chosen.sort_unstable();
        return Weighted {
            latents: chosen,
            weights: (0..WEIGHTS)
                .map(|_| random.random_range(0.5..2.0))
                .collect(),
        };
    }
}

fn signed(query: &Weighted, random: &mut StdRng) -> Weighted {
    let mut signed = query.clone();
    for at in index::sample(random, WEIGHTS, WEIGHTS / 4) {
        signed.weights[at] = -signed.weights[at];
    }
    signed
}

/// `a` and `b` from one row, so that the count is rarely 0; `c` and `d` from rows of their own.
fn boolean(codes: &Codes, random: &mut StdRng) -> [u32; 4] {
    loop {
        let mut row = || codes.row(random.random_range(0..codes.rows())).0;
        let [first, second, third] = [row(), row(), row()];
        let pair: Vec<u32> = first.sample(random, 2).copied().collect();
        let (&[a, b], Some(&c), Some(&d)) =
            (&pair[..], second.choose(random), third.choose(random))
        else {
            continue;
        };
        if d != a && d != b {
            return [a, b, c, d];
        }
    }
}

fn perturbed(vector: &[f32], random: &mut StdRng) -> Vec<f32> {
    // Uniform noise of variance 1/3 per value.
    let scale = NOISE / (vector.len() as f32 / 3.0).sqrt();
    let noisy: Vec<f32> = vector
        .iter()
        .map(|value| value + scale * random.random_range(-1.0_f32..1.0))
        .collect();
    let norm = noisy.iter().map(|value| value * value).sum::<f32>().sqrt();
    noisy.into_iter().map(|value| value / norm).collect()
}

/// NumPy's format, version 1.0, little-endian.
fn write_npy<T: bytemuck::NoUninit>(
    path: &Path,
    kind: &str,
    shape: &[usize],
    values: &[T],
) -> Result<()> {
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version, length and header are a multiple of 64 together.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.push_str(&" ".repeat(padded - header.len() - 1));
    header.push('\n');
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&u16::try_from(header.len())?.to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    file.write_all(bytemuck::cast_slice(values))?;
    Ok(file.flush()?)
}
