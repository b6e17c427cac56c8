//! `latentdb diff`.

use crate::cli::flags;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use latentdb_proto::v1::{
    DiffDirection, DiffMeasure, DiffOverlap, DiffRequest, DiffResponse, LatentGroup, NamedSet,
};
use serde_json::Value;

use super::client::{Client, ClientArgs};
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Comparisons;
use crate::client::view::diff as view;
use crate::plot;
use crate::records::latents;
use crate::report::Report;

/// Documents that a report shows for each difference, unless said otherwise.
const DOCUMENTS: u32 = 3;

/// What is compared, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Draw the 20 largest differences to this SVG file; with several --b to FILE-1.svg, FILE-2.svg and
    /// so on
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is compared.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The collection
    name: String,
    /// The first set, for example: source = "tweets"
    #[arg(long, value_name = "EXPR")]
    a: String,
    /// The set it is compared with; several are compared each and together. Everything that is not
    /// in A where absent
    #[arg(long, value_name = "EXPR")]
    b: Vec<String>,
    /// The sets of B are in this collection, which has the same SAE
    #[arg(long, value_name = "NAME")]
    b_collection: Option<String>,
    /// Vouch that latents of both collections mean the same, where not both have an SAE or they read
    /// texts differently
    #[arg(long, requires = "b_collection")]
    same_latents: bool,
    /// What becomes of documents that are in both A and B, which is refused unless told
    #[arg(long, value_name = "drop|keep", value_parser = overlap)]
    overlap: Option<DiffOverlap>,
    /// Pair documents with the same value of this attribute
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with_all = ["mean", "stratify_by", "cluster_by"])]
    pair_by: Option<String>,
    /// Compare documents with the same value of this attribute only, numbers by deciles; length is
    /// the number of words
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with_all = ["mean", "cluster_by"])]
    stratify_by: Option<String>,
    /// Take documents with the same value of this attribute (author, thread) as one cluster
    #[arg(long, value_name = "ATTRIBUTE")]
    cluster_by: Option<String>,
    /// Find on one part of the documents and test what was found on the rest, this share of them
    #[arg(long, value_name = "SHARE")]
    confirm: Option<f64>,
    /// Compare mean activations, not shares of documents
    #[arg(long)]
    mean: bool,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Test latents in at least this many documents of both sets together
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = flags::count::<u64>)]
    min_support: u64,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// Confidence of the intervals, over the rows that pass [default: .95]
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Compare groups of latents: records with the fields name and latents
    #[arg(long, value_name = "FILE", conflicts_with = "mean")]
    groups: Option<PathBuf>,
    /// List every latent by number, also what does not pass
    #[arg(long)]
    all: bool,
    /// List differences larger than this [default: .03, with --mean 0]
    #[arg(long, value_name = "DELTA", conflicts_with = "all")]
    min_delta: Option<f64>,
    /// List what one side has more of
    #[arg(long, value_name = "a|b", value_parser = side, conflicts_with = "all")]
    more_in: Option<DiffDirection>,
    /// List latents with at most this adjusted p-value [default: .05]
    #[arg(long, value_name = "P", conflicts_with = "all")]
    max_p: Option<f64>,
    /// List what A has and at most this share of B has: 0 for what B has not at all
    #[arg(long, value_name = "SHARE", conflicts_with = "all")]
    max_b_share: Option<f64>,
    /// Rows to list, the largest differences first
    #[arg(long, default_value_t = 200, conflicts_with = "all", value_parser = flags::count::<u32>)]
    limit: u32,
    /// Documents to show for each row; with --pair-by, of pairs in which only one side has it, and
    /// next to each the other side's
    #[arg(long, value_name = "N", default_value_t = 0)]
    documents: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let wire = args.request.wire()?;
    let client = args.client.connect().await?;
    let found = client.diff(wire.clone(), progress()).await?;
    args.files.write(&view::table(&wire, &found.comparisons))?;
    output::respond(args.client.json, &found, || {
        page(&wire, &found, output::columns())
    })?;
    match &args.plot {
        Some(path) => draw(path, &wire, &found),
        None => Ok(()),
    }
}

/// A bar that follows a diff.
fn progress() -> impl FnMut(&DiffResponse) {
    progress::follow("comparing", "units")
}

pub(super) fn overlap(text: &str) -> Result<DiffOverlap, String> {
    match text {
        "drop" => Ok(DiffOverlap::Drop),
        "keep" => Ok(DiffOverlap::Keep),
        other => Err(format!("{other:?} is neither drop nor keep")),
    }
}

fn side(text: &str) -> Result<DiffDirection, String> {
    match text {
        "a" => Ok(DiffDirection::MoreInA),
        "b" => Ok(DiffDirection::MoreInB),
        other => Err(format!("{other:?} is no side; accepted are a and b")),
    }
}

impl Request {
    /// The request as it is sent.
    fn wire(&self) -> anyhow::Result<DiffRequest> {
        let set = |filter: &String| NamedSet {
            name: filter.clone(),
            filter: Some(search::expression(filter.clone())),
        };
        let measure = if self.mean {
            DiffMeasure::MeanActivation
        } else {
            DiffMeasure::Prevalence
        };
        Ok(DiffRequest {
            collection: self.name.clone(),
            a: Some(search::expression(self.a.clone())),
            b: self.b.iter().map(set).collect(),
            b_collection: self.b_collection.clone().unwrap_or_default(),
            measure: measure.into(),
            active_above: self.above,
            min_support: self.min_support.max(1),
            confidence: self.confidence,
            pair_by: self.pair_by.clone().unwrap_or_default(),
            stratify_by: self.stratify_by.clone().unwrap_or_default(),
            cluster_by: self.cluster_by.clone().unwrap_or_default(),
            overlap: self.overlap.unwrap_or_default().into(),
            confirm: self.confirm,
            groups: groups(self.groups.as_deref())?,
            all: self.all,
            min_recurrence: self.recurrence.min_recurrence,
            min_delta: self.min_delta,
            direction: self.more_in.unwrap_or_default().into(),
            max_p_adjusted: self.max_p,
            max_b_share: self.max_b_share,
            limit: self.limit,
            documents: self.documents,
            same_latents: self.same_latents,
        })
    }
}

/// Groups of latents of a file; none without one.
pub(super) fn groups(path: Option<&Path>) -> anyhow::Result<Vec<LatentGroup>> {
    let groups = path.map(latents::groups).transpose()?.unwrap_or_default();
    let wire = |(name, latents): (Value, Vec<u32>)| LatentGroup {
        name: text::plain(&name),
        latents,
    };
    Ok(groups.into_iter().map(wire).collect())
}

/// Writes the figure of each comparison: to `path`, or if they are several to `NAME-1.svg`,
/// `NAME-2.svg` and so on. One with nothing to draw is an error if no other has anything either,
/// else a warning.
fn draw(path: &Path, request: &DiffRequest, found: &Comparisons) -> anyhow::Result<()> {
    let mut empty = Vec::new();
    for (number, one) in (1..).zip(&found.comparisons) {
        let path = match found.comparisons.len() {
            1 => path.to_path_buf(),
            _ => numbered(path, number),
        };
        if one.rows.is_empty() {
            empty.push(format!(
                "nothing passes against {}, so {} is not written",
                one.head.name,
                path.display()
            ));
        } else {
            plot::write(&path, &view::differences(request, one).figure()?)?;
        }
    }
    anyhow::ensure!(empty.len() < found.comparisons.len(), empty.join("; "));
    for message in empty {
        eprintln!("warning: {message}");
    }
    Ok(())
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(match &*extension {
        "" => format!("{stem}-{number}"),
        extension => format!("{stem}-{number}.{extension}"),
    })
}

/// `latentdb report diff`.
pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let mut wire = request.wire()?;
    if wire.documents == 0 {
        wire.documents = DOCUMENTS;
    }
    let found = client.diff(wire.clone(), progress()).await?;
    Ok(view::report(&wire, &found)?)
}

fn page(request: &DiffRequest, found: &Comparisons, columns: usize) -> String {
    let mut page = String::new();
    for one in &found.comparisons {
        let head = &one.head;
        let shown = view::differences(request, one);
        // Writing to a String cannot fail; so everywhere below.
        let _ = writeln!(
            page,
            "A {} ({} {})\nB {} ({})",
            shown.sides[0].name,
            text::thousands(head.a_documents),
            shown.measure.unit(),
            head.name,
            text::thousands(head.b_documents),
        );
        if let (Some(a), Some(b)) = (head.a_unpaired, head.b_unpaired)
            && a + b > 0
        {
            let _ = writeln!(page, "without a pair: {a} in A, {b} in B");
        }
        for note in &shown.notes {
            let _ = writeln!(page, "{note}");
        }
        let table = shown.table.page(output::table_columns());
        let mut lines = table.lines();
        let _ = writeln!(page, "{}", lines.next().unwrap_or_default());
        for ((line, row), shown) in lines.zip(&one.rows).zip(&shown.rows) {
            let _ = writeln!(page, "{line}");
            let activations = row.documents.iter().map(|entry| entry.activation);
            let mut activations = activations.map(|activation| format!("{activation:>6.2}"));
            for shown in &shown.documents {
                let before = match shown.is_counterpart {
                    true => "paired".to_owned(),
                    false => activations.next().unwrap_or_default(),
                };
                let body = match shown.text.is_empty() {
                    true => &shown.id,
                    false => &shown.text,
                };
                let body = text::cut(body, columns.saturating_sub(12));
                let _ = writeln!(page, "    {before}  {body}");
            }
        }
        let _ = writeln!(page, "{}\n", shown.counted());
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_several_comparisons_are_numbered() {
        let path = |text: &str| numbered(Path::new(text), 2).display().to_string();
        assert_eq!(path("out/p.svg"), "out/p-2.svg");
        assert_eq!(path("figure"), "figure-2");
    }
}
