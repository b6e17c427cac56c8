//! Feature splitting between two SAEs of a collection: where the latents of one come back in the
//! other, by decoder directions and by documents.

use std::sync::Arc;

use latentdb_index::analysis::across::{Overlap, overlaps};
use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label};

use super::part::Labels;
use crate::error::{Error, Result, Within as _};
use crate::sae::splitting::{Counterpart, counterparts};
use crate::service::blocking;
use crate::service::core::{Address, View, no_sae};

/// What is asked of two SAEs.
#[derive(Clone, Debug)]
pub struct SplitRequest {
    /// The collection in the space of the SAE whose latents are looked for.
    pub address: Address,
    /// The SAE they are looked for in; empty for the default.
    pub to: String,
    /// The latents; empty: those of most documents.
    pub latents: Vec<u32>,
    /// How many, where none are named.
    pub limit: usize,
    /// Maximum counterparts per latent.
    pub most: usize,
    /// Least cosine of their directions.
    pub min_cosine: f32,
}

/// A latent and where it comes back.
#[derive(Clone, Debug)]
pub struct SplitLatent {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<Label>,
    /// Documents in which it is active.
    pub documents: u64,
    /// Where it comes back, nearest first, with label and documents.
    pub counterparts: Vec<(Counterpart, Option<Label>, Overlap)>,
}

impl Labels {
    /// Where latents of one SAE of a collection come back in another.
    ///
    /// # Errors
    /// `FailedPrecondition` where the two SAEs read different things.
    pub async fn split_latents(
        self: &Arc<Self>,
        request: SplitRequest,
    ) -> Result<Vec<SplitLatent>> {
        let service = self.clone();
        blocking(move || {
            let from = request.address.sae.as_deref().unwrap_or_default();
            if from == request.to {
                return Err(Error::invalid(
                    "to",
                    "is the SAE that is compared; another of the collection is accepted",
                ));
            }
            // One snapshot, in the spaces of both.
            let one = service.core.view(&request.address)?;
            let to = one.spec.record.place_of(&request.to).within("to")?;
            let other = one.in_space(to)?;
            let sae = |view: &View| {
                let sae = view.sae().ok_or_else(|| no_sae(view))?;
                service.core.models.sae(&sae.sha256)
            };
            let (one_sae, other_sae) = (sae(&one)?, sae(&other)?);
            let reads = |view: &View| match view.reader() {
                Some(reader) => {
                    let reading = &reader.reading;
                    format!("layer {} of {}", reading.layer, reading.model)
                }
                None => "the vectors".to_owned(),
            };
            if reads(&one) != reads(&other) {
                return Err(Error::precondition(format!(
                    "the SAEs read different things, {} and {}: their directions cannot be compared",
                    reads(&one),
                    reads(&other)
                )));
            }
            let latents = if request.latents.is_empty() {
                let mut counts = latent_counts(&one.snapshot, &Filter::All)?;
                counts.sort_by_key(|entry| (std::cmp::Reverse(entry.count), entry.latent));
                counts.truncate(request.limit);
                counts.into_iter().map(|entry| entry.latent).collect()
            } else {
                request.latents
            };
            let found = counterparts(
                &one_sae,
                &other_sae,
                &latents,
                request.most,
                request.min_cosine,
            )?;
            let labels = service.of(&one)?;
            let other_labels = service.of(&other)?;
            latents
                .into_iter()
                .zip(found)
                .map(|(latent, found)| {
                    let numbers: Vec<u32> = found.iter().map(|one| one.latent).collect();
                    let (documents, shared) =
                        overlaps(&one.snapshot, latent, &other.snapshot, &numbers)?;
                    let counterparts = found
                        .into_iter()
                        .zip(shared)
                        .map(|(one, overlap)| {
                            (one, other_labels.get(&one.latent).cloned(), overlap)
                        })
                        .collect();
                    Ok(SplitLatent {
                        latent,
                        label: labels.get(&latent).cloned(),
                        documents,
                        counterparts,
                    })
                })
                .collect()
        })
        .await
    }
}
