//! How much a latent tells by being rare: the inverse document frequency of BM25.

use crate::snapshot::Snapshot;

/// Document frequencies of a snapshot. They are those of the segments: deleted documents count until they are merged
/// away, as in BM25 over text.
pub(super) struct Idf<'s> {
    snapshot: &'s Snapshot,
    documents: u64,
}

impl<'s> Idf<'s> {
    pub fn of(snapshot: &'s Snapshot) -> Self {
        let segments = snapshot.segments().iter();
        let documents = segments.map(|segment| u64::from(segment.latents.n_docs()));
        Self {
            snapshot,
            documents: documents.sum(),
        }
    }

    /// `ln((N - df + .5) / (df + .5))`, not below 0.
    pub fn weight(&self, latent: u32) -> f32 {
        let segments = self.snapshot.segments().iter();
        let lists = segments.filter_map(|segment| segment.latents.list(latent));
        let frequency: usize = lists.map(|list| list.len()).sum();
        let (documents, frequency) = (self.documents as f64, frequency as f64);
        ((documents - frequency + 0.5) / (frequency + 0.5))
            .ln()
            .max(0.0) as f32
    }
}
