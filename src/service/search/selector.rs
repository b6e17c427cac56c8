//! Latents for a property, chosen among candidates by a language model that reads their labels
//! (Property retrieval in the methods guide).

use std::sync::Arc;
use std::time::Duration;

use super::encoded::{Choice, Encoded, Selected};
use super::node::{PropertyNode, PropertySource, SelectorChoice};
use super::part::Search;
use super::property::{check, choose};
use super::result::SelectedBy;
use crate::error::{Error, ErrorKind, Result};
use crate::label::Selector;
use crate::progress::Progress;
use crate::service::blocking;
use crate::service::core::View;
use crate::service::labels::ChatUse;

/// How long one choice may take.
const MOST_TIME: Duration = Duration::from_secs(120);

impl Search {
    /// Asks language models for the choices that the property nodes of a tree leave to them.
    pub(super) async fn ask_selectors(
        self: &Arc<Self>,
        view: &View,
        mut encoded: Encoded,
        nodes: Vec<PropertyNode>,
    ) -> Result<Encoded> {
        for node in nodes {
            if encoded.selected(&node).is_some() {
                continue;
            }
            let progress = Arc::new(Progress::default());
            let guard = progress.stop_on_drop();
            let (service, view) = (self.clone(), view.clone());
            let asking = blocking(move || {
                let selected = service.ask_selector(&view, &encoded, &node, &progress)?;
                encoded.keep_selected(Choice::of(&node), selected);
                Ok(encoded)
            });
            let asked = tokio::time::timeout(MOST_TIME, asking).await;
            drop(guard);
            encoded = asked.map_err(|_| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "the language model did not choose latents within {} s; ask for fewer \
                         candidates, or choose without a selector",
                        MOST_TIME.as_secs()
                    ),
                )
            })??;
        }
        Ok(encoded)
    }

    fn ask_selector(
        &self,
        view: &View,
        encoded: &Encoded,
        node: &PropertyNode,
        progress: &Progress,
    ) -> Result<Selected> {
        check(node)?;
        let PropertySource::Text {
            text,
            selection,
            selector: Some(selector),
        } = &node.source
        else {
            return Err(Error::internal(
                "a property without a selector asks for one",
            ));
        };
        let (labels, name) = (self.labels.of(view)?, &view.name());
        if labels.is_empty() {
            return Err(Error::precondition(format!(
                "no latent of collection {name:?} has a label, and a language model chooses \
                 latents by their labels: label them (`latentdb latents label {name}`)"
            )));
        }
        let mut candidates = choose(view, encoded, encoded.text(text)?, *selection, usize::MAX)?;
        candidates.retain(|(latent, _)| labels.contains_key(latent));
        candidates.truncate(node.candidates);
        let texts: Vec<&str> = candidates
            .iter()
            .filter_map(|(latent, _)| Some(labels.get(latent)?.text.as_str()))
            .collect();
        let ask = |selector: &dyn Selector| -> Result<Selected> {
            let places = selector.select(text, &texts, progress)?;
            if places.is_empty() {
                return Err(Error::precondition(format!(
                    "{} finds that none of the {} candidate latents fits the property {text:?}: \
                     ask for more candidates, or choose without a selector",
                    selector.name(),
                    texts.len()
                )));
            }
            Ok(Selected {
                latents: places.into_iter().map(|place| candidates[place]).collect(),
                by: SelectedBy {
                    model: selector.name(),
                    candidates: texts.len(),
                },
            })
        };
        match selector {
            SelectorChoice::Chat(model) => {
                let usage = ChatUse {
                    model: model.clone(),
                    ..ChatUse::default()
                };
                ask(&self.labels.language_models.chat(&usage)?)
            }
            SelectorChoice::Local(name) => {
                let model = self.labels.language_models.local(name.as_deref())?;
                ask(&*model)
            }
        }
    }
}
