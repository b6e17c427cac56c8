//! `latentdb unexplained`.

use std::fmt::Write as _;

use anyhow::Context as _;
use latentdb_proto::v1::poorly_explained_response::Part;
use latentdb_proto::v1::{PoorlyExplained, PoorlyExplainedRequest};
use serde_json::{Value, json};

use super::client::ClientArgs;
use super::latents::QUANTILES;
use super::table::{FileArgs, Table};
use super::{json, output, progress, search, text};

/// Where badly explained documents are looked for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Only among documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Documents to list, the worst explained first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = PoorlyExplainedRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
        limit: args.limit,
        projection: None,
    };
    let client = args.client.connect().await?;
    let stream = client
        .analyses()
        .poorly_explained(request)
        .await?
        .into_inner();
    let mut result = None;
    progress::follow(stream, "reconstructing", "documents", |message| {
        match message.part {
            Some(Part::Progress(now)) => return Ok(Some(now)),
            Some(Part::Result(found)) => result = Some(found),
            None => {}
        }
        Ok(None)
    })
    .await?;
    let found = result.context("the server ended the call before the documents were read")?;
    args.files.write(|| table(&found))?;
    output::emit(
        args.client.json,
        &value(&found),
        &page(&found, output::columns()),
    )?;
    Ok(())
}

fn table(found: &PoorlyExplained) -> Table {
    let of = || found.worst.iter();
    let mut table = Table::default();
    let id = of().map(|entry| entry.document.as_ref().map(|document| &*document.id));
    table.text("id", id);
    table.number("residual_share", of().map(|entry| entry.residual_share));
    table
}

fn value(found: &PoorlyExplained) -> Value {
    let quantiles: serde_json::Map<String, Value> = QUANTILES
        .iter()
        .zip(&found.quantiles)
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let worst: Vec<Value> = found
        .worst
        .iter()
        .map(|entry| {
            let mut fields = entry
                .document
                .as_ref()
                .map(json::document)
                .unwrap_or_default();
            fields.insert("residual_share".to_owned(), entry.residual_share.into());
            fields.into()
        })
        .collect();
    json!({"documents": found.documents, "quantiles": quantiles, "worst": worst})
}

fn page(found: &PoorlyExplained, columns: usize) -> String {
    let mut page = String::new();
    for entry in &found.worst {
        let document = entry.document.clone().unwrap_or_default();
        let head = format!("{}  {}", document.id, text::attributes(&document));
        let _ = writeln!(
            page,
            "{:.3}  {}",
            entry.residual_share,
            text::cut(&head, columns - 7)
        );
        if let Some(body) = &document.text {
            let _ = writeln!(page, "       {}", text::cut(body, columns - 7));
        }
    }
    let quantiles: Vec<String> = QUANTILES
        .iter()
        .zip(&found.quantiles)
        .map(|(name, value)| format!("{name} {value:.3}"))
        .collect();
    let _ = writeln!(
        page,
        "share of the squared norm that the SAE leaves, over {} documents: {}",
        text::thousands(found.documents),
        quantiles.join(", ")
    );
    page
}
