//! Nearest rows by Euclidean distance. Exact.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::error::Result;
use crate::progress::Progress;
use crate::vector::dot;

/// Places of rows and their squared distances, nearest first.
pub(super) type Nearest = Vec<(usize, f32)>;

/// Rows of a task.
const CHUNK: usize = 64;

/// A row and its squared distance, ordered by distance, then by place.
#[derive(PartialEq)]
struct Found(f32, usize);

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// For each row of `of`, the `most` nearest rows of `among`, nearest first, with their squared
/// distances. Both `[rows, width]`.
///
/// # Errors
/// `Cancelled`.
pub(super) fn nearest(
    of: &[f32],
    among: &[f32],
    width: usize,
    most: usize,
    progress: &Progress,
) -> Result<Vec<Nearest>> {
    let norms: Vec<f32> = among.chunks_exact(width).map(|row| dot(row, row)).collect();
    let found: Result<Vec<Vec<Nearest>>> = of
        .par_chunks(CHUNK * width)
        .map(|rows| {
            progress.check()?;
            let near = |row: &[f32]| {
                let own = dot(row, row);
                let mut heap: BinaryHeap<Found> = BinaryHeap::with_capacity(most + 1);
                for (at, (other, norm)) in among.chunks_exact(width).zip(&norms).enumerate() {
                    let squared = own + norm - 2.0 * dot(row, other);
                    if heap.len() < most {
                        heap.push(Found(squared, at));
                    } else if heap.peek().is_some_and(|worst| squared < worst.0) {
                        heap.pop();
                        heap.push(Found(squared, at));
                    }
                }
                let sorted = heap.into_sorted_vec().into_iter();
                sorted.map(|Found(squared, at)| (at, squared)).collect()
            };
            Ok(rows.chunks_exact(width).map(near).collect())
        })
        .collect();
    Ok(found?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first() {
        let among = [0.0, 0.0, 3.0, 4.0, 1.0, 0.0, 0.0, 2.0];
        let found = nearest(&[0.0, 0.0], &among, 2, 3, &Progress::default()).unwrap();
        assert_eq!(found, [[(0, 0.0), (2, 1.0), (3, 4.0)]]);
        let all = nearest(&among, &among, 2, 9, &Progress::default()).unwrap();
        assert!(all.iter().all(|row| row.len() == 4));
    }
}
