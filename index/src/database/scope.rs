//! A view as what requests without names are resolved against.

use super::View;
use crate::filter::Scope;

impl Scope for View {
    fn dimension(&self) -> Option<usize> {
        self.record.dimension
    }

    fn n_latents(&self) -> Option<usize> {
        self.record.saes.first().map(|sae| sae.n_latents)
    }
}
