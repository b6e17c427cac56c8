//! `latentdb correlate`.

use crate::cli::flags;
use std::fmt::Write as _;
use std::path::PathBuf;

use latentdb_proto::v1::{CorrelateRequest, CorrelateResponse};

use super::client::{Client, ClientArgs};
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Correlations;
use crate::client::view::correlate as view;
use crate::plot;
use crate::report::Report;

/// Pairs in the table of a terminal, unless said otherwise.
const SHOWN: u32 = 50;
/// Pairs that a report lists unless said otherwise, those it shows with documents, and how many.
const LISTED: u32 = 200;
const WITH_DOCUMENTS: usize = 10;
const DOCUMENTS: u32 = 3;

/// What is looked for, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Draw the 20 pairs with the highest NPMI to this SVG file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is looked for.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The collection
    name: String,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Only pairs with this latent; may be repeated
    #[arg(long, value_name = "ID")]
    latent: Vec<u32>,
    /// Only pairs of a --latent and this one; may be repeated
    #[arg(long, value_name = "ID", requires = "latent")]
    with: Vec<u32>,
    /// Compare latents with the values of this attribute
    #[arg(long, value_name = "NAME", conflicts_with_all = ["with", "join_by"])]
    attribute: Option<String>,
    /// Pair latents of --filter with latents of --other, documents joined by this attribute
    #[arg(long, value_name = "ATTRIBUTE", requires = "other")]
    join_by: Option<String>,
    /// The other side of --join-by
    #[arg(long, value_name = "EXPR", requires = "join_by")]
    other: Option<String>,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Leave out documents in which both latents fire on the same or neighbouring tokens: they see
    /// one word twice. Takes a collection that stores positions
    #[arg(long, conflicts_with_all = ["attribute", "join_by"])]
    exclude_adjacent: bool,
    /// Hold pairs against what would occur together within strata of this attribute, numbers by
    /// deciles; length is the number of words
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with_all = ["exclude_adjacent", "join_by"])]
    stratify_by: Option<String>,
    /// Test pairs in at least this many documents
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = flags::count::<u64>)]
    min_support: u64,
    /// Leave out latents in a larger share of the documents
    #[arg(long, value_name = "SHARE")]
    max_density: Option<f64>,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// List pairs with at least this NPMI
    #[arg(long, value_name = "NPMI", allow_hyphen_values = true)]
    min_npmi: Option<f64>,
    /// List pairs with at most this adjusted p-value [default: .05]
    #[arg(long, value_name = "P", conflicts_with = "all")]
    max_p: Option<f64>,
    /// List every tested pair, whatever its p-value
    #[arg(long)]
    all: bool,
    /// Drop pairs whose labels have at least this cosine, where latents are labelled and the
    /// collection has an encoder; 1 drops none [default: .2]
    #[arg(long, value_name = "COSINE")]
    max_label_similarity: Option<f64>,
    /// Pairs to list, highest lower bound of NPMI first [default: 50 in the table, else all]
    #[arg(long, value_parser = flags::count::<u32>)]
    limit: Option<u32>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let all = args.client.json || args.files.any();
    let wire = args.request.wire(if all { 0 } else { SHOWN });
    let client = args.client.connect().await?;
    let found = client.correlate(wire.clone(), progress()).await?;
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&wire, &found))?;
    output::respond(args.client.json, &found, || page(&wire, &found))?;
    if let Some(path) = &args.plot {
        anyhow::ensure!(
            !found.pairs.is_empty(),
            "no pair is listed, so {} is not written",
            path.display()
        );
        plot::write(path, &view::pairs(&wire, &found).figure()?)?;
    }
    Ok(())
}

/// A bar that follows a correlation.
fn progress() -> impl FnMut(&CorrelateResponse) {
    progress::follow("counting", "units")
}

impl Request {
    /// The request as it is sent; `limit` where the user gave none, 0 for all pairs.
    fn wire(&self, limit: u32) -> CorrelateRequest {
        CorrelateRequest {
            collection: self.name.clone(),
            filter: self.filter.clone().map(search::expression),
            latents: self.latent.clone(),
            others: self.with.clone(),
            attribute: self.attribute.clone().unwrap_or_default(),
            join_by: self.join_by.clone().unwrap_or_default(),
            other_filter: self.other.clone().map(search::expression),
            active_above: self.above,
            exclude_adjacent: self.exclude_adjacent,
            stratify_by: self.stratify_by.clone().unwrap_or_default(),
            all: self.all,
            min_support: self.min_support.max(1),
            max_density: self.max_density,
            min_recurrence: self.recurrence.min_recurrence,
            min_npmi: self.min_npmi,
            max_p_adjusted: self.max_p,
            max_label_similarity: self.max_label_similarity,
            limit: self.limit.unwrap_or(limit),
        }
    }
}

/// `latentdb report corr`.
pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let wire = request.wire(LISTED);
    let found = client.correlate(wire.clone(), progress()).await?;
    output::warn(&found.summary.warnings);
    let mut documents = Vec::new();
    for pair in found.pairs.iter().take(WITH_DOCUMENTS) {
        documents.push(client.pair_documents(&wire, pair, DOCUMENTS).await?);
    }
    Ok(view::report(&wire, &found, &documents)?)
}

fn page(request: &CorrelateRequest, found: &Correlations) -> String {
    let summary = &found.summary;
    let mut page = view::table(request, found).page(output::table_columns());
    let _ = writeln!(
        page,
        "{} of {} pairs in {} documents or more, of {} possible ones; {} {}",
        text::thousands(summary.listed),
        text::thousands(summary.tested),
        request.min_support,
        text::thousands(summary.eligible),
        text::thousands(summary.documents),
        if summary.unpaired.is_some() {
            "joined values"
        } else {
            "documents"
        },
    );
    if let (Some(strata), Some(outside)) = (summary.strata, summary.outside) {
        let _ = writeln!(
            page,
            "within {} strata of {}; {} documents without it are left out",
            text::thousands(strata),
            request.stratify_by,
            text::thousands(outside)
        );
    }
    if !summary.stopped.is_empty() {
        let n = text::counted(summary.stopped.len() as u64, "latent");
        let _ = writeln!(page, "{n} left out as too dense");
    }
    if let Some(dropped @ 1..) = summary.adjacent_pairs {
        let n = text::counted(dropped, "pair");
        let _ = writeln!(
            page,
            "{n} left out: too often both see one word (--exclude-adjacent)"
        );
    }
    if let Some(dropped @ 1..) = summary.similar_labels {
        let n = text::counted(dropped, "pair");
        let _ = writeln!(
            page,
            "{n} passed over for similar labels (--max-label-similarity)"
        );
    }
    page
}
