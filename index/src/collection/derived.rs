//! Numbers over a whole snapshot that are computed when they are first asked for.

use std::sync::{Arc, OnceLock};

use super::Snapshot;
use crate::analysis::centroids::Centroids;

/// Computed once per snapshot.
#[derive(Default)]
pub(crate) struct Derived {
    mean_activation_sum: OnceLock<f32>,
    centroids: OnceLock<Arc<Centroids>>,
}

impl Snapshot {
    /// The mean over documents of the sum of their activations, deleted documents included until
    /// their segments are merged.
    pub(crate) fn mean_activation_sum(&self) -> f32 {
        *self.derived().mean_activation_sum.get_or_init(|| {
            let mut sum = 0.0_f64;
            let mut documents = 0_u64;
            for segment in self.segments() {
                documents += u64::from(segment.latents.n_docs());
                for (_, list) in segment.latents.lists() {
                    list.for_each(|_, activations| {
                        sum += activations
                            .iter()
                            .map(|&value| f64::from(value))
                            .sum::<f64>();
                    });
                }
            }
            (sum / documents.max(1) as f64) as f32
        })
    }

    /// No activation of a latent is above this.
    pub(crate) fn maximum_activation(&self, latent: u32) -> f32 {
        let lists = self
            .segments()
            .iter()
            .filter_map(|segment| segment.latents.list(latent));
        lists
            .flat_map(|list| (0..list.n_blocks()).map(move |index| list.block(index).maximum))
            .fold(0.0, f32::max)
    }

    /// The centroids of the latents (METHODS §5). The first call of a snapshot reads what earlier
    /// snapshots have not.
    pub fn centroids(&self) -> Arc<Centroids> {
        let derived = &self.derived().centroids;
        derived
            .get_or_init(|| Arc::new(Centroids::of(self)))
            .clone()
    }
}
