//! What a data directory knows in addition to its documents: collections, saved sets, labels.
//!
//! They are kept in one redb file, `catalog.redb`.

mod aliases;
mod backup;
mod labels;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::text::Analyzer;

pub(crate) use backup::check_backup;
pub use labels::{LOW_SCORE, Label, LabelScore, MovedLabel};
pub(crate) use store::in_use;
pub use store::{Catalog, FORMAT_VERSION};

/// What is recorded of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionRecord {
    /// Its name.
    pub name: String,
    /// Names its directory; never used twice.
    pub id: String,
    /// The generation that serves; counts up when an SAE is attached.
    pub generation: u64,
    /// Values of its vectors; `None` when it holds none.
    pub dimension: Option<usize>,
    /// When it was created, microseconds since the epoch.
    pub created: i64,
    /// What its owner records of the encoder that makes vectors from text, if any.
    pub encoder: Option<serde_json::Value>,
    /// Its SAEs; the first is the default.
    pub saes: Vec<AttachedSae>,
    /// How its text becomes words.
    pub analyzer: Analyzer,
}

/// One SAE of a collection, with a matrix of latents of its own in every segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttachedSae {
    /// Its name in the collection, each once; empty for the one that was attached without a name.
    pub name: String,
    /// Its latents.
    pub n_latents: usize,
    /// What the collection's owner records of it; `None` where clients bring latents of an SAE that
    /// they keep to themselves.
    pub sae: Option<serde_json::Value>,
    /// What the collection's owner records of the model whose token states it reads; `None` where
    /// it reads the vectors.
    pub reader: Option<serde_json::Value>,
}

impl AttachedSae {
    /// Latents of an SAE that clients keep to themselves: they bring the codes of documents.
    pub fn of_clients(n_latents: usize) -> Self {
        Self {
            name: String::new(),
            n_latents,
            sae: None,
            reader: None,
        }
    }
}

impl CollectionRecord {
    /// The place of an SAE in the list, by its name; the default's where the name is empty.
    ///
    /// # Errors
    /// `NotFound` with the names there are.
    pub fn place_of(&self, name: &str) -> Result<usize> {
        if name.is_empty() {
            return Ok(0);
        }
        let place = self.saes.iter().position(|sae| sae.name == name);
        place.ok_or_else(|| {
            let names = self.saes.iter().map(|sae| sae.name.as_str());
            let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
            let names = match names.join(", ") {
                names if names.is_empty() => "none with a name".to_owned(),
                names => names,
            };
            Error::not_found(format!(
                "collection {:?} has no SAE {name:?}; it has {names}",
                self.name
            ))
        })
    }

    /// Latents of each SAE.
    pub fn n_latents(&self) -> Vec<usize> {
        self.saes.iter().map(|sae| sae.n_latents).collect()
    }
}

/// A named set of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSet {
    /// Its name.
    pub name: String,
    /// When it was saved, microseconds since the epoch.
    pub created: i64,
    /// What it holds.
    pub content: SetContent,
    /// SHA-256 of the SAE whose latents its filter tests; `None` where it tests none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sae: Option<String>,
    /// SHA-256 of the SAEs that its filter names, by the names they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub saes: BTreeMap<String, String>,
}

/// What a saved set holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetContent {
    /// Whatever the filter describes when it is used.
    Filter(Filter),
    /// These documents, where they still exist.
    Frozen(Vec<String>),
}

/// Kinds of records that a collection's owner keeps by name; the catalog does not look into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Edits of a query.
    SteeringPreset,
    /// Families of latents, by the hash of the SAE.
    Families,
    /// How an SAE fits the token states that were read, by what they are.
    TokenFit,
    /// What is known of a map of documents.
    Map,
    /// Where the documents of a map lie, by its name.
    MapPoints,
}

impl RecordKind {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::SteeringPreset => "steering_preset",
            Self::Families => "families",
            Self::TokenFit => "token_fit",
            Self::Map => "map",
            Self::MapPoints => "map_points",
        }
    }
}
