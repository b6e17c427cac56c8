//! What explaining a target returns.

use super::design::Form;
use super::target::TargetKind;

/// What explains a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What kind of target it is; the score is R² of a number, the area under the ROC curve of two
    /// classes, macro-averaged F1 of more.
    pub kind: TargetKind,
    /// Documents of the set without the target, which are left out.
    pub without: u64,
    /// Documents that were not held out.
    pub discovery: u64,
    /// Those of them that the fit read.
    pub fitted: u64,
    /// Documents that were held out.
    pub held_out: u64,
    /// The score on the documents held out.
    pub score: f64,
    /// What the model reads of each latent: what predicted parts of the discovery documents best.
    pub form: Form,
    /// Scores of models of the first latents, each part of the discovery documents predicted from the
    /// others with latents chosen there; by [`Form::Amounts`].
    pub path: Vec<PathPoint>,
    /// The score of a ridge on dense vectors, on the same documents; none where fewer than half of the
    /// documents that are fitted on have vectors.
    pub dense: Option<f64>,
    /// Documents that it was fitted on.
    pub dense_fitted: u64,
    /// The score of the length of texts alone; none without texts.
    pub length: Option<f64>,
    /// The latents, in the order in which they were chosen.
    pub latents: Vec<ExplainedLatent>,
    /// Pairs of latents that the model reads, the largest weight first.
    pub pairs: Vec<ExplainedPair>,
}

/// A score by the number of latents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathPoint {
    /// Latents at most.
    pub latents: usize,
    /// Mean score of the parts.
    pub score: f64,
    /// Its standard error.
    pub error: f64,
}

/// A latent of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedLatent {
    /// The latent.
    pub latent: u32,
    /// Latents that are active nearly as it is, which it stands for: all of them are read as one, by the
    /// strongest.
    pub alike: Vec<u32>,
    /// Weight of its activation over the 90th percentile: in units of a number, else of log-odds. Of
    /// several classes one each.
    pub weights: Vec<f64>,
    /// Weights of its being active at all; none where the form does not read that.
    pub presence: Vec<f64>,
    /// The class that `effect` is about: of two the second, of more the one of the largest weight; none
    /// for a number.
    pub class: Option<usize>,
    /// Documents held out in which it is active.
    pub active: u64,
    /// The mean of the number, or the share of the class, where it is active, minus where it is not.
    pub effect: f64,
    /// 95% interval of the effect.
    pub interval: (f64, f64),
    /// p-value of no effect.
    pub p_value: f64,
    /// The same by Benjamini and Hochberg over the latents listed.
    pub p_adjusted: f64,
}

/// Two latents whose product a model reads.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedPair {
    /// Places among the latents.
    pub latents: (usize, usize),
    /// Its weights, as those of a latent.
    pub weights: Vec<f64>,
}
