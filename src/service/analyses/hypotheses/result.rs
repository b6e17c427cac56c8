//! What becomes of hypotheses.

use crate::service::documents::ReadDocument;

/// Hypotheses and how they fared.
#[derive(Clone, Debug, Default)]
pub struct HypothesiseResult {
    /// The pairs of sets.
    pub comparisons: Vec<ComparedSets>,
    /// The hypotheses: of each comparison those of the largest difference of latents first.
    pub hypotheses: Vec<Hypothesis>,
    /// Latents that differ and gave no hypothesis.
    pub left_out: Vec<LeftOut>,
    /// Who labelled, and who judged.
    pub labeller: String,
    /// The same.
    pub judge: String,
    /// Tokens that finding and naming took, and judging: those that a chat endpoint counted, or a model in this
    /// process read and wrote.
    pub tokens: (u64, u64),
    /// Tokens that judging was expected to take, where a chat endpoint judges.
    pub expected_tokens: u64,
    /// Seconds that finding and naming took, and judging.
    pub seconds: (f64, f64),
    /// What to know of the result.
    pub warnings: Vec<String>,
}

/// Two sets, and how many documents they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedSets {
    /// What they are called.
    pub names: (String, String),
    /// Documents that latents were compared on.
    pub discovery: (u64, u64),
    /// Documents held back.
    pub confirmation: (u64, u64),
    /// Latents that differ there, or pairs that go together.
    pub differing: u64,
}

/// A difference in words, and whether it holds.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// The claim as a sentence.
    pub sentence: String,
    /// What is claimed to be more frequent.
    pub label: String,
    /// Whether that label was made for the compared sets.
    pub relabelled: bool,
    /// The share of documents that the label told apart right, of those with the latent and as many without.
    pub label_score: f64,
    /// Which comparison it is of.
    pub comparison: usize,
    /// Whether it claims more in A than in B.
    pub more_in_a: bool,
    /// The latent, the first of those whose labels say the same.
    pub latent: u32,
    /// The others.
    pub alike: Vec<u32>,
    /// The latent whose documents are A, where sets come of a pair.
    pub given: Option<u32>,
    /// Shares of A and B with the latent where it was found, and its p-value there, adjusted.
    pub found: (f64, f64, f64),
    /// What the judge says of documents held back; `None` where the budget of tokens ran out before.
    pub judged: Option<Judged>,
}

/// What a judge says of documents of both sets.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Documents of A judged, and those that show the label.
    pub a: (u64, u64),
    /// The same of B.
    pub b: (u64, u64),
    /// Of those documents, the ones in which the latent is active.
    pub active: (u64, u64),
    /// Documents of which the judge said nothing usable; they count as not showing it.
    pub unusable: u64,
    /// Share of A minus share of B, and its 95 % interval (Newcombe's).
    pub delta: f64,
    /// The interval.
    pub interval: (f64, f64),
    /// p-value of no difference, and the same after Benjamini and Hochberg over the hypotheses judged.
    pub p_value: f64,
    /// The same.
    pub p_adjusted: f64,
    /// The difference is on the side that is claimed, at an adjusted p-value that is small enough.
    pub holds: bool,
    /// Cohen's kappa of judge and latent; `None` where both always say one thing.
    pub kappa: Option<f64>,
    /// Documents that show it, of the side that is claimed to have more.
    pub documents: Vec<ReadDocument>,
}

/// A latent that differs, without a hypothesis.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The latent.
    pub latent: u32,
    /// Which comparison it is of.
    pub comparison: usize,
    /// The label that it has or was given, if any.
    pub label: String,
    /// Why.
    pub why: String,
}
