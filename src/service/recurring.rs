//! Latents that come back in SAEs of other seeds, as a bound on what is looked at.

use latentdb_index::analysis::Among;

use super::core::View;
use super::spec::SaeRecord;
use crate::error::{Error, Result};
use crate::sae::Recurrence;

impl View {
    /// How often the latents come back, where that was measured.
    pub(super) fn recurrence(&self) -> Option<&Recurrence> {
        self.sae().and_then(SaeRecord::recurrence)
    }

    /// How often a latent comes back, where that was measured.
    pub(super) fn recurrence_of(&self, latent: u32) -> Option<f32> {
        let recurrence = self.recurrence()?;
        recurrence.of_latents.get(latent as usize).copied()
    }

    /// The latents that come back at `least` or more; all where there is no such bound.
    ///
    /// # Errors
    /// `InvalidArgument` for a bound beyond 0 to 1, naming `min_recurrence`; `FailedPrecondition` where the SAE has no
    /// record of that.
    pub(super) fn recurring(&self, least: Option<f32>) -> Result<Among> {
        let Some(least) = least else {
            return Ok(Among::default());
        };
        if !(0.0..=1.0).contains(&least) {
            let message = format!("is {least}; 0 to 1 is accepted");
            return Err(Error::invalid("min_recurrence", message));
        }
        let Some(recurrence) = self.recurrence() else {
            return Err(Error::precondition(format!(
                "the latents of collection {:?} have no record of how often they come back, which \
                 min_recurrence is a bound on: attach an SAE trained from several seeds (latentdb sae train \
                 --seeds 3)",
                self.name()
            )));
        };
        let marks = recurrence.of_latents.iter().map(|value| *value >= least);
        Ok(Among::marked(marks.collect()))
    }
}
