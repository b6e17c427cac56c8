//! Labelling a collection's latents from its own documents.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::rank::TopK;

use super::latents::NewLabel;
use super::search::no_sae;
use super::{Service, blocking};
use crate::error::{Error, Result};
use crate::label::{Activating, KeyphraseOptions, keyphrase_labels};

/// The name that built-in labels have as their source.
pub const KEYPHRASES: &str = "keyphrases";

impl Service {
    /// Labels all latents with contrastive keyphrases (no model is asked) and keeps the labels.
    /// Labels of other sources are kept unless `replace` is set. Returns how many were written.
    pub async fn label_latents(self: &Arc<Self>, collection: &str, replace: bool) -> Result<usize> {
        let view = self.view(collection)?;
        let n_latents = view.record.n_latents.ok_or_else(|| no_sae(&view))?;
        let kept = self.labels_of(&view.record)?;
        let labels = blocking(move || {
            let snapshot = &view.snapshot;
            let mut places = HashMap::new();
            let mut texts = Vec::new();
            for doc in snapshot.living() {
                if let Some(text) = snapshot.stored(doc)?.text {
                    places.insert(doc, texts.len());
                    texts.push(text);
                }
            }
            if texts.is_empty() {
                return Err(Error::precondition(
                    "the collection holds no texts to make labels from",
                ));
            }
            let options = KeyphraseOptions::default();
            let last = u32::try_from(n_latents)
                .map_err(|_| Error::internal("more latents than numbers for them"))?;
            let strongest: Vec<Vec<Activating>> = (0..last)
                .map(|latent| {
                    let mut top = TopK::new(options.documents);
                    snapshot.for_each_posting(latent, |doc, activation| {
                        if places.contains_key(&doc) {
                            top.push(doc, activation);
                        }
                    });
                    let hits = top.into_sorted().into_iter();
                    hits.map(|hit| (places[&hit.doc], hit.score)).collect()
                })
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let labels = keyphrase_labels(&strongest, &texts, &options);
            Ok((0..)
                .zip(labels)
                .filter_map(|(latent, text)| {
                    let foreign = |label: &latentdb_index::catalog::Label| {
                        label.source != KEYPHRASES && !replace
                    };
                    if kept.get(&latent).is_some_and(foreign) {
                        return None;
                    }
                    Some(NewLabel {
                        latent,
                        text: text?,
                        source: KEYPHRASES.to_owned(),
                        score: None,
                    })
                })
                .collect())
        })
        .await?;
        self.set_labels(collection, labels).await
    }
}
