//! Steering presets: edits saved under a name in a collection.

use std::sync::Arc;

use latentdb_index::RecordKind;
use serde::{Deserialize, Serialize};

use super::edits::MAX_EDITS;
use super::node::{NearestNode, Node, NodeKind, SteerEdit, SteerTarget};
use super::part::Search;
use crate::error::{Error, Result};
use crate::service::blocking;
use crate::service::core::{Address, View};

/// Edits under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// Letters, digits, `_`, `-` and `.`, not starting with a dot.
    pub name: String,
    /// What it does.
    pub edits: Vec<SteerEdit>,
    /// SHA-256 of the SAE whose latents it turns by their numbers; `None` where it turns none.
    #[serde(default)]
    pub sae: Option<String>,
}

impl Search {
    /// Saves edits under a name, replacing those of that name.
    ///
    /// # Errors
    /// `InvalidArgument` for the name, no edits or too many.
    pub async fn save_preset(
        self: &Arc<Self>,
        address: &Address,
        mut preset: Preset,
    ) -> Result<()> {
        if preset.edits.is_empty() || preset.edits.len() > MAX_EDITS {
            return Err(Error::invalid(
                "edits",
                format!(
                    "has {} entries; 1 to {MAX_EDITS} are accepted",
                    preset.edits.len()
                ),
            ));
        }
        let view = self.core.view(address)?;
        for (at, edit) in preset.edits.iter().enumerate() {
            if let (SteerTarget::Latent(latent), Some(n)) = (&edit.of, view.n_latents())
                && *latent as usize >= n
            {
                return Err(Error::invalid(
                    format!("edits[{at}].latent"),
                    format!("is {latent}; this collection's latents are 0 to {}", n - 1),
                ));
            }
        }
        let by_number =
            |edit: &SteerEdit| matches!(edit.of, SteerTarget::Latent(_) | SteerTarget::Family(_));
        let is_bound = preset.edits.iter().any(by_number);
        preset.sae = is_bound.then(|| view.label_key().1);
        let handle = view.handle;
        blocking(move || handle.put_record(RecordKind::SteeringPreset, &preset.name, &preset)).await
    }

    /// A collection's presets, by name.
    pub async fn list_presets(self: &Arc<Self>, address: &Address) -> Result<Vec<Preset>> {
        let handle = self.core.view(address)?.handle;
        blocking(move || handle.records(RecordKind::SteeringPreset)).await
    }

    /// Removes a preset, or `NotFound`.
    pub async fn drop_preset(self: &Arc<Self>, address: &Address, name: String) -> Result<()> {
        let handle = self.core.view(address)?.handle;
        blocking(move || {
            if handle.remove_record(RecordKind::SteeringPreset, &name)? {
                return Ok(());
            }
            Err(missing(&name))
        })
        .await
    }

    /// Puts the edits of presets that a tree names before the edits that stand there.
    pub(super) fn insert_presets(&self, view: &View, node: &mut Node) -> Result<()> {
        match &mut node.kind {
            NodeKind::Nearest(nearest) if !nearest.presets.is_empty() => {
                self.insert_into(view, nearest)
            }
            NodeKind::Fusion { children, .. } => children
                .iter_mut()
                .try_for_each(|(child, _)| self.insert_presets(view, child)),
            NodeKind::Except { query, minus, .. } => {
                self.insert_presets(view, query)?;
                self.insert_presets(view, minus)
            }
            _ => Ok(()),
        }
    }

    fn insert_into(&self, view: &View, nearest: &mut NearestNode) -> Result<()> {
        let handle = &view.handle;
        let mut edits = Vec::new();
        for used in std::mem::take(&mut nearest.presets) {
            let found: Option<Preset> = handle.record_of(RecordKind::SteeringPreset, &used.name)?;
            let preset = found.ok_or_else(|| missing(&used.name))?;
            let own = view.label_key().1;
            if let Some(sae) = preset.sae.filter(|sae| *sae != own) {
                return Err(Error::precondition(format!(
                    "steering preset {:?} turns latents of the SAE {sae}, and this query is asked \
                     through {own}: address the collection through that SAE, or save the preset again",
                    used.name
                )));
            }
            edits.extend(at_strength(&preset.edits, used.strength));
        }
        edits.append(&mut nearest.edits);
        nearest.edits = edits;
        Ok(())
    }
}

/// Edits at a strength.
pub(super) fn at_strength(edits: &[SteerEdit], strength: f32) -> Vec<SteerEdit> {
    edits
        .iter()
        .filter_map(|edit| {
            Some(SteerEdit {
                change: edit.change.at(strength)?,
                ..edit.clone()
            })
        })
        .collect()
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("steering preset {name:?} does not exist"))
}
