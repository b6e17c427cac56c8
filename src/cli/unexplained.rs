//! `latentdb unexplained`.

use crate::cli::flags;
use std::fmt::Write as _;

use latentdb_proto::v1::{PoorlyExplained, PoorlyExplainedRequest};

use super::client::ClientArgs;
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::view::quality as view;

/// Where badly explained documents are looked for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Only among documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Documents to list, the worst explained first
    #[arg(long, default_value_t = 20, value_parser = flags::count::<u32>)]
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
    let progress = progress::follow("reconstructing", "documents");
    let found = client.poorly_explained(request, progress).await?;
    args.files.write(&view::unexplained(&found))?;
    output::warn(&found.warnings);
    output::respond(args.client.json, &found, || page(&found, output::columns()))
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
    let _ = writeln!(
        page,
        "share of the squared norm that the SAE leaves, over {}: {}",
        text::counted(found.documents, "document"),
        text::quantiles(&found.quantiles, |share| format!("{share:.3}"))
    );
    page
}
