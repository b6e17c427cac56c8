//! `latentdb duplicates`.

use crate::cli::flags;
use std::fmt::Write as _;

use latentdb_proto::v1::NearDuplicatesRequest;

use super::client::ClientArgs;
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Duplicates;
use crate::client::view::quality as view;

/// Documents of a group that a terminal shows.
const SHOWN: usize = 5;

/// Where near-duplicates are looked for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Only among documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Smallest Jaccard similarity of two documents' sets of latents
    #[arg(long, value_name = "SIMILARITY", default_value_t = 0.8)]
    threshold: f64,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Leave out documents with fewer latents
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = flags::count::<u32>)]
    min_latents: u32,
    /// Groups to list, the largest first
    #[arg(long, default_value_t = 100, value_parser = flags::count::<u32>)]
    limit: u32,
    /// Documents to read of each group; a terminal shows five
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = flags::count::<u32>)]
    documents: u32,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = NearDuplicatesRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
        threshold: Some(args.threshold),
        active_above: args.above,
        min_latents: args.min_latents,
        limit: args.limit,
        documents: args.documents,
        projection: None,
    };
    let client = args.client.connect().await?;
    let progress = progress::follow("comparing", "units");
    let found = client.near_duplicates(request, progress).await?;
    output::warn(&found.summary.warnings);
    args.files.write(&view::duplicates(&found))?;
    output::respond(args.client.json, &found, || page(&found, output::columns()))
}

fn page(found: &Duplicates, columns: usize) -> String {
    let (summary, groups) = (&found.summary, &found.groups);
    let mut page = String::new();
    for (number, group) in (1..).zip(groups) {
        let size = text::thousands(group.size);
        let _ = writeln!(page, "group {number}, {size} documents");
        for member in group.documents.iter().take(SHOWN) {
            let document = member.document.clone().unwrap_or_default();
            let body = document.text.unwrap_or_default();
            let line = format!("{}  {}", document.id, text::cut(&body, columns));
            let cut = text::cut(&line, columns.saturating_sub(8));
            let _ = writeln!(page, "  {:.3} {cut}", member.similarity);
        }
        let shown = group.documents.len().min(SHOWN) as u64;
        if group.size > shown {
            let more = text::thousands(group.size - shown);
            let _ = writeln!(page, "  and {more} more");
        }
    }
    let number = text::thousands;
    let _ = writeln!(
        page,
        "{} of {} of {} ({}), among {} compared; {} left out with too few latents",
        number(groups.len() as u64),
        text::counted(summary.n_groups, "group"),
        text::counted(summary.grouped, "document"),
        text::counted(summary.pairs, "pair"),
        number(summary.documents),
        number(summary.left_out),
    );
    page
}
