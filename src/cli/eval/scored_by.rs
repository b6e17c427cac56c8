//! What tells in a hit whether it shows a concept, in an evaluation of steering: never the latent that was turned.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use latentdb_proto::v1::{
    CorrelateRequest, Document, GetRequest, MatchLatentsRequest, Projection, correlated_pair::Other,
};

use crate::cli::client::Client;
use crate::client::ToJson as _;

/// φ from which on latents of two SAEs are the same concept.
const LEAST_PHI: f64 = 0.5;
/// Documents read in one request.
const BATCH: usize = 1000;

/// Who says what a hit shows.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "scored", required = true, multiple = false)]
pub(super) struct ScoredByArgs {
    /// Another SAE of the collection: a hit shows a concept where the latent of that SAE is active that is matched
    /// with the one turned
    #[arg(long, value_name = "SAE", group = "scored")]
    scored_by: Option<String>,
    /// An attribute: a hit shows a concept where it has the value that goes with the latent most
    #[arg(long, value_name = "NAME", group = "scored")]
    scored_by_attribute: Option<String>,
}

/// The same, with what was found in the collection.
pub(super) enum ScoredBy {
    /// The latents of another SAE, by the address of the collection in its space.
    Sae {
        address: String,
        marks: BTreeMap<u32, u32>,
    },
    /// An attribute's values, each by its place.
    Attribute {
        name: String,
        values: Vec<String>,
        marks: BTreeMap<u32, u32>,
    },
}

impl ScoredByArgs {
    /// Finds out what goes with each latent of a collection.
    pub async fn find(&self, client: &Client, collection: &str) -> anyhow::Result<ScoredBy> {
        match (&self.scored_by, &self.scored_by_attribute) {
            (Some(sae), None) => by_sae(client, collection, sae).await,
            (None, Some(attribute)) => by_attribute(client, collection, attribute).await,
            _ => bail!("one of --scored-by and --scored-by-attribute is needed"),
        }
    }
}

async fn by_sae(client: &Client, collection: &str, sae: &str) -> anyhow::Result<ScoredBy> {
    let base = collection.split(':').next().unwrap_or_default();
    let address = format!("{base}:{sae}");
    let request = MatchLatentsRequest {
        collection: collection.to_owned(),
        other: address.clone(),
        min_phi: Some(LEAST_PHI),
        ..MatchLatentsRequest::default()
    };
    let found = client.match_latents(request, |_| ()).await?;
    let rows = found.latents.into_iter();
    let marks = rows.filter_map(|row| {
        let other = row.other.filter(|own| own.phi >= LEAST_PHI)?;
        Some((row.latent, other.latent))
    });
    Ok(ScoredBy::Sae {
        address,
        marks: marks.collect(),
    })
}

async fn by_attribute(
    client: &Client,
    collection: &str,
    attribute: &str,
) -> anyhow::Result<ScoredBy> {
    let request = CorrelateRequest {
        collection: collection.to_owned(),
        attribute: attribute.to_owned(),
        min_npmi: Some(0.0),
        ..CorrelateRequest::default()
    };
    let found = client.correlate(request, |_| ()).await?;
    let mut values: Vec<String> = Vec::new();
    let mut marks = BTreeMap::new();
    // The pairs that go together most come first.
    for pair in &found.pairs {
        if let Some(Other::Value(value)) = &pair.other {
            let value = value.to_json().to_string();
            let place = values
                .iter()
                .position(|own| *own == value)
                .unwrap_or_else(|| {
                    values.push(value);
                    values.len() - 1
                });
            marks.entry(pair.i).or_insert(u32::try_from(place)?);
        }
    }
    Ok(ScoredBy::Attribute {
        name: attribute.to_owned(),
        values,
        marks,
    })
}

impl ScoredBy {
    /// What a latent's concept is known by.
    pub fn mark(&self, latent: u32) -> Option<u32> {
        let (Self::Sae { marks, .. } | Self::Attribute { marks, .. }) = self;
        marks.get(&latent).copied()
    }

    /// Whether hits have to bring their attributes.
    pub fn reads_attributes(&self) -> bool {
        matches!(self, Self::Attribute { .. })
    }

    /// The marks of documents, by id.
    pub async fn marks(
        &self,
        client: &Client,
        documents: &[Document],
    ) -> anyhow::Result<BTreeMap<String, BTreeSet<u32>>> {
        let mut found = BTreeMap::new();
        match self {
            Self::Attribute { name, values, .. } => {
                for document in documents {
                    let own = document
                        .attributes
                        .get(name)
                        .map(|own| own.to_json().to_string());
                    let places = values
                        .iter()
                        .zip(0..)
                        .filter(|(value, _)| Some(*value) == own.as_ref());
                    let places = places.map(|(_, place)| place).collect();
                    found.insert(document.id.clone(), places);
                }
            }
            Self::Sae { address, .. } => {
                let ids: BTreeSet<&String> =
                    documents.iter().map(|document| &document.id).collect();
                let ids: Vec<String> = ids.into_iter().cloned().collect();
                for ids in ids.chunks(BATCH) {
                    let request = GetRequest {
                        collection: address.clone(),
                        ids: ids.to_vec(),
                        projection: Some(Projection {
                            latents: true,
                            ..Projection::default()
                        }),
                    };
                    let read = client.documents().get(request).await?.into_inner();
                    for document in read.documents {
                        let latents = document.latents.unwrap_or_default().values;
                        let latents = latents.iter().map(|entry| entry.latent).collect();
                        found.insert(document.id, latents);
                    }
                }
            }
        }
        Ok(found)
    }

    /// What is said of it in output.
    pub fn name(&self) -> String {
        match self {
            Self::Sae { address, .. } => format!("the matched latents of {address}"),
            Self::Attribute { name, .. } => format!("the values of {name}"),
        }
    }
}
