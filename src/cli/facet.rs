//! `latentdb facet`.

use latentdb_proto::v1::facet_request::By;
use latentdb_proto::v1::{Everything, FacetRequest, FacetResponse};

use super::client::ClientArgs;
use super::{json, output, search, text};

/// What is counted by what.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("by").required(true))]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Count by value of this attribute
    #[arg(long, value_name = "NAME", group = "by")]
    attribute: Option<String>,
    /// Count by active latent
    #[arg(long, group = "by")]
    latents: bool,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Entries to print
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = FacetRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
        limit: args.limit,
        by: Some(match args.attribute {
            Some(attribute) => By::Attribute(attribute),
            None => By::Latents(Everything {}),
        }),
    };
    let client = args.client.connect().await?;
    let response = client.searches().facet(request).await?.into_inner();
    output::emit(
        args.client.json,
        &json::facet(&response),
        &page(&response, &text::label),
    )?;
    Ok(())
}

/// Counts with their share of the documents.
pub(super) fn page(response: &FacetResponse, name: text::Name<'_>) -> String {
    let share = |count: u64| {
        let share = count as f64 / response.documents.max(1) as f64;
        format!("{:.1}%", share * 100.0)
    };
    let listed = response.values.len().max(response.latents.len());
    let table = if response.latents.is_empty() {
        let rows: Vec<Vec<String>> = response
            .values
            .iter()
            .map(|entry| {
                let value = entry.value.as_ref().map(json::value).unwrap_or_default();
                let count = text::thousands(entry.count);
                vec![
                    text::cut(&text::plain(&value), 60),
                    count,
                    share(entry.count),
                ]
            })
            .collect();
        text::table(&["value", "documents", "share"], &rows)
    } else {
        let rows: Vec<Vec<String>> = response
            .latents
            .iter()
            .map(|entry| {
                let label = text::shown(&entry.label, entry.low_confidence);
                vec![
                    text::latent(entry.latent, &label, name),
                    text::thousands(entry.count),
                    share(entry.count),
                    format!("{:.3}", entry.mean_activation),
                ]
            })
            .collect();
        text::table(&["latent", "documents", "share", "activation"], &rows)
    };
    format!(
        "{table}{listed} of {} over {} documents\n",
        text::thousands(response.distinct),
        text::thousands(response.documents)
    )
}
