//! Labels for responses that name latents by number alone.

use std::collections::HashMap;

use latentdb_proto::v1::ListLabelsRequest;

use super::client::Client;
use super::text;

/// A collection's labels, by latent.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<u32, String>);

impl Names {
    /// Reads the labels of a collection.
    pub(super) async fn read(client: &Client, collection: &str) -> anyhow::Result<Self> {
        let request = ListLabelsRequest {
            collection: collection.to_owned(),
            all_versions: false,
        };
        let labels = client.list_labels(request).await?.into_iter();
        let named = labels.map(|entry| (entry.latent, text::label(entry.label.as_ref())));
        Ok(Self(named.collect()))
    }

    /// The label that comes with a latent, else the one that was read; empty if neither is.
    pub(super) fn of(&self, latent: u32, label: &str) -> String {
        match label {
            "" => self.0.get(&latent).cloned().unwrap_or_default(),
            label => label.to_owned(),
        }
    }
}
