//! One latent as a page to look at: how it is spread, what activates it, what it goes with.

use std::sync::Arc;

use latentdb_index::analysis::profile::{self, AttributeLift, Histogram};
use latentdb_index::{Label, Snapshot, TopK};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::list::{LatentStatistics, check_latent};
use super::part::Labels;
use crate::error::{Result, Within as _};
use crate::sae::Sae;
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::documents::{Projection, ReadDocument};
use crate::vectors::cosine;

/// Quantiles that a page lists.
const QUANTILES: [f64; 8] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
/// Bins of the histogram.
const BINS: usize = 20;

/// What a page holds in addition to statistics.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest {
    /// Documents in which it is strongest.
    pub documents: usize,
    /// Documents drawn at random from those it is active in.
    pub random_documents: usize,
    /// Decides which.
    pub seed: u64,
    /// Entries of each list of what it goes with; none is made for 0.
    pub related: usize,
}

/// A latent that goes with another.
#[derive(Clone, Debug)]
pub struct Related {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<Label>,
    /// Cosine of the decoder directions, or normalised pointwise mutual information.
    pub score: f64,
    /// Documents in which both are active, where that is what was counted.
    pub documents: u64,
}

/// A latent's page.
#[derive(Clone, Debug)]
pub struct LatentPage {
    /// Its numbers.
    pub statistics: LatentStatistics,
    /// Minimum, 25%, 50%, 75%, 90%, 95%, 99%, maximum of its non-zero activations; empty when
    /// there are none.
    pub quantiles: Vec<f32>,
    /// How its non-zero activations are spread; `None` when there are none.
    pub histogram: Option<Histogram>,
    /// The documents in which it is strongest, and how strong.
    pub documents: Vec<(ReadDocument, f32)>,
    /// Documents drawn from those it is active in.
    pub random_documents: Vec<(ReadDocument, f32)>,
    /// Every version of its label, latest first.
    pub labels: Vec<Label>,
    /// Latents with the most similar decoder directions.
    pub nearest: Vec<Related>,
    /// Latents active in the same documents.
    pub co_occurring: Vec<Related>,
    /// Attribute values that its documents have more often than all.
    pub attributes: Vec<AttributeLift>,
}

impl Labels {
    /// One latent's page.
    ///
    /// # Errors
    /// `InvalidArgument` for a latent that the collection has not.
    pub async fn latent(
        self: &Arc<Self>,
        address: &Address,
        latent: u32,
        request: PageRequest,
    ) -> Result<LatentPage> {
        let view = self.core.view(address)?;
        let n_latents = view.required_n_latents()?;
        check_latent(latent, n_latents).within("latent")?;
        let current = self.of(&view)?;
        let key = view.label_key();
        let service = self.clone();
        blocking(move || {
            let snapshot = &view.snapshot;
            let handle = &view.handle;
            let labels = handle.catalog().label_history(&key.0, &key.1, latent)?;
            let related = |latent: u32, score: f64, documents: u64| Related {
                latent,
                label: current.get(&latent).cloned(),
                score,
                documents,
            };
            let mut page = spread(snapshot, latent, &request)?;
            page.statistics.label = current.get(&latent).cloned();
            page.statistics.recurrence = view.recurrence_of(latent);
            page.labels = labels;
            if request.related > 0 {
                if let Some(sae) = service.core.sae_of(&view)? {
                    let nearest = nearest_directions(&sae, latent, request.related)?;
                    page.nearest = nearest
                        .into_iter()
                        .map(|(other, cosine)| related(other, cosine, 0))
                        .collect();
                }
                page.co_occurring = profile::co_occurring(snapshot, latent, request.related)?
                    .into_iter()
                    .map(|pair| related(pair.latent, pair.npmi, pair.documents))
                    .collect();
                page.attributes = profile::attribute_lifts(snapshot, latent, request.related)?;
            }
            Ok(page)
        })
        .await
    }
}

/// What the postings of a latent alone say.
fn spread(snapshot: &Snapshot, latent: u32, request: &PageRequest) -> Result<LatentPage> {
    let mut postings = Vec::new();
    let mut top = TopK::new(request.documents);
    snapshot.for_each_posting(latent, |doc, activation| {
        postings.push((doc, activation));
        top.push(doc, activation);
    });
    let mut activations: Vec<f32> = postings.iter().map(|posting| posting.1).collect();
    activations.sort_by(f32::total_cmp);
    let active = activations.len();
    let sum: f64 = activations.iter().map(|&value| f64::from(value)).sum();
    let quantiles = if active == 0 {
        Vec::new()
    } else {
        let at = |share: f64| activations[(share * (active - 1) as f64).round() as usize];
        QUANTILES.iter().map(|&share| at(share)).collect()
    };
    let projection = Projection::readable();
    let read = |(doc, activation)| Ok((projection.read(snapshot, doc)?, activation));
    let mut random = StdRng::seed_from_u64(request.seed);
    Ok(LatentPage {
        statistics: LatentStatistics {
            latent,
            label: None,
            documents: active as u64,
            density: active as f64 / snapshot.n_docs().max(1) as f64,
            mean_activation: (sum / active.max(1) as f64) as f32,
            recurrence: None,
        },
        quantiles,
        histogram: profile::histogram(&activations, BINS),
        documents: top
            .into_sorted()
            .into_iter()
            .map(|hit| read((hit.doc, hit.score)))
            .collect::<Result<_>>()?,
        random_documents: postings
            .sample(&mut random, request.random_documents)
            .map(|&posting| read(posting))
            .collect::<Result<_>>()?,
        labels: Vec::new(),
        nearest: Vec::new(),
        co_occurring: Vec::new(),
        attributes: Vec::new(),
    })
}

/// The latents with the largest cosines of decoder directions, largest first.
fn nearest_directions(sae: &Sae, latent: u32, most: usize) -> Result<Vec<(u32, f64)>> {
    let own = sae.decoder_row(latent)?;
    let mut nearest = TopK::new(most);
    let last = u32::try_from(sae.n_latents()).unwrap_or(u32::MAX);
    for other in (0..last).filter(|&other| other != latent) {
        let cosine = cosine(own, sae.decoder_row(other)?);
        if cosine != 0.0 {
            nearest.push(other, cosine as f32);
        }
    }
    let hits = nearest.into_sorted().into_iter();
    Ok(hits.map(|hit| (hit.doc, f64::from(hit.score))).collect())
}
