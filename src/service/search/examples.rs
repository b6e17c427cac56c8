//! Weights fitted from example documents: on latents, to read, and on vectors.

use latentdb_index::analysis::explain::tell_apart;
use latentdb_index::analysis::logistic::{self, SparseRow};

use super::node::PropertyExamples;
use crate::error::{Error, Result, Within as _};
use crate::progress::Progress;
use crate::service::core::View;
use crate::vectors::unit;

/// Maximum documents per list of examples.
const MAX_EXAMPLES: usize = 1000;
/// Negatives that are drawn where a client gives none.
const DRAWN_NEGATIVES: u64 = 50;

/// What examples teach.
pub(super) struct Fitted {
    /// Weights of a / p90, the largest in absolute value first.
    pub latents: Vec<(u32, f32)>,
    /// A direction in the space of vectors; none where the examples have no vectors.
    pub vector: Option<Vec<f32>>,
}

/// The numbers of documents by id.
pub(super) fn documents(view: &View, ids: &[String]) -> Result<Vec<u32>> {
    if ids.is_empty() || ids.len() > MAX_EXAMPLES {
        return Err(Error::invalid(
            "",
            format!(
                "has {} entries; 1 to {MAX_EXAMPLES} are accepted",
                ids.len()
            ),
        ));
    }
    let find = |id: &String| {
        let missing = || Error::not_found(format!("document {id:?} does not exist"));
        view.snapshot.find(id)?.ok_or_else(missing)
    };
    ids.iter().map(find).collect()
}

/// Fits both models, that of at most so many latents and that of vectors, by logistic regression with groups of
/// equal weight.
pub(super) fn fit(view: &View, examples: &PropertyExamples, most: usize) -> Result<Fitted> {
    let lambda = examples.regularisation;
    if !(lambda.is_finite() && lambda > 0.0) {
        let message = format!("is {lambda}; a finite number above 0 is accepted");
        return Err(Error::invalid("regularisation", message));
    }
    let positive = documents(view, &examples.positive).within("positive")?;
    let negative = if examples.negative.is_empty() {
        drawn(view, &positive)
    } else {
        documents(view, &examples.negative).within("negative")?
    };
    if negative.is_empty() {
        return Err(Error::precondition(
            "the collection holds no document other than the positive examples",
        ));
    }
    let rows = |docs: &[u32], row: &dyn Fn(u32) -> Option<SparseRow>| -> Vec<SparseRow> {
        docs.iter().filter_map(|&doc| row(doc)).collect()
    };
    let told = tell_apart(
        &view.snapshot,
        view.n_latents().unwrap_or(0),
        (&positive, &negative),
        most,
        f64::from(lambda),
        &Progress::default(),
    )?;
    let latents = told
        .into_iter()
        .map(|(latent, weight)| (latent, weight as f32));
    let latents = latents.collect();
    let of_vectors = |doc| vector_row(view, doc);
    let (near, far) = (rows(&positive, &of_vectors), rows(&negative, &of_vectors));
    let vector = (!near.is_empty() && !far.is_empty()).then(|| {
        let model = logistic::fit(&near, &far, f64::from(lambda));
        let mut vector = vec![0.0; view.spec.record.dimension.unwrap_or(0)];
        for (at, weight) in model.weights {
            vector[at as usize] = weight as f32;
        }
        vector
    });
    Ok(Fitted { latents, vector })
}

/// A document's vector at unit norm.
fn vector_row(view: &View, doc: u32) -> Option<SparseRow> {
    let vector = view.snapshot.vector(doc)?;
    Some((0..).zip(unit(vector)).collect())
}

/// Evenly spaced documents that are not among `positive`.
fn drawn(view: &View, positive: &[u32]) -> Vec<u32> {
    let stride = (view.snapshot.n_docs() / DRAWN_NEGATIVES).max(1);
    let spaced = (0_u64..).zip(view.snapshot.living());
    spaced
        .filter(|(at, doc)| at % stride == stride / 2 && !positive.contains(doc))
        .map(|(_, doc)| doc)
        .collect()
}
