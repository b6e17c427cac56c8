//! Clusters of a collection's documents, with labels and texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::analysis::cluster::{
    Cluster, ClusterOptions, Clustering, Distinctive, Member, cluster,
};
use latentdb_index::{Filter, Label, Progress};

use super::Analyses;
use super::axis::{Axis, AxisRequest};
use crate::error::Result;
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::documents::{Projection, ReadDocument};
use crate::service::names::resolve_filter;

/// Latents that a cluster's label is made of.
const LABEL_LATENTS: usize = 2;

/// What is clustered and how.
#[derive(Clone, Debug)]
pub struct ClusterRequest {
    /// The collection.
    pub address: Address,
    /// Which of its documents.
    pub filter: Filter,
    /// What they are grouped by.
    pub axis: AxisRequest,
    /// How.
    pub options: ClusterOptions,
    /// What is read of the typical documents.
    pub projection: Projection,
}

/// Clusters with what a reader wants to know of them.
#[derive(Clone, Debug)]
pub struct ClusterResult {
    /// The clusters, largest first.
    pub clusters: Vec<DescribedCluster>,
    /// The latents they were made by.
    pub axis: Axis,
    /// What the engine found: which documents are in no cluster, landmarks, eigenvalues.
    pub found: Clustering,
    /// Ids of all documents of the filter, with their place where they are in a cluster.
    pub members: Vec<(String, Option<Member>)>,
    /// Number of the commit it shows.
    pub sequence: u64,
    labels: Arc<BTreeMap<u32, Label>>,
    /// Tests in the filters that no document can pass.
    pub warnings: Vec<String>,
}

/// A cluster with its label and documents.
#[derive(Clone, Debug)]
pub struct DescribedCluster {
    /// Its strongest latents' labels, or their numbers.
    pub label: String,
    /// Its numbers.
    pub cluster: Cluster,
    /// Its most typical documents.
    pub documents: Vec<ReadDocument>,
}

impl ClusterResult {
    /// A latent's label, where it has one.
    pub fn label(&self, latent: u32) -> Option<&str> {
        self.labels.get(&latent).map(|label| label.text.as_str())
    }
}

impl Analyses {
    /// Groups the documents of a filter along an axis. `progress` says how far it is and calls it
    /// off.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `FailedPrecondition` when the collection has no
    /// latents, or lacks what the axis' texts would be compared with.
    pub async fn cluster(
        self: &Arc<Self>,
        request: ClusterRequest,
        progress: Arc<Progress>,
    ) -> Result<ClusterResult> {
        let view = self.core.view(&request.address)?;
        let filter = resolve_filter(&view, &request.filter)?;
        let axis = self.resolve_axis(&view, &request.axis).await?;
        let labels = self.labels.of(&view)?;
        let warnings = view.warnings();
        blocking(move || {
            let snapshot = view.snapshot;
            let found = cluster(
                &snapshot,
                &filter,
                &axis.numbers(),
                &request.options,
                &progress,
            )?;
            let clusters = found
                .clusters
                .iter()
                .map(|cluster| {
                    let documents = cluster.documents.iter();
                    Ok(DescribedCluster {
                        label: label_of(&cluster.over, &labels),
                        documents: documents
                            .map(|&doc| request.projection.read(&snapshot, doc))
                            .collect::<Result<_>>()?,
                        cluster: cluster.clone(),
                    })
                })
                .collect::<Result<_>>()?;
            let inside = found
                .members
                .iter()
                .map(|member| (member.doc, Some(*member)));
            let outside = found.uncovered.iter().chain(&found.unreached);
            let members = inside
                .chain(outside.map(|&doc| (doc, None)))
                .map(|(doc, member)| Ok((snapshot.id(doc)?, member)))
                .collect::<Result<_>>()?;
            Ok(ClusterResult {
                clusters,
                axis,
                members,
                found,
                sequence: snapshot.sequence(),
                labels,
                warnings,
            })
        })
        .await
    }
}

/// The labels of the latents that set a cluster apart most; numbers where they have none.
fn label_of(over: &[Distinctive], labels: &BTreeMap<u32, Label>) -> String {
    let name = |entry: &Distinctive| match labels.get(&entry.latent) {
        Some(label) => label.text.clone(),
        None => format!("latent {}", entry.latent),
    };
    let names: Vec<String> = over.iter().take(LABEL_LATENTS).map(name).collect();
    names.join(" · ")
}
