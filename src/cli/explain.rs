//! `latentdb explain`.

use std::fmt::Write as _;

use latentdb_proto::v1::{ExplainChoice, ExplainRequest, Projection};

use super::client::ClientArgs;
use super::output::FileArgs;
use super::{flags, output, progress, search};
use crate::client::ExplainedTarget;
use crate::client::view::explain as view;
use crate::report::format;

/// Characters of an example that are shown.
const EXAMPLE: usize = 100;

/// What is explained, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is explained.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
struct Request {
    /// The collection
    name: String,
    /// The attribute: a number, a time, or one of 2 to 50 values
    #[arg(long, value_name = "ATTRIBUTE", group = "what")]
    target: Option<String>,
    /// Instead of an attribute, whether documents are of this filter
    #[arg(long, value_name = "EXPR", group = "what")]
    target_filter: Option<String>,
    /// Latents at most
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = flags::count::<u32>)]
    latents: u32,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Share of the documents that nothing is fitted on
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    held_out: f64,
    /// Hold documents with one value of this attribute out together or not at all
    #[arg(long, value_name = "ATTRIBUTE")]
    split_by: Option<String>,
    /// Documents that the fit reads at most, drawn at random
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = flags::count::<u32>)]
    sample: u32,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Documents to show of each latent
    #[arg(long, value_name = "N", default_value_t = 1)]
    documents: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let progress = progress::follow("fitting", "units");
    let found = client.explain(args.request.wire(), progress).await?;
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&found))?;
    output::respond(args.client.json, &found, || page(&found))
}

impl Request {
    /// The request as it is sent.
    fn wire(&self) -> ExplainRequest {
        ExplainRequest {
            collection: self.name.clone(),
            filter: self.filter.clone().map(search::expression),
            target: self.target.clone().unwrap_or_default(),
            target_filter: self.target_filter.clone().map(search::expression),
            choice: ExplainChoice::Gain.into(),
            min_recurrence: self.recurrence.min_recurrence,
            latents: self.latents,
            held_out: self.held_out,
            split_by: self.split_by.clone().unwrap_or_default(),
            sample: self.sample,
            seed: self.seed,
            documents: Some(self.documents),
            projection: Some(Projection {
                text: true,
                ..Projection::default()
            }),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| *share > 0.0 && *share <= 0.9);
    share.ok_or_else(|| format!("{text:?} is no share above 0 and at most .9"))
}

fn page(found: &ExplainedTarget) -> String {
    let mut page = view::table(found).page(output::table_columns());
    for line in view::scores(found) {
        let _ = writeln!(page, "{line}");
    }
    for own in found.latents.iter().filter(|own| !own.documents.is_empty()) {
        let _ = writeln!(page, "\nlatent {}", format::latent(own.latent, &own.label));
        for document in &own.documents {
            let example = format!("{}  {}", document.id, document.text());
            let _ = writeln!(page, "  {}", format::cut(&example, EXAMPLE));
        }
    }
    page
}
