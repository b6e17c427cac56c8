//! Feature splitting between two SAEs of a collection: where the latents of one come back in the
//! other, by decoder directions and by documents.

use std::sync::Arc;

use latentdb_index::analysis::across::{Overlap, overlaps};
use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label, View};

use super::models::sae_record;
use super::search::no_sae;
use super::tokens::{ReaderRecord, reader_record};
use super::{Service, blocking};
use crate::error::{Error, Result, Within as _};
use crate::sae::splitting::{Counterpart, counterparts};

/// What is asked of two SAEs.
#[derive(Clone, Debug)]
pub struct SplitRequest {
    /// The collection through the SAE whose latents are looked for.
    pub collection: String,
    /// The SAE they are looked for in; empty for the first.
    pub to: String,
    /// The latents; empty: those of most documents.
    pub latents: Vec<u32>,
    /// How many, where none are named.
    pub limit: usize,
    /// Most counterparts of a latent.
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

impl Service {
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
            let name = &request.collection;
            let (base, from) = name.split_once(':').unwrap_or((name, ""));
            if from == request.to {
                return Err(Error::invalid(
                    "to",
                    "is the SAE that is compared; another of the collection is accepted",
                ));
            }
            let handle = service.database.collection(base)?;
            // One snapshot, looked at through both.
            let first = handle.view()?;
            let through = |sae: &str, field: &str| -> Result<View> {
                let space = match sae {
                    "" => 0,
                    name => {
                        let space = first.record.space(name);
                        space.within(field)?
                    }
                };
                Ok(View {
                    record: first.record.through(space),
                    snapshot: first.snapshot.in_space(space)?,
                })
            };
            let (one, other) = (through(from, "collection")?, through(&request.to, "to")?);
            let sae = |view: &View| {
                let record = sae_record(&view.record)?.ok_or_else(|| no_sae(view))?;
                service.models.sae(&record.sha256)
            };
            let (one_sae, other_sae) = (sae(&one)?, sae(&other)?);
            let (one_reads, other_reads) =
                (reader_record(&one.record)?, reader_record(&other.record)?);
            let reads = |reader: &Option<ReaderRecord>| match reader {
                Some(reader) => {
                    let reading = &reader.reading;
                    format!("layer {} of {}", reading.layer, reading.model)
                }
                None => "the vectors".to_owned(),
            };
            if reads(&one_reads) != reads(&other_reads) {
                return Err(Error::precondition(format!(
                    "the SAEs read different things, {} and {}: their directions cannot be compared",
                    reads(&one_reads),
                    reads(&other_reads)
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
            let labels = service.labels_of(&one.record)?;
            let other_labels = service.labels_of(&other.record)?;
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
