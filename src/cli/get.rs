//! `latentdb get`.

use std::fmt::Write as _;

use anyhow::bail;
use latentdb_proto::v1::{Activation, GetRequest, GetResponse, Projection};

use super::client::ClientArgs;
use super::names::Names;
use super::{output, text};
use crate::report::format;

/// Which documents.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Ids of documents
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Print the dense vectors too
    #[arg(long)]
    vector: bool,
    /// Leave the latents out
    #[arg(long)]
    no_latents: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = GetRequest {
        collection: args.name.clone(),
        ids: args.ids,
        projection: Some(Projection {
            text: true,
            attributes: true,
            attribute_names: Vec::new(),
            vector: args.vector,
            latents: !args.no_latents,
            version: true,
        }),
    };
    let collection = args.name;
    let client = args.client.connect().await?;
    let response = client.documents().get(request).await?.into_inner();
    let has_latents = response
        .documents
        .iter()
        .any(|document| document.latents.is_some());
    let names = match has_latents && !args.client.json {
        true => Names::read(&client, &collection).await?,
        false => Names::default(),
    };
    output::respond(args.client.json, &response, || {
        page(&response, &names, output::columns())
    })?;
    match &response.missing[..] {
        [] => Ok(()),
        [id] => bail!("the collection {collection} has no document {id:?}"),
        ids => bail!(
            "the collection {collection} has none of {} ids: {}",
            ids.len(),
            ids.join(", ")
        ),
    }
}

fn page(response: &GetResponse, names: &Names, columns: usize) -> String {
    let mut page = String::new();
    for document in &response.documents {
        let _ = writeln!(page, "{}", document.id);
        let attributes = text::attributes(document);
        if !attributes.is_empty() {
            let _ = writeln!(page, "  {attributes}");
        }
        if let Some(body) = &document.text {
            let _ = writeln!(page, "  {}", text::cut(body, usize::MAX));
        }
        if let Some(version) = &document.version {
            let _ = writeln!(page, "  version {version}");
        }
        if let Some(vector) = &document.vector {
            let _ = writeln!(
                page,
                "  vector of {} values (--json prints it)",
                vector.values.len()
            );
        }
        if let Some(latents) = &document.latents {
            let named = |a: &Activation| {
                let latent = format::latent(a.latent, &names.of(a.latent, ""));
                format!("{latent} {:.2}", a.activation)
            };
            let parts: Vec<String> = latents.values.iter().map(named).collect();
            for line in text::wrap("  latents ", &parts, columns) {
                let _ = writeln!(page, "{line}");
            }
        }
    }
    page
}
