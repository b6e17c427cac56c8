//! Partners of rows for the retrieval objective: their queries, or rows near them.

use std::collections::HashMap;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::sae::kernel;
use crate::sae::rows::{RowSource, row_of};
use crate::sae::topk::{Selector, positions_at_least};
use crate::vectors::normalise;

use super::draw::{rng, sample};

/// Neighbours that are looked at from both sides.
const NEIGHBOURS: usize = 10;
/// Rows among which neighbours are sought: all pairs of them are compared.
pub(super) const COMPARED_ROWS: usize = 100_000;
/// Rows of one product.
const BLOCK: usize = 64;

/// What rows are paired with.
pub(super) enum Partners {
    /// Rows that are each among the nearest of the other, by row.
    Near(HashMap<u32, Vec<u32>>),
    /// Their queries: the place of the first in the matrix, and which rows have one.
    Queries { first: u32, has: Vec<bool> },
}

impl Partners {
    /// Partners of the rows of `train` in `vectors`, behind whose `rows` rows the queries stand if there are any.
    ///
    /// # Errors
    /// `FailedPrecondition` when no row has any; `Cancelled`.
    pub fn of(
        vectors: &[f32],
        d: usize,
        (train, rows, seed): (&[u32], u32, u64),
        progress: &Progress,
    ) -> Result<Self> {
        let queries = vectors.chunks_exact(d).skip(rows as usize);
        let has: Vec<bool> = queries.map(|q| q.iter().any(|v| *v != 0.0)).collect();
        if !has.is_empty() {
            return if train.iter().any(|row| has[*row as usize]) {
                Ok(Self::Queries { first: rows, has })
            } else {
                Err(Error::precondition(
                    "no vector that is trained on has a query, which objective \"retrieval\" would pair it with",
                ))
            };
        }
        let mut compared = sample(train, COMPARED_ROWS, &mut rng(seed, "neighbours", 0));
        compared.sort_unstable();
        let near = mutual(vectors, d, &compared, progress)?;
        if near.is_empty() {
            return Err(Error::precondition(
                "no two vectors are near each other, which objective \"retrieval\" would pair: give queries, or train \
                 with objective \"reconstruction\"",
            ));
        }
        Ok(Self::Near(near))
    }

    fn draw(&self, row: u32, random: &mut impl RngExt) -> Option<u32> {
        match self {
            Self::Near(near) => near.get(&row)?.choose(random).copied(),
            Self::Queries { first, has } => has[row as usize].then_some(first + row),
        }
    }

    /// Draws a partner for every row of a step, each as likely: `(rows and partners, pairs of their positions)`.
    pub fn add_to(
        &self,
        drawn: &[u32],
        random: &mut impl RngExt,
        (rows, pairs): &mut (Vec<u32>, Vec<(u32, u32)>),
    ) {
        rows.clear();
        rows.extend_from_slice(drawn);
        for (position, row) in (0u32..).zip(drawn) {
            if let Some(partner) = self.draw(*row, random) {
                pairs.push((position, rows.len() as u32));
                rows.push(partner);
            }
        }
    }
}

/// Rows that are each among the nearest of the other by cosine, exactly.
fn mutual(
    vectors: &[f32],
    d: usize,
    rows: &[u32],
    progress: &Progress,
) -> Result<HashMap<u32, Vec<u32>>> {
    let mut units: Vec<f32> = Vec::with_capacity(rows.len() * d);
    rows.iter()
        .for_each(|row| units.extend_from_slice(row_of(vectors, d, *row)));
    units.par_chunks_exact_mut(d).for_each(normalise);
    let zeros = vec![0.0; rows.len()];
    let nearest: Vec<Vec<u32>> = units
        .par_chunks(BLOCK * d)
        .enumerate()
        .map_init(
            || (Vec::new(), Selector::default(), Vec::new(), Vec::new()),
            |(products, selector, candidates, scores), (block, x)| {
                progress.check()?;
                products.resize(x.len() / d * rows.len(), 0.0);
                kernel::project(x, &units, d, products);
                let found = products.chunks_exact_mut(rows.len()).enumerate();
                let found = found.map(|(offset, cosines)| {
                    cosines[block * BLOCK + offset] = -1.0;
                    let floor = selector.floor(cosines, &zeros, NEIGHBOURS);
                    candidates.clear();
                    positions_at_least(cosines, floor.max(f32::MIN_POSITIVE), candidates);
                    scores.clear();
                    scores.extend(candidates.iter().map(|at| cosines[*at as usize]));
                    let kept = selector.keep(candidates, scores, NEIGHBOURS);
                    kept.map(|(at, _)| at).collect::<Vec<u32>>()
                });
                Ok(found.collect::<Vec<_>>())
            },
        )
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let pairs = (0u32..).zip(&nearest).map(|(at, theirs)| {
        let both = theirs
            .iter()
            .filter(|other| nearest[**other as usize].binary_search(&at).is_ok());
        let both: Vec<u32> = both.map(|other| rows[*other as usize]).collect();
        (rows[at as usize], both)
    });
    Ok(pairs.filter(|(_, near)| !near.is_empty()).collect())
}

/// The vectors of queries, in memory, in the order of the rows that they belong to.
///
/// # Errors
/// `InvalidArgument` naming `queries` where they are not as many, or not as long.
pub(super) fn read_queries(queries: &dyn RowSource, rows: usize, d: usize) -> Result<Vec<f32>> {
    if (queries.rows(), queries.dimension()) != (rows, d) {
        return Err(Error::invalid(
            "queries",
            format!(
                "are {} rows of {} values; accepted is one for each of the {rows} vectors, of {d} values, all zero \
                 where a vector has no query",
                queries.rows(),
                queries.dimension()
            ),
        ));
    }
    let mut all = Vec::with_capacity(rows * d);
    let mut piece = Vec::new();
    for range in queries.chunks() {
        queries.read(range, &mut piece)?;
        all.extend_from_slice(&piece);
    }
    match all.iter().position(|value| !value.is_finite()) {
        None => Ok(all),
        Some(at) => Err(Error::invalid(
            format!("queries[{}]", at / d),
            format!("value {} is {}; all must be finite", at % d, all[at]),
        )),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::sae::train::parameters::normal;

    #[test]
    fn partners_are_near_from_both_sides() {
        let mut random = StdRng::seed_from_u64(3);
        let (count, d) = (150usize, 6);
        let vectors: Vec<f32> = (0..count * d).map(|_| normal(&mut random)).collect();
        let rows: Vec<u32> = (0..count as u32).filter(|row| row % 7 != 0).collect();
        let found = mutual(&vectors, d, &rows, &Progress::default()).unwrap();

        let cosine = |a: u32, b: u32| {
            let (a, b) = (row_of(&vectors, d, a), row_of(&vectors, d, b));
            kernel::dot(a, b) / (kernel::dot(a, a) * kernel::dot(b, b)).sqrt()
        };
        let nearest = |row: u32| {
            let mut others: Vec<u32> = rows.iter().copied().filter(|other| *other != row).collect();
            others.sort_by(|a, b| cosine(row, *b).total_cmp(&cosine(row, *a)));
            others.truncate(NEIGHBOURS);
            others
        };
        for row in &rows {
            let mut expected = nearest(*row);
            expected.retain(|other| nearest(*other).contains(row));
            expected.sort_unstable();
            let near = found.get(row).cloned().unwrap_or_default();
            assert_eq!(near, expected, "row {row}");
        }
    }

    #[test]
    fn a_row_is_paired_with_its_query_or_else_with_a_near_row() {
        let vectors = [
            1.0f32, 0.0, 1.0, 0.1, 0.0, 1.0, 0.5, 0.5, 0.0, 0.0, 0.2, 0.2,
        ];
        let train = [0, 1, 2];
        type Paired = (Vec<u32>, Vec<(u32, u32)>);
        let pairs = |vectors: &[f32], train: &[u32], rows| -> Result<Paired> {
            let partners = Partners::of(vectors, 2, (train, rows, 0), &Progress::default())?;
            let mut found = Paired::default();
            partners.add_to(train, &mut StdRng::seed_from_u64(1), &mut found);
            Ok(found)
        };
        // The second row's query is zero: it has none.
        let queries = pairs(&vectors, &train, 3).unwrap();
        assert_eq!(queries, (vec![0, 1, 2, 3, 5], vec![(0, 3), (2, 4)]));
        let near = pairs(&vectors[..6], &train, 3).unwrap();
        assert_eq!((near.0[3], near.0[5]), (1, 1));
        assert_eq!(near.1, [(0, 3), (1, 4), (2, 5)]);
        assert!(pairs(&vectors[..2], &[0], 1).is_err());
        assert!(pairs(&[1.0, 0.0, 0.0, 0.0], &[0], 1).is_err());
    }
}
