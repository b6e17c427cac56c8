//! `latentdb correlate`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use latentdb_proto::v1::correlate_response::Part;
use latentdb_proto::v1::correlated_pair::Other;
use latentdb_proto::v1::{CorrelateRequest, CorrelateSummary, CorrelatedPair, StatisticalTest};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs};
use super::diff::{p_value, test_name};
use super::table::{FileArgs, Table};
use super::{figures, json, output, progress, search, text};

/// Pairs in the table of a terminal, unless said otherwise.
const SHOWN: u32 = 50;

/// What is looked for, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) request: Request,
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
    pub(super) name: String,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    pub(super) filter: Option<String>,
    /// Only pairs with this latent; may be repeated
    #[arg(long, value_name = "ID")]
    pub(super) latent: Vec<u32>,
    /// Only pairs of a --latent and this one; may be repeated
    #[arg(long, value_name = "ID", requires = "latent")]
    with: Vec<u32>,
    /// Hold latents against the values of this attribute
    #[arg(long, value_name = "NAME", conflicts_with_all = ["with", "join_by"])]
    pub(super) attribute: Option<String>,
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
    pub(super) exclude_adjacent: bool,
    /// Test pairs in at least this many documents
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) min_support: u64,
    /// Leave out latents in a larger share of the documents
    #[arg(long, value_name = "SHARE")]
    max_density: Option<f64>,
    /// List pairs with at least this NPMI
    #[arg(long, value_name = "NPMI", allow_hyphen_values = true)]
    min_npmi: Option<f64>,
    /// List pairs with at most this adjusted p-value
    #[arg(long, value_name = "P")]
    max_p: Option<f64>,
    /// Drop pairs whose labels have at least this cosine, where latents are labelled and the
    /// collection has an encoder; 1 drops none [default: .2]
    #[arg(long, value_name = "COSINE")]
    max_label_similarity: Option<f64>,
    /// Pairs to list, highest NPMI first [default: 50 in the table, else all]
    #[arg(long)]
    limit: Option<u32>,
}

/// An answer, put together.
pub(super) struct Correlated {
    pub(super) summary: CorrelateSummary,
    pub(super) pairs: Vec<CorrelatedPair>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let all = args.client.json || args.files.any();
    let request = args.request.wire(if all { 0 } else { SHOWN });
    let client = args.client.connect().await?;
    let found = fetch(&client, request).await?;
    args.files.write(|| table(&found))?;
    if args.client.json {
        output::print_json(&value(&found))?;
    } else {
        output::print(&page(&args.request, &found))?;
    }
    match &args.plot {
        Some(path) => figures::write_pairs(path, &args.request.name, &found),
        None => Ok(()),
    }
}

impl Request {
    /// Whether latents of different documents are paired.
    pub(super) fn is_joined(&self) -> bool {
        self.join_by.is_some()
    }

    /// The request as it is sent; `limit` where the user gave none, 0 for all pairs.
    pub(super) fn wire(&self, limit: u32) -> CorrelateRequest {
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
            min_support: self.min_support.max(1),
            max_density: self.max_density,
            min_npmi: self.min_npmi,
            max_p_adjusted: self.max_p,
            max_label_similarity: self.max_label_similarity,
            limit: self.limit.unwrap_or(limit),
        }
    }
}

/// Asks the server, with a bar.
pub(super) async fn fetch(
    client: &Client,
    request: CorrelateRequest,
) -> anyhow::Result<Correlated> {
    let stream = client.analyses().correlate(request).await?.into_inner();
    let mut summary = None;
    let mut pairs = Vec::new();
    progress::follow(stream, "counting", "units", |message| {
        match message.part {
            Some(Part::Progress(now)) => return Ok(Some(now)),
            Some(Part::Summary(found)) => summary = Some(found),
            Some(Part::Pairs(batch)) => pairs.extend(batch.pairs),
            None => {}
        }
        Ok(None)
    })
    .await?;
    let summary = summary.context("the server ended the call before anything was counted")?;
    Ok(Correlated { summary, pairs })
}

/// The test of a pair; the two-proportion test of two sets is the chi-square test of a pair.
fn pair_test(pair: &CorrelatedPair) -> &'static str {
    match pair.test() {
        StatisticalTest::TwoProportion => "chi-square",
        _ => test_name(pair.test),
    }
}

/// The other side as text: the number of a latent, or a value.
pub(super) fn other(pair: &CorrelatedPair) -> String {
    match &pair.other {
        Some(Other::J(latent)) => text::latent(
            *latent,
            &text::shown(&pair.j_label, pair.j_low_confidence),
            &text::label,
        ),
        Some(Other::Value(value)) => text::plain(&json::value(value)),
        None => String::new(),
    }
}

/// All pairs as one table.
pub(super) fn table(found: &Correlated) -> Table {
    let of = || found.pairs.iter();
    let mut table = Table::default();
    table.integer("i", of().map(|pair| Some(pair.i.into())));
    table.text("i_label", of().map(|pair| Some(&*pair.i_label)));
    if matches!(
        of().next().and_then(|pair| pair.other.as_ref()),
        Some(Other::Value(_))
    ) {
        table.text("value", of().map(|pair| Some(other(pair))));
    } else {
        let latent = |pair: &CorrelatedPair| match pair.other {
            Some(Other::J(latent)) => Some(latent.into()),
            _ => None,
        };
        table.integer("j", of().map(latent));
        table.text("j_label", of().map(|pair| Some(&*pair.j_label)));
    }
    table.integer("count", of().map(|pair| Some(pair.count)));
    if found.summary.adjacent_pairs.is_some() {
        table.integer("adjacent", of().map(|pair| Some(pair.adjacent)));
    }
    table.integer("i_count", of().map(|pair| Some(pair.i_count)));
    table.integer("j_count", of().map(|pair| Some(pair.j_count)));
    table.number("pmi", of().map(|pair| pair.pmi));
    table.number("npmi", of().map(|pair| pair.npmi));
    table.number("j_given_i", of().map(|pair| pair.j_given_i));
    table.number("i_given_j", of().map(|pair| pair.i_given_j));
    table.text("test", of().map(|pair| Some(pair_test(pair))));
    table.number("p_value", of().map(|pair| pair.p_value));
    table.number("p_adjusted", of().map(|pair| pair.p_adjusted));
    let similarity = |pair: &CorrelatedPair| pair.label_similarity.map(f64::from);
    table.optional_number("label_similarity", of().map(similarity));
    table
}

fn value(found: &Correlated) -> Value {
    let summary = &found.summary;
    json!({
        "documents": summary.documents,
        "eligible": summary.eligible,
        "tested": summary.tested,
        "listed": summary.listed,
        "stopped": summary.stopped,
        "similar_labels": summary.similar_labels,
        "unpaired": summary.unpaired,
        "other_unpaired": summary.other_unpaired,
        "adjacent_pairs": summary.adjacent_pairs,
        "pairs": found.pairs.iter().map(pair_value).collect::<Vec<_>>(),
    })
}

fn pair_value(pair: &CorrelatedPair) -> Value {
    let mut fields = json!({
        "i": pair.i,
        "i_label": json::some_text(&pair.i_label),
        "i_low_confidence": pair.i_low_confidence,
        "count": pair.count,
        "adjacent": pair.adjacent,
        "i_count": pair.i_count,
        "j_count": pair.j_count,
        "pmi": pair.pmi,
        "npmi": pair.npmi,
        "j_given_i": pair.j_given_i,
        "i_given_j": pair.i_given_j,
        "test": pair_test(pair),
        "p_value": pair.p_value,
        "p_adjusted": pair.p_adjusted,
    });
    if let Value::Object(fields) = &mut fields {
        match &pair.other {
            Some(Other::J(latent)) => {
                fields.insert("j".to_owned(), (*latent).into());
                fields.insert("j_label".to_owned(), json::some_text(&pair.j_label));
                let low_confidence = pair.j_low_confidence.into();
                fields.insert("j_low_confidence".to_owned(), low_confidence);
                let similarity = pair.label_similarity.map(json::number);
                fields.insert("label_similarity".to_owned(), similarity.into());
            }
            Some(Other::Value(value)) => {
                fields.insert("value".to_owned(), json::value(value));
            }
            None => {}
        }
    }
    fields
}

fn page(request: &Request, found: &Correlated) -> String {
    let rows: Vec<Vec<String>> = found
        .pairs
        .iter()
        .map(|pair| {
            vec![
                text::latent(
                    pair.i,
                    &text::shown(&pair.i_label, pair.i_low_confidence),
                    &text::label,
                ),
                text::cut(&other(pair), 60),
                text::thousands(pair.count),
                format!("{:.3}", pair.npmi),
                format!("{:.1}%", pair.j_given_i * 100.0),
                format!("{:.1}%", pair.i_given_j * 100.0),
                p_value(pair.p_adjusted),
            ]
        })
        .collect();
    let with = request.attribute.as_deref().unwrap_or("with");
    let header = [
        "latent",
        with,
        "both",
        "NPMI",
        "of the first",
        "of the second",
        "adjusted p",
    ];
    let summary = &found.summary;
    let mut page = text::table(&header, &rows);
    let _ = writeln!(
        page,
        "{} of {} pairs in {} documents or more, of {} possible ones; {} {}",
        text::thousands(summary.listed),
        text::thousands(summary.tested),
        request.min_support.max(1),
        text::thousands(summary.eligible),
        text::thousands(summary.documents),
        if summary.unpaired.is_some() {
            "joined values"
        } else {
            "documents"
        },
    );
    if !summary.stopped.is_empty() {
        let n = text::thousands(summary.stopped.len() as u64);
        let _ = writeln!(page, "{n} latents left out as too dense");
    }
    if let Some(dropped @ 1..) = summary.adjacent_pairs {
        let n = text::thousands(dropped);
        let _ = writeln!(
            page,
            "{n} pairs left out: too often both see one word (--exclude-adjacent)"
        );
    }
    if let Some(dropped @ 1..) = summary.similar_labels {
        let n = text::thousands(dropped);
        let _ = writeln!(
            page,
            "{n} pairs passed over for similar labels (--max-label-similarity)"
        );
    }
    page
}
