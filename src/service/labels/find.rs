//! Labels by words and by meaning.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label};

use super::part::Labels;
use super::vectors::Which;
use crate::error::{Error, Result};
use crate::label::{LabelIndex, Vocabulary};
use crate::reading::Role;
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::vectors::unit;

/// How labels are compared with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelSearch {
    /// By meaning where the collection has an encoder, else by words.
    #[default]
    Any,
    /// By the cosine of their vectors.
    Meaning,
    /// By the words they share.
    Words,
}

/// A label that was found.
#[derive(Clone, Debug)]
pub struct FoundLabel {
    /// Its latent.
    pub latent: u32,
    /// The label.
    pub label: Label,
    /// The cosine, or the share of the words.
    pub score: f64,
    /// Documents in which the latent is active.
    pub documents: u64,
}

impl Labels {
    /// The vectors of labels' texts under a collection's encoder, at unit length and in the order
    /// of `texts`. They are kept in memory, per collection.
    ///
    /// # Errors
    /// `FailedPrecondition` where the collection has no encoder.
    pub(super) async fn vectors_of(
        self: &Arc<Self>,
        view: &View,
        texts: &[String],
        which: Which,
    ) -> Result<Vec<Arc<[f32]>>> {
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(view))?;
        let key = view.label_key();
        let collection = (key.0.as_str(), key.1.as_str());
        let encode = |texts| async move { encoder.encode(texts, Role::Query).await };
        self.vectors.of(collection, texts, which, encode).await
    }

    /// The latents whose labels are about `text`, best first; where there are none, also why.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty text; `FailedPrecondition` where a search by meaning finds no
    /// encoder.
    pub async fn search_labels(
        self: &Arc<Self>,
        address: &Address,
        text: &str,
        how: LabelSearch,
        limit: usize,
    ) -> Result<(Vec<FoundLabel>, Vec<String>)> {
        let view = self.core.view(address)?;
        view.required_n_latents()?;
        if text.trim().is_empty() {
            return Err(Error::invalid("text", "is empty; words are accepted"));
        }
        let by_meaning = match how {
            LabelSearch::Meaning => true,
            LabelSearch::Words => false,
            LabelSearch::Any => view.encoder().is_some(),
        };
        let labels = self.of(&view)?;
        let mut found: Vec<(u32, f64)> = if by_meaning {
            let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
            let query = self.encoded(&view, text).await?;
            let vectors = self.vectors_of(&view, &texts, Which::All).await?;
            let similarity = |vector: &Arc<[f32]>| {
                let products = vector
                    .iter()
                    .zip(query.iter())
                    .map(|(v, q)| f64::from(v * q));
                products.sum::<f64>()
            };
            labels
                .keys()
                .copied()
                .zip(vectors.iter().map(similarity))
                .collect()
        } else {
            let vocabulary = Vocabulary::of(view.snapshot.analyzer());
            let texts = labels.iter().map(|(&at, label)| (at, label.text.as_str()));
            let index = LabelIndex::new(vocabulary, texts);
            let matches = index.search(text).into_iter();
            matches.map(|found| (found.latent, found.score)).collect()
        };
        // Stable, so that labels by words keep their order among equals.
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(limit);
        if found.is_empty() {
            view.doubt(nothing_found(&view, text, labels.is_empty()));
        }
        blocking(move || {
            let counts = latent_counts(&view.snapshot, &Filter::All)?;
            let counts: HashMap<u32, u64> = counts.iter().map(|c| (c.latent, c.count)).collect();
            let entries = found.into_iter().filter_map(|(latent, score)| {
                Some(FoundLabel {
                    latent,
                    label: labels.get(&latent)?.clone(),
                    score,
                    documents: counts.get(&latent).copied().unwrap_or(0),
                })
            });
            Ok((entries.collect(), view.warnings()))
        })
        .await
    }

    /// The vector of one text at unit length.
    async fn encoded(self: &Arc<Self>, view: &View, text: &str) -> Result<Arc<[f32]>> {
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(view))?;
        let mut vectors = encoder.encode(vec![text.to_owned()], Role::Query).await?;
        let vector = vectors.pop();
        vector
            .map(|vector| unit(&vector).into())
            .ok_or_else(|| Error::internal("a text was not encoded"))
    }
}

/// Why a search finds nothing; one by meaning finds all labels, so that words were compared.
fn nothing_found(view: &View, text: &str, has_no_labels: bool) -> String {
    let name = view.name();
    if has_no_labels {
        return format!(
            "no latent of collection {name:?} has a label: make some with `latentdb latents label {name}`"
        );
    }
    let why = match view.encoder() {
        Some(_) => "",
        None => ", and the collection has no encoder to compare what they mean",
    };
    format!("no label of collection {name:?} has a word of {text:?}{why}")
}

fn no_encoder(view: &View) -> Error {
    Error::precondition(format!(
        "collection {:?} has no encoder, so texts have no meaning there: search labels by words, \
         or create the collection with an encoder",
        view.name()
    ))
}
