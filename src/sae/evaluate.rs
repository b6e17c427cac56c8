//! How good an SAE is on some rows.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::vectors::{cosine, squared_distance, unit};

use super::encode::on_threads;
use super::kernel;
use super::model::Sae;
use super::record::{DensityBin, Quality, Recall, Spread};
use super::rows::{InMemory, RowSource};

/// Options of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluateOptions {
    /// Number of queries for recall; 0 skips it.
    pub recall_queries: usize,
    /// Nearest neighbours compared per query.
    pub recall_k: usize,
    /// Maximum rows searched, from the start of the set.
    pub recall_rows: usize,
    /// Threads; 0 is one per core.
    pub threads: usize,
    /// Decides which rows are searched with.
    pub seed: u64,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            recall_queries: 100,
            recall_k: 10,
            recall_rows: 20_000,
            threads: 0,
            seed: 0,
        }
    }
}

/// Lower ends of the density bins; the first holds the dead latents.
const DENSITIES: [f64; 9] = [0.0, 1e-9, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/// Rows reconstructed at a time.
const BATCH: usize = 4096;

/// Measures an SAE on `vectors`, `[rows, d_in]` row-major.
///
/// # Errors
/// `InvalidArgument` when there is no row, and those of [`Sae::encode`].
pub fn evaluate(sae: &Sae, vectors: &[f32], options: &EvaluateOptions) -> Result<Quality> {
    sae.check_rows(vectors)?;
    let d = sae.d_in();
    evaluate_source(sae, &InMemory { vectors, d }, options)
}

/// Measures an SAE on rows that need not fit into memory: they are read twice, once for their mean.
/// What is held at a time are the rows of a batch, and those that are searched
/// ([`EvaluateOptions::recall_rows`]). The figures are those of [`evaluate`], bit for bit.
///
/// # Errors
/// `InvalidArgument` when there is no row or rows are of another length than the SAE reads, those
/// of [`Sae::encode`], and what reading gives.
pub fn evaluate_source(
    sae: &Sae,
    source: &dyn RowSource,
    options: &EvaluateOptions,
) -> Result<Quality> {
    let (d, rows) = (sae.d_in(), source.rows());
    if rows == 0 {
        return Err(Error::invalid("vectors", "is empty; measuring needs rows"));
    }
    if source.dimension() != d {
        return Err(Error::invalid(
            "vectors",
            format!(
                "has rows of {} values; the SAE reads {d}",
                source.dimension()
            ),
        ));
    }
    let wants_recall =
        options.recall_queries > 0 && options.recall_k > 0 && rows > options.recall_k;
    let searched_rows = if wants_recall {
        options.recall_rows.max(1).min(rows)
    } else {
        0
    };
    let mut tally = Tally::new(mean(source)?, sae.n_latents());
    let mut searched = Vec::with_capacity(searched_rows * d);
    let (mut batch, mut piece) = (Vec::new(), Vec::new());
    for range in source.chunks() {
        source.read(range, &mut piece)?;
        let wanted = (searched_rows * d).saturating_sub(searched.len());
        searched.extend_from_slice(&piece[..wanted.min(piece.len())]);
        batch.extend_from_slice(&piece);
        if batch.len() >= BATCH * d {
            tally.add(sae, &batch, options.threads)?;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        tally.add(sae, &batch, options.threads)?;
    }
    let recall = if wants_recall {
        Some(measure_recall(sae, &searched, options)?)
    } else {
        None
    };
    Ok(tally.quality(sae, rows, recall))
}

/// Sums over rows, added up in their order.
struct Tally {
    /// Of all rows.
    mean: Vec<f64>,
    variance: f64,
    residual: f64,
    cosine: f64,
    active: usize,
    /// By latent: in how many rows it is active.
    counts: Vec<usize>,
}

impl Tally {
    fn new(mean: Vec<f64>, n_latents: usize) -> Self {
        Self {
            mean,
            variance: 0.0,
            residual: 0.0,
            cosine: 0.0,
            active: 0,
            counts: vec![0; n_latents],
        }
    }

    fn add(&mut self, sae: &Sae, batch: &[f32], threads: usize) -> Result<()> {
        let d = sae.d_in();
        let (reconstructed, codes) = sae.reconstruct(batch, threads)?;
        for (x, x_hat) in batch.chunks_exact(d).zip(reconstructed.chunks_exact(d)) {
            self.residual += squared_distance(x, x_hat);
            self.cosine += cosine(x, x_hat);
            for (v, m) in x.iter().zip(&self.mean) {
                self.variance += (f64::from(*v) - m).powi(2);
            }
        }
        self.active += codes.active();
        for latent in codes.latents() {
            self.counts[*latent as usize] += 1;
        }
        Ok(())
    }

    fn quality(&self, sae: &Sae, rows: usize, recall: Option<Recall>) -> Quality {
        let dead = self.counts.iter().filter(|count| **count == 0).count();
        Quality {
            rows,
            // Where all rows are equal there is no variance to explain.
            fvu: self.residual / self.variance.max(f64::MIN_POSITIVE),
            l0: self.active as f64 / rows as f64,
            dead_share: dead as f64 / self.counts.len() as f64,
            cosine: self.cosine / rows as f64,
            density: density(&self.counts, rows),
            encoder_decoder_cosine: encoder_decoder_cosine(sae),
            recall,
        }
    }
}

/// The mean row.
fn mean(source: &dyn RowSource) -> Result<Vec<f64>> {
    let d = source.dimension();
    let mut mean = vec![0.0f64; d];
    let mut piece = Vec::new();
    for range in source.chunks() {
        source.read(range, &mut piece)?;
        for x in piece.chunks_exact(d) {
            for (m, v) in mean.iter_mut().zip(x) {
                *m += f64::from(*v);
            }
        }
    }
    mean.iter_mut().for_each(|m| *m /= source.rows() as f64);
    Ok(mean)
}

fn density(counts: &[usize], rows: usize) -> Vec<DensityBin> {
    let mut bins: Vec<DensityBin> = DENSITIES
        .iter()
        .map(|from| DensityBin {
            from: *from,
            latents: 0,
        })
        .collect();
    for count in counts {
        let share = *count as f64 / rows as f64;
        if let Some(bin) = bins.iter_mut().rev().find(|bin| share >= bin.from) {
            bin.latents += 1;
        }
    }
    bins
}

fn encoder_decoder_cosine(sae: &Sae) -> Spread {
    let d = sae.d_in();
    let mut cosines: Vec<f64> = sae
        .parts
        .w_enc_t
        .chunks_exact(d)
        .zip(sae.parts.w_dec.chunks_exact(d))
        .map(|(encoder, decoder)| cosine(encoder, decoder))
        .collect();
    cosines.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| cosines[((cosines.len() - 1) as f64 * share).round() as usize];
    Spread {
        mean: cosines.iter().sum::<f64>() / cosines.len() as f64,
        p10: at(0.1),
        p50: at(0.5),
        p90: at(0.9),
    }
}

fn measure_recall(sae: &Sae, searched: &[f32], options: &EvaluateOptions) -> Result<Recall> {
    let d = sae.d_in();
    let rows = searched.len() / d;
    let directions: Vec<f32> = searched.chunks_exact(d).flat_map(unit).collect();
    let mut drawn: Vec<usize> = (0..rows).collect();
    drawn.shuffle(&mut StdRng::seed_from_u64(options.seed));
    drawn.truncate(options.recall_queries);
    let queries: Vec<f32> = drawn
        .iter()
        .flat_map(|row| &searched[row * d..(row + 1) * d])
        .copied()
        .collect();
    let (reconstructed, _) = sae.reconstruct(&queries, options.threads)?;
    let k = options.recall_k.min(rows.saturating_sub(1)).max(1);
    let kept = |query: usize| {
        let range = query * d..(query + 1) * d;
        let with_x = nearest(&directions, &queries[range.clone()], drawn[query], k);
        let with_x_hat = nearest(&directions, &reconstructed[range], drawn[query], k);
        with_x.iter().filter(|row| with_x_hat.contains(row)).count()
    };
    let each = (0..drawn.len()).into_par_iter();
    let found: usize = on_threads(options.threads, || each.map(kept).sum())?;
    Ok(Recall {
        queries: drawn.len(),
        rows,
        k,
        recall: found as f64 / (drawn.len() * k) as f64,
    })
}

/// The `k` rows with the largest product with `query`, `without` left out.
fn nearest(rows: &[f32], query: &[f32], without: usize, k: usize) -> Vec<usize> {
    let mut scores: Vec<(f32, usize)> = rows
        .chunks_exact(query.len())
        .enumerate()
        .filter(|(row, _)| *row != without)
        .map(|(row, x)| (kernel::inner(x, query), row))
        .collect();
    let k = k.min(scores.len());
    if k < scores.len() {
        scores.select_nth_unstable_by(k, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    }
    scores.truncate(k);
    scores.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sae::SaeParts;

    /// Two latents along the two axes, the first of them kept: reconstructions are known.
    fn sae() -> Sae {
        let w_enc_t = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0];
        let w_dec = vec![1.0, 0.0, 0.0, 1.0, 0.0, -1.0];
        Sae::new(SaeParts::plain(1, 2, w_enc_t, w_dec)).unwrap()
    }

    #[test]
    fn figures_of_a_known_reconstruction() {
        let vectors = [3.0, 1.0, 1.0, 2.0, 4.0, 0.0, 0.0, 5.0];
        let options = EvaluateOptions {
            recall_queries: 0,
            ..EvaluateOptions::default()
        };
        let quality = evaluate(&sae(), &vectors, &options).unwrap();
        // Residuals (0,1), (1,0), 0, 0 about the mean (2,2).
        let variance = (1.0 + 1.0) + 1.0 + (4.0 + 4.0) + (4.0 + 9.0);
        assert!((quality.fvu - 2.0 / variance).abs() < 1e-9);
        assert_eq!(quality.l0, 1.0);
        assert!((quality.dead_share - 1.0 / 3.0).abs() < 1e-12);
        let cosine = (3.0 / 10f64.sqrt() + 2.0 / 5f64.sqrt() + 2.0) / 4.0;
        assert!((quality.cosine - cosine).abs() < 1e-6);
        assert_eq!(quality.density[0].latents, 1);
        assert_eq!(quality.density[8].latents, 2);
        assert!((quality.encoder_decoder_cosine.mean - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(quality.recall, None);
    }

    #[test]
    fn recall_is_one_when_nothing_is_lost() {
        // Rows on the axes are reconstructed exactly.
        let vectors: Vec<f32> = (1..60)
            .flat_map(|i| {
                if i % 2 == 0 {
                    [i as f32, 0.0]
                } else {
                    [0.0, i as f32]
                }
            })
            .collect();
        let options = EvaluateOptions {
            recall_queries: 20,
            recall_k: 5,
            ..EvaluateOptions::default()
        };
        let quality = evaluate(&sae(), &vectors, &options).unwrap();
        let recall = quality.recall.unwrap();
        assert_eq!((recall.queries, recall.k, recall.rows), (20, 5, 59));
        assert_eq!(recall.recall, 1.0);
        assert!(quality.fvu < 1e-12);
    }

    /// Rows in pieces of unequal length.
    struct Pieces(Vec<f32>);

    impl RowSource for Pieces {
        fn rows(&self) -> usize {
            self.0.len() / 2
        }

        fn dimension(&self) -> usize {
            2
        }

        fn chunks(&self) -> Vec<std::ops::Range<usize>> {
            let ends = [7, 8, 2500, 6000, self.rows()];
            let starts = std::iter::once(0).chain(ends);
            starts.zip(ends).map(|(start, end)| start..end).collect()
        }

        fn read(&self, rows: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<()> {
            out.clear();
            out.extend_from_slice(&self.0[rows.start * 2..rows.end * 2]);
            Ok(())
        }
    }

    #[test]
    fn rows_in_pieces_have_the_figures_of_rows_in_memory() {
        use rand::RngExt;
        let mut rng = StdRng::seed_from_u64(3);
        let vectors: Vec<f32> = (0..18_000).map(|_| rng.random_range(-1.0..3.0)).collect();
        for recall_rows in [20, 5000, 20_000] {
            let options = EvaluateOptions {
                recall_rows,
                ..EvaluateOptions::default()
            };
            let whole = evaluate(&sae(), &vectors, &options).unwrap();
            let pieces = Pieces(vectors.clone());
            assert_eq!(evaluate_source(&sae(), &pieces, &options).unwrap(), whole);
            assert_eq!(whole.recall.unwrap().rows, recall_rows.min(9000));
        }
    }

    #[test]
    fn no_rows_are_refused() {
        let error = evaluate(&sae(), &[], &EvaluateOptions::default()).unwrap_err();
        assert_eq!(error.field(), Some("vectors"));
    }
}
