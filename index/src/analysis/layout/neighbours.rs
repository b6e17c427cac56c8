//! Nearest rows by Euclidean distance. Exact.

use rayon::prelude::*;

use crate::error::Result;
use crate::progress::Progress;
use crate::rank::TopK;
use crate::vector::dot;

/// Places of rows and their squared distances, nearest first.
pub(super) type Nearest = Vec<(usize, f32)>;

/// Rows of a task.
const CHUNK: usize = 64;

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
            let near = |row: &[f32]| -> Nearest {
                let own = dot(row, row);
                let mut top = TopK::new(most);
                for (at, (other, norm)) in (0..).zip(among.chunks_exact(width).zip(&norms)) {
                    top.push(at, 2.0 * dot(row, other) - own - norm);
                }
                let found = top.into_sorted().into_iter();
                found.map(|hit| (hit.doc as usize, -hit.score)).collect()
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
