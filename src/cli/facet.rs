//! `latentdb facet`.

use latentdb_proto::v1::facet_request::By;
use latentdb_proto::v1::{Everything, FacetRequest, FacetResponse, ValueCount};

use super::client::ClientArgs;
use super::response::Name;
use super::{output, search, text};
use crate::report::{Table, format};

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
    output::warn(&response.warnings);
    output::respond(args.client.json, &response, || {
        page(&response, &|_, label| label.to_owned())
    })
}

/// Counts with their share of the documents.
pub(super) fn page(response: &FacetResponse, name: Name<'_>) -> String {
    let share = |count: u64| text::percent(count as f64 / response.documents.max(1) as f64);
    let table = if response.latents.is_empty() {
        let value = |entry: &ValueCount| entry.value.as_ref().map(text::value);
        Table::of(&response.values)
            .text("value", |entry| {
                text::cut(&value(entry).unwrap_or_default(), 60)
            })
            .number("documents", |entry| text::thousands(entry.count))
            .number("share", |entry| share(entry.count))
            .build()
    } else {
        Table::of(&response.latents)
            .text("latent", |entry| {
                let label = format::label(&entry.label, entry.low_confidence);
                format::latent(entry.latent, &name(entry.latent, &label))
            })
            .number("documents", |entry| text::thousands(entry.count))
            .number("share", |entry| share(entry.count))
            .number("activation", |entry| {
                format!("{:.3}", entry.mean_activation)
            })
            .build()
    };
    format!(
        "{}{} of {} over {} documents\n",
        table.page(),
        table.len(),
        text::thousands(response.distinct),
        text::thousands(response.documents)
    )
}
