//! Documents that are nearly the same, and documents that the SAE explains badly.

use std::sync::Arc;

use latentdb_index::analysis::{DuplicateOptions, Side, near_duplicates};
use latentdb_index::{Filter, Progress, TopK};

use super::{Analyses, n_latents_of};
use crate::error::Result;
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::documents::{Projection, ReadDocument};
use crate::service::names::resolve_set;

/// Vectors that are reconstructed together.
const BATCH: usize = 1024;
/// Quantiles of residual shares that are listed.
const QUANTILES: [f64; 8] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

/// Where near-duplicates are looked for.
#[derive(Clone, Debug)]
pub struct DuplicatesRequest {
    /// The collection.
    pub address: Address,
    /// The documents.
    pub filter: Filter,
    /// What counts as nearly the same.
    pub options: DuplicateOptions,
    /// Groups that are returned.
    pub limit: usize,
    /// Documents that are returned of each.
    pub documents: usize,
    /// What is read of their documents.
    pub projection: Projection,
}

/// Documents that are linked by similar pairs.
#[derive(Clone, Debug)]
pub struct DuplicatesGroup {
    /// Documents in all.
    pub size: u64,
    /// The first ones.
    pub documents: Vec<DuplicateMember>,
}

/// A document of a group.
#[derive(Clone, Debug)]
pub struct DuplicateMember {
    /// The document, as the projection says.
    pub document: ReadDocument,
    /// Its similarity to the group's first document.
    pub similarity: f64,
}

/// The near-duplicates of a set.
#[derive(Clone, Debug)]
pub struct DuplicatesResult {
    /// Documents that were compared.
    pub documents: u64,
    /// Documents left out for having too few latents.
    pub left_out: u64,
    /// Pairs of documents that reach the threshold.
    pub pairs: u64,
    /// Groups in all.
    pub n_groups: u64,
    /// Documents in them.
    pub grouped: u64,
    /// Tests in the filters that no document can pass.
    pub warnings: Vec<String>,
    /// The largest groups.
    pub groups: Vec<DuplicatesGroup>,
}

/// Where badly explained documents are looked for.
#[derive(Clone, Debug)]
pub struct UnexplainedRequest {
    /// The collection.
    pub address: Address,
    /// The documents.
    pub filter: Filter,
    /// Documents that are returned.
    pub limit: usize,
    /// What is read of them.
    pub projection: Projection,
}

/// How well the SAE explains the vectors of a set.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// Documents with a vector.
    pub documents: u64,
    /// Minimum, 25%, 50%, 75%, 90%, 95%, 99%, maximum of the residual shares; empty without
    /// documents.
    pub quantiles: Vec<f64>,
    /// The documents with the largest residual shares, `|x - x^|^2 / |x|^2`.
    pub worst: Vec<(ReadDocument, f64)>,
    /// Tests in the filters that no document can pass.
    pub warnings: Vec<String>,
}

impl Analyses {
    /// Groups of documents whose latents are nearly the same.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` for a collection without latents; `ResourceExhausted` when too many
    /// documents are alike; `Cancelled` after [`Progress::stop`].
    pub async fn near_duplicates(
        self: &Arc<Self>,
        request: DuplicatesRequest,
        progress: Arc<Progress>,
    ) -> Result<DuplicatesResult> {
        let view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&view)?;
        let filter = resolve_set(&view, &request.filter, "filter")?;
        blocking(move || {
            let snapshot = &view.snapshot;
            let side = Side {
                snapshot,
                filter: &filter,
            };
            let found = near_duplicates(side, n_latents, &request.options, &progress)?;
            let sizes = found
                .groups
                .iter()
                .map(|group| group.documents.len() as u64);
            let grouped = sizes.sum();
            let mut groups = Vec::new();
            for group in found.groups.iter().take(request.limit) {
                let listed = group.documents.iter().take(request.documents);
                let members = listed.map(|&(doc, similarity)| {
                    Ok(DuplicateMember {
                        document: request.projection.read(snapshot, doc)?,
                        similarity,
                    })
                });
                groups.push(DuplicatesGroup {
                    size: group.documents.len() as u64,
                    documents: members.collect::<Result<_>>()?,
                });
            }
            Ok(DuplicatesResult {
                documents: found.documents,
                left_out: found.left_out,
                pairs: found.pairs,
                n_groups: found.groups.len() as u64,
                grouped,
                warnings: view.warnings(),
                groups,
            })
        })
        .await
    }

    /// The documents whose vectors the collection's SAE explains least, by re-encoding the vectors.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` for a collection without an SAE; `Cancelled` after [`Progress::stop`].
    pub async fn poorly_explained(
        self: &Arc<Self>,
        request: UnexplainedRequest,
        progress: Arc<Progress>,
    ) -> Result<Unexplained> {
        let view = self.core.view(&request.address)?;
        let filter = resolve_set(&view, &request.filter, "filter")?;
        let service = self.clone();
        blocking(move || {
            let sae = service.core.required_sae(&view)?;
            let snapshot = &view.snapshot;
            let docs: Vec<u32> = snapshot
                .documents_matching(&filter)?
                .into_iter()
                .filter(|&doc| snapshot.vector(doc).is_some())
                .collect();
            progress.announce(docs.len() as u64)?;
            let mut shares = Vec::with_capacity(docs.len());
            for batch in docs.chunks(BATCH) {
                let vectors: Vec<f32> = batch
                    .iter()
                    .filter_map(|&doc| snapshot.vector(doc))
                    .flatten()
                    .copied()
                    .collect();
                let (reconstructed, _) = sae.reconstruct(&vectors, 0)?;
                let rows = vectors.chunks_exact(sae.d_in());
                let pairs = rows.zip(reconstructed.chunks_exact(sae.d_in()));
                shares.extend(pairs.map(|(x, x_hat)| residual_share(x, x_hat)));
                progress.advance(batch.len() as u64)?;
            }
            let mut top = TopK::new(request.limit);
            for (place, &share) in (0..).zip(&shares) {
                top.push(place, share as f32);
            }
            let worst = top.into_sorted().into_iter().map(|hit| {
                let place = hit.doc as usize;
                let document = request.projection.read(snapshot, docs[place])?;
                Ok((document, shares[place]))
            });
            Ok(Unexplained {
                documents: docs.len() as u64,
                worst: worst.collect::<Result<_>>()?,
                quantiles: quantiles(shares),
                warnings: view.warnings(),
            })
        })
        .await
    }
}

/// What an SAE leaves of a vector, as a share of its squared norm.
fn residual_share(x: &[f32], x_hat: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value) * f64::from(value);
    let left: f64 = x
        .iter()
        .zip(x_hat)
        .map(|(x, x_hat)| square(x - x_hat))
        .sum();
    left / x.iter().copied().map(square).sum::<f64>()
}

fn quantiles(mut shares: Vec<f64>) -> Vec<f64> {
    if shares.is_empty() {
        return Vec::new();
    }
    shares.sort_unstable_by(f64::total_cmp);
    let last = (shares.len() - 1) as f64;
    let at = |share: f64| shares[(share * last).round() as usize];
    QUANTILES.iter().map(|&share| at(share)).collect()
}
