//! Where latents lie among the dense vectors (METHODS section 5).

use rayon::prelude::*;

use crate::collection::Snapshot;

/// For each query, the latents that have a document with a vector, ascending, with the cosine of
/// the query and the latent's centroid: the mean of the unit vectors of its living documents,
/// weighted by activation. `[queries][latents]`.
///
/// Queries have the length of the collection's vectors; they need not be of unit length.
pub fn centroid_similarities(
    snapshot: &Snapshot,
    n_latents: u32,
    queries: &[Vec<f32>],
) -> Vec<Vec<(u32, f32)>> {
    let units: Vec<Vec<f32>> = queries.iter().map(|query| unit(query)).collect();
    let by_latent: Vec<(u32, Vec<f32>)> = (0..n_latents)
        .into_par_iter()
        .filter_map(|latent| {
            let centroid = centroid(snapshot, latent)?;
            let cosines = units.iter().map(|query| dot(query, &centroid)).collect();
            Some((latent, cosines))
        })
        .collect();
    let of = |query: usize| {
        let cosines = by_latent.iter();
        cosines
            .map(|(latent, cosines)| (*latent, cosines[query]))
            .collect()
    };
    (0..queries.len()).map(of).collect()
}

fn centroid(snapshot: &Snapshot, latent: u32) -> Option<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    snapshot.for_each_posting(latent, |doc, activation| {
        let Some(vector) = snapshot.vector(doc) else {
            return;
        };
        sum.resize(vector.len(), 0.0);
        let weight = activation / dot(vector, vector).sqrt();
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += weight * value;
        }
    });
    (dot(&sum, &sum) > 0.0).then(|| unit(&sum))
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = dot(vector, vector).sqrt();
    vector.iter().map(|value| value / norm).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::{Collection, Operation};
    use crate::document::{Activation, Document};

    #[test]
    fn a_centroid_is_the_weighted_mean_of_unit_vectors() {
        let directory = tempfile::tempdir().unwrap();
        let collection = Collection::open(directory.path()).unwrap();
        let document = |id: &str, vector: Option<[f32; 2]>, latents: &[(u32, f32)]| {
            let mut document = Document::new(id);
            document.vector = vector.map(Vec::from);
            document.latents = latents
                .iter()
                .map(|&(latent, activation)| Activation { latent, activation })
                .collect();
            Operation::Upsert(Box::new(document))
        };
        let operations = vec![
            document("a", Some([2.0, 0.0]), &[(0, 3.0), (2, 1.0)]),
            document("b", Some([0.0, 9.0]), &[(0, 4.0)]),
            document("c", None, &[(1, 1.0)]),
        ];
        collection.write(operations, None).unwrap();
        let queries = [vec![5.0, 0.0], vec![1.0, 1.0]];
        let found = centroid_similarities(&collection.snapshot(), 4, &queries);
        // The centroid of latent 0 is (3, 4) / 5; latents 1 and 3 have none.
        let diagonal = 0.5_f32.sqrt();
        let expected = [[(0, 0.6), (2, 1.0)], [(0, 1.4 * diagonal), (2, diagonal)]];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.len(), 2);
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found.0, expected.0);
                assert!((found.1 - expected.1).abs() < 1e-6);
            }
        }
    }
}
