//! Labels for answers that name latents by number alone.

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
        let mut stream = client.latents().list_labels(request).await?.into_inner();
        let mut names = HashMap::new();
        while let Some(message) = stream.message().await? {
            for entry in message.labels {
                let label = text::shown_label(entry.label.as_ref());
                names.insert(entry.latent, label);
            }
        }
        Ok(Self(names))
    }

    /// The label that comes with a latent, else the one that was read.
    pub(super) fn of(&self, latent: u32, label: &str) -> Option<String> {
        text::label(latent, label).or_else(|| self.0.get(&latent).cloned())
    }
}
