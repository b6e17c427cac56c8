//! Leading eigenvectors of the normalised affinity of landmarks, and the points they make of
//! documents.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::incidence::{Affinities, Landmarks};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// An eigenvalue not above this is 0 but for rounding.
pub(super) const NOTHING: f64 = 1e-9;
/// What is spread over all pairs, as a share of the mean degree.
pub(super) const SPREAD: f64 = 0.1;
/// Up to this size all eigenvectors are computed, which is then faster.
const DENSE: usize = 400;
/// Vectors iterated in addition to those wanted, which make those converge.
const EXTRA: usize = 12;
/// The residual of a unit eigenvector that is good enough: k-means sees no difference below.
const TOLERANCE: f64 = 1e-6;
/// Maximum products with the matrix.
const MOST_STEPS: usize = 400;
/// Rows of the matrix that one task multiplies.
const CHUNK: usize = 128;

/// Eigenvalues and eigenvectors, largest first, with what extends them to other documents.
pub(super) struct Spectrum {
    values: Vec<f64>,
    /// Landmark by eigenvector.
    vectors: Mat<f64>,
    /// Degree of each landmark, the spread part included.
    degrees: Vec<f64>,
    /// What was added to each pair's affinity.
    spread: f64,
}

/// Points of landmarks, and a way to place others among them.
pub(super) struct Embedding {
    /// Coordinates of a point that is clustered.
    width: usize,
    /// Points of landmarks, row-major `[landmarks, width]`, of unit length.
    sample: Vec<f64>,
    /// Landmarks on the plane.
    positions: Vec<[f64; 2]>,
    layout: Layout,
    /// Row-major `[landmarks, coordinates]`: what one unit of affinity to a landmark adds to the
    /// point of a document.
    pull: Vec<f64>,
    /// What a document has of each coordinate before any affinity.
    base: Vec<f64>,
}

/// Principal components of points.
struct Layout {
    mean: Vec<f64>,
    axes: [Vec<f64>; 2],
}

impl Spectrum {
    /// The `wanted` leading eigenpairs, or all where there are fewer.
    pub fn of(
        landmarks: &Landmarks,
        wanted: usize,
        random: &mut StdRng,
        progress: &Progress,
    ) -> Result<Self> {
        let size = landmarks.len();
        let mut matrix = affinity_matrix(landmarks, progress)?;
        let sums: Vec<f64> = matrix
            .par_chunks(size)
            .map(|row| row.iter().sum())
            .collect();
        let mean = sums.iter().sum::<f64>() / size as f64;
        let spread = SPREAD * mean / size as f64;
        let degrees: Vec<f64> = sums.iter().map(|sum| sum + SPREAD * mean).collect();
        let roots: Vec<f64> = degrees.iter().map(|degree| degree.sqrt()).collect();
        matrix
            .par_chunks_mut(size)
            .zip(&roots)
            .for_each(|(row, root)| {
                for (entry, other) in row.iter_mut().zip(&roots) {
                    *entry = (*entry + spread) / (root * other);
                }
            });
        let (values, vectors) = if size <= DENSE {
            all_eigenpairs(&matrix, size, wanted)?
        } else {
            leading_eigenpairs(&matrix, size, wanted.min(size), random, progress)?
        };
        Ok(Self {
            values,
            vectors,
            degrees,
            spread,
        })
    }

    /// Eigenvalues, descending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Eigenvalues above 0 among those computed: the most points that differ.
    pub fn rank(&self) -> usize {
        self.values
            .iter()
            .filter(|value| **value > NOTHING)
            .count()
            .max(1)
    }

    /// Points of `k` coordinates, `k` at most [`Self::rank`].
    pub fn embed(&self, k: usize) -> Embedding {
        let size = self.degrees.len();
        // The plane needs a second component also where there is one cluster, or two.
        let coordinates = k.max(3).min(self.rank());
        let mut points: Vec<f64> = Vec::with_capacity(size * coordinates);
        let mut pull: Vec<f64> = Vec::with_capacity(size * coordinates);
        let mut base = vec![0.0; coordinates];
        for (row, degree) in self.degrees.iter().enumerate() {
            for (at, base) in base.iter_mut().enumerate() {
                let value = self.vectors[(row, at)];
                let pulled = value / degree.sqrt() / self.values[at];
                points.push(value);
                pull.push(pulled);
                *base += self.spread * pulled;
            }
        }
        let unit = |row: &[f64], width: usize| {
            let mut row = row[..width].to_vec();
            normalise(&mut row);
            row
        };
        let whole: Vec<Vec<f64>> = points
            .chunks_exact(coordinates)
            .map(|row| unit(row, coordinates))
            .collect();
        let layout = Layout::of(&whole);
        Embedding {
            width: k,
            sample: points
                .chunks_exact(coordinates)
                .flat_map(|row| unit(row, k))
                .collect(),
            positions: whole.iter().map(|point| layout.position(point)).collect(),
            layout,
            pull,
            base,
        }
    }
}

impl Embedding {
    pub fn width(&self) -> usize {
        self.width
    }

    /// Points of the landmarks, row-major.
    pub fn sample(&self) -> &[f64] {
        &self.sample
    }

    /// The point of a landmark.
    pub fn of(&self, landmark: usize) -> &[f64] {
        &self.sample[landmark * self.width..(landmark + 1) * self.width]
    }

    /// A landmark's place on the plane.
    pub fn position_of(&self, landmark: usize) -> [f64; 2] {
        self.positions[landmark]
    }

    /// Writes the point of a document with these affinities to `point` and gives its place on the
    /// plane: `y_c = Σ_j (a_j + s) u_jc / (λ_c √d_j)`, scaled to unit length. For a landmark that
    /// is its own point.
    pub fn extend(&self, affinities: &Affinities, point: &mut [f64]) -> [f64; 2] {
        let coordinates = self.base.len();
        let mut whole = self.base.clone();
        for (at, affinity) in affinities.iter() {
            let pull = &self.pull[at * coordinates..(at + 1) * coordinates];
            for (coordinate, pull) in whole.iter_mut().zip(pull) {
                *coordinate += affinity * pull;
            }
        }
        point.copy_from_slice(&whole[..self.width]);
        normalise(point);
        normalise(&mut whole);
        self.layout.position(&whole)
    }
}

impl Layout {
    /// The two leading principal components; the largest part of each is positive, so that a
    /// picture does not flip.
    fn of(points: &[Vec<f64>]) -> Self {
        let width = points.first().map_or(0, Vec::len);
        let count = points.len().max(1) as f64;
        let mut mean = vec![0.0; width];
        for point in points {
            for (mean, value) in mean.iter_mut().zip(point) {
                *mean += value / count;
            }
        }
        let covariance = Mat::from_fn(width, width, |a, b| {
            let products = points.iter().map(|p| (p[a] - mean[a]) * (p[b] - mean[b]));
            products.sum::<f64>() / count
        });
        let component = |place: usize| -> Vec<f64> {
            let Ok(eigen) = covariance.self_adjoint_eigen(Side::Lower) else {
                return vec![0.0; width];
            };
            if place >= width {
                return vec![0.0; width];
            }
            // Eigenvalues ascend.
            let column = width - 1 - place;
            let axis: Vec<f64> = (0..width).map(|at| eigen.U()[(at, column)]).collect();
            let largest = axis
                .iter()
                .copied()
                .max_by(|a, b| a.abs().total_cmp(&b.abs()));
            let sign = largest.unwrap_or(1.0).signum();
            axis.iter().map(|part| part * sign).collect()
        };
        Self {
            axes: [component(0), component(1)],
            mean,
        }
    }

    fn position(&self, point: &[f64]) -> [f64; 2] {
        let along = |axis: &Vec<f64>| {
            let parts = point.iter().zip(&self.mean).zip(axis);
            parts
                .map(|((value, mean), part)| (value - mean) * part)
                .sum()
        };
        [along(&self.axes[0]), along(&self.axes[1])]
    }
}

/// All affinities between landmarks, row-major.
fn affinity_matrix(landmarks: &Landmarks, progress: &Progress) -> Result<Vec<f64>> {
    let size = landmarks.len();
    progress.announce(size as u64)?;
    let mut matrix = vec![0.0; size * size];
    matrix
        .par_chunks_mut(size * CHUNK)
        .enumerate()
        .try_for_each(|(chunk, rows)| {
            let mut found = landmarks.buffer();
            for (row, out) in rows.chunks_mut(size).enumerate() {
                landmarks.affinities(landmarks.set(chunk * CHUNK + row), &mut found);
                for (at, affinity) in found.iter() {
                    out[at] = affinity;
                }
            }
            progress.advance((rows.len() / size) as u64)
        })?;
    Ok(matrix)
}

fn fault(_: faer::linalg::solvers::EvdError) -> Error {
    Error::internal("the eigenvectors of the affinity did not converge")
}

fn all_eigenpairs(matrix: &[f64], size: usize, wanted: usize) -> Result<(Vec<f64>, Mat<f64>)> {
    let whole = MatRef::from_row_major_slice(matrix, size, size);
    let eigen = whole.self_adjoint_eigen(Side::Lower).map_err(fault)?;
    let kept = wanted.min(size);
    // Eigenvalues ascend.
    let column = |at: usize| size - 1 - at;
    let values = (0..kept)
        .map(|at| eigen.S().column_vector()[column(at)])
        .collect();
    let vectors = Mat::from_fn(size, kept, |row, at| eigen.U()[(row, column(at))]);
    Ok((values, vectors))
}

/// Subspace iteration with Rayleigh-Ritz projection (Saad, "Numerical Methods for Large Eigenvalue
/// Problems", algorithm 5.3): a block finds eigenvalues of any multiplicity, which groups of
/// documents that share nothing have.
fn leading_eigenpairs(
    matrix: &[f64],
    size: usize,
    wanted: usize,
    random: &mut StdRng,
    progress: &Progress,
) -> Result<(Vec<f64>, Mat<f64>)> {
    let block = (wanted + EXTRA).min(size);
    let start = Mat::from_fn(size, block, |_, _| random.random_range(-1.0..1.0));
    let mut basis = start.qr().compute_thin_Q();
    // A product costs about as much as an eighth of the affinities.
    let units = (size / 8) as u64;
    for step in 1.. {
        progress.announce(units)?;
        let image = product(matrix, &basis);
        let mut small = basis.transpose() * &image;
        small = Mat::from_fn(block, block, |a, b| (small[(a, b)] + small[(b, a)]) / 2.0);
        let eigen = small.self_adjoint_eigen(Side::Lower).map_err(fault)?;
        let turn = Mat::from_fn(block, block, |row, at| eigen.U()[(row, block - 1 - at)]);
        let values: Vec<f64> = (0..block)
            .map(|at| eigen.S().column_vector()[block - 1 - at])
            .collect();
        let (vectors, image) = (&basis * &turn, &image * &turn);
        let residual = |at: usize| {
            let parts = (0..size).map(|row| image[(row, at)] - values[at] * vectors[(row, at)]);
            parts.map(|part| part * part).sum::<f64>().sqrt()
        };
        progress.advance(units)?;
        if step == MOST_STEPS || (0..wanted).all(|at| residual(at) <= TOLERANCE) {
            let kept = Mat::from_fn(size, wanted, |row, at| vectors[(row, at)]);
            return Ok((values[..wanted].to_vec(), kept));
        }
        basis = image.qr().compute_thin_Q();
    }
    Err(Error::internal(
        "the eigenvectors of the affinity were not found",
    ))
}

/// `matrix` (row-major, square) times `block`, the same on any number of threads.
fn product(matrix: &[f64], block: &Mat<f64>) -> Mat<f64> {
    let (size, width) = (block.nrows(), block.ncols());
    let mut out = vec![0.0; size * width];
    out.par_chunks_mut(CHUNK * width)
        .zip(matrix.par_chunks(CHUNK * size))
        .for_each(|(out, rows)| {
            let count = rows.len() / size;
            matmul(
                MatMut::from_row_major_slice_mut(out, count, width),
                Accum::Replace,
                MatRef::from_row_major_slice(rows, count, size),
                block.as_ref(),
                1.0,
                Par::Seq,
            );
        });
    MatRef::from_row_major_slice(&out, size, width).to_owned()
}

fn normalise(point: &mut [f64]) {
    let norm = point.iter().map(|value| value * value).sum::<f64>().sqrt();
    if norm > 0.0 {
        for value in point {
            *value /= norm;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::analysis::cluster::incidence::Incidence;

    fn random_sets(count: usize) -> Vec<Vec<u32>> {
        let mut random = StdRng::seed_from_u64(11);
        let group = |row: usize| (row % 3) as u32 * 10;
        (0..count)
            .map(|row| {
                let mut set: Vec<u32> = (0..30)
                    .filter(|place| {
                        let near = (group(row)..group(row) + 10).contains(place);
                        random.random_bool(if near { 0.4 } else { 0.02 })
                    })
                    .collect();
                if set.is_empty() {
                    set.push(group(row));
                }
                set
            })
            .collect()
    }

    #[test]
    fn the_iteration_finds_what_the_dense_solver_finds() {
        let sets = random_sets(DENSE);
        let sets: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let incidence = Incidence::from_sets(&sets);
        let rows: Vec<usize> = (0..sets.len()).collect();
        let landmarks = Landmarks::new(&incidence, &rows);
        let progress = Progress::default();
        let mut random = StdRng::seed_from_u64(1);
        let matrix = affinity_matrix(&landmarks, &progress).unwrap();
        let size = sets.len();
        let (exact, _) = all_eigenpairs(&matrix, size, 8).unwrap();
        let (found, vectors) =
            leading_eigenpairs(&matrix, size, 8, &mut random, &progress).unwrap();
        for (a, b) in exact.iter().zip(&found) {
            assert!((a - b).abs() < 1e-9 * exact[0], "{exact:?} {found:?}");
        }
        let image = product(&matrix, &vectors);
        for at in 0..8 {
            for row in 0..size {
                let error = image[(row, at)] - found[at] * vectors[(row, at)];
                assert!(error.abs() < 1e-5, "{error}");
            }
        }
    }

    #[test]
    fn a_landmarks_extension_is_its_own_point() {
        let sets = random_sets(90);
        let sets: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let incidence = Incidence::from_sets(&sets);
        let rows: Vec<usize> = (0..sets.len()).collect();
        let landmarks = Landmarks::new(&incidence, &rows);
        let mut random = StdRng::seed_from_u64(1);
        let spectrum = Spectrum::of(&landmarks, 6, &mut random, &Progress::default()).unwrap();
        assert!((spectrum.values()[0] - 1.0).abs() < 1e-12);
        let embedding = spectrum.embed(3);
        let mut found = landmarks.buffer();
        let mut point = [0.0; 3];
        for row in rows {
            landmarks.affinities(incidence.row(row), &mut found);
            let position = embedding.extend(&found, &mut point);
            for (a, b) in point.iter().zip(embedding.of(row)) {
                assert!((a - b).abs() < 1e-9);
            }
            for (a, b) in position.iter().zip(embedding.position_of(row)) {
                assert!((a - b).abs() < 1e-9);
            }
        }
    }
}
