//! What models contribute to a tree before it is resolved.

use std::collections::HashMap;

use super::node::{PropertyNode, PropertySource};
use super::result::SelectedBy;
use crate::error::{Error, Result};
use crate::service::labels::SimilarLabels;

/// Vectors of texts and choices of language models, which a tree is resolved with.
#[derive(Default)]
pub(super) struct Encoded {
    /// Vectors by text.
    texts: HashMap<String, Vec<f32>>,
    /// The labels, if the tree compares with them and there are any.
    labels: Option<SimilarLabels>,
    /// Choices of language models.
    selected: Vec<(Choice, Selected)>,
}

impl Encoded {
    pub fn new(texts: HashMap<String, Vec<f32>>, labels: Option<SimilarLabels>) -> Self {
        Self {
            texts,
            labels,
            selected: Vec::new(),
        }
    }

    /// The vector of a text of the tree.
    pub fn text(&self, text: &str) -> Result<&[f32]> {
        if text.trim().is_empty() {
            return Err(Error::invalid("text", "is empty; words are accepted"));
        }
        let vector = self.texts.get(text);
        vector
            .map(Vec::as_slice)
            .ok_or_else(|| Error::internal("a text was not encoded"))
    }

    /// Every latent with a label, with the cosine of it and `vector`; in order of latents.
    pub fn label_similarities(&self, vector: &[f32]) -> Vec<(u32, f32)> {
        let labels = self.labels.as_ref();
        labels.map_or(Vec::new(), |labels| labels.cosines(vector))
    }

    /// What a language model chose for a property, where the property leaves the choice to one.
    pub fn selected(&self, node: &PropertyNode) -> Option<&Selected> {
        let choice = Choice::of(node);
        let mut kept = self.selected.iter();
        kept.find(|(other, _)| *other == choice)
            .map(|(_, selected)| selected)
    }

    pub fn keep_selected(&mut self, choice: Choice, selected: Selected) {
        self.selected.push((choice, selected));
    }
}

/// What a language model chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selected {
    /// Latents with what they were candidates by, the most telling first.
    pub latents: Vec<(u32, f32)>,
    /// Who chose.
    pub by: SelectedBy,
}

/// What decides a choice: one choice serves all nodes of a tree that agree in it.
#[derive(Clone, PartialEq)]
pub(super) struct Choice {
    source: PropertySource,
    candidates: usize,
}

impl Choice {
    pub fn of(node: &PropertyNode) -> Self {
        Self {
            source: node.source.clone(),
            candidates: node.candidates,
        }
    }
}
