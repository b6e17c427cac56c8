//! What hypotheses are asked for.

use latentdb_index::Filter;
use latentdb_index::analysis::cluster::ClusterOptions;

use crate::service::analyses::axis::AxisRequest;
use crate::service::analyses::diff::{NamedSet, Overlap};
use crate::service::core::Address;
use crate::service::documents::Projection;
use crate::service::labels::{JudgeChoice, LabellerChoice};

/// Where hypotheses come from.
#[derive(Clone, Debug)]
pub enum Compared {
    /// Two sets of documents.
    Sets {
        /// The first.
        a: NamedSet,
        /// The second; all documents that are not of A where there is none.
        b: Option<NamedSet>,
        /// What becomes of documents that are in both.
        overlap: Overlap,
    },
    /// Each cluster of documents along an axis, with all others.
    Clusters {
        /// Which documents.
        filter: Filter,
        /// What they are grouped by.
        axis: AxisRequest,
        /// How.
        options: ClusterOptions,
    },
    /// Documents in which one latent of a correlated pair is active, with those in which it is not.
    Pairs {
        /// Which documents.
        filter: Filter,
        /// Latents, one of which is in every pair; all where empty.
        latents: Vec<u32>,
        /// Pairs in fewer documents are not tested.
        min_support: u64,
        /// Cosine of labels from which on a pair of latents is dropped.
        max_label_similarity: f64,
    },
}

/// What is found and tested.
#[derive(Clone, Debug)]
pub struct HypothesiseRequest {
    /// The collection.
    pub address: Address,
    /// Where hypotheses come from.
    pub compared: Compared,
    /// How often latents come back in SAEs of other seeds that are named; all where absent.
    pub min_recurrence: Option<f32>,
    /// Latents that become hypotheses, those that differ most first: of a comparison of two sets, of each
    /// cluster, or pairs.
    pub latents: usize,
    /// Adjusted p-values up to this: of a difference of latents, and of what was judged.
    pub max_p_adjusted: f64,
    /// The share of the documents that nothing is found, named or chosen on.
    pub confirm: f64,
    /// Documents with one value of this attribute are all on one side of that.
    pub split_by: Option<String>,
    /// Who names what differs.
    pub labeller: LabellerChoice,
    /// Who judges.
    pub judge: JudgeChoice,
    /// Documents judged of each set at most; `None` for 1,000 where similarity judges and 50 where a model
    /// reads.
    pub judged: Option<usize>,
    /// Decides which documents are drawn.
    pub seed: u64,
    /// Documents listed per hypothesis that were judged to show it.
    pub documents: usize,
    /// What is read of them.
    pub projection: Projection,
}
